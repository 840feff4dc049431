// Common subexpressions and dead nodes.
#include <map>
#include <optional>
#include <tuple>

#include "compiler/passes/passes.h"
#include "compiler/passes/util.h"

namespace mgec::passes {

namespace {

std::optional<graph::DTypeKind> OriginOf(const graph::Node& n) {
  return n.outputs.empty() ? std::nullopt : n.output()->origin;
}

}  // namespace

PassResult EliminateCommonSubexpressions(graph::Graph& g) {
  // Values that the model stored differently stay apart: one of them may be rounded.
  using Key = std::tuple<std::string, std::map<std::string, graph::Attribute>, std::vector<graph::Value*>,
                         std::optional<graph::DTypeKind>>;
  std::map<Key, graph::Node*> seen;
  std::map<std::pair<std::string, std::string>, graph::Node*> constants;  // by type and bytes
  bool changed = false;
  for (graph::Node* n : NodesOf(g)) {
    if (n->op == "input" || n->body != nullptr) continue;
    graph::Node* first;
    if (n->op == "constant") {
      if (n->data->size() > 4096) continue;  // weights are shared when they are packed
      first = constants.emplace(std::make_pair(ToString(n->output()->type), *n->data), n).first->second;
    } else {
      first = seen.emplace(Key(n->op, n->attributes.map(), n->inputs, OriginOf(*n)), n).first->second;
    }
    if (first == n) continue;
    for (size_t i = 0; i < n->outputs.size(); ++i) g.ReplaceAllUses(n->output(i), first->output(i));
    changed = true;
  }
  return changed;
}

PassResult EliminateDeadNodes(graph::Graph& g) { return g.EraseDeadNodes() > 0; }

}  // namespace mgec::passes
