#include "compiler/schedule/channelwise_operands.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "compiler/kernel/lower.h"
#include "compiler/schedule/contraction.h"
#include "compiler/schedule/narrow_floats.h"

namespace mgec::schedule {
namespace {

using kernel::Block;
using kernel::Buffer;
using kernel::Expr;
using kernel::Int;
using kernel::Op;
using kernel::Scalar;

// Packed float32 numbers in 16 bits, where that is wanted: weights of windows rounded, others where they do not change.
Scalar NarrowPacked(std::string& packed, bool weights, Scalar wanted) {
  if (wanted == Scalar::kFloat32) return wanted;
  const int64_t count = static_cast<int64_t>(packed.size() / sizeof(float));
  const float* values = reinterpret_cast<const float*>(packed.data());
  if (weights && StorageForWeights(values, count, wanted) == wanted) {
    packed = Narrowed(packed, wanted);
    return wanted;
  }
  std::string narrow = NarrowExactly(packed, wanted);
  if (narrow.empty()) return Scalar::kFloat32;
  packed = std::move(narrow);
  return wanted;
}

bool AllFinite(const std::string& floats) {
  for (size_t i = 0; i < floats.size(); i += sizeof(float)) {
    float v;
    std::memcpy(&v, floats.data() + i, sizeof(v));
    if (!std::isfinite(v)) return false;
  }
  return true;
}

bool IsRead16(const BlockElement& e) { return e.value == Scalar::kFloat32 && !e.plain(); }

}  // namespace

ChannelwiseOperands::ChannelwiseOperands(Scheduler& s, const graph::Node& node, const ChannelwiseNode& n,
                                         const kernel::Stage& stage, plan::StepInfo& info)
    : s_(s), node_(node), n_(n), stage_(stage), access_(n.roles.size()) {
  std::vector<bool> read(n.roles.size(), false);
  kernel::Visit(stage.body, [&](const Expr& e) {
    if (e->op == Op::kRead) read[e->tensor] = true;
  });
  const int inputs = n.definition.num_inputs();
  for (int t = 0; t < static_cast<int>(n.roles.size()); ++t) {
    if (!read[t]) continue;
    const kernel::TensorInfo& tensor = n.definition.info(t);
    Access& a = access_[t];
    a.element = s.Element(tensor.scalar);
    if (n.roles[t].role == Role::kUniform) {
      a.immediate = t < inputs ? Scheduler::Immediate(node.inputs[t]) : nullptr;
      if (a.immediate != nullptr) continue;
      Placement p;
      if (t < inputs) p = s.Plain(node.inputs[t]);
      else p.storage = n.storage[t - inputs];
      a.buffer = AddArgument(Name(t), tensor.scalar, graph::NumElements(tensor.shape), {p.storage, p.offset});
    } else if (n.roles[t].role == Role::kPerChannel) {
      AddConstant(a, t, *Scheduler::ConstantData(node.inputs[t]));
    } else if (t >= inputs) {
      a.buffer = AddArgument(Name(t), a.element.stored, AllElements(t), {n.storage[t - inputs]});
    } else {
      AddBlocked(a, t, info);
    }
  }
}

int64_t ChannelwiseOperands::BlockElements(int t) const {
  return RestElements(n_.definition.info(t).shape, n_.roles[t].channel_dim) * kBlock;
}

Buffer ChannelwiseOperands::AddArgument(const std::string& name, Scalar scalar, int64_t elements, plan::Argument binding) {
  arguments_.push_back(kernel::ArgumentBuffer(name, scalar, elements, static_cast<int>(arguments_.size()), SizeOf(scalar)));
  binding.bytes = elements * SizeOf(scalar);
  bindings_.push_back(binding);
  return arguments_.back();
}

void ChannelwiseOperands::AddConstant(Access& a, int t, const std::string& data) {
  const kernel::TensorInfo& tensor = n_.definition.info(t);
  a.element = PackedElement(tensor.scalar, SumsFloats(stage_));
  std::string packed = PackPerChannel(a.element, data, tensor.shape, n_.roles[t].channel_dim, n_.blocks);
  if (tensor.scalar == Scalar::kFloat32) {
    a.finite = AllFinite(data);
    a.element.stored = NarrowPacked(packed, BlockElements(t) > kBlock, s_.float_storage());
  }
  a.buffer = AddArgument(Name(t), a.element.stored, AllElements(t), {s_.program().AddConstant(std::move(packed))});
}

void ChannelwiseOperands::AddBlocked(Access& a, int t, plan::StepInfo& info) {
  const std::vector<BlockUse> blocks = BlocksOf(n_.blocked[t]);
  const int64_t rest = BlockElements(t);
  bool consecutive = true;
  for (size_t i = 0; i < blocks.size(); ++i) {
    consecutive = consecutive && blocks[i].storage == blocks[0].storage &&
                  blocks[i].block == blocks[0].block + static_cast<int32_t>(i);
  }
  if (consecutive) {
    const int64_t offset = blocks[0].block * rest * a.element.bytes();
    a.buffer = AddArgument(Name(t), a.element.stored, AllElements(t), {blocks[0].storage, offset});
    return;
  }
  std::vector<std::pair<plan::StorageId, int64_t>> offsets;
  for (const BlockUse& b : blocks) offsets.emplace_back(b.storage, b.block * rest);
  Buffer& arena = arenas_[a.element.stored];
  if (arena == nullptr) {
    arena = ArenaArgument(static_cast<int>(arguments_.size()), a.element.stored);
    arguments_.push_back(arena);
    bindings_.push_back({plan::kWholeArena});
  }
  a.buffer = arena;
  a.table = AddArgument(Name(t) + "_table", Scalar::kInt32, static_cast<int64_t>(blocks.size()),
                        {s_.OffsetTable(std::move(offsets), a.element.bytes())});
  for (plan::StorageId id : StoragesOf(n_.blocked[t])) info.touches.push_back(id);
}

void ChannelwiseOperands::EmitBases(Block& b, const Expr& block, bool widens) {
  constexpr int64_t kMostWidened = 1024;
  for (int t = 0; t < static_cast<int>(access_.size()); ++t) {
    Access& a = access_[t];
    if (a.buffer == nullptr || n_.roles[t].role == Role::kUniform) continue;
    const int64_t rest = BlockElements(t);
    a.base = a.table ? b.Let("base", Cast(kernel::kIndexType, Load(a.table, block))) : b.Let("base", block * rest);
    if (!widens || !IsRead16(a.element) || n_.roles[t].role != Role::kPerChannel || rest > kMostWidened) continue;
    a.wide = kernel::StackBuffer("wide", Scalar::kFloat32, rest);
    b.For("i", Int(0), Int(rest), kBlock, [&](Block& b, const Expr& i) {
      b.Store(a.wide, i, FromStored(a.element, Load(a.buffer, a.base + i, kBlock)));
    });
  }
}

Expr ChannelwiseOperands::Read(int t, const std::vector<Expr>& index, const Expr& pixel) const {
  const Access& a = access_[t];
  if (a.immediate) return a.immediate;
  const std::vector<int64_t>& shape = n_.definition.info(t).shape;
  const TensorUse& use = n_.roles[t];
  if (use.role == Role::kUniform) return Load(a.buffer, kernel::FlatIndex(index, shape));
  if (a.band) return Load(a.band->wide, a.band->Index(index), kBlock);
  const Expr rest = pixel != nullptr && use.role == Role::kBlocked ? pixel : RestIndex(index, shape, use.channel_dim);
  if (a.wide != nullptr) return Load(a.wide, rest * kBlock, kBlock);
  return FromStored(a.element, Load(a.buffer, rest * kBlock + a.base, kBlock));
}

bool ChannelwiseOperands::IsFinite(const Expr& e) const {
  if (e->op == Op::kLoad) {
    return std::any_of(access_.begin(), access_.end(),
                       [&](const Access& a) { return a.finite && (e->buffer == a.buffer || e->buffer == a.wide); });
  }
  const bool moves = e->op == Op::kConcat || e->op == Op::kBroadcast || e->op == Op::kSlice || e->op == Op::kCast;
  return moves && std::all_of(e->args.begin(), e->args.end(), [&](const Expr& x) { return IsFinite(x); });
}

bool ChannelwiseOperands::HasBand() const {
  return std::any_of(access_.begin(), access_.end(), [](const Access& a) { return a.band.has_value(); });
}

int64_t ChannelwiseOperands::FindBand(int64_t out_rows, const kernel::Ranges& ranges) {
  for (size_t t = 0; t < access_.size(); ++t) {
    if (access_[t].buffer == nullptr || n_.roles[t].role != Role::kBlocked) continue;
    access_[t].band = WindowBandOf(stage_, n_.definition, static_cast<int>(t), ranges);
    if (access_[t].band) return access_[t].band->Divide(out_rows);  // no operator has windows in two tensors
  }
  return 0;
}

void ChannelwiseOperands::WidenBand(Block& b, const std::vector<Expr>& image, const Expr& first, const Expr& last) {
  for (Access& a : access_) {
    if (!a.band) continue;
    const std::vector<int64_t>& shape = n_.definition.info(a.band->tensor).shape;
    std::vector<Expr> index(shape.size(), Int(0));
    for (size_t i = 0; i + 2 < shape.size(); ++i) {
      if (i != 1 && shape[i] != 1) index[i] = image[i];
    }
    const Expr begin = RestIndex(index, shape, 1) * kBlock + a.base;
    a.band->Widen(b, a.buffer, begin, first, last, std::max(kBlock, s_.target().vector_lanes));
  }
}

}  // namespace mgec::schedule
