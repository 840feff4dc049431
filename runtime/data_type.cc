#include "runtime/data_type.h"

#include "runtime/artifact_generated.h"
#include "runtime/status.h"

namespace mgec {
namespace {

static_assert(static_cast<int>(fb::DataType::MAX) + 1 == kDataTypeCount, "keep DataType and fb.DataType the same");

struct Entry {
  const char* name;
  unsigned bits;
};
constexpr Entry kEntries[kDataTypeCount] = {
    {"float32", 32},       {"float16", 16},       {"bfloat16", 16},     {"int8", 8},
    {"uint8", 8},          {"int16", 16},         {"uint16", 16},       {"int32", 32},
    {"bool", 8},           {"quantized_s8", 8},   {"quantized_8asymm", 8}, {"quantized_s32", 32},
    {"quantized_s16", 16}, {"quantized_s4", 4},   {"quantized_4asymm", 4},
};

}  // namespace

const char* DataTypeName(DataType dtype) { return kEntries[static_cast<int>(dtype)].name; }

unsigned BitsPerElement(DataType dtype) { return kEntries[static_cast<int>(dtype)].bits; }

bool TensorBytes(DataType dtype, const uint32_t* dims, size_t ndim, uint64_t* bytes) {
  constexpr uint64_t kLimit = uint64_t{1} << 47;
  if (ndim > kMaxDims) return false;
  uint64_t elements = 1;
  for (size_t i = 0; i < ndim; ++i) {
    if (__builtin_mul_overflow(elements, uint64_t{dims[i]}, &elements)) return false;
    if (elements >= kLimit) return false;
  }
  *bytes = (elements * BitsPerElement(dtype) + 7) / 8;
  return *bytes < kLimit;
}

std::string ShapeToString(const Shape& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += Format(i ? ", %u" : "%u", shape[i]);
  return text + "]";
}

}  // namespace mgec
