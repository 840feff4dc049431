// Right operands of matrix products and filters of convolutions that the network computes, packed as the micro-kernel's
// weights by a step of their own.
#ifndef MGEC_COMPILER_SCHEDULE_PACK_OPERAND_H_
#define MGEC_COMPILER_SCHEDULE_PACK_OPERAND_H_

#include <cstdint>
#include <vector>

#include "compiler/schedule/scheduler.h"

namespace mgec::schedule {

// `batch` matrices of floats, [K, N] or, transposed, [N, K].
struct ComputedOperand {
  plan::Argument memory;
  kernel::Scalar stored = kernel::Scalar::kFloat32;
  int64_t batch = 1, k = 0, n = 0;
  bool transposed = false;
};

// Adds the step; the result is what PackWeights makes of constants, one matrix after the other. Channels that do not exist
// hold arbitrary numbers.
plan::StorageId PackComputed(Scheduler& s, const graph::Node& node, const ComputedOperand& operand);

// The same for a filter of `channels` rows of equal length in `memory`, floats: element i along K is number order[i] of its row.
plan::StorageId PackFilter(Scheduler& s, const graph::Node& node, const plan::Argument& memory, kernel::Scalar stored,
                           int64_t channels, const std::vector<int32_t>& order);

// All of `memory`, which holds floats of 16 bits, as float32.
plan::StorageId Widened(Scheduler& s, const graph::Node& node, const plan::Argument& memory, kernel::Scalar stored);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_PACK_OPERAND_H_
