#include "compiler/base/status_macros.h"
#include "compiler/ops/conv.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/util.h"

namespace mgec::passes {
namespace {

using graph::Graph;
using graph::Node;
using graph::Value;

// [begin, end) of one axis, everything of the others.
absl::StatusOr<Value*> SliceAxis(Graph& g, Value* x, size_t axis, int64_t begin, int64_t end, const std::string& name) {
  std::vector<int64_t> b(x->type.shape.size(), 0), e = x->type.shape, s(x->type.shape.size(), 1);
  b[axis] = begin;
  e[axis] = end;
  return g.Add("slice", {x}, {{"begin", b}, {"end", e}, {"step", s}}, name);
}

}  // namespace

PassResult SplitGroupedConvolutions(Graph& g) {
  bool changed = false;
  for (Node* n : NodesOf(g)) {
    if ((n->op != "conv2d" && n->op != "int_conv2d") || n->inputs.size() != 2 || n->inputs[1]->type.shape.size() != 5) continue;
    ASSIGN_OR_RETURN(ops::ConvParams p, ops::ConvParamsOf(ops::ContextOf(*n)));
    const int64_t icg = p.in_channels / p.group, ocg = p.out_channels / p.group;
    const graph::Shape& w = n->inputs[1]->type.shape;
    g.SetInsertionPoint(n);
    graph::Attributes attributes = n->attributes;
    if (p.group == 1) {
      attributes.Set("group", int64_t{1});
      ASSIGN_OR_RETURN(Value * weight, g.Add("reshape", {n->inputs[1]}, {{"shape", graph::Shape{ocg, icg, w[3], w[4]}}}));
      ASSIGN_OR_RETURN(Value * y, g.Add(n->op, {n->inputs[0], weight}, attributes, n->name));
      g.ReplaceAllUses(n->output(), y);
      changed = true;
      continue;
    }
    if ((icg == 1 && ocg == 1) || !IsConstant(n->inputs[1])) continue;  // depthwise has a schedule of its own
    attributes.Set("group", int64_t{1});
    std::vector<Value*> parts;
    for (int64_t i = 0; i < p.group; ++i) {
      ASSIGN_OR_RETURN(Value * x, SliceAxis(g, n->inputs[0], 1, i * icg, (i + 1) * icg, n->name));
      ASSIGN_OR_RETURN(Value * weight, SliceAxis(g, n->inputs[1], 0, i, i + 1, n->name));
      ASSIGN_OR_RETURN(weight, g.Add("reshape", {weight}, {{"shape", graph::Shape{ocg, icg, w[3], w[4]}}}));
      ASSIGN_OR_RETURN(Value * y, g.Add(n->op, {x, weight}, attributes, n->name));
      parts.push_back(y);
    }
    ASSIGN_OR_RETURN(Value * y, g.Add("concat", parts, {{"axis", int64_t{1}}}, n->name));
    g.ReplaceAllUses(n->output(), y);
    changed = true;
  }
  g.SetInsertionPoint(nullptr);
  return changed;
}

}  // namespace mgec::passes
