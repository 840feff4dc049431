// Products of float32 networks for tensor cores, where the user allows it: with factors rounded to TF32.
//
// Of a float32 number TF32 has the exponent and 11 of 24 significant bits, so that each product is off by at most 2^-10 of itself
// and 2^-22 of that. The sum of n products is off by at most 2^-10 (1 + 2^-12) of the sum of their magnitudes, and by what adding
// up n numbers in float32 costs: at most n 2^-23 of it.
#ifndef MGEC_COMPILER_SCHEDULE_CUDA_TF32_FACTORS_H_
#define MGEC_COMPILER_SCHEDULE_CUDA_TF32_FACTORS_H_

#include "compiler/kernel/tensor_expr.h"

namespace mgec::schedule {

// The same definition in which the factors of float32 products that get tiles (product.h) are rounded to TF32, other than those
// that are float16 numbers. The sums stay float32.
kernel::Definition WithTf32Factors(kernel::Definition d);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_CUDA_TF32_FACTORS_H_
