// Arithmetic of quantized dtypes: q stands for scale * (q - zero_point).
#ifndef MGEC_COMPILER_OPS_QUANTIZE_H_
#define MGEC_COMPILER_OPS_QUANTIZE_H_

#include "compiler/ops/common.h"

namespace mgec::ops {

// Of symmetric kinds 0.
int ZeroPointOf(const DType& d);

// The element as int32, without its zero point; and as float32 times `scale`.
Expr Unbiased(const DType& d, Expr q);
Expr Dequantize(const DType& d, Expr q);

// `x`, in units of the dtype's scale, as an element: rounded half away from zero, kept in range. NaN becomes the least.
Expr QuantizeScaled(const DType& d, Expr x);
Expr Quantize(const DType& d, Expr x);

}  // namespace mgec::ops

#endif  // MGEC_COMPILER_OPS_QUANTIZE_H_
