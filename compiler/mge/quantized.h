// Arithmetic that differs between floats and integers, for importers that take both.
#ifndef MGEC_COMPILER_MGE_QUANTIZED_H_
#define MGEC_COMPILER_MGE_QUANTIZED_H_

#include <string>

#include "compiler/mge/importer.h"

namespace mgec::mge {

// The result of op(a, b), "conv2d" or "matmul": of floats as they are; of integers and quantized numbers the exact sums,
// as int32 or, with the product of the scales, as QuantizedS32.
absl::StatusOr<Value*> Contract(ImportContext& c, const std::string& op, Value* a, Value* b, graph::Attributes attributes);

// What the file says of the type of the result; `otherwise` where it says nothing.
absl::StatusOr<graph::DType> OutputType(const ImportContext& c, const graph::DType& otherwise);

// Exact sums as the type of the result: rounded and saturated, dequantized, or, for types of 32 bits, as they are.
absl::StatusOr<Value*> FromSums(ImportContext& c, Value* sums, const graph::DType& dtype);

// The same bits as another type.
absl::StatusOr<Value*> Retype(ImportContext& c, Value* x, const graph::DType& dtype);

// The elements of a quantized tensor as int32, without the zero point.
absl::StatusOr<Value*> Unbiased(ImportContext& c, Value* x);

}  // namespace mgec::mge

#endif  // MGEC_COMPILER_MGE_QUANTIZED_H_
