// Products of networks that were float16, for tensor cores. Networks are computed in float32 (passes/promote_float16.cc); the
// factors of their products may be rounded to float16 again, as they were there.
#ifndef MGEC_COMPILER_SCHEDULE_CUDA_HALF_FACTORS_H_
#define MGEC_COMPILER_SCHEDULE_CUDA_HALF_FACTORS_H_

#include "compiler/kernel/tensor_expr.h"

namespace mgec::schedule {

// The same definition in which the factors of float32 products that get tiles (product.h) are rounded to float16. The sums stay
// float32. Others, as of depthwise convolutions, stay as they are: tensor cores would not compute them.
kernel::Definition WithHalfFactors(kernel::Definition d);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_CUDA_HALF_FACTORS_H_
