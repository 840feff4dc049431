#include "compiler/base/status_macros.h"
#include "compiler/ops/evaluate.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/util.h"

namespace mgec::passes {
namespace {

// A small constant that would become a large one (a broadcast) is better left to the kernel that reads it.
constexpr int64_t kMaxGrowth = int64_t{1} << 20;

}  // namespace

PassResult FoldConstants(graph::Graph& g) {
  bool changed = false;
  for (graph::Node* n : NodesOf(g)) {
    if (n->op == "input" || n->op == "constant") continue;
    bool constant = true;
    int64_t in_bytes = 0, out_bytes = 0;
    for (const graph::Value* v : n->inputs) {
      constant = constant && (n->op == "shape_of" || IsConstant(v));
      in_bytes += graph::ByteSize(v->type);
    }
    for (const auto& v : n->outputs) out_bytes += graph::ByteSize(v->type);
    if (!constant || n->inputs.empty() || out_bytes > in_bytes + kMaxGrowth) continue;
    g.SetInsertionPoint(n);
    for (const auto& v : n->outputs) {
      ASSIGN_OR_RETURN(ops::TensorData data, ops::EvaluateConstant(v.get()));
      g.ReplaceAllUses(v.get(), g.AddConstant(v->type, std::move(data), n->name));
    }
    changed = true;
  }
  g.SetInsertionPoint(nullptr);
  return changed;
}

}  // namespace mgec::passes
