#include "compiler/schedule/pixel_sums.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compiler/kernel/lower.h"
#include "compiler/schedule/contraction.h"
#include "compiler/schedule/functions.h"

namespace mgec::schedule {
namespace {

using kernel::Block;
using kernel::Buffer;
using kernel::Expr;
using kernel::Int;
using kernel::Op;
using kernel::Scalar;
using kernel::Stage;

// A stage that computes something of the sum of all pixels of a channel of an image, and of nothing else.
struct SumOfPixels {
  Expr sum;    // the kReduce
  int tensor;  // whose pixels they are
};

std::optional<SumOfPixels> SumOfPixelsIn(const kernel::Definition& d, const Stage& stage) {
  SumOfPixels result{OnlyReduction(stage.body), -1};
  if (result.sum == nullptr || result.sum->combiner != kernel::Combiner::kSum || result.sum->args[0]->op != Op::kRead) return std::nullopt;
  const Expr& read = result.sum->args[0];
  const std::vector<int64_t>& shape = d.info(read->tensor).shape;
  if (d.info(read->tensor).scalar != Scalar::kFloat32 || shape.size() < 3 || stage.info.shape.size() < 2) return std::nullopt;
  if (!kernel::IsIndexAlong(read->args[0], stage.vars[0], shape[0]) || !kernel::IsIndexAlong(read->args[1], stage.vars[1], shape[1])) {
    return std::nullopt;
  }
  if (shape[0] != stage.info.shape[0] || RestElements(stage.info.shape, 1) != shape[0]) return std::nullopt;
  std::vector<bool> used(result.sum->reduce_axes.size(), false);
  for (size_t i = 2; i < shape.size(); ++i) {
    bool found = shape[i] == 1;  // an index of 0
    for (size_t a = 0; a < used.size() && !found; ++a) {
      const kernel::ReduceAxis& axis = result.sum->reduce_axes[a];
      found = !used[a] && axis.extent == shape[i] && read->args[i]->op == Op::kVar && read->args[i]->var == axis.var;
      if (found) used[a] = true;
    }
    if (!found) return std::nullopt;
  }
  for (size_t a = 0; a < used.size(); ++a) {
    if (!used[a] && result.sum->reduce_axes[a].extent != 1) return std::nullopt;
  }
  // Nothing but the sum decides.
  const Expr rest = kernel::Replace(stage.body, [&](const Expr& e) { return e == result.sum ? kernel::Float(0) : nullptr; });
  bool alone = true;
  kernel::Visit(rest, [&](const Expr& e) { alone = alone && e->op != Op::kRead && e->op != Op::kVar; });
  if (!alone) return std::nullopt;
  result.tensor = read->tensor;
  return result;
}

}  // namespace

bool WantsPixelSums(const Scheduler& s, const graph::Value* v) {
  return std::any_of(s.users(v).begin(), s.users(v).end(), [&](const graph::Node* user) {
    const graph::Node* anchor = Anchor(*user);
    if (anchor == nullptr || (anchor->op != "pool2d" && anchor->op != "reduce") || user->inputs.size() != 1) return false;
    const absl::StatusOr<kernel::Definition> d = DefinitionFor(*user);
    if (!d.ok() || d->stages().size() != 1) return false;
    Stage stage = d->stages()[0];
    kernel::Ranges ranges;
    for (size_t i = 0; i < stage.vars.size(); ++i) {
      if (i != 1) ranges[stage.vars[i].get()] = {0, stage.info.shape[i] - 1};
    }
    stage.body = kernel::Simplify(stage.body, ranges);
    return SumOfPixelsIn(*d, stage).has_value();
  });
}

bool EmitFromPixelSums(Scheduler& s, const graph::Node& node, const ChannelwiseNode& n, int stage_index) {
  const Stage& stage = n.definition.stages()[stage_index];
  const std::optional<SumOfPixels> of = SumOfPixelsIn(n.definition, stage);
  if (!of || of->tensor >= n.definition.num_inputs() || n.roles[of->tensor].role != Role::kBlocked) return false;
  const std::vector<BlockUse> operand = BlocksOf(n.blocked[of->tensor]);
  const PixelSums* sums = s.pixel_sums(operand[0].storage);
  if (sums == nullptr) return false;
  for (size_t i = 0; i < operand.size(); ++i) {  // the tensor itself, with its blocks in order
    if (operand[i].storage != operand[0].storage || operand[i].block != static_cast<int32_t>(i)) return false;
  }
  const int64_t blocks = static_cast<int64_t>(operand.size()), images = stage.info.shape[0];
  const BlockElement element = s.Element(stage.info.scalar);
  kernel::Kernel k;
  k.name = OpName(node);
  k.task = kernel::MakeVar("task");
  std::vector<plan::Argument> bindings;
  auto argument = [&](const char* name, Scalar scalar, int64_t elements, plan::StorageId storage) {
    k.arguments.push_back(
        kernel::ArgumentBuffer(name, scalar, elements, static_cast<int>(k.arguments.size()), SizeOf(scalar)));
    plan::Argument binding{storage};
    binding.bytes = elements * SizeOf(scalar);
    bindings.push_back(binding);
    return k.arguments.back();
  };
  const Buffer in = argument("pixel_sums", Scalar::kFloat32, sums->parts * blocks * images * kBlock, sums->storage);
  const Buffer out = argument("out", element.stored, blocks * images * kBlock, n.storage[stage_index]);
  constexpr int64_t kPerTask = 64;
  const int64_t count = blocks * images;  // of sums for each part
  k.tasks = (count + kPerTask - 1) / kPerTask;
  Block b;
  const Expr begin = Use(k.task) * kPerTask;
  b.For("block", begin, Min(begin + kPerTask, Int(count)), 1, [&](Block& b, const Expr& i) {
    Expr sum = Load(in, i * kBlock, kBlock);
    for (int64_t part = 1; part < sums->parts; ++part) sum = b.Let("sum", sum + Load(in, (i + part * count) * kBlock, kBlock));
    const Expr value = kernel::Replace(stage.body, [&](const Expr& e) { return e == of->sum ? sum : nullptr; });
    b.Store(out, i * kBlock, ToStored(element, Broadcast(value, kBlock)));
  });
  k.body = b.Take();
  plan::StepInfo info = s.Info(node, OpName(node));
  info.bytes = bindings[0].bytes + bindings[1].bytes;  // not the tensor itself
  s.program().AddStep(std::move(k), std::move(bindings), info);
  return true;
}

PixelSummer::PixelSummer(Block& b, int lanes)
    : sums_(kernel::StackBuffer("sums_of_vectors", Scalar::kFloat32, lanes)),
      single_(kernel::StackBuffer("sums_of_pixels", Scalar::kFloat32, kBlock)),
      lanes_(lanes) {
  b.Store(sums_, Int(0), Broadcast(kernel::Float(0), lanes));
  b.Store(single_, Int(0), Broadcast(kernel::Float(0), kBlock));
}

void PixelSummer::Add(Block& b, const Expr& values, const Expr& left_out) {
  Expr kept = values;
  const int all = values->type.lanes;
  if (left_out != nullptr) {
    const kernel::Type i32(Scalar::kInt32);
    const Expr first = Broadcast(Cast(i32, left_out * kBlock), all);
    kept = Select(kernel::Ramp(Int(0, i32), 1, all) < first, Broadcast(kernel::Float(0), all), values);
  }
  kept = b.Let("kept", kept);
  // Whole vectors are added up before the sum that waits for the one before.
  Expr sum;
  int at = 0;
  for (; at + lanes_ <= all; at += lanes_) {
    const Expr part = all == lanes_ ? kept : Slice(kept, at, lanes_);
    sum = sum == nullptr ? part : sum + part;
  }
  if (sum != nullptr) b.Store(sums_, Int(0), Load(sums_, Int(0), lanes_) + sum);
  for (; at < all; at += kBlock) {
    const Expr part = all == kBlock ? kept : Slice(kept, at, kBlock);
    b.Store(single_, Int(0), Load(single_, Int(0), kBlock) + part);
  }
}

void PixelSummer::Store(Block& b, const Buffer& out, const Expr& at) {
  Expr sum = Load(single_, Int(0), kBlock);
  const Expr all = b.Let("all", Load(sums_, Int(0), lanes_));
  for (int i = 0; i < lanes_; i += kBlock) sum = sum + (lanes_ == kBlock ? all : Slice(all, i, kBlock));
  b.Store(out, at, sum);
}

}  // namespace mgec::schedule
