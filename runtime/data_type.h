// Element types, and tensors at the network's edge.
#ifndef MGEC_RUNTIME_DATA_TYPE_H_
#define MGEC_RUNTIME_DATA_TYPE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace mgec {

// Values are those of fb.DataType in artifact.fbs.
enum class DataType : uint8_t {
  kFloat32 = 0,
  kFloat16 = 1,
  kBFloat16 = 2,
  kInt8 = 3,
  kUint8 = 4,
  kInt16 = 5,
  kUint16 = 6,
  kInt32 = 7,
  kBool = 8,
  kQuantizedS8 = 9,
  kQuantized8Asymm = 10,
  kQuantizedS32 = 11,
  kQuantizedS16 = 12,
  kQuantizedS4 = 13,
  kQuantized4Asymm = 14,
};
inline constexpr int kDataTypeCount = 15;
inline constexpr size_t kMaxDims = 7;

// "float32", "quantized_s8", ...
const char* DataTypeName(DataType dtype);

// 4, 8, 16 or 32.
unsigned BitsPerElement(DataType dtype);

using Shape = std::vector<uint32_t>;

// Sets `*bytes` to the size of a dense tensor; 4-bit elements are packed in pairs and the whole is rounded up to a
// byte. False if there are more than kMaxDims dimensions or the size does not fit in 47 bits.
bool TensorBytes(DataType dtype, const uint32_t* dims, size_t ndim, uint64_t* bytes);

// "[1, 3, 224, 224]"
std::string ShapeToString(const Shape& shape);

// An input or output of a network. `scale` and `zero_point` are meaningful for quantized types only.
struct TensorInfo {
  std::string name;
  DataType dtype = DataType::kFloat32;
  Shape shape;
  float scale = 0;
  int32_t zero_point = 0;
  size_t bytes = 0;
};

}  // namespace mgec

#endif  // MGEC_RUNTIME_DATA_TYPE_H_
