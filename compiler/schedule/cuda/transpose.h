// Stages that read memory along another dimension than they write it (transposes, alone and within pointwise chains), for GPUs.
#ifndef MGEC_COMPILER_SCHEDULE_CUDA_TRANSPOSE_H_
#define MGEC_COMPILER_SCHEDULE_CUDA_TRANSPOSE_H_

#include "compiler/schedule/cuda/gpu_stage.h"

namespace mgec::schedule {

// Emits the stage as a kernel (its tasks, threads and body) if it has no reductions, and loads from dense tensors whose
// elements lie together along another dimension than the last, both large enough for tiles. A block brings squares of those
// tensors to shared memory, row by row, and reads them column by column: neighbouring threads use neighbouring elements
// of memory both times.
bool EmitTransposed(const GpuStage& stage, kernel::Kernel* k);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_CUDA_TRANSPOSE_H_
