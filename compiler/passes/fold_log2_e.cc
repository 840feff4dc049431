#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "compiler/base/status_macros.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/util.h"

namespace mgec::passes {
namespace {

using graph::Graph;
using graph::Node;
using graph::Value;

constexpr double kScale = -1.4426950408889634;  // -log2(e)

// Times kScale; none where that leaves the range of float32. Nor of constants that were 16 bits wide: the product would not be.
std::optional<std::vector<float>> Scaled(const Value* c) {
  constexpr graph::DTypeKind kFloat = graph::DTypeKind::kFloat32;
  if (!IsConstant(c) || c->type.dtype != kFloat || c->origin.value_or(kFloat) != kFloat) return std::nullopt;
  std::vector<float> values = Floats(c);
  for (float& v : values) v = static_cast<float>(v * kScale);
  if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); })) return std::nullopt;
  return values;
}

bool IsProduct(const Node& n) {
  const bool conv = n.op == "conv2d" && n.inputs.size() == 2 && n.attributes.String("activation", "identity") == "identity";
  return conv || n.op == "matmul";
}

}  // namespace

PassResult FoldLog2E(Graph& g) {
  g.EraseDeadNodes();  // dead users would stand in the way
  bool changed = false;
  for (Node* n : NodesOf(g)) {
    if (n->op != "silu" && n->op != "sigmoid") continue;
    const auto users = g.Users();
    // The nodes that have the constants to scale: sums with constants, and the product in front of them.
    std::vector<std::pair<Node*, int>> places;
    Node* at = n->inputs[0]->producer;
    const Node* user = n;
    while (at->op == "add" && IsConstant(at->inputs[0]) != IsConstant(at->inputs[1]) && SoleUser(g, users, at->output()) == user) {
      const int constant = IsConstant(at->inputs[1]) ? 1 : 0;
      places.emplace_back(at, constant);
      user = at;
      at = at->inputs[1 - constant]->producer;
    }
    if (!IsProduct(*at) || SoleUser(g, users, at->output()) != user) continue;
    places.emplace_back(at, 1);
    std::vector<std::vector<float>> scaled;
    for (const auto& [node, operand] : places) {
      std::optional<std::vector<float>> values = Scaled(node->inputs[operand]);
      if (!values) break;
      scaled.push_back(*std::move(values));
    }
    if (scaled.size() < places.size()) continue;
    for (size_t i = 0; i < places.size(); ++i) {
      Value*& operand = places[i].first->inputs[places[i].second];
      g.SetInsertionPoint(places[i].first);
      operand = g.AddConstant(operand->type, Bytes(scaled[i]), operand->producer->name);
    }
    g.SetInsertionPoint(n);
    ASSIGN_OR_RETURN(Value * y, g.Add(n->op + "_exp2", {n->inputs[0]}, {}, n->name));
    g.ReplaceAllUses(n->output(), y);
    changed = true;
  }
  g.SetInsertionPoint(nullptr);
  g.EraseDeadNodes();
  return changed;
}

}  // namespace mgec::passes
