// The definition of a fused node: its body's definitions joined, so that one kernel computes all of it.
#ifndef MGEC_COMPILER_OPS_FUSED_H_
#define MGEC_COMPILER_OPS_FUSED_H_

#include "absl/status/statusor.h"
#include "compiler/graph/graph.h"
#include "compiler/kernel/tensor_expr.h"

namespace mgec::ops {

// Stages of pointwise and data-movement nodes vanish into their readers; a reduction vanishes into a pointwise stage that
// is its only reader. What remains are the stages that must be computed one after the other. Inputs are the body's, in
// order.
absl::StatusOr<kernel::Definition> FusedDefinition(const graph::Graph& body);

}  // namespace mgec::ops

#endif  // MGEC_COMPILER_OPS_FUSED_H_
