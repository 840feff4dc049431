// The emulator itself: that it runs what is right and finds what is wrong.
#include <cstring>
#include <map>

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
// x holds words of A by row, then of B by column: row r, word w at 8r + w; column c, word w at 128 + 8c + w. The result by row.
extern "C" __global__ void multiply(float* x, unsigned int tasks) {
  const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
  auto word = [&](int i) { return float_to_bits(x[i]); };
  const float4 d = mma_f16(word(8 * g + t), word(8 * g + 64 + t), word(8 * g + t + 4), word(8 * g + 68 + t), word(128 + 8 * g + t),
                           word(132 + 8 * g + t), 1.0f, 2.0f, 3.0f, 4.0f);
  x[256 + 8 * g + 2 * t] = d.x;
  x[257 + 8 * g + 2 * t] = d.y;
  x[320 + 8 * g + 2 * t] = d.z;
  x[321 + 8 * g + 2 * t] = d.w;
}
extern "C" __global__ void multiply_bytes(float* x, unsigned int tasks) {
  const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
  auto word = [&](int i) { return float_to_bits(x[i]); };
  const int4 d = mma_s8(word(8 * g + t), word(8 * g + 64 + t), word(8 * g + t + 4), word(8 * g + 68 + t), word(128 + 8 * g + t),
                        word(132 + 8 * g + t), 2147483647, 0, 0, 0);
  x[256 + 8 * g + 2 * t] = bits_to_float(d.x);
  x[257 + 8 * g + 2 * t] = bits_to_float(d.y);
  x[320 + 8 * g + 2 * t] = bits_to_float(d.z);
  x[321 + 8 * g + 2 * t] = bits_to_float(d.w);
}
extern "C" __global__ void multiply_tf32(float* x, unsigned int tasks) {
  const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
  const float4 d = mma_tf32(x[8 * g + t], x[8 * g + 64 + t], x[8 * g + t + 4], x[8 * g + 68 + t], x[128 + 8 * g + t],
                            x[132 + 8 * g + t], 1.0f, 2.0f, 3.0f, 4.0f);
  x[256 + 8 * g + 2 * t] = d.x;
  x[257 + 8 * g + 2 * t] = d.y;
  x[320 + 8 * g + 2 * t] = d.z;
  x[321 + 8 * g + 2 * t] = d.w;
}
extern "C" __global__ void half_multiply(float* x, unsigned int tasks) {
  if (threadIdx.x < 16) mma_f16(0, 0, 0, 0, 0, 0, 0.0f, 0.0f, 0.0f, 0.0f);
}
// Matrix m has the words from 32m on, its rows in reverse. Word w of row r of matrix m, as its thread gets it, is element 32m + 4r + w
// of the result.
extern "C" __global__ void load(float* x, unsigned int tasks) {
  SHARED(float, words, 128);
  const int lane = threadIdx.x % 32;
  if (threadIdx.x < 32) {
    for (int i = 0; i < 4; ++i) words[4 * lane + i] = x[4 * lane + i];
  }
  __syncthreads();
  const float4 v = load_matrices(words, 32 * (lane / 8) + 28 - 4 * (lane % 8));
  if (threadIdx.x >= 32) return;
  x[256 + lane] = v.x;
  x[288 + lane] = v.y;
  x[320 + lane] = v.z;
  x[352 + lane] = v.w;
}
// The same of matrices of float16, which the next get turned: numbers 2w and 2w + 1 of row r as matrix m is then.
extern "C" __global__ void load_turned_halves(float* x, unsigned int tasks) {
  SHARED(unsigned short, halves, 256);
  const int lane = threadIdx.x % 32;
  if (threadIdx.x < 32) {
    for (int i = 0; i < 8; ++i) halves[8 * lane + i] = static_cast<unsigned short>(x[8 * lane + i]);
  }
  __syncthreads();
  const int4 v = load_turned(halves, 64 * (lane / 8) + 56 - 8 * (lane % 8));
  if (threadIdx.x >= 32) return;
  const int words[4] = {v.x, v.y, v.z, v.w};
  for (int m = 0; m < 4; ++m) {
    x[64 * m + 2 * lane] = static_cast<float>(words[m] & 0xffff);
    x[64 * m + 2 * lane + 1] = static_cast<float>(words[m] >> 16);
  }
}
extern "C" __global__ void turned_crooked(float* x, unsigned int tasks) {
  SHARED(unsigned short, halves, 256);
  load_turned(halves, threadIdx.x == 9 ? 4 : 8);
}
extern "C" __global__ void load_crooked(float* x, unsigned int tasks) {
  SHARED(int, words, 128);
  load_matrices(words, threadIdx.x == 9 ? 6 : 4);
}
extern "C" __global__ void load_outside(float* x, unsigned int tasks) {
  SHARED(int, words, 128);
  load_matrices(words, threadIdx.x == 9 ? 128 : 4);
}
extern "C" __global__ void load_early(float* x, unsigned int tasks) {
  SHARED(float, words, 64);
  words[threadIdx.x] = 1.0f;
  load_matrices(words, 32);
}
extern "C" __global__ void half_load(float* x, unsigned int tasks) {
  SHARED(int, words, 128);
  if (threadIdx.x < 16) load_matrices(words, 0);
}
// Element i of the result is element 63 - i of x, which 16 threads copy, four each.
extern "C" __global__ void copy_late(float* x, unsigned int tasks) {
  SHARED(float, tile, 64);
  if (threadIdx.x < 16) copy_async<16>(tile, threadIdx.x * 4, x + threadIdx.x * 4, threadIdx.x != 15);
  commit_copies();
  wait_copies<0>();
  __syncthreads();
  x[64 + threadIdx.x] = tile[63 - threadIdx.x];
}
extern "C" __global__ void no_wait(float* x, unsigned int tasks) {
  SHARED(float, tile, 64);
  copy_async<4>(tile, threadIdx.x, x + threadIdx.x, true);
  commit_copies();
  wait_copies<1>();
  __syncthreads();
  x[64 + threadIdx.x] = tile[63 - threadIdx.x];
  wait_copies<0>();
}
extern "C" __global__ void no_commit(float* x, unsigned int tasks) {
  SHARED(float, tile, 64);
  copy_async<4>(tile, threadIdx.x, x + threadIdx.x, true);
  wait_copies<0>();
  __syncthreads();
  x[64 + threadIdx.x] = tile[threadIdx.x];
}
extern "C" __global__ void no_barrier(float* x, unsigned int tasks) {
  SHARED(float, tile, 64);
  copy_async<4>(tile, threadIdx.x, x + threadIdx.x, true);
  commit_copies();
  wait_copies<0>();
  x[64 + threadIdx.x] = tile[63 - threadIdx.x];
}
// Copies to what others still read.
extern "C" __global__ void too_early(float* x, unsigned int tasks) {
  SHARED(float, tile, 64);
  tile[threadIdx.x] = 1.0f;
  __syncthreads();
  x[64 + threadIdx.x] = tile[63 - threadIdx.x];
  copy_async<4>(tile, threadIdx.x, x + threadIdx.x, true);
  commit_copies();
  wait_copies<0>();
}
extern "C" __global__ void never_waits(float* x, unsigned int tasks) {
  SHARED(float, tile, 64);
  copy_async<4>(tile, threadIdx.x, x + threadIdx.x, true);
  commit_copies();
}
extern "C" __global__ void crooked(float* x, unsigned int tasks) {
  SHARED(float, tile, 64);
  copy_async<16>(tile, 4, x + 2, true);
  commit_copies();
  wait_copies<0>();
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
                                         "half_a_warp", "outside", "unwritten",  "misaligned", "count",
                                         "multiply",    "multiply_bytes", "half_multiply",
                                         "copy_late",   "no_wait", "no_commit",  "no_barrier", "too_early",    "never_waits",
                                         "crooked",     "multiply_tf32", "load", "load_crooked", "load_outside",
                                         "load_early",  "half_load", "load_turned_halves", "turned_crooked"};

class EmulatorTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto compiled = EmulatedKernels::CompileSource(kSource, kNames);
    ASSERT_TRUE(compiled.ok()) << compiled.status();
    kernels_ = new EmulatedKernels(*std::move(compiled));
  }
  std::string Run(const std::string& name, int64_t grid = 1, int order = 0, int64_t tasks = 1) {
    for (int i = 0; i < 128; ++i) x_[i] = static_cast<float>(i);
    return RunOn(name, grid, order, tasks);
  }
  std::string RunOn(const std::string& name, int64_t grid, int order, int64_t tasks, int architecture = 80) {
    for (size_t i = 0; i < kNames.size(); ++i) {
      if (kNames[i] != name) continue;
      return std::string(kernels_->Run(static_cast<int>(i), {x_}, grid, 64, tasks, order, architecture).message());
    }
    return "no such kernel";
  }

  static EmulatedKernels* kernels_;
  alignas(16) float x_[384];
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

// Element k of row r of A is r - k, of column c of B is 3c + k - 9.
TEST_F(EmulatorTest, MultipliesMatricesOfHalves) {
  auto half = [](int v) {
    const _Float16 h = static_cast<_Float16>(v);
    uint16_t bits;
    memcpy(&bits, &h, 2);
    return bits;
  };
  for (int order = 0; order < EmulatedKernels::kOrders; ++order) {
    for (int i = 0; i < 24 * 8; ++i) {
      const int item = i / 8 % 16, k = i % 8 * 2, b = i / 128;
      auto value = [&](int k) { return half(b ? 3 * item + k - 9 : item - k); };
      const uint32_t word = value(k) | static_cast<uint32_t>(value(k + 1)) << 16;
      memcpy(&x_[i], &word, 4);
    }
    ASSERT_EQ(RunOn("multiply", 1, order, 1), "");
    for (int i = 0; i < 128; ++i) {
      const int row = i / 8, col = i % 8;
      int sum = row < 8 ? col % 2 + 1 : col % 2 + 3;
      for (int k = 0; k < 16; ++k) sum += (row - k) * (3 * col + k - 9);
      EXPECT_EQ(x_[256 + i], static_cast<float>(sum)) << row << " " << col;
    }
  }
}

// The same of bytes, with a sum that wraps where row and column are even.
TEST_F(EmulatorTest, MultipliesMatricesOfBytes) {
  for (int i = 0; i < 24 * 8; ++i) {
    const int item = i / 8 % 16, b = i / 128;
    int8_t bytes[4];
    for (int j = 0; j < 4; ++j) bytes[j] = static_cast<int8_t>(b ? 9 * item + i % 8 * 4 + j - 90 : item * 7 - i % 8 * 4 - j - 50);
    memcpy(&x_[i], bytes, 4);
  }
  ASSERT_EQ(RunOn("multiply_bytes", 1, 0, 1), "");
  for (int i = 0; i < 128; ++i) {
    const int row = i / 8, col = i % 8;
    uint32_t sum = row < 8 && col % 2 == 0 ? 2147483647 : 0;
    for (int k = 0; k < 32; ++k) sum += static_cast<uint32_t>((row * 7 - k - 50) * (9 * col + k - 90));
    uint32_t got;
    memcpy(&got, &x_[256 + i], 4);
    EXPECT_EQ(got, sum) << row << " " << col;
  }
}

// Element k of row r of A is r - k, of column c of B is 3c + k - 9, and both have bits more than TF32 has, which are not seen.
TEST_F(EmulatorTest, MultipliesMatricesOfTf32) {
  for (int order = 0; order < EmulatedKernels::kOrders; ++order) {
    for (int i = 0; i < 24 * 8; ++i) {
      const int item = i / 8 % 16, k = i % 8, b = i / 128;
      x_[i] = static_cast<float>(b ? 3 * item + k - 9 : item - k);
      uint32_t bits;
      memcpy(&bits, &x_[i], 4);
      bits |= 0x1fff;
      memcpy(&x_[i], &bits, 4);
    }
    ASSERT_EQ(RunOn("multiply_tf32", 1, order, 1), "");
    for (int i = 0; i < 128; ++i) {
      const int row = i / 8, col = i % 8;
      int sum = row < 8 ? col % 2 + 1 : col % 2 + 3;
      for (int k = 0; k < 8; ++k) sum += (row - k) * (3 * col + k - 9);
      EXPECT_EQ(x_[256 + i], static_cast<float>(sum)) << row << " " << col;
    }
  }
}

TEST_F(EmulatorTest, RunsEveryThreadOnce) {
  for (int order = 0; order < EmulatedKernels::kOrders; ++order) {
    ASSERT_EQ(Run("count", 2, order, 100), "");
    for (int i = 0; i < 128; ++i) EXPECT_EQ(x_[i], static_cast<float>(i < 100 ? i + 1 : i));
  }
}

TEST_F(EmulatorTest, CopiesLate) {
  for (int order = 0; order < EmulatedKernels::kOrders; ++order) {
    ASSERT_EQ(Run("copy_late", 1, order), "");
    for (int i = 0; i < 64; ++i) EXPECT_EQ(x_[64 + i], i < 4 ? 0 : static_cast<float>(63 - i));
  }
}

TEST_F(EmulatorTest, FindsWrongCopies) {
  for (int order = 0; order < EmulatedKernels::kOrders; ++order) {
    for (const auto& [name, message] : std::map<std::string, std::string>{
             {"no_wait", "read while it is being copied"},
             {"no_commit", "read while it is being copied"},
             {"too_early", "tile["},
             {"never_waits", "1 are still under way at the end"},
             {"crooked", "copy of 16 bytes at an address that is not aligned"}}) {
      EXPECT_TRUE(absl::StrContains(Run(name, 1, order), message)) << name << ": " << Run(name, 1, order);
    }
    EXPECT_NE(Run("no_barrier", 1, order), "");
  }
  EXPECT_TRUE(absl::StrContains(RunOn("copy_late", 1, 0, 1, 75), "there are none before sm_80"));
}

TEST_F(EmulatorTest, LoadsMatrices) {
  for (int order = 0; order < EmulatedKernels::kOrders; ++order) {
    ASSERT_EQ(Run("load", 1, order), "");
    for (int i = 0; i < 128; ++i) EXPECT_EQ(x_[256 + i], static_cast<float>(i / 32 * 32 + 28 - i % 32 / 4 * 4 + i % 4)) << i;
  }
}

TEST_F(EmulatorTest, TurnsMatrices) {
  for (int order = 0; order < EmulatedKernels::kOrders; ++order) {
    for (int i = 0; i < 256; ++i) x_[i] = static_cast<float>(i);
    ASSERT_EQ(RunOn("load_turned_halves", 1, order, 1), "");
    for (int i = 0; i < 256; ++i) {
      const int row = i % 64 / 8, number = i % 8;  // of the turned matrix
      EXPECT_EQ(x_[i], static_cast<float>(i / 64 * 64 + 8 * (7 - number) + row)) << i;
    }
  }
}

TEST_F(EmulatorTest, FindsWrongMatrices) {
  for (int order = 0; order < EmulatedKernels::kOrders; ++order) {
    for (const auto& [name, message] : std::map<std::string, std::string>{
             {"load_crooked", "load_matrices: element 6 begins no 16 bytes"},
             {"turned_crooked", "load_matrices: element 4 begins no 16 bytes"},
             {"load_outside", "is outside its 128 elements"},
             {"load_early", "while thread"}}) {
      EXPECT_TRUE(absl::StrContains(Run(name, 1, order), message)) << name << ": " << Run(name, 1, order);
    }
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
  EXPECT_TRUE(absl::StrContains(Run("half_load"), "load_matrices: 16 of a warp's threads exchange, 16 do not")) << Run("half_load");
  EXPECT_TRUE(absl::StrContains(Run("half_multiply"), "mma: 16 of a warp's threads exchange, 16 do not")) << Run("half_multiply");
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
