#include "compiler/schedule/winograd.h"

#include <cmath>
#include <random>

#include "compiler/kernel/interpreter.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using kernel::Block;
using kernel::Expr;
using kernel::Int;
using kernel::Scalar;

// One tile of one channel: (m + 2)^2 inputs and 9 weights to m^2 outputs, by the transforms that kernels contain.
std::vector<float> ConvolveTile(int m, const std::vector<float>& d, const float w[9]) {
  const int n = m + 2;
  std::vector<double> u = WinogradWeights(m, w);
  std::vector<float> weights(u.begin(), u.end()), in = d, out(m * m);
  kernel::Kernel k;
  k.name = "tile";
  k.task = kernel::MakeVar("task");
  k.arguments = {kernel::ArgumentBuffer("d", Scalar::kFloat32, n * n, 0, 4),
                 kernel::ArgumentBuffer("u", Scalar::kFloat32, n * n, 1, 4),
                 kernel::ArgumentBuffer("y", Scalar::kFloat32, m * m, 2, 4)};
  Block b;
  using Transform = std::vector<Expr> (*)(Block&, int, const std::vector<Expr>&);
  // Both axes of values [y][x], the columns first.
  auto both = [&](Transform f, const std::vector<std::vector<Expr>>& v) {
    std::vector<std::vector<Expr>> columns, rows;
    for (int x = 0; x < n; ++x) {
      std::vector<Expr> column;
      for (int y = 0; y < n; ++y) column.push_back(v[y][x]);
      columns.push_back(f(b, m, column));
    }
    for (size_t y = 0; y < columns[0].size(); ++y) {
      std::vector<Expr> row;
      for (int x = 0; x < n; ++x) row.push_back(columns[x][y]);
      rows.push_back(f(b, m, row));
    }
    return rows;
  };
  std::vector<std::vector<Expr>> v(n, std::vector<Expr>(n));
  for (int i = 0; i < n * n; ++i) v[i / n][i % n] = Load(k.arguments[0], Int(i));
  v = both(WinogradInput, v);
  for (int i = 0; i < n * n; ++i) v[i / n][i % n] = b.Let("p", v[i / n][i % n] * Load(k.arguments[1], Int(i)));
  v = both(WinogradOutput, v);
  for (int i = 0; i < m * m; ++i) b.Store(k.arguments[2], Int(i), v[i / m][i % m]);
  k.body = b.Take();
  const kernel::BufferView views[] = {{in.data(), n * n * 4}, {weights.data(), n * n * 4}, {out.data(), m * m * 4}};
  EXPECT_TRUE(kernel::Interpret(k, views, 0, 1).ok());
  return out;
}

std::vector<double> Direct(int m, const std::vector<float>& d, const float w[9]) {
  std::vector<double> y(m * m);
  for (int i = 0; i < m * m; ++i) {
    for (int t = 0; t < 9; ++t) y[i] += static_cast<double>(d[(i / m + t / 3) * (m + 2) + i % m + t % 3]) * w[t];
  }
  return y;
}

class WinogradTest : public testing::TestWithParam<int> {};

TEST_P(WinogradTest, EveryInputReachesTheRightOutputs) {
  const int m = GetParam(), n = m + 2;
  for (int at = 0; at < n * n; ++at) {
    std::vector<float> d(n * n, 0);
    d[at] = 1;
    const float w[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    const std::vector<float> got = ConvolveTile(m, d, w);
    const std::vector<double> want = Direct(m, d, w);
    for (int i = 0; i < m * m; ++i) EXPECT_NEAR(got[i], want[i], 2e-5) << "input " << at << ", output " << i;
  }
}

TEST_P(WinogradTest, ErrorIsBelowTheStatedBound) {
  const int m = GetParam(), n = m + 2;
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  double error = 0, largest = 0;
  for (int round = 0; round < 200; ++round) {
    std::vector<float> d(n * n);
    float w[9];
    for (float& x : d) x = std::max(0.0f, normal(random));
    for (float& x : w) x = normal(random);
    const std::vector<float> got = ConvolveTile(m, d, w);
    const std::vector<double> want = Direct(m, d, w);
    for (int i = 0; i < m * m; ++i) {
      error = std::max(error, std::abs(got[i] - want[i]));
      largest = std::max(largest, std::abs(want[i]));
    }
  }
  EXPECT_LT(error / largest, m == 2 ? 2e-6 : 2e-5);
  EXPECT_GT(error, 0);  // something was computed
}

INSTANTIATE_TEST_SUITE_P(Tiles, WinogradTest, testing::Values(2, 4));

TEST(WinogradTileTest, SmallConvolutionsAreDirect) {
  EXPECT_EQ(WinogradTile(1, 64, 64, 56, 56), 4);
  EXPECT_EQ(WinogradTile(1, 256, 256, 14, 14), 2);
  EXPECT_EQ(WinogradTile(8, 256, 256, 14, 14), 4);  // weights are read once for all images
  EXPECT_EQ(WinogradTile(1, 512, 512, 7, 7), 2);
  EXPECT_EQ(WinogradTile(8, 512, 512, 7, 7), 4);
  EXPECT_EQ(WinogradTile(1, 3, 64, 224, 224), 0);
  EXPECT_EQ(WinogradTile(1, 64, 64, 3, 3), 0);
}

TEST(WinogradImageTileTest, FewChannelsOfSmallWindowsAreDirect) {
  EXPECT_EQ(WinogradImageTile(3 * 36, 12, 16, 208, 208), 4);  // 6x6 with stride 2
  EXPECT_EQ(WinogradImageTile(3 * 25, 12, 8, 112, 112), 4);   // 5x5 with stride 2
  EXPECT_EQ(WinogradImageTile(3 * 9, 12, 32, 112, 112), 0);   // 3x3 with stride 2
  EXPECT_EQ(WinogradImageTile(3 * 9, 3, 64, 224, 224), 4);
  EXPECT_EQ(WinogradImageTile(1 * 9, 1, 64, 224, 224), 0);
  EXPECT_EQ(WinogradImageTile(3 * 36, 12, 16, 8, 8), 0);
}

}  // namespace
}  // namespace mgec::schedule
