// Other ways to compute the same numbers of quantized arithmetic, to the bit, with fewer instructions.
#ifndef MGEC_COMPILER_SCHEDULE_EXACT_ARITHMETIC_H_
#define MGEC_COMPILER_SCHEDULE_EXACT_ARITHMETIC_H_

#include "compiler/kernel/expr.h"

namespace mgec::schedule {

// Requantization, q = int(min(max(round(x) + z, lo), hi)): the conversion to an integer truncates anyway, so that rounding
// is the addition of a half with the sign of x; a relu inside x moves into the lower bound.
kernel::Expr WithCheapRounding(const kernel::Expr& e);

// Sums of products of small integers, as of a depthwise convolution: as long as they stay below 2^24 they are exact in
// float32, which multiplies and adds in one instruction and 8 lanes. For contractions, dot products are better.
kernel::Expr WithFloatSums(const kernel::Expr& e);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_EXACT_ARITHMETIC_H_
