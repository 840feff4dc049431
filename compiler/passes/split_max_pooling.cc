#include "compiler/base/status_macros.h"
#include "compiler/ops/common.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/util.h"

namespace mgec::passes {

PassResult SplitMaxPooling(graph::Graph& g) {
  // Below this many elements the second pass over memory costs more than it saves.
  constexpr int64_t kLeastWindow = 16;
  bool changed = false;
  for (graph::Node* n : NodesOf(g)) {
    if (n->op != "pool2d" || n->attributes.String("mode") != "max") continue;
    ASSIGN_OR_RETURN(const std::vector<int64_t> window, ops::PairOf(n->attributes, "window", 2, 1));
    ASSIGN_OR_RETURN(const std::vector<int64_t> stride, ops::PairOf(n->attributes, "stride", 2, 1));
    ASSIGN_OR_RETURN(const std::vector<int64_t> pad, ops::PairOf(n->attributes, "pad", 0, 0));
    if (window[0] == 1 || window[1] == 1 || window[0] * window[1] < kLeastWindow) continue;
    using Pair = std::vector<int64_t>;
    g.SetInsertionPoint(n);
    graph::Attributes rows = n->attributes, columns = n->attributes;
    rows.Set("window", Pair{1, window[1]});
    rows.Set("stride", Pair{1, stride[1]});
    rows.Set("pad", Pair{0, pad[1]});
    columns.Set("window", Pair{window[0], 1});
    columns.Set("stride", Pair{stride[0], 1});
    columns.Set("pad", Pair{pad[0], 0});
    ASSIGN_OR_RETURN(graph::Value * along_rows, g.Add("pool2d", {n->inputs[0]}, rows, n->name));
    along_rows->origin = n->inputs[0]->origin;  // maxima are numbers of the input
    ASSIGN_OR_RETURN(graph::Value * y, g.Add("pool2d", {along_rows}, columns, n->name));
    g.ReplaceAllUses(n->output(), y);
    changed = true;
  }
  g.SetInsertionPoint(nullptr);
  return changed;
}

}  // namespace mgec::passes
