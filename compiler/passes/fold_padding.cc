#include "compiler/base/status_macros.h"
#include "compiler/ops/conv.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/util.h"

namespace mgec::passes {

PassResult FoldPadding(graph::Graph& g) {
  bool changed = false;
  for (graph::Node* n : NodesOf(g)) {
    if (n->op != "conv2d") continue;
    const graph::Node& pad = *n->inputs[0]->producer;
    if (pad.op != "pad" || pad.attributes.String("mode", "constant") != "constant" ||
        pad.attributes.Float("value") != 0) {
      continue;
    }
    const std::vector<int64_t> before = pad.attributes.Ints("before"), after = pad.attributes.Ints("after");
    if (before[0] != 0 || before[1] != 0 || after[0] != 0 || after[1] != 0) continue;
    ASSIGN_OR_RETURN(ops::ConvParams p, ops::ConvParamsOf(ops::ContextOf(*n)));
    n->attributes.Set("pad", std::vector<int64_t>{p.pad[0] + before[2], p.pad[1] + before[3],
                                                  p.pad_after[0] + after[2], p.pad_after[1] + after[3]});
    n->inputs[0] = pad.inputs[0];
    changed = true;
  }
  return changed;
}

}  // namespace mgec::passes
