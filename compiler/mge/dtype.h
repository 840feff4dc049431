// Element types as a model file states them.
#ifndef MGEC_COMPILER_MGE_DTYPE_H_
#define MGEC_COMPILER_MGE_DTYPE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "compiler/mge/schema/dtype_generated.h"

namespace mgec::mge {

// real = scale * (stored - zero_point) for the quantized types; scale and zero_point are 0 for all others.
struct DType {
  fbs::DTypeEnum type = fbs::DTypeEnum::Float32;
  float scale = 0;
  int zero_point = 0;

  bool operator==(const DType& o) const {
    return type == o.type && scale == o.scale && zero_point == o.zero_point;
  }
  bool operator!=(const DType& o) const { return !(*this == o); }
};

bool IsQuantized(fbs::DTypeEnum type);

// Bits of one element; 0 for types that no tensor can have.
int BitsOf(fbs::DTypeEnum type);

// "Float32", "QuantizedS8(scale=0.25)", "Quantized8Asymm(scale=0.25, zero_point=128)".
std::string ToString(const DType& dtype);

// `table` may be null, which means float32. Refuses numbers outside of the enumeration, and quantized types without a
// positive finite scale.
absl::StatusOr<DType> DecodeDType(const fbs::DType* table);

// How many bytes a dense tensor takes. Types of less than 8 bits are packed along the last axis, each row starting on
// a byte. Refuses more than 7 axes, and more than kMaxTensorBytes.
inline constexpr int kMaxRank = 7;
inline constexpr uint64_t kMaxTensorBytes = uint64_t{1} << 40;
absl::StatusOr<uint64_t> DenseBytes(absl::Span<const int64_t> shape, fbs::DTypeEnum type);

}  // namespace mgec::mge

#endif  // MGEC_COMPILER_MGE_DTYPE_H_
