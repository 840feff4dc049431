// Factors of products that are memory as it is, but for zeros where a convolution pads: GPUs copy these to shared memory without
// passing them through registers.
#ifndef MGEC_COMPILER_SCHEDULE_CUDA_PLAIN_FACTOR_H_
#define MGEC_COMPILER_SCHEDULE_CUDA_PLAIN_FACTOR_H_

#include <optional>

#include "compiler/schedule/cuda/gpu_stage.h"
#include "compiler/schedule/cuda/product.h"

namespace mgec::schedule {

struct PlainFactor {
  kernel::Expr load;    // of one element; it may lie anywhere where that is not the factor's value
  kernel::Expr inside;  // where it is the factor's value; elsewhere that is 0. Null: everywhere
};

// `value`, a factor in words of that kind, taken apart; empty where something is computed.
std::optional<PlainFactor> AsPlainFactor(const kernel::Expr& value, WordKind kind);

// How many words of a plain factor, neighbours in memory, may be copied at a time: 4, 2 or 1; 0: none. Along the sum or, of single
// numbers and of float16, along the factor's dimensions: every so many words, counted from the first, are in memory or padding as a
// whole, and as aligned as they are large.
int WordsAtATime(const GpuStage& stage, const Product& product, const Factor& factor, const PlainFactor& plain, bool along_sum);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_CUDA_PLAIN_FACTOR_H_
