#include "compiler/passes/util.h"

#include <algorithm>
#include <cstring>
#include <memory>

namespace mgec::passes {

using graph::Graph;
using graph::Node;
using graph::Value;

std::vector<graph::Node*> NodesOf(const graph::Graph& g) {
  std::vector<graph::Node*> nodes;
  for (const auto& n : g.nodes()) nodes.push_back(n.get());
  return nodes;
}

bool IsConstant(const graph::Value* v) { return v->producer->op == "constant"; }

std::vector<float> Floats(const graph::Value* v) {
  const std::string& data = *v->producer->data;
  std::vector<float> values(data.size() / 4);
  std::memcpy(values.data(), data.data(), values.size() * 4);
  return values;
}

std::string Bytes(const std::vector<float>& v) {
  return std::string(reinterpret_cast<const char*>(v.data()), v.size() * 4);
}

graph::Node* SoleUser(const graph::Graph& g,
                      const std::unordered_map<const graph::Value*, std::vector<graph::Node*>>& users,
                      const graph::Value* v) {
  const auto it = users.find(v);
  if (it == users.end() || it->second.size() != 1 || g.IsOutput(v)) return nullptr;
  return it->second[0];
}

void ReplaceByFused(Graph& g, const std::vector<Node*>& members, const Node& named_after) {
  auto fused = std::make_unique<Node>();
  fused->op = "fused";
  fused->name = named_after.name.empty() ? members.back()->name : named_after.name;
  fused->body = std::make_unique<Graph>();
  std::unordered_map<const Value*, Value*> inner;
  for (const Node* n : members) {
    for (Value* v : n->inputs) {
      const bool internal = std::any_of(members.begin(), members.end(), [&](Node* m) { return m == v->producer; });
      if (internal || inner.count(v) != 0) continue;
      inner[v] = fused->body->AddInput("in" + std::to_string(fused->inputs.size()), v->type);
      fused->inputs.push_back(v);
    }
  }
  for (const Node* n : members) {
    std::vector<Value*> inputs;
    for (Value* v : n->inputs) inputs.push_back(inner.at(v));
    const Node* placed = fused->body->InsertCopy(*n, std::move(inputs));
    for (size_t i = 0; i < n->outputs.size(); ++i) inner[n->output(i)] = placed->output(i);
  }
  Value* result = members.back()->output();
  fused->body->AddOutput(inner.at(result), "out");
  g.SetInsertionPoint(members.back());
  Node* node = g.Insert(std::move(fused), {result->type});
  g.ReplaceAllUses(result, node->output());
  g.SetInsertionPoint(nullptr);
  g.EraseDeadNodes();
}

}  // namespace mgec::passes
