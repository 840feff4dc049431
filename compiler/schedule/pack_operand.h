// The right operand of a matrix product that the network computes, packed as the micro-kernel's weights by a step of its
// own.
#ifndef MGEC_COMPILER_SCHEDULE_PACK_OPERAND_H_
#define MGEC_COMPILER_SCHEDULE_PACK_OPERAND_H_

#include "compiler/schedule/scheduler.h"

namespace mgec::schedule {

// `batch` matrices of float32, [K, N] or, transposed, [N, K].
struct ComputedOperand {
  plan::Argument memory;
  int64_t batch = 1, k = 0, n = 0;
  bool transposed = false;
};

// Adds the step; the result is what PackWeights makes of constants, one matrix after the other. Channels that do not exist
// hold arbitrary numbers.
plan::StorageId PackComputed(Scheduler& s, const graph::Node& node, const ComputedOperand& operand);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_PACK_OPERAND_H_
