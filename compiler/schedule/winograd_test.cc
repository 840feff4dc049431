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

// F(m x m, r x r).
struct Tile {
  int m, r;
  int n() const { return m + r - 1; }
};

// One tile of one channel: n^2 inputs and r^2 weights to m^2 outputs, by the transforms that kernels contain.
std::vector<float> ConvolveTile(const Tile& tile, const std::vector<float>& d, const std::vector<float>& w) {
  const int m = tile.m, n = tile.n();
  std::vector<double> u = WinogradWeights(m, tile.r, w.data());
  std::vector<float> weights(u.begin(), u.end()), in = d, out(m * m);
  kernel::Kernel k;
  k.name = "tile";
  k.task = kernel::MakeVar("task");
  k.arguments = {kernel::ArgumentBuffer("d", Scalar::kFloat32, n * n, 0, 4),
                 kernel::ArgumentBuffer("u", Scalar::kFloat32, n * n, 1, 4),
                 kernel::ArgumentBuffer("y", Scalar::kFloat32, m * m, 2, 4)};
  Block b;
  auto forward = [](Block& b, const std::vector<Expr>& d) { return WinogradInput(b, d); };
  auto backward = [m](Block& b, const std::vector<Expr>& y) { return WinogradOutput(b, m, y); };
  // Both axes of values [y][x], the columns first.
  auto both = [&](const auto& f, const std::vector<std::vector<Expr>>& v) {
    std::vector<std::vector<Expr>> columns, rows;
    for (int x = 0; x < n; ++x) {
      std::vector<Expr> column;
      for (int y = 0; y < n; ++y) column.push_back(v[y][x]);
      columns.push_back(f(b, column));
    }
    for (size_t y = 0; y < columns[0].size(); ++y) {
      std::vector<Expr> row;
      for (int x = 0; x < n; ++x) row.push_back(columns[x][y]);
      rows.push_back(f(b, row));
    }
    return rows;
  };
  std::vector<std::vector<Expr>> v(n, std::vector<Expr>(n));
  for (int i = 0; i < n * n; ++i) v[i / n][i % n] = Load(k.arguments[0], Int(i));
  v = both(forward, v);
  for (int i = 0; i < n * n; ++i) v[i / n][i % n] = b.Let("p", v[i / n][i % n] * Load(k.arguments[1], Int(i)));
  v = both(backward, v);
  for (int i = 0; i < m * m; ++i) b.Store(k.arguments[2], Int(i), v[i / m][i % m]);
  k.body = b.Take();
  const kernel::BufferView views[] = {{in.data(), n * n * 4}, {weights.data(), n * n * 4}, {out.data(), m * m * 4}};
  EXPECT_TRUE(kernel::Interpret(k, views, 0, 1).ok());
  return out;
}

std::vector<double> Direct(const Tile& tile, const std::vector<float>& d, const std::vector<float>& w) {
  const int m = tile.m, r = tile.r;
  std::vector<double> y(m * m);
  for (int i = 0; i < m * m; ++i) {
    for (int t = 0; t < r * r; ++t) y[i] += static_cast<double>(d[(i / m + t / r) * tile.n() + i % m + t % r]) * w[t];
  }
  return y;
}

class WinogradTest : public testing::TestWithParam<Tile> {};

TEST_P(WinogradTest, EveryInputReachesTheRightOutputs) {
  const Tile& tile = GetParam();
  for (int at = 0; at < tile.n() * tile.n(); ++at) {
    std::vector<float> d(tile.n() * tile.n(), 0), w;
    d[at] = 1;
    for (int t = 1; t <= tile.r * tile.r; ++t) w.push_back(static_cast<float>(t));
    const std::vector<float> got = ConvolveTile(tile, d, w);
    const std::vector<double> want = Direct(tile, d, w);
    for (int i = 0; i < tile.m * tile.m; ++i) EXPECT_NEAR(got[i], want[i], 4e-5) << "input " << at << ", output " << i;
  }
}

TEST_P(WinogradTest, ErrorIsBelowTheStatedBound) {
  const Tile& tile = GetParam();
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  double error = 0, largest = 0;
  for (int round = 0; round < 200; ++round) {
    std::vector<float> d(tile.n() * tile.n()), w(tile.r * tile.r);
    for (float& x : d) x = std::max(0.0f, normal(random));
    for (float& x : w) x = normal(random);
    const std::vector<float> got = ConvolveTile(tile, d, w);
    const std::vector<double> want = Direct(tile, d, w);
    for (int i = 0; i < tile.m * tile.m; ++i) {
      error = std::max(error, std::abs(got[i] - want[i]));
      largest = std::max(largest, std::abs(want[i]));
    }
  }
  EXPECT_LT(error / largest, tile.m == 2 ? 2e-6 : 2e-5);
  EXPECT_GT(error, 0);  // something was computed
}

INSTANTIATE_TEST_SUITE_P(Tiles, WinogradTest, testing::Values(Tile{2, 3}, Tile{4, 3}, Tile{3, 4}));

TEST(WinogradTileTest, SmallConvolutionsAreDirect) {
  EXPECT_EQ(WinogradTile(1, 64, 64, 56, 56), 4);
  EXPECT_EQ(WinogradTile(1, 256, 256, 14, 14), 2);
  EXPECT_EQ(WinogradTile(8, 256, 256, 14, 14), 4);  // weights are read once for all images
  EXPECT_EQ(WinogradTile(1, 512, 512, 7, 7), 2);
  EXPECT_EQ(WinogradTile(8, 512, 512, 7, 7), 4);
  EXPECT_EQ(WinogradTile(1, 3, 64, 224, 224), 0);
  EXPECT_EQ(WinogradTile(1, 64, 64, 3, 3), 0);
}

TEST(WinogradImagePaysTest, NotForFewChannelsOfSmallWindows) {
  EXPECT_TRUE(WinogradImagePays(4, 3 * 36, 12, 16, 208, 208));  // 6x6 with stride 2
  EXPECT_TRUE(WinogradImagePays(4, 3 * 25, 12, 8, 112, 112));   // 5x5 with stride 2
  EXPECT_TRUE(WinogradImagePays(3, 3 * 49, 12, 64, 112, 112));  // 7x7 with stride 2
  EXPECT_TRUE(WinogradImagePays(4, 3 * 9, 3, 64, 224, 224));
  EXPECT_FALSE(WinogradImagePays(4, 1 * 9, 1, 64, 224, 224));
  EXPECT_FALSE(WinogradImagePays(4, 3 * 36, 12, 16, 8, 8));
}

}  // namespace
}  // namespace mgec::schedule
