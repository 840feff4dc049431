#include "compiler/schedule/contraction.h"

#include <cstring>
#include <numeric>
#include <random>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "compiler/codegen/llvm/codegen.h"
#include "compiler/kernel/interpreter.h"
#include "compiler/schedule/channel_tail.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using kernel::Expr;
using kernel::Int;

std::vector<float> Floats(const std::string& bytes) {
  std::vector<float> values(bytes.size() / 4);
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

TEST(PanelsTest, WidthsOfAtMostFourThatAddUp) {
  EXPECT_EQ(Panels(1), (std::vector<int>{1}));
  EXPECT_EQ(Panels(4), (std::vector<int>{4}));
  EXPECT_EQ(Panels(5), (std::vector<int>{3, 2}));
  EXPECT_EQ(Panels(7), (std::vector<int>{4, 3}));
  EXPECT_EQ(Panels(9), (std::vector<int>{4, 3, 2}));
  for (int64_t blocks = 1; blocks < 100; ++blocks) {
    const std::vector<int> panels = Panels(blocks);
    EXPECT_EQ(std::accumulate(panels.begin(), panels.end(), 0), blocks);
    for (int width : panels) {
      EXPECT_GE(width, 1);
      EXPECT_LE(width, 4);
    }
  }
}

TEST(PackWeightsTest, PanelByPanelThenKThenChannel) {
  const auto weight = [](int64_t k, int64_t n) { return static_cast<float>(k * 100 + n); };
  const std::vector<float> packed = Floats(PackWeights(3, 37, kernel::Scalar::kFloat32, weight));  // 5 blocks: panels of 24 and 16 channels
  ASSERT_EQ(packed.size(), 3u * 40);
  EXPECT_EQ(packed[0], 0);
  EXPECT_EQ(packed[23], 23);
  EXPECT_EQ(packed[24], 100);                // k = 1 of the first panel
  EXPECT_EQ(packed[3 * 24], 24);             // the second panel
  EXPECT_EQ(packed[3 * 24 + 16 + 12], 136);  // its last channel at k = 1
  EXPECT_EQ(packed[3 * 24 + 16 + 13], 0);    // no such channel
}

// A tile of 12 pixels and two vectors of AVX-512.
ContractionSpec TwoVectors(int64_t channels, int64_t block_entries) {
  ContractionSpec spec;
  spec.cols = 12;
  spec.in_row = spec.out_row = [](Expr) { return Int(0); };
  spec.in_col_stride = spec.out_col_stride = kBlock;
  spec.out_block_stride = 12 * kBlock;
  spec.block_entries = block_entries;
  spec.in_size = (block_entries + 11) * kBlock;
  spec.channels = channels;
  spec.out_size = channels * 12;
  return spec;
}

TEST(ContractionTest, VectorsThatBroadcastByThemselves) {
  const absl::StatusOr<kernel::Target> avx512 = kernel::FindTarget("x86-64-v4"), avx2 = kernel::FindTarget("x86-64-v3");
  EXPECT_TRUE(ReadsInputTwice(TwoVectors(24, 2), *avx512));
  EXPECT_TRUE(ReadsInputTwice(TwoVectors(24, 20), *avx512));  // of different widths
  EXPECT_TRUE(ReadsInputTwice(TwoVectors(32, 4), *avx512));
  EXPECT_FALSE(ReadsInputTwice(TwoVectors(32, 5), *avx512));
  EXPECT_FALSE(ReadsInputTwice(TwoVectors(16, 2), *avx512));  // one vector
  EXPECT_FALSE(ReadsInputTwice(TwoVectors(24, 2), *avx2));
  ContractionSpec half = TwoVectors(24, 2);
  half.in_scalar = kernel::Scalar::kFloat16;
  EXPECT_FALSE(ReadsInputTwice(half, *avx512));
}

// No instruction of the loop does nothing but broadcast.
TEST(ContractionTest, BroadcastsArePartsOfMultiplications) {
  const absl::StatusOr<kernel::Target> avx512 = kernel::FindTarget("x86-64-v4");
  for (int64_t channels : {24, 32}) {
    ContractionSpec spec = TwoVectors(channels, 2);
    spec.in_again = kernel::ArgumentBuffer("in_again", kernel::Scalar::kFloat32, spec.in_size, kExtraArgument, 4);
    spec.extra = {spec.in_again};
    const kernel::Kernel kernels[] = {ContractionKernel(spec, *avx512, "contraction")};
    std::string assembly;
    codegen::Options options;
    options.assembly = &assembly;
    ASSERT_TRUE(codegen::Generate(kernels, *avx512, options).ok());
    int multiplications = 0, broadcasts = 0;
    for (absl::string_view line : absl::StrSplit(assembly, '\n')) {
      multiplications += absl::StrContains(line, "vfmadd") && absl::StrContains(line, "{1to");
      broadcasts += absl::StrContains(line, "vbroadcastss");
    }
    EXPECT_EQ(multiplications, 12 * kBlock * 2) << channels;
    EXPECT_EQ(broadcasts, 0) << channels;
  }
}

// The kernel alone, interpreted: sums over a table of entries, with partial sums of several chunks, against plain loops.
class ContractionKernelTest : public testing::TestWithParam<std::tuple<int, int, int, int, bool>> {};

TEST_P(ContractionKernelTest, SumsOverItsTable) {
  const auto [cols, block_entries, single_entries, channels, mask] = GetParam();
  const int64_t k_size = block_entries * kBlock + single_entries, blocks = (channels + kBlock - 1) / kBlock;
  std::mt19937 random(1);
  std::uniform_real_distribution<float> uniform(-1, 1);
  // Entries lie anywhere in a pool; pixel m reads m * 3 elements further on.
  std::vector<float> in(k_size * 2 + cols * 3 + 100);
  for (float& v : in) v = uniform(random);
  std::vector<int32_t> table;
  for (int i = 0; i < block_entries + single_entries; ++i) table.push_back(static_cast<int32_t>(random() % (k_size + 50)));
  std::vector<std::vector<float>> weights(k_size, std::vector<float>(channels));
  for (auto& row : weights) {
    for (float& v : row) v = uniform(random);
  }
  ContractionSpec spec;
  spec.tail = TailChannels(channels, block_entries, cols);
  const int64_t whole = channels - spec.tail;
  const auto weight = [&w = weights](int64_t k, int64_t n) { return w[k][n]; };
  std::string packed = PackWeights(k_size, whole, kernel::Scalar::kFloat32, weight) +
                       PackTail(block_entries, single_entries, whole, spec.tail, kernel::Scalar::kFloat32, weight);

  spec.cols = cols;
  spec.in_row = [](Expr) { return Int(0); };
  spec.in_col_stride = 3;
  spec.out_row = [](Expr) { return Int(0); };
  const int64_t pitch = mask ? channels : blocks * kBlock;
  spec.out_col_stride = pitch;
  spec.out_block_stride = kBlock;
  spec.block_entries = block_entries;
  spec.single_entries = single_entries;
  spec.channels = channels;
  spec.mask_last = mask;
  spec.in_size = static_cast<int64_t>(in.size());
  spec.out_size = cols * pitch;
  spec.epilogue = [](Expr acc, Expr, Expr, Expr) { return Max(acc, kernel::Float(0, kBlock)); };

  for (const kernel::Target& target : kernel::DefaultTargets()) {
    spec.in_again = nullptr;
    spec.extra.clear();
    if (ReadsInputTwice(spec, target)) {
      spec.in_again = kernel::ArgumentBuffer("in_again", kernel::Scalar::kFloat32, spec.in_size, kExtraArgument, 4);
      spec.extra = {spec.in_again};
    }
    const kernel::Kernel k = ContractionKernel(spec, target, "contraction");
    std::vector<float> out(cols * pitch, NAN);
    const kernel::BufferView views[] = {{in.data(), static_cast<int64_t>(in.size() * 4)},
                                        {table.data(), static_cast<int64_t>(table.size() * 4)},
                                        {packed.data(), static_cast<int64_t>(packed.size())},
                                        {out.data(), static_cast<int64_t>(out.size() * 4)},
                                        {in.data(), static_cast<int64_t>(in.size() * 4)}};
    const absl::Span<const kernel::BufferView> bound(views, k.arguments.size());
    for (int64_t task = k.tasks; task-- > 0;) {
      const absl::Status status = kernel::Interpret(k, bound, task, task + 1);
      ASSERT_TRUE(status.ok()) << target.name << ": " << status;
    }
    for (int m = 0; m < cols; ++m) {
      for (int n = 0; n < channels; ++n) {
        double sum = 0;
        for (int64_t i = 0; i < k_size; ++i) {
          const int64_t entry = i < block_entries * kBlock ? i / kBlock : block_entries + (i - block_entries * kBlock);
          const int64_t lane = i < block_entries * kBlock ? i % kBlock : 0;
          sum += double{in[table[entry] + lane + m * 3]} * weights[i][n];
        }
        ASSERT_NEAR(out[m * pitch + n], std::max(sum, 0.0), 1e-4) << target.name << " [" << m << ", " << n << "]";
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, ContractionKernelTest,
                         testing::Values(std::tuple(1, 1, 0, 8, false), std::tuple(1, 0, 3, 5, true),
                                         std::tuple(7, 2, 3, 33, false), std::tuple(13, 2, 0, 40, true),
                                         std::tuple(29, 1, 1, 72, false), std::tuple(60, 0, 9, 16, true),
                                         std::tuple(5, 300, 2, 24, false), std::tuple(3, 129, 0, 37, true),
                                         // with a tail
                                         std::tuple(29, 7, 2, 58, false), std::tuple(16, 5, 0, 9, true),
                                         std::tuple(40, 6, 10, 44, true), std::tuple(23, 130, 1, 27, false)));

}  // namespace
}  // namespace mgec::schedule
