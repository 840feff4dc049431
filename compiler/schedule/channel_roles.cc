#include "compiler/schedule/channel_roles.h"

#include <algorithm>

#include "compiler/kernel/lower.h"
#include "compiler/schedule/contraction.h"
#include "compiler/schedule/scheduler.h"

namespace mgec::schedule {

using kernel::Definition;
using kernel::Expr;
using kernel::Op;
using kernel::Scalar;
using kernel::Stage;

namespace {

bool IsUse(const Expr& e, const kernel::Var& v) { return e->op == Op::kVar && e->var == v; }

// A constant's values in the order of the blocks: [block][rest][8], zero in lanes that hold nothing.
template <typename Value, typename Stored>
std::string PackPerChannel(const std::string& data, const std::vector<int64_t>& shape, size_t dim,
                           const std::vector<BlockUse>& blocks) {
  int64_t outer = 1, inner = 1;
  for (size_t i = 0; i < shape.size(); ++i) (i < dim ? outer : inner) *= i == dim ? 1 : shape[i];
  const Value* in = reinterpret_cast<const Value*>(data.data());
  std::string packed(blocks.size() * outer * inner * kBlock * sizeof(Stored), '\0');
  Stored* out = reinterpret_cast<Stored*>(packed.data());
  for (const BlockUse& b : blocks) {
    for (int64_t o = 0; o < outer; ++o) {
      for (int64_t i = 0; i < inner; ++i) {
        for (int lane = 0; lane < kBlock; ++lane) {
          const int c = b.channel[lane];
          *out++ = c < 0 ? Stored{0} : static_cast<Stored>(in[(o * shape[dim] + c) * inner + i]);
        }
      }
    }
  }
  return packed;
}

}  // namespace

std::optional<std::vector<TensorUse>> RolesOf(const Definition& d, const graph::Node& node, size_t tables) {
  std::vector<TensorUse> roles(d.num_inputs() + d.stages().size());
  for (size_t s = 0; s < d.stages().size(); ++s) {
    const Stage& stage = d.stages()[s];
    const bool is_table = s < tables;
    if (!is_table && (stage.vars.size() < 2 || !CanBeBlocked(stage.info.scalar))) return std::nullopt;
    roles[d.num_inputs() + s] = is_table ? TensorUse{Role::kUniform, 0} : TensorUse{Role::kBlocked, 1};
    const kernel::Var c = is_table ? nullptr : stage.vars[1];
    bool fits = true;
    kernel::Visit(stage.body, [&](const Expr& e) {
      if (e->op != Op::kRead) {
        // The channel may be an index, never a number that is computed with.
        for (const Expr& a : e->args) fits = fits && !IsUse(a, c);
        return;
      }
      int channel_dim = -1;
      for (size_t i = 0; i < e->args.size(); ++i) {
        if (IsUse(e->args[i], c)) {
          fits = fits && channel_dim < 0;
          channel_dim = static_cast<int>(i);
        } else if (kernel::DependsOn(e->args[i], c)) {
          fits = false;
        }
      }
      TensorUse use;
      if (channel_dim >= 0) {
        const bool constant = e->tensor < d.num_inputs() && Scheduler::ConstantData(node.inputs[e->tensor]);
        use = {constant ? Role::kPerChannel : Role::kBlocked, static_cast<size_t>(channel_dim)};
        fits = fits && (constant || channel_dim == 1) && CanBeBlocked(e->type.scalar);
      } else {
        use = {Role::kUniform, 0};
      }
      TensorUse& known = roles[e->tensor];
      if (known.role != Role::kUnused && (known.role != use.role || known.channel_dim != use.channel_dim)) fits = false;
      known = use;
    });
    if (!fits) return std::nullopt;
  }
  return roles;
}

int64_t RestElements(const std::vector<int64_t>& shape, size_t channel_dim) {
  int64_t n = 1;
  for (size_t i = 0; i < shape.size(); ++i) n *= i == channel_dim ? 1 : shape[i];
  return n;
}

Expr RestIndex(const std::vector<Expr>& index, const std::vector<int64_t>& shape, size_t channel_dim) {
  std::vector<Expr> rest;
  std::vector<int64_t> extents;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i == channel_dim) continue;
    rest.push_back(index[i]);
    extents.push_back(shape[i]);
  }
  return kernel::FlatIndex(rest, extents);
}

BlockElement PackedElement(Scalar s, bool as_floats) {
  const bool small = s == Scalar::kInt8 || s == Scalar::kUint8 || s == Scalar::kInt16;
  return {s, small && as_floats ? Scalar::kFloat32 : s, 0};
}

std::string PackPerChannel(const BlockElement& e, const std::string& data, const std::vector<int64_t>& shape, size_t dim,
                           const std::vector<BlockUse>& blocks) {
  const bool as_floats = !e.plain();
  switch (e.value) {
    case Scalar::kInt8:
      return as_floats ? PackPerChannel<int8_t, float>(data, shape, dim, blocks)
                       : PackPerChannel<int8_t, int8_t>(data, shape, dim, blocks);
    case Scalar::kUint8:
      return as_floats ? PackPerChannel<uint8_t, float>(data, shape, dim, blocks)
                       : PackPerChannel<uint8_t, uint8_t>(data, shape, dim, blocks);
    case Scalar::kFloat16:
    case Scalar::kBFloat16: return PackPerChannel<int16_t, int16_t>(data, shape, dim, blocks);  // bit by bit
    case Scalar::kInt16:
      return as_floats ? PackPerChannel<int16_t, float>(data, shape, dim, blocks)
                       : PackPerChannel<int16_t, int16_t>(data, shape, dim, blocks);
    default: return PackPerChannel<int32_t, int32_t>(data, shape, dim, blocks);  // and floats, bit by bit
  }
}

bool SumsFloats(const Stage& stage) {
  bool sums = false;
  kernel::Visit(stage.body, [&](const Expr& e) { sums = sums || (e->op == Op::kReduce && e->type == kernel::Type(Scalar::kFloat32)); });
  return sums;
}

bool SamplesPlaces(const Definition& d, const std::vector<TensorUse>& roles) {
  constexpr int kFewestSamples = 4, kFewestBlocks = 4;
  const int64_t channels = d.stages().back().info.shape[1];
  if (channels < kBlock / 2) return false;
  auto reads = [&](const Expr& e, Role role) {
    bool found = false;
    kernel::Visit(e, [&](const Expr& n) {
      found = found || (n->op == Op::kRead && roles[n->tensor].role == role && !d.info(n->tensor).shape.empty());
    });
    return found;
  };
  for (const Stage& stage : d.stages()) {
    bool reduces = false;
    int samples = 0;
    kernel::Visit(stage.body, [&](const Expr& e) {
      if (e->op == Op::kReduce) reduces = reduces || (reads(e, Role::kBlocked) && reads(e, Role::kUniform));
      if (e->op != Op::kRead || roles[e->tensor].role != Role::kBlocked) return;
      samples += std::any_of(e->args.begin(), e->args.end(), [&](const Expr& a) { return reads(a, Role::kUniform); });
    });
    if (reduces || (samples >= kFewestSamples && channels >= kFewestBlocks * kBlock)) return true;
  }
  return false;
}

}  // namespace mgec::schedule
