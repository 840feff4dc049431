// How much a GPU has to do for a kernel, counted in its statements: an estimate of what the printed code becomes.
#ifndef MGEC_COMPILER_KERNEL_WORK_H_
#define MGEC_COMPILER_KERNEL_WORK_H_

#include <cstdint>

#include "compiler/kernel/stmt.h"

namespace mgec::kernel {

// The widest access of a GPU's thread to memory, which is to be as aligned.
inline constexpr int kGpuAccessBytes = 16;

struct GpuWork {
  int64_t instructions = 0;  // of all threads, whatever they do
  int64_t accesses = 0;      // those of them that read or write device memory, or begin to copy it
  int64_t products = 0;      // of matrices by tensor cores (kMma), each one instruction of a warp's 32 threads
};

// Of one launch with so many tasks, by GPUs that have asynchronous copies. Of what is computed without memory, equal expressions
// count once, in the outermost loop where they could be computed; an addition takes a product of integers with it, and memory is
// addressed with a constant offset for nothing. A branch that depends on more than the GPU counts as its longer side. A division by
// a constant counts as the few instructions that stand for it, a function as a dozen.
GpuWork WorkOnGpu(const Kernel& k, int64_t tasks);

}  // namespace mgec::kernel

#endif  // MGEC_COMPILER_KERNEL_WORK_H_
