// Evaluation of graphs by their operators' definitions: the oracle of all tests, and constant folding.
#ifndef MGEC_COMPILER_OPS_EVALUATE_H_
#define MGEC_COMPILER_OPS_EVALUATE_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/graph/graph.h"
#include "compiler/kernel/tensor_expr.h"

namespace mgec::ops {

// Dense row-major bytes.
using TensorData = std::shared_ptr<const std::string>;

// Elements that a node computes, each counted with the terms of its sums: what its evaluation costs, within a small factor.
absl::StatusOr<int64_t> WorkOf(const graph::Node& node);

// The outputs of a definition, stage by stage.
absl::StatusOr<std::vector<TensorData>> EvaluateDefinition(const kernel::Definition& d,
                                                           const std::vector<TensorData>& operands);

// Evaluates a node (also a fused one) for given operand values; one result per output.
absl::StatusOr<std::vector<TensorData>> EvaluateNode(const graph::Node& node, const std::vector<TensorData>& operands);

// Evaluates the whole graph; `inputs` by input name. Results in the order of the outputs.
absl::StatusOr<std::vector<TensorData>> EvaluateGraph(const graph::Graph& g,
                                                      const std::map<std::string, TensorData>& inputs);

// The value of v if it follows from constants (and shapes) alone; FailedPrecondition, naming the network input that it
// depends on, otherwise. ResourceExhausted where that takes more than 256 MiB or some seconds. Never changes the graph.
absl::StatusOr<TensorData> EvaluateConstant(const graph::Value* v);
// The same for a value of an integer (or, exactly integral, float) dtype.
absl::StatusOr<std::vector<int64_t>> EvaluateInts(const graph::Value* v);

}  // namespace mgec::ops

#endif  // MGEC_COMPILER_OPS_EVALUATE_H_
