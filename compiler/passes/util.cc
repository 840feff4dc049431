#include "compiler/passes/util.h"

#include <cstring>

namespace mgec::passes {

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

}  // namespace mgec::passes
