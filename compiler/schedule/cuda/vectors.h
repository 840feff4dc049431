// Elements that are neighbours in memory, several in a thread: what they read are neighbours, too, so that threads access memory up
// to 16 bytes at a time, and find places once for all of them.
#ifndef MGEC_COMPILER_SCHEDULE_CUDA_VECTORS_H_
#define MGEC_COMPILER_SCHEDULE_CUDA_VECTORS_H_

#include "compiler/schedule/cuda/gpu_stage.h"

namespace mgec::schedule {

// Emits the stage as a kernel of such threads where nothing but neighbours and what is the same for all distinguishes the elements
// along its last dimension, and there are threads enough.
bool EmitVectors(const GpuStage& stage, kernel::Kernel* k);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_CUDA_VECTORS_H_
