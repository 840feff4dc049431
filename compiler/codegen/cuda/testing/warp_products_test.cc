// The source for GPUs without tensor cores, under the emulator: the same products as with them.
#include "compiler/codegen/cuda/warp_products.h"

#include <cstring>
#include <random>

#include "absl/strings/str_cat.h"
#include "compiler/codegen/cuda/nvrtc.h"
#include "compiler/codegen/cuda/prelude.h"
#include "compiler/codegen/cuda/testing/run_emulated.h"
#include "gtest/gtest.h"

namespace mgec::codegen::cuda {
namespace {

// x: for each thread four words of A, two of B, four sums, and room for four results.
std::string Kernels(const std::string& prefix) {
  return absl::StrCat(R"(
extern "C" __global__ void )", prefix, R"(_s8(int* x, unsigned int tasks) {
  int* const v = x + 14 * threadIdx.x;
  const int4 d = mma_s8(v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9]);
  v[10] = d.x; v[11] = d.y; v[12] = d.z; v[13] = d.w;
}
extern "C" __global__ void )", prefix, R"(_f16(int* x, unsigned int tasks) {
  int* const v = x + 14 * threadIdx.x;
  auto f = [&](int i) { return bits_to_float(v[i]); };
  const float4 d = mma_f16(v[0], v[1], v[2], v[3], v[4], v[5], f(6), f(7), f(8), f(9));
  v[10] = float_to_bits(d.x); v[11] = float_to_bits(d.y); v[12] = float_to_bits(d.z); v[13] = float_to_bits(d.w);
}
extern "C" __global__ void )", prefix, R"(_load(int* x, unsigned int tasks) {
  SHARED(int, words, 128);
  SHARED(float, numbers, 128);
  SHARED(unsigned short, halves, 256);
  for (int i = threadIdx.x; i < 128; i += 64) {
    words[i] = x[i];
    numbers[i] = bits_to_float(x[i]);
    halves[i] = static_cast<unsigned short>(x[i]);
    halves[i + 128] = static_cast<unsigned short>(x[i] >> 16);
  }
  __syncthreads();
  const int row = threadIdx.x * 5 % 32;
  const int4 a = load_matrices(words, 4 * row);
  const float4 b = load_matrices(numbers, 4 * row);
  const int4 c = load_turned(halves, 8 * row);
  int* const v = x + 14 * threadIdx.x;
  v[0] = a.x; v[1] = a.y; v[2] = a.z; v[3] = a.w;
  v[4] = float_to_bits(b.x); v[5] = float_to_bits(b.y); v[6] = float_to_bits(b.z); v[7] = float_to_bits(b.w);
  v[8] = c.x; v[9] = c.y; v[10] = c.z; v[11] = c.w;
}
)");
}

// Of the emulator's warps, whose threads can only exchange in pairs.
constexpr char kEmulatedWarpFrom[] = R"(
template <typename T> T warp_from(T v, int lane) {
  T found = v;
  for (int bits = 1; bits < 32; ++bits) {
    const T other = warp_xor(v, bits);
    if ((static_cast<int>(threadIdx.x % 32) ^ bits) == lane) found = other;
  }
  return found;
}
)";

TEST(WarpProductsTest, AreThoseOfTensorCores) {
  const auto kernels = EmulatedKernels::CompileSource(
      absl::StrCat(Kernels("tensor_cores"), kEmulatedWarpFrom, WarpProducts(), Kernels("warp")),
      {"tensor_cores_s8", "tensor_cores_f16", "tensor_cores_load", "warp_s8", "warp_f16", "warp_load"});
  ASSERT_TRUE(kernels.ok()) << kernels.status();
  std::mt19937 random(1);
  for (int kind : {0, 1, 2}) {
    std::vector<int32_t> x(64 * 14);  // two warps
    for (size_t i = 0; i < x.size(); ++i) {
      x[i] = static_cast<int32_t>(random());
      if (kind != 1) continue;
      const _Float16 halves[] = {static_cast<_Float16>(static_cast<int>(random() % 65) - 32), static_cast<_Float16>(static_cast<int>(random() % 65) - 32)};
      const float sum = static_cast<float>(random() % 100);  // small whole numbers: sums are exact in any order
      std::memcpy(&x[i], i % 14 < 6 ? static_cast<const void*>(halves) : &sum, 4);
    }
    std::vector<int32_t> want = x, got = x;
    ASSERT_TRUE(kernels->Run(kind, {want.data()}, 1, 64, 1, 0).ok());
    ASSERT_TRUE(kernels->Run(3 + kind, {got.data()}, 1, 64, 1, 2).ok());
    EXPECT_EQ(got, want) << kind;
    EXPECT_NE(got, x);
  }
}

// Where an NVRTC is that knows such GPUs (12 does, 13 does not), it compiles that.
TEST(WarpProductsTest, CompileForOldGpus) {
  const auto nvrtc = Nvrtc::Get();
  if (!nvrtc.ok()) GTEST_SKIP() << "skipped: " << nvrtc.status().message();
  int compiled = 0;
  for (int a : (*nvrtc)->architectures()) {
    if (a >= kTensorCores) continue;
    const auto result = (*nvrtc)->Compile(absl::StrCat(Prelude(), Arithmetic(), WarpFrom(), WarpProducts(), Kernels("warp")), a);
    EXPECT_TRUE(result.ok()) << result.status();
    ++compiled;
  }
  if (compiled == 0) GTEST_SKIP() << "skipped: needs an NVRTC for GPUs before sm_" << kTensorCores << " (version 12)";
}

}  // namespace
}  // namespace mgec::codegen::cuda
