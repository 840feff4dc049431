// Sums of products with fewer rows than tiles have (contraction.h), for GPUs: convolutions to a few channels, such as those that end
// networks whose results are images.
#ifndef MGEC_COMPILER_SCHEDULE_CUDA_FEW_ROWS_H_
#define MGEC_COMPILER_SCHEDULE_CUDA_FEW_ROWS_H_

#include "compiler/schedule/cuda/gpu_stage.h"

namespace mgec::schedule {

// Emits the stage as a kernel (its tasks and body) if it is such a sum. A thread computes all rows of some columns, which lie far
// enough apart that neighbouring threads go along memory: what it loads serves as many products as it has results in the other
// direction. Elements are added up in the order of the definition.
bool EmitFewRows(const GpuStage& stage, kernel::Kernel* k);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_CUDA_FEW_ROWS_H_
