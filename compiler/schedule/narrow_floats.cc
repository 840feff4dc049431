#include "compiler/schedule/narrow_floats.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "compiler/kernel/reference_math.h"

namespace mgec::schedule {

using kernel::Scalar;

namespace {

float Widened(uint16_t bits, Scalar scalar) {
  return scalar == Scalar::kFloat16 ? kernel::HalfToFloat(bits) : kernel::BFloat16ToFloat(bits);
}

}  // namespace

uint16_t NarrowBits(float v, Scalar scalar) {
  return scalar == Scalar::kFloat16 ? kernel::FloatToHalf(v) : kernel::FloatToBFloat16(v);
}

Scalar StorageForWeights(const float* weights, int64_t count, Scalar wanted) {
  if (wanted == Scalar::kFloat32) return wanted;
  float largest = 0;
  for (int64_t i = 0; i < count; ++i) largest = std::max(largest, std::fabs(weights[i]));
  const float unit = wanted == Scalar::kFloat16 ? 0x1p-11f : 0x1p-8f;
  for (int64_t i = 0; i < count; ++i) {
    const float error = std::fabs(Widened(NarrowBits(weights[i], wanted), wanted) - weights[i]);
    if (!(error <= unit * std::max(std::fabs(weights[i]), largest / 16))) return Scalar::kFloat32;
  }
  return wanted;
}

std::string Narrowed(const std::string& data, Scalar scalar) {
  std::string narrow(data.size() / sizeof(float) * sizeof(uint16_t), '\0');
  for (size_t i = 0; i < data.size() / sizeof(float); ++i) {
    float v;
    std::memcpy(&v, &data[i * sizeof(v)], sizeof(v));
    const uint16_t bits = NarrowBits(v, scalar);
    std::memcpy(&narrow[i * sizeof(bits)], &bits, sizeof(bits));
  }
  return narrow;
}

std::string NarrowExactly(const std::string& data, Scalar scalar) {
  std::string narrow = Narrowed(data, scalar);
  for (size_t i = 0; i < data.size() / sizeof(float); ++i) {
    float v;
    uint16_t bits;
    std::memcpy(&v, &data[i * sizeof(v)], sizeof(v));
    std::memcpy(&bits, &narrow[i * sizeof(bits)], sizeof(bits));
    if (!(Widened(bits, scalar) == v)) return "";
  }
  return narrow;
}

}  // namespace mgec::schedule
