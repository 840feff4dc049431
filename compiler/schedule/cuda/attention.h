// Attention, softmax(f(Q K')) V, as one kernel for GPUs, whose scores never leave a block: shared memory holds tiles of the
// operands and of the weights, registers the sums. Keys come in blocks, with the maximum and the sum of exponentials so far
// (schedule/attention_kernel.h says what that means for -inf and NaN).
#ifndef MGEC_COMPILER_SCHEDULE_CUDA_ATTENTION_H_
#define MGEC_COMPILER_SCHEDULE_CUDA_ATTENTION_H_

#include "compiler/schedule/attention_kernel.h"

namespace mgec::schedule {

// Whether one kernel is expected to be faster than the products, softmax and the movements around them by themselves, which are so
// many launches: those take their time, and write and read scores; few blocks leave most of a large GPU idle, which separate products
// divide along the keys, too. Not for values too long for a thread block's registers.
bool FusesOnGpu(const AttentionSpec& spec, int launches_apart);

kernel::Kernel GpuAttentionKernel(const AttentionSpec& spec, const std::string& name);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_CUDA_ATTENTION_H_
