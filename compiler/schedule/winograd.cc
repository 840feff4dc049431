#include "compiler/schedule/winograd.h"

#include <algorithm>

namespace mgec::schedule {

using kernel::Block;
using kernel::Expr;
using kernel::Float;
using kernel::Fma;

namespace {

// Products are values of polynomials at these points and, the last one, their highest coefficients. Rows of G are the powers of a
// point, scaled.
struct Point {
  double at, scale;
};

const std::vector<Point> kPoints4 = {{0, 1}, {1, 0.5}, {-1, 0.5}};
const std::vector<Point> kPoints6 = {{0, 1.0 / 4}, {1, -1.0 / 6}, {-1, -1.0 / 6}, {2, 1.0 / 24}, {-2, 1.0 / 24}};

}  // namespace

std::vector<Expr> WinogradInput(Block& b, const std::vector<Expr>& d) {
  auto let = [&](Expr e) { return b.Let("t", std::move(e)); };
  if (d.size() == 4) return {let(d[0] - d[2]), let(d[1] + d[2]), let(d[2] - d[1]), let(d[1] - d[3])};
  const Expr four = Float(4), five = Float(5), two = Float(2);
  const Expr p = let(Fma(d[2], Float(-4), d[4])), q = let(Fma(d[1], Float(-4), d[3]));
  const Expr r = let(d[4] - d[2]), s = let((d[3] - d[1]) * two);
  return {let(Fma(d[0], four, Fma(d[2], Float(-5), d[4]))), let(p + q), let(p - q), let(r + s), let(r - s),
          let(Fma(d[1], four, d[5] - d[3] * five))};
}

std::vector<Expr> WinogradOutput(Block& b, int m, const std::vector<Expr>& y) {
  auto let = [&](Expr e) { return b.Let("t", std::move(e)); };
  const Expr sum = let(y[1] + y[2]), difference = let(y[1] - y[2]);
  if (y.size() == 4) return {let(y[0] + sum), let(difference - y[3])};
  const Expr sum2 = let(y[3] + y[4]), difference2 = let(y[3] - y[4]);
  std::vector<Expr> result = {y[0] + sum + sum2, Fma(difference2, Float(2), difference), Fma(sum2, Float(4), sum),
                              Fma(difference2, Float(8), difference)};
  result.resize(m);
  result.back() = result.back() + y[5];
  for (Expr& e : result) e = let(e);
  return result;
}

std::vector<double> WinogradWeights(int m, int r, const float* w) {
  const int n = m + r - 1;
  const std::vector<Point>& points = n == 4 ? kPoints4 : kPoints6;
  std::vector<double> g(n * r);
  for (size_t i = 0; i < points.size(); ++i) {
    double power = points[i].scale;
    for (int j = 0; j < r; ++j, power *= points[i].at) g[i * r + j] = power;
  }
  g.back() = 1;
  std::vector<double> gw(n * r), u(n * n);
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < r; ++j) {
      for (int k = 0; k < r; ++k) gw[i * r + j] += g[i * r + k] * w[k * r + j];
    }
  }
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < n; ++j) {
      for (int k = 0; k < r; ++k) u[i * n + j] += gw[i * r + k] * g[j * r + k];
    }
  }
  return u;
}

namespace {

// The time of the products for a pair of channels: a weight of each position takes as long to come from memory as so many
// multiplications.
int64_t ProductTime(int m, int64_t images, int64_t out_h, int64_t out_w) {
  constexpr int64_t kWeight = 18;
  const int64_t tiles = images * ((out_h + m - 1) / m) * ((out_w + m - 1) / m);
  return (m + 2) * (m + 2) * (tiles + kWeight);
}

}  // namespace

int WinogradTile(int64_t images, int64_t in_channels, int64_t out_channels, int64_t out_h, int64_t out_w) {
  // The transforms cost about as much as a direct convolution of this many channels.
  if (in_channels < 16 || out_channels < 16) return 0;
  if (out_h >= 20 && out_w >= 20) return 4;
  if (out_h < 6 || out_w < 6 || in_channels < 64 || out_channels < 64) return 0;
  return ProductTime(4, images, out_h, out_w) * 10 < ProductTime(2, images, out_h, out_w) * 9 ? 4 : 2;
}

bool WinogradImagePays(int m, int64_t window, int64_t channels, int64_t out_channels, int64_t out_h, int64_t out_w) {
  if (out_h < 16 || out_w < 16 || out_channels < 8) return false;
  // Vector instructions for a tile of m^2 outputs of 16 channels: products, the inverse transform with the stores, and this many
  // channels' share of the input transform.
  const int64_t direct = m * m * window, products = 36 * channels, inverse = 45 * m;
  const int64_t input = 20 * channels * 16 / std::max<int64_t>(16, out_channels);
  return (products + inverse + input) * 9 < direct * 8;
}

int IntWinogradTile(int64_t in_channels, int64_t out_channels, int64_t out_h, int64_t out_w) {
  return in_channels >= 16 && out_channels >= 16 && out_h >= 4 && out_w >= 4 ? 2 : 0;
}

}  // namespace mgec::schedule
