// Kernels as CUDA C++ source.
//
// The text uses few things of CUDA by name (__global__, blockIdx, SHARED, __syncthreads, warp_xor, ...), all of them listed
// in prelude.h, so that the same text also compiles with the emulator of testing/emulator.h on a machine without a GPU.
#ifndef MGEC_COMPILER_CODEGEN_CUDA_PRINT_KERNEL_H_
#define MGEC_COMPILER_CODEGEN_CUDA_PRINT_KERNEL_H_

#include <string>

#include "absl/types/span.h"
#include "compiler/kernel/stmt.h"

namespace mgec::codegen::cuda {

// Threads of a block where each task is one thread.
inline constexpr int kTaskThreads = 128;

// The launch of a kernel: `grid` blocks of `block` threads, all along x.
struct LaunchShape {
  int64_t grid;
  int block;
};
LaunchShape LaunchOf(const kernel::Kernel& k, int64_t tasks);

// The function of a kernel that Verify() accepts. Its parameters are the kernel's arguments, in order, as pointers to the
// element types (bool: one byte; 16-bit floats: their bits), then the number of tasks as an unsigned int. Deterministic.
std::string PrintKernel(const kernel::Kernel& k);
// All of them, one after the other.
std::string PrintKernels(absl::Span<const kernel::Kernel> kernels);

}  // namespace mgec::codegen::cuda

#endif  // MGEC_COMPILER_CODEGEN_CUDA_PRINT_KERNEL_H_
