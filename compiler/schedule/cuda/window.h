// Reductions over small windows (depthwise convolution, pooling) for GPUs.
#ifndef MGEC_COMPILER_SCHEDULE_CUDA_WINDOW_H_
#define MGEC_COMPILER_SCHEDULE_CUDA_WINDOW_H_

#include "compiler/schedule/cuda/gpu_stage.h"

namespace mgec::schedule {

// Emits the stage as a kernel (its tasks and body) if its reductions are over windows of few elements that overlap from row to
// row of the result, of which there are enough. A thread computes some results one below the other: what their windows share,
// weights among it, it loads once, and neighbouring threads go along memory still. Elements are combined in the order of the
// definition.
bool EmitWindows(const GpuStage& stage, kernel::Kernel* k);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_CUDA_WINDOW_H_
