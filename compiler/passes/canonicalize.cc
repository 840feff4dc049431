#include <cmath>

#include "absl/strings/match.h"
#include "compiler/base/status_macros.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/util.h"

namespace mgec::passes {
namespace {

using graph::Graph;
using graph::Node;
using graph::Shape;
using graph::Value;

using Result = absl::StatusOr<Value*>;  // the replacement, or null where the node stays

Result SplitConv(Graph& g, Node& n) {
  const std::string activation = n.attributes.String("activation", "identity");
  if (n.inputs.size() == 2 && activation == "identity") return nullptr;
  graph::Attributes attributes;
  for (const auto& [name, value] : n.attributes.map()) {
    if (name != "activation") attributes.Set(name, value);
  }
  ASSIGN_OR_RETURN(Value * y, g.Add("conv2d", {n.inputs[0], n.inputs[1]}, attributes, n.name));
  for (size_t i = 2; i < n.inputs.size(); ++i) {
    ASSIGN_OR_RETURN(y, g.Add("add", {y, n.inputs[i]}, {}, n.name));
  }
  if (activation != "identity") {
    ASSIGN_OR_RETURN(y, g.Add(activation, {y}, {}, n.name));
  }
  return y;
}

// A pointwise node with one operand dropped could shrink: the result must keep its shape.
Result SplitPointwise(Graph& g, Node& n) {
  const std::vector<Value*>& in = n.inputs;
  if (n.op == "fuse_mul_add3") {
    ASSIGN_OR_RETURN(Value * product, g.Add("mul", {in[0], in[1]}, {}, n.name));
    return g.Add("add", {product, in[2]}, {}, n.name);
  }
  if (n.op == "fuse_mul_add4") {
    ASSIGN_OR_RETURN(Value * a, g.Add("mul", {in[0], in[1]}, {}, n.name));
    ASSIGN_OR_RETURN(Value * b, g.Add("mul", {in[2], in[3]}, {}, n.name));
    return g.Add("add", {a, b}, {}, n.name);
  }
  for (const char* f : {"relu", "sigmoid", "tanh", "h_swish"}) {
    if (n.op != std::string("fuse_add_") + f) continue;
    ASSIGN_OR_RETURN(Value * sum, g.Add("add", {in[0], in[1]}, {}, n.name));
    return g.Add(f, {sum}, {}, n.name);
  }
  return nullptr;
}

// scale * (x - mean) / sqrt(var + epsilon) + bias with constant parameters is one product and one sum.
Result SplitBatchNorm(Graph& g, Node& n) {
  for (int i = 1; i < 5; ++i) {
    if (!IsConstant(n.inputs[i]) || n.inputs[i]->type != n.inputs[1]->type) return nullptr;
  }
  if (n.inputs[1]->type.dtype != graph::DTypeKind::kFloat32) return nullptr;
  const std::vector<float> scale = Floats(n.inputs[1]), bias = Floats(n.inputs[2]), mean = Floats(n.inputs[3]),
                           var = Floats(n.inputs[4]);
  const double epsilon = n.attributes.Float("epsilon", 1e-4);
  std::vector<float> a(scale.size()), b(scale.size());
  for (size_t i = 0; i < scale.size(); ++i) {
    const double k = scale[i] / std::sqrt(static_cast<double>(var[i]) + epsilon);
    a[i] = static_cast<float>(k);
    b[i] = static_cast<float>(bias[i] - mean[i] * k);
  }
  const graph::TensorType& type = n.inputs[1]->type;
  ASSIGN_OR_RETURN(Value * y, g.Add("mul", {n.inputs[0], g.AddConstant(type, Bytes(a))}, {}, n.name));
  return g.Add("add", {y, g.AddConstant(type, Bytes(b))}, {}, n.name);
}

bool IsIota(const std::vector<int64_t>& v) {
  for (size_t i = 0; i < v.size(); ++i) {
    if (v[i] != static_cast<int64_t>(i)) return false;
  }
  return true;
}

Result RemoveNoOp(Graph& g, Node& n) {
  Value* x = n.inputs[0];
  const bool same = x->type == n.output()->type;
  const bool nothing = n.op == "identity" || (n.op == "concat" && n.inputs.size() == 1) ||
                       (same && (n.op == "reshape" || n.op == "broadcast" || n.op == "cast")) ||
                       (n.op == "transpose" && IsIota(n.attributes.Ints("perm")));
  if (nothing) return x;
  if (n.op == "slice" && same) {
    for (int64_t s : n.attributes.Ints("step")) {
      if (s != 1) return nullptr;
    }
    return x;
  }
  // A transpose that moves only dimensions of size 1 is a reshape.
  if (n.op == "transpose") {
    std::vector<int64_t> moved;
    for (int64_t p : n.attributes.Ints("perm")) {
      if (x->type.shape[p] != 1) moved.push_back(p);
    }
    for (size_t i = 1; i < moved.size(); ++i) {
      if (moved[i] < moved[i - 1]) return nullptr;
    }
    return g.Add("reshape", {x}, {{"shape", n.output()->type.shape}}, n.name);
  }
  // Two reshapes in a row are one.
  if (n.op == "reshape" && x->producer->op == "reshape") {
    return g.Add("reshape", {x->producer->inputs[0]}, {{"shape", n.output()->type.shape}}, n.name);
  }
  return nullptr;
}

Result Rewrite(Graph& g, Node& n) {
  if (n.outputs.size() != 1 || n.inputs.empty()) return nullptr;
  if (n.op == "conv2d") return SplitConv(g, n);
  if (n.op == "batch_norm") return SplitBatchNorm(g, n);
  if (absl::StartsWith(n.op, "fuse_")) return SplitPointwise(g, n);
  return RemoveNoOp(g, n);
}

}  // namespace

PassResult Canonicalize(Graph& g) {
  bool changed = false;
  for (Node* n : NodesOf(g)) {
    g.SetInsertionPoint(n);
    ASSIGN_OR_RETURN(Value * replacement, Rewrite(g, *n));
    if (replacement == nullptr) continue;
    g.ReplaceAllUses(n->output(), replacement);
    changed = true;
  }
  g.SetInsertionPoint(nullptr);
  return changed;
}

}  // namespace mgec::passes
