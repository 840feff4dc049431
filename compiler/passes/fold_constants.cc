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
    std::vector<ops::TensorData> results;
    absl::Status status;
    for (const auto& v : n->outputs) {
      auto data = ops::EvaluateConstant(v.get());
      if (data.ok()) results.push_back(*std::move(data));
      else status = data.status();
    }
    if (absl::IsResourceExhausted(status)) continue;  // the network computes it
    RETURN_IF_ERROR(status);
    g.SetInsertionPoint(n);
    for (size_t i = 0; i < results.size(); ++i) {
      g.ReplaceAllUses(n->output(i), g.AddConstant(n->output(i)->type, results[i], n->name));
    }
    changed = true;
  }
  g.SetInsertionPoint(nullptr);
  return changed;
}

}  // namespace mgec::passes
