// How a contraction's weights are packed.
#include "compiler/schedule/contraction.h"
#include "compiler/schedule/narrow_floats.h"

namespace mgec::schedule {

using kernel::Scalar;

namespace {

template <typename T, typename Weight>
std::string Pack(int64_t k_size, int64_t channels, int group, const Weight& weight) {
  const int64_t blocks = (channels + kBlock - 1) / kBlock;
  std::string packed(blocks * kBlock * k_size * sizeof(T), '\0');
  T* out = reinterpret_cast<T*>(packed.data());
  int64_t first = 0;
  for (int width : Panels(blocks)) {
    for (int64_t k = 0; k < k_size; k += group) {
      for (int64_t n = first; n < first + width * kBlock; ++n) {
        for (int g = 0; g < group; ++g) *out++ = n < channels ? static_cast<T>(weight(k + g, n)) : T{0};
      }
    }
    first += width * kBlock;
  }
  return packed;
}

}  // namespace

std::string PackWeights(int64_t k_size, int64_t channels, Scalar scalar,
                        const std::function<float(int64_t k, int64_t n)>& weight) {
  if (scalar == Scalar::kFloat32) return Pack<float>(k_size, channels, 1, weight);
  return Pack<uint16_t>(k_size, channels, 1, [&](int64_t k, int64_t n) { return NarrowBits(weight(k, n), scalar); });
}

std::string PackIntWeights(int64_t k_size, int64_t channels, Scalar scalar, int group,
                           const std::function<int64_t(int64_t k, int64_t n)>& weight) {
  return scalar == Scalar::kInt8 ? Pack<int8_t>(k_size, channels, group, weight)
                                 : Pack<int16_t>(k_size, channels, group, weight);
}

}  // namespace mgec::schedule
