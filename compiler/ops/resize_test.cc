// Resizing against a second implementation that works on one axis after the other, in double precision.
#include <algorithm>
#include <cmath>

#include "compiler/ops/testing.h"

namespace mgec::ops {
namespace {

using graph::DTypeKind;
using graph::TensorType;
using Ints = std::vector<int64_t>;

// The weights of the input's elements at output position i.
std::vector<double> Weights(const std::string& mode, int i, int in, int out) {
  std::vector<double> w(in, 0);
  const double scale = static_cast<double>(out) / in;
  if (mode == "nearest") {
    w[std::min(static_cast<int>(i / scale), in - 1)] = 1;
    return w;
  }
  const double at = (i + 0.5) / scale - 0.5;
  const int first = static_cast<int>(std::floor(at));
  const double a = at - first;
  auto add = [&](int k, double weight) { w[std::clamp(k, 0, in - 1)] += weight; };
  if (mode == "linear") {
    add(first, 1 - a);
    add(first + 1, a);
    return w;
  }
  for (int k = -1; k <= 2; ++k) {  // Keys' kernel with A = -0.75
    const double d = std::fabs(a - k), kA = -0.75;
    add(first + k, d <= 1 ? ((kA + 2) * d - (kA + 3)) * d * d + 1 : ((kA * d - 5 * kA) * d + 8 * kA) * d - 4 * kA);
  }
  return w;
}

TEST(ResizeTest, EveryModeUpAndDown) {
  const std::pair<Ints, Ints> kCases[] = {
      {{4, 6}, {8, 12}}, {{4, 6}, {2, 3}}, {{5, 3}, {7, 8}}, {{7, 8}, {5, 3}},
      {{3, 4}, {3, 4}},  {{1, 5}, {4, 1}}, {{2, 1}, {5, 3}},
  };
  for (const auto& [in, out] : kCases) {
    const Tensor x = Counting({1, 2, in[0], in[1]}, -9, 7);
    const std::vector<float> v = ValuesOf<float>(x);
    for (const std::string mode : {"nearest", "linear", "cubic"}) {
      std::vector<float> want;
      for (int c = 0; c < 2; ++c) {
        for (int oh = 0; oh < out[0]; ++oh) {
          for (int ow = 0; ow < out[1]; ++ow) {
            const std::vector<double> wh = Weights(mode, oh, static_cast<int>(in[0]), static_cast<int>(out[0]));
            const std::vector<double> ww = Weights(mode, ow, static_cast<int>(in[1]), static_cast<int>(out[1]));
            double sum = 0;
            for (int h = 0; h < in[0]; ++h) {
              for (int w = 0; w < in[1]; ++w) sum += wh[h] * ww[w] * v[(c * in[0] + h) * in[1] + w];
            }
            want.push_back(static_cast<float>(sum));
          }
        }
      }
      SCOPED_TRACE(mode + " " + graph::ToString(in) + " to " + graph::ToString(out));
      ExpectNear(RunFloats("resize", {x}, {{"mode", mode}, {"size", out}}), want, 1e-4f);
    }
  }
}

TEST(ResizeTest, Refuses) {
  const TensorType x{DTypeKind::kFloat32, {1, 2, 3, 4}};
  auto attributes = [](const char* mode, Ints size) {
    return graph::Attributes{{"mode", std::string(mode)}, {"size", size}};
  };
  ExpectRefused(InferOne("resize", {x}, attributes("area", {2, 2})).status(), "there is no mode 'area'");
  ExpectRefused(InferOne("resize", {x}, attributes("linear", {0, 2})).status(),
                "attribute size must be two integers >= 1");
  ExpectRefused(InferOne("resize", {x}, attributes("linear", {2})).status(), "attribute size");
  ExpectRefused(InferOne("resize", {{DTypeKind::kFloat32, {1, 2, 0, 4}}}, attributes("linear", {2, 2})).status(),
                "the image is empty");
  ExpectRefused(InferOne("resize", {{DTypeKind::kFloat32, {2, 3, 4}}}, attributes("linear", {2, 2})).status(),
                "needs 4 dimensions");
}

}  // namespace
}  // namespace mgec::ops
