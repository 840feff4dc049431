// The emulator itself: that it runs what is right and finds what is wrong.
#include "absl/strings/match.h"
#include "compiler/codegen/cuda/testing/run_emulated.h"
#include "gtest/gtest.h"

namespace mgec::codegen::cuda {
namespace {

constexpr char kSource[] = R"(
extern "C" __global__ void reverse(float* x, unsigned int tasks) {
  SHARED(float, tile, 64);
  tile[threadIdx.x] = x[blockIdx.x * 64 + threadIdx.x];
  __syncthreads();
  x[blockIdx.x * 64 + threadIdx.x] = tile[63 - threadIdx.x];
}
extern "C" __global__ void race(float* x, unsigned int tasks) {
  SHARED(float, tile, 64);
  tile[threadIdx.x] = x[threadIdx.x];
  x[threadIdx.x] = tile[63 - threadIdx.x];
}
extern "C" __global__ void both_write(float* x, unsigned int tasks) {
  SHARED(float, tile, 64);
  tile[threadIdx.x / 2] = 1.0f;
  __syncthreads();
}
extern "C" __global__ void some_leave(float* x, unsigned int tasks) {
  if (threadIdx.x == 5) return;
  __syncthreads();
}
extern "C" __global__ void two_barriers(float* x, unsigned int tasks) {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}
extern "C" __global__ void sum_warp(float* x, unsigned int tasks) {
  float v = x[threadIdx.x];
  for (int bits = 16; bits > 0; bits /= 2) v = v + warp_xor(v, bits);
  x[threadIdx.x] = v;
}
extern "C" __global__ void half_a_warp(float* x, unsigned int tasks) {
  if (threadIdx.x < 16) x[threadIdx.x] = warp_xor(x[threadIdx.x], 1);
}
extern "C" __global__ void outside(float* x, unsigned int tasks) {
  SHARED(float, tile, 8);
  tile[threadIdx.x] = 0.0f;
}
extern "C" __global__ void unwritten(float* x, unsigned int tasks) {
  SHARED(float, tile, 64);
  x[threadIdx.x] = tile[threadIdx.x];
  tile[threadIdx.x] = 1.0f;
}
extern "C" __global__ void misaligned(float* x, unsigned int tasks) { store4(x, 2, 0, 0, 0, 0); }
extern "C" __global__ void count(float* x, unsigned int tasks) {
  if (threadIdx.x + blockIdx.x * 64 < tasks) x[threadIdx.x + blockIdx.x * 64] += 1;
}
)";
const std::vector<std::string> kNames = {"reverse",     "race",    "both_write", "some_leave", "two_barriers", "sum_warp",
                                         "half_a_warp", "outside", "unwritten",  "misaligned", "count"};

class EmulatorTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto compiled = EmulatedKernels::CompileSource(kSource, kNames);
    ASSERT_TRUE(compiled.ok()) << compiled.status();
    kernels_ = new EmulatedKernels(*std::move(compiled));
  }
  std::string Run(const std::string& name, int64_t grid = 1, int order = 0, int64_t tasks = 1) {
    for (int i = 0; i < 128; ++i) x_[i] = static_cast<float>(i);
    for (size_t i = 0; i < kNames.size(); ++i) {
      if (kNames[i] == name) return std::string(kernels_->Run(static_cast<int>(i), {x_}, grid, 64, tasks, order).message());
    }
    return "no such kernel";
  }

  static EmulatedKernels* kernels_;
  alignas(16) float x_[128];
};
EmulatedKernels* EmulatorTest::kernels_ = nullptr;

TEST_F(EmulatorTest, RunsBlocksThatWait) {
  for (int order = 0; order < EmulatedKernels::kOrders; ++order) {
    ASSERT_EQ(Run("reverse", 2, order), "");
    for (int i = 0; i < 128; ++i) EXPECT_EQ(x_[i], static_cast<float>(i / 64 * 64 + 63 - i % 64));
  }
}

TEST_F(EmulatorTest, ExchangesWithinWarps) {
  for (int order = 0; order < EmulatedKernels::kOrders; ++order) {
    ASSERT_EQ(Run("sum_warp", 1, order), "");
    for (int i = 0; i < 64; ++i) EXPECT_EQ(x_[i], i < 32 ? 496 : 496 + 32 * 32);
  }
}

TEST_F(EmulatorTest, RunsEveryThreadOnce) {
  for (int order = 0; order < EmulatedKernels::kOrders; ++order) {
    ASSERT_EQ(Run("count", 2, order, 100), "");
    for (int i = 0; i < 128; ++i) EXPECT_EQ(x_[i], static_cast<float>(i < 100 ? i + 1 : i));
  }
}

TEST_F(EmulatorTest, FindsRaces) {
  EXPECT_TRUE(absl::StrContains(Run("race"), "tile[")) << Run("race");
  EXPECT_TRUE(absl::StrContains(Run("both_write"), "written while thread 0 writes it")) << Run("both_write");
}

TEST_F(EmulatorTest, FindsDivergentBarriers) {
  EXPECT_TRUE(absl::StrContains(Run("some_leave"), "barrier: 63 threads wait and 1 have left")) << Run("some_leave");
  EXPECT_TRUE(absl::StrContains(Run("two_barriers"), "barrier: threads wait at line")) << Run("two_barriers");
  EXPECT_TRUE(absl::StrContains(Run("half_a_warp"), "warp_xor: 16 of a warp's threads exchange, 16 do not")) << Run("half_a_warp");
}

TEST_F(EmulatorTest, FindsWrongAccesses) {
  EXPECT_TRUE(absl::StrContains(Run("outside"), "tile[8] is outside its 8 elements")) << Run("outside");
  EXPECT_TRUE(absl::StrContains(Run("misaligned"), "not aligned")) << Run("misaligned");
}

TEST_F(EmulatorTest, SharedMemoryHoldsNaNsAtFirst) {
  ASSERT_EQ(Run("unwritten", 2), "");
  for (int i = 0; i < 64; ++i) EXPECT_NE(x_[i], x_[i]);
}

}  // namespace
}  // namespace mgec::codegen::cuda
