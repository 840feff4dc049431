// Math functions in float64: what the interpreter rounds to float32, and what generated code is measured against.
#ifndef MGEC_COMPILER_KERNEL_REFERENCE_MATH_H_
#define MGEC_COMPILER_KERNEL_REFERENCE_MATH_H_

#include <cstdint>

#include "compiler/kernel/expr.h"

namespace mgec::kernel {

// The function of kSqrt .. kSigmoid; null for other operators.
double (*ReferenceUnary(Op op))(double);
// The function of kPow and kAtan2; null for other operators.
double (*ReferenceBinary(Op op))(double, double);

// Conversions of the storage types' bits, rounding to nearest even.
float HalfToFloat(uint16_t bits);
uint16_t FloatToHalf(float v);
float BFloat16ToFloat(uint16_t bits);
uint16_t FloatToBFloat16(float v);

// kRoundTf32: to 11 significant bits, half away from zero.
float RoundTf32(float v);

}  // namespace mgec::kernel

#endif  // MGEC_COMPILER_KERNEL_REFERENCE_MATH_H_
