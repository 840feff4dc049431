// Attention, softmax(f(Q K')) V, as one kernel for GPUs, whose scores never leave a block: shared memory holds tiles of the
// operands and of the weights, registers the sums. Keys come in blocks, with the maximum and the sum of exponentials so far
// (schedule/attention_kernel.h says what that means for -inf and NaN).
#ifndef MGEC_COMPILER_SCHEDULE_CUDA_ATTENTION_H_
#define MGEC_COMPILER_SCHEDULE_CUDA_ATTENTION_H_

#include "compiler/schedule/attention_kernel.h"

namespace mgec::schedule {

// Whether one kernel is expected to be faster than the products and softmax by themselves: where there are blocks enough for a
// large GPU (by themselves, products are divided along the keys, too), or so many scores that memory decides. Not for values too
// long for a thread block's registers.
bool FusesOnGpu(const AttentionSpec& spec);

kernel::Kernel GpuAttentionKernel(const AttentionSpec& spec, const std::string& name);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_CUDA_ATTENTION_H_
