// Machine-level element types of tensor programs.
//
// Quantized dtypes do not exist here: the graph's dtype carries scale and zero point, a tensor program sees the storage
// type (int8, uint8, int32, ...) and explicit arithmetic.
#ifndef MGEC_COMPILER_KERNEL_TYPE_H_
#define MGEC_COMPILER_KERNEL_TYPE_H_

#include <cstdint>
#include <string>

namespace mgec::kernel {

enum class Scalar : uint8_t {
  kBool,      // one byte in memory, 0 or 1
  kInt8,
  kUint8,
  kInt16,
  kUint16,
  kInt32,
  kInt64,     // index arithmetic
  kFloat16,   // storage only: arithmetic on it is refused, cast first
  kBFloat16,  // storage only
  kFloat32,
};

// A scalar (lanes == 1) or a vector of `lanes` elements.
struct Type {
  Scalar scalar = Scalar::kFloat32;
  int lanes = 1;

  Type() = default;
  constexpr Type(Scalar s, int l = 1) : scalar(s), lanes(l) {}  // NOLINT: a scalar is a type
  Type WithLanes(int l) const { return Type(scalar, l); }
  bool operator==(const Type& o) const { return scalar == o.scalar && lanes == o.lanes; }
  bool operator!=(const Type& o) const { return !(*this == o); }
};

inline constexpr Type kIndexType = Type(Scalar::kInt64);

// Bytes that one element takes in memory.
int SizeOf(Scalar s);
bool IsFloat(Scalar s);
bool IsHalf(Scalar s);    // float16 and bfloat16
bool IsSigned(Scalar s);  // true for floats too
// "f32", "i8", "u8", "f32x8".
std::string Name(Scalar s);
std::string Name(Type t);

}  // namespace mgec::kernel

#endif  // MGEC_COMPILER_KERNEL_TYPE_H_
