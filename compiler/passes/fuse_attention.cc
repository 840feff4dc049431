#include <algorithm>

#include "compiler/ops/attention.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/util.h"

namespace mgec::passes {

PassResult FuseAttention(graph::Graph& g) {
  bool changed = false;
  g.EraseDeadNodes();  // dead users would stand in the way
  for (bool found = true; found;) {
    found = false;
    const ops::Users users = g.Users();
    for (graph::Node* n : NodesOf(g)) {
      if (n->op != "matmul") continue;
      const std::optional<ops::Attention> attention = ops::FindAttention(g, users, *n);
      if (!attention) continue;
      std::vector<graph::Node*> members;
      for (graph::Node* m : NodesOf(g)) {
        if (std::count(attention->members.begin(), attention->members.end(), m) != 0) members.push_back(m);
      }
      ReplaceByFused(g, members, *n);
      found = changed = true;
      break;  // the nodes are others now
    }
  }
  return changed;
}

}  // namespace mgec::passes
