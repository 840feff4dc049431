// What several passes ask of a graph.
#ifndef MGEC_COMPILER_PASSES_UTIL_H_
#define MGEC_COMPILER_PASSES_UTIL_H_

#include <string>
#include <unordered_map>
#include <vector>

#include "compiler/graph/graph.h"

namespace mgec::passes {

// The nodes in order, for passes that insert and replace while they walk.
std::vector<graph::Node*> NodesOf(const graph::Graph& g);
bool IsConstant(const graph::Value* v);
// The elements of a float32 constant.
std::vector<float> Floats(const graph::Value* v);
std::string Bytes(const std::vector<float>& v);
// The one use of a value: null if it has none, several, or is a graph output.
graph::Node* SoleUser(const graph::Graph& g, const std::unordered_map<const graph::Value*, std::vector<graph::Node*>>& users,
                      const graph::Value* v);
// Replaces `members` (in graph order; the last one's outputs are the group's) by one fused node.
void ReplaceByFused(graph::Graph& g, const std::vector<graph::Node*>& members, const graph::Node& named_after);

}  // namespace mgec::passes

#endif  // MGEC_COMPILER_PASSES_UTIL_H_
