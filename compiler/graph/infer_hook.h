// How the graph asks the operator registry for types without depending on it (the registry depends on the graph).
#ifndef MGEC_COMPILER_GRAPH_INFER_HOOK_H_
#define MGEC_COMPILER_GRAPH_INFER_HOOK_H_

#include <vector>

#include "absl/status/statusor.h"
#include "compiler/graph/graph.h"

namespace mgec::graph {

// Output types of a node whose op, attributes, inputs (and body) are set.
using InferHook = absl::StatusOr<std::vector<TensorType>> (*)(const Node& node);

// Installed by compiler/ops/op.cc during static initialization.
void SetInferHook(InferHook hook);
absl::StatusOr<std::vector<TensorType>> InferTypes(const Node& node);

}  // namespace mgec::graph

#endif  // MGEC_COMPILER_GRAPH_INFER_HOOK_H_
