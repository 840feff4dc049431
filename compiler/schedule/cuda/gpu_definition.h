// The definition of a node as GPUs compute it, on tensors as they lie in memory.
#ifndef MGEC_COMPILER_SCHEDULE_CUDA_GPU_DEFINITION_H_
#define MGEC_COMPILER_SCHEDULE_CUDA_GPU_DEFINITION_H_

#include <vector>

#include "absl/status/statusor.h"
#include "compiler/schedule/scheduler.h"

namespace mgec::schedule {

// On plain tensors: factors rounded for tensor cores, and constants in 16 bits where that changes nothing.
absl::StatusOr<kernel::Definition> GpuDefinition(Scheduler& s, const graph::Node& node);

struct Operands {
  kernel::Definition definition;
  std::vector<Placement> inputs;       // of the definition's
  std::vector<bool> channels_last;     // by number of output: how it is to be stored
};

// The same on tensors in the orders that values were placed in and that results are wanted in, with constants packed as sums go
// along them.
absl::StatusOr<Operands> GpuOperands(Scheduler& s, const graph::Node& node);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_CUDA_GPU_DEFINITION_H_
