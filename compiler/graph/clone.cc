#include "compiler/graph/clone.h"

#include <utility>

namespace mgec::graph {

Graph Clone(const Graph& g) {
  Graph copy;
  copy.set_float_storage(g.float_storage());
  std::unordered_map<const Value*, Value*> copies;
  for (const Node* n : g.inputs()) {
    Value* input = copies[n->output()] = copy.AddInput(n->name, n->output()->type);
    input->origin = n->output()->origin;
  }
  for (const auto& n : g.nodes()) {
    if (n->op == "input") continue;
    auto node = std::make_unique<Node>();
    node->op = n->op;
    node->name = n->name;
    node->attributes = n->attributes;
    node->data = n->data;
    if (n->body != nullptr) node->body = std::make_unique<Graph>(Clone(*n->body));
    for (const Value* v : n->inputs) node->inputs.push_back(copies.at(v));
    std::vector<TensorType> types;
    for (const auto& v : n->outputs) types.push_back(v->type);
    const Node* placed = copy.Insert(std::move(node), types);
    for (size_t i = 0; i < n->outputs.size(); ++i) {
      copies[n->outputs[i].get()] = placed->outputs[i].get();
      placed->outputs[i]->origin = n->outputs[i]->origin;
    }
  }
  for (const GraphOutput& o : g.outputs()) {
    copy.outputs().push_back(o);
    copy.outputs().back().value = copies.at(o.value);
  }
  return copy;
}

}  // namespace mgec::graph
