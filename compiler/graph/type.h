// Types of graph values: dtype (with quantization) and shape. Shapes are always known: a graph is built for one set of
// input shapes.
#ifndef MGEC_COMPILER_GRAPH_TYPE_H_
#define MGEC_COMPILER_GRAPH_TYPE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mgec::graph {

// The order is that of mgec.fb.DataType in runtime/artifact.fbs.
enum class DTypeKind : uint8_t {
  kFloat32, kFloat16, kBFloat16, kInt8, kUint8, kInt16, kUint16, kInt32, kBool,
  kQuantizedS8, kQuantized8Asymm, kQuantizedS32, kQuantizedS16, kQuantizedS4, kQuantized4Asymm,
};

// Real value of a quantized element q: scale * (q - zero_point). Only the Asymm kinds have a zero point.
struct DType {
  DTypeKind kind = DTypeKind::kFloat32;
  float scale = 0;
  int zero_point = 0;

  DType() = default;
  DType(DTypeKind k, float s = 0, int z = 0) : kind(k), scale(s), zero_point(z) {}  // NOLINT: a plain kind is a dtype
  bool operator==(const DType& o) const { return kind == o.kind && scale == o.scale && zero_point == o.zero_point; }
  bool operator!=(const DType& o) const { return !(*this == o); }
};

bool IsQuantized(const DType& d);
bool IsFloating(const DType& d);  // float32, float16, bfloat16
bool IsHalf(const DType& d);      // float16, bfloat16
// Bytes of one element in memory; the 4-bit kinds take one byte each inside the compiler.
int ByteSize(const DType& d);

using Shape = std::vector<int64_t>;  // 0 to 7 dimensions, each >= 0; row-major

int64_t NumElements(const Shape& s);
// Row-major strides in elements.
std::vector<int64_t> Strides(const Shape& s);
// NumPy's rule; InvalidArgument if the shapes do not fit. A shape of one element, [1], joins any rank.
absl::StatusOr<Shape> BroadcastShapes(const Shape& a, const Shape& b);

struct TensorType {
  DType dtype;
  Shape shape;
  bool operator==(const TensorType& o) const { return dtype == o.dtype && shape == o.shape; }
  bool operator!=(const TensorType& o) const { return !(*this == o); }
};

int64_t ByteSize(const TensorType& t);

// "f32", "qs8(0.05)", "qu8(0.1,128)"; "f32[1,3,224,224]".
std::string ToString(const DType& d);
std::string ToString(const Shape& s);
std::string ToString(const TensorType& t);
absl::StatusOr<DType> ParseDType(absl::string_view text);

}  // namespace mgec::graph

#endif  // MGEC_COMPILER_GRAPH_TYPE_H_
