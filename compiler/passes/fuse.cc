#include <algorithm>
#include <optional>
#include <set>
#include <unordered_set>

#include "compiler/base/status_macros.h"
#include "compiler/ops/op.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/util.h"

namespace mgec::passes {
namespace {

using graph::Graph;
using graph::Node;
using graph::Value;

using Users = std::unordered_map<const Value*, std::vector<Node*>>;

bool IsPointwise(const Node& n) {
  const ops::OpDef* op = ops::FindOp(n.op);
  return op != nullptr && op->pointwise && n.outputs.size() == 1;
}

bool IsIntContraction(const Node& n) { return n.op == "int_conv2d" || n.op == "int_matmul"; }
bool IsConv(const Node& n) { return n.op == "conv2d" || n.op == "int_conv2d"; }
bool IsContraction(const Node& n) { return n.op == "conv2d" || n.op == "matmul" || IsIntContraction(n); }

// What the epilogue of a contraction computes with: float32 after floats, integers and float32 after integers.
bool FitsEpilogue(const Node& anchor, const graph::DType& d) {
  if (!IsIntContraction(anchor)) return d == anchor.output()->type.dtype;
  switch (ops::StorageOf(d)) {
    case kernel::Scalar::kFloat32:
    case kernel::Scalar::kInt8:
    case kernel::Scalar::kUint8:
    case kernel::Scalar::kInt16:
    case kernel::Scalar::kInt32: return true;
    default: return false;
  }
}

// Nodes whose last step may take a pointwise tail.
bool TakesTail(const Node& n) {
  static const std::set<std::string> kOps = {"conv2d",     "matmul",  "pool2d",     "reduce",
                                             "int_conv2d", "int_matmul", "softmax", "layer_norm", "group_norm",
                                             "lrn",        "resize"};
  return kOps.count(n.op) != 0 && n.outputs.size() == 1;
}

// Whether a contraction's micro-kernel can read `v` in its epilogue, given the output's type.
bool FitsEpilogue(const Node& anchor, const Value* v) {
  const graph::TensorType& out = anchor.output()->type;
  if (!FitsEpilogue(anchor, v->type.dtype)) return false;
  const graph::Shape& s = v->type.shape;
  if (graph::NumElements(s) == 1 || s == out.shape) return true;
  const size_t dim = IsConv(anchor) ? 1 : out.shape.size() - 1;
  if (s.size() > out.shape.size()) return false;
  if (IsConstant(v)) {  // one element per channel
    const size_t skipped = out.shape.size() - s.size();
    return dim >= skipped && s[dim - skipped] == out.shape[dim] && graph::NumElements(s) == out.shape[dim];
  }
  return IsConv(anchor) && s == graph::Shape{out.shape[0], out.shape[1], 1, 1};  // a gate per image and channel
}

// With the casts of operands that nothing else reads: a residual sum of quantized numbers adds them up as floats.
std::vector<Node*> WithCasts(const Graph& g, const Users& users, std::vector<Node*> group) {
  std::unordered_set<const Node*> members(group.begin(), group.end());
  const Node& anchor = *group[0];
  for (size_t i = 1; i < group.size(); ++i) {
    for (Value* v : group[i]->inputs) {
      const Node& p = *v->producer;
      const bool fits = p.op == "cast" && members.count(&p) == 0 && SoleUser(g, users, v) == group[i] &&
                        v->type.shape == anchor.output()->type.shape && FitsEpilogue(anchor, p.inputs[0]);
      if (fits) members.insert(&p);
    }
  }
  std::vector<Node*> ordered;
  for (const auto& n : g.nodes()) {
    if (members.count(n.get()) != 0) ordered.push_back(n.get());
  }
  return ordered;
}

// The pointwise nodes that follow `anchor` and can be computed with it.
std::vector<Node*> TailOf(const Graph& g, const Users& users, Node* anchor) {
  std::vector<Node*> group = {anchor};
  for (;;) {
    const Value* last = group.back()->output();
    Node* next = SoleUser(g, users, last);
    if (next == nullptr || !IsPointwise(*next) || next->output()->type.shape != anchor->output()->type.shape) break;
    // A value of another dtype (a comparison's bool) ends a contraction's kernel.
    if (IsContraction(*anchor)) {
      const bool fits = FitsEpilogue(*anchor, next->output()->type.dtype) &&
                        std::all_of(next->inputs.begin(), next->inputs.end(), [&](const Value* v) {
                          return v == last || FitsEpilogue(*anchor, v);
                        });
      if (!fits) break;
    }
    group.push_back(next);
  }
  return IsIntContraction(*anchor) ? WithCasts(g, users, std::move(group)) : group;
}

// The largest group of pointwise nodes that ends in `root`: every member's only users are members.
std::vector<Node*> PointwiseGroup(const Graph& g, const Users& users, Node* root) {
  constexpr size_t kMaxNodes = 24;  // keeps kernels and their register needs small
  std::vector<Node*> group = {root};
  std::unordered_set<const Node*> members = {root};
  for (size_t i = 0; i < group.size() && group.size() < kMaxNodes; ++i) {
    for (Value* v : group[i]->inputs) {
      Node* p = v->producer;
      if (members.count(p) != 0 || !IsPointwise(*p) || g.IsOutput(v)) continue;
      const std::vector<Node*>& u = users.at(v);
      const bool only_here = std::all_of(u.begin(), u.end(), [&](const Node* n) { return members.count(n) != 0; });
      // Small operands are computed once, not again for every element they are broadcast to.
      if (!only_here || v->type.shape != root->output()->type.shape) continue;
      members.insert(p);
      group.push_back(p);
    }
  }
  std::vector<Node*> ordered;
  for (const auto& n : g.nodes()) {
    if (members.count(n.get()) != 0) ordered.push_back(n.get());
  }
  return ordered;
}

bool IsMovement(const Node& n) {
  return n.op == "reshape" || n.op == "transpose" || n.op == "slice" || n.op == "broadcast";
}

// A chain of data movement that ends in `root` and copies anyway (it has a transpose, or a broadcast).
std::vector<Node*> MovementChain(const Graph& g, const Users& users, Node* root) {
  std::vector<Node*> chain = {root};
  bool copies = root->op == "transpose" || root->op == "broadcast";
  for (;;) {
    Value* v = chain.front()->inputs[0];
    Node* p = v->producer;
    if (!IsMovement(*p) || SoleUser(g, users, v) != chain.front()) break;
    chain.insert(chain.begin(), p);
    copies = copies || p->op == "transpose" || p->op == "broadcast";
  }
  return copies ? chain : std::vector<Node*>{root};
}

}  // namespace

PassResult Fuse(Graph& g) {
  bool changed = false;
  g.EraseDeadNodes();  // dead users would stand in the way
  // Later anchors first: a residual sum belongs to the last of its producers, whose result is still in registers.
  std::vector<Node*> anchors = NodesOf(g);
  std::reverse(anchors.begin(), anchors.end());
  std::unordered_set<const Node*> gone;
  auto fuse = [&](const std::vector<Node*>& group, const Node& named_after) {
    if (group.size() < 2) return;
    for (const Node* n : group) gone.insert(n);
    ReplaceByFused(g, group, named_after);
    changed = true;
  };
  for (Node* n : anchors) {
    if (gone.count(n) != 0 || !TakesTail(*n)) continue;
    fuse(TailOf(g, g.Users(), n), *n);
  }
  for (Node* n : anchors) {
    if (gone.count(n) != 0 || !IsPointwise(*n)) continue;
    fuse(PointwiseGroup(g, g.Users(), n), *n);
  }
  for (Node* n : anchors) {
    if (gone.count(n) != 0 || !IsMovement(*n)) continue;
    fuse(MovementChain(g, g.Users(), n), *n);
  }
  return changed;
}

}  // namespace mgec::passes
