// Sums of products (matrix products, convolutions as implicit matrix products) for GPUs: blocks compute tiles of the result
// from tiles of both operands in shared memory.
#ifndef MGEC_COMPILER_SCHEDULE_CUDA_CONTRACTION_H_
#define MGEC_COMPILER_SCHEDULE_CUDA_CONTRACTION_H_

#include "compiler/schedule/cuda/gpu_stage.h"

namespace mgec::schedule {

// Emits the stage as a kernel (its tasks, threads and body) if it is one sum of products (FindProduct). Without tensor cores the
// products of each element are added up in the order of the stage's body, floats by fma: the result has the interpreter's bits.
bool EmitContraction(const GpuStage& stage, kernel::Kernel* k);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_CUDA_CONTRACTION_H_
