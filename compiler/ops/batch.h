// Whether a network treats the entries of a batch alike and each on its own, so that a batch of any size can be computed
// in parts.
#ifndef MGEC_COMPILER_OPS_BATCH_H_
#define MGEC_COMPILER_OPS_BATCH_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/graph/graph.h"

namespace mgec::ops {

// Rows of dimension 0 that each entry of the batch has; 0 for what has nothing to do with the batch.
struct BatchRows {
  std::vector<int64_t> inputs, outputs;
};

// Proves it from the definitions of the operators. `a` and `b` are one model, imported for batches of n_a and n_b; their
// inputs have the batch as dimension 0 where they differ. Dead nodes are erased.
//
// A tensor whose shapes differ in dimension d, of c * n, holds the batch there: element i belongs to entry
// floor(i / k) mod n for some k that divides c. Every element of a node's result must be computed from elements of its own
// entry, and of tensors without a batch, by an expression in which neither the number of the entry nor the size of the
// batch occurs: that of `a` must equal that of `b`.
//
// InvalidArgument, naming the node, where that cannot be shown.
absl::StatusOr<BatchRows> ProveBatch(graph::Graph& a, int64_t n_a, graph::Graph& b, int64_t n_b);

}  // namespace mgec::ops

#endif  // MGEC_COMPILER_OPS_BATCH_H_
