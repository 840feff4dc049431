#include <algorithm>
#include <optional>

#include "compiler/base/status_macros.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/util.h"

namespace mgec::passes {
namespace {

using graph::Graph;
using graph::Node;
using graph::Value;

// The factor of each output channel, if the constant `c` holds one per channel (dimension `dim` of `out`) or one in all.
std::optional<std::vector<float>> PerChannel(const Value* c, const graph::Shape& out, size_t dim) {
  if (!IsConstant(c) || c->type.dtype != graph::DTypeKind::kFloat32) return std::nullopt;
  std::vector<float> values = Floats(c);
  const graph::Shape& shape = c->type.shape;
  if (values.size() == 1) return std::vector<float>(out[dim], values[0]);
  if (static_cast<int64_t>(values.size()) != out[dim] || shape.size() > out.size()) return std::nullopt;
  if (dim < out.size() - shape.size() || shape[dim - (out.size() - shape.size())] != out[dim]) return std::nullopt;
  return values;
}

// Multiplies the weights of a convolution or matrix product by `scale` along its output channels.
absl::StatusOr<Value*> ScaledWeights(Graph& g, const Node& n, const std::vector<float>& scale) {
  const Value* w = n.inputs[1];
  std::vector<float> values = Floats(w);
  const int64_t channels = static_cast<int64_t>(scale.size()), total = static_cast<int64_t>(values.size());
  // Channels are the slowest dimension, except for a matrix [K, N] that is not transposed.
  const bool fastest = n.op == "matmul" && n.attributes.Int("transpose_b") == 0;
  const int64_t per_channel = total / channels;
  for (int64_t i = 0; i < total; ++i) values[i] *= scale[fastest ? i % channels : i / per_channel];
  return g.AddConstant(w->type, Bytes(values), w->producer->name);
}

// Constants move behind the operations that could join them: (x + c) * k becomes x * k + c * k, (x + c) + d becomes
// x + (c + d). Only where the shapes stay and nobody else wants the sum.
absl::StatusOr<bool> ReorderConstants(Graph& g) {
  bool changed = false;
  for (Node* n : NodesOf(g)) {
    if (n->op != "mul" && n->op != "add") continue;
    const auto users = g.Users();
    for (int side = 0; side < 2; ++side) {
      Node* sum = n->inputs[side]->producer;
      Value* k = n->inputs[1 - side];
      if (sum->op != "add" || !IsConstant(k) || SoleUser(g, users, sum->output()) != n ||
          sum->output()->type != n->output()->type) {
        continue;
      }
      const int constant_side = IsConstant(sum->inputs[1]) ? 1 : 0;
      Value* c = sum->inputs[constant_side];
      Value* x = sum->inputs[1 - constant_side];
      if (!IsConstant(c) || IsConstant(x) || x->type != n->output()->type) continue;
      g.SetInsertionPoint(n);
      ASSIGN_OR_RETURN(Value * joined, g.Add(n->op, {c, k}, {}, n->name));
      Value* y = x;
      if (n->op == "mul") {
        ASSIGN_OR_RETURN(y, g.Add("mul", {x, k}, {}, n->name));
      }
      ASSIGN_OR_RETURN(y, g.Add("add", {y, joined}, {}, n->name));
      g.ReplaceAllUses(n->output(), y);
      changed = true;
      break;
    }
  }
  g.SetInsertionPoint(nullptr);
  g.EraseDeadNodes();
  return changed;
}

}  // namespace

PassResult FoldScales(Graph& g) {
  bool changed = false;
  g.EraseDeadNodes();  // dead users would stand in the way
  for (int round = 0; round < 4; ++round) {  // a scale may pass several sums
    ASSIGN_OR_RETURN(bool moved, ReorderConstants(g));
    changed = changed || moved;
    if (!moved) break;
    ASSIGN_OR_RETURN(bool folded, FoldConstants(g));
    (void)folded;
  }
  std::vector<Node*> folded;
  for (Node* n : NodesOf(g)) {
    if (n->op != "mul") continue;
    const auto users = g.Users();
    for (int side = 0; side < 2; ++side) {
      Node* producer = n->inputs[side]->producer;
      const bool conv = producer->op == "conv2d" && producer->inputs.size() == 2 &&
                        producer->attributes.String("activation", "identity") == "identity";
      const bool matmul = producer->op == "matmul" && producer->output()->type.shape.size() == 2;
      if ((!conv && !matmul) || !IsConstant(producer->inputs[1]) || SoleUser(g, users, producer->output()) != n ||
          producer->output()->type != n->output()->type || producer->inputs[1]->type.dtype != graph::DTypeKind::kFloat32) {
        continue;
      }
      const auto scale = PerChannel(n->inputs[1 - side], producer->output()->type.shape, 1);
      if (!scale || scale->empty()) continue;
      g.SetInsertionPoint(producer);
      ASSIGN_OR_RETURN(producer->inputs[1], ScaledWeights(g, *producer, *scale));
      g.ReplaceAllUses(n->output(), producer->output());
      n->inputs.clear();  // no longer a user of the product: the next scale may follow
      folded.push_back(n);
      changed = true;
      break;
    }
  }
  g.SetInsertionPoint(nullptr);
  g.nodes().remove_if([&](const auto& n) { return std::count(folded.begin(), folded.end(), n.get()) != 0; });
  return changed;
}

}  // namespace mgec::passes
