// The calling convention between the runtime and generated machine code. Shared by compiler and runtime, free of
// dependencies, and part of the artifact format: a change here raises kFormatVersion in artifact_format.h.
#ifndef MGEC_RUNTIME_KERNEL_ABI_H_
#define MGEC_RUNTIME_KERNEL_ABI_H_

#include <cstdint>

namespace mgec {

// What a kernel sees of the world. `buffers[i]` is the address of the kernel's i-th argument; the compiler emits loads
// from this table at byte offset 8 * i. Arena and constant arguments are aligned to 64 bytes plus the binding's offset;
// input and output arguments only to the element size.
struct KernelContext {
  void* const* buffers;
};

// Runs tasks [task_begin, task_end). Tasks of one launch are independent: any split over threads, in any order, gives
// the same bits. Kernels do not allocate, do not call out and do not keep state.
using KernelFunction = void (*)(const KernelContext* context, uint32_t task_begin, uint32_t task_end);

}  // namespace mgec

#endif  // MGEC_RUNTIME_KERNEL_ABI_H_
