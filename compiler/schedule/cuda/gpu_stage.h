// What schedules for GPUs make kernels of.
#ifndef MGEC_COMPILER_SCHEDULE_CUDA_GPU_STAGE_H_
#define MGEC_COMPILER_SCHEDULE_CUDA_GPU_STAGE_H_

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "compiler/kernel/lower.h"

namespace mgec::schedule {

// A stage on flat buffers: `body`, stored to `out` at `offset`, for all `vars`.
struct GpuStage {
  std::vector<kernel::Var> vars;
  std::vector<int64_t> extents;
  kernel::Ranges ranges;
  kernel::Expr body, offset;
  kernel::Buffer out;

  int64_t elements() const;
};

// What variables are replaced by.
using Values = std::unordered_map<const kernel::VarNode*, kernel::Expr>;

// Sets the variables of the stage's dimensions `dims` to the parts of the row-major number `flat` in [0, total). `ranges` learns
// those of variables that are added to `b`, and of `flat` if nothing is known of it.
void Decompose(kernel::Block& b, const GpuStage& stage, const std::vector<size_t>& dims, const kernel::Expr& flat, int64_t total,
               kernel::Ranges* ranges, Values* values);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_CUDA_GPU_STAGE_H_
