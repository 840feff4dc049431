// Normalizations against formulas in double precision.
#include <cmath>
#include <limits>

#include "compiler/ops/testing.h"

namespace mgec::ops {
namespace {

using graph::DTypeKind;
using graph::Shape;
using graph::TensorType;
using Ints = std::vector<int64_t>;

TensorType F(Shape s) { return {DTypeKind::kFloat32, std::move(s)}; }

TEST(BatchNormTest, NormalizesPerChannel) {
  const Shape p = {1, 3, 1, 1};
  const Tensor x = Counting({2, 3, 2, 1}, -5, 2), scale = F32(p, {1, 2, -0.5f}), bias = F32(p, {0, 1, 3}),
               mean = F32(p, {0.5f, -1, 2}), var = F32(p, {1, 4, 0.25f});
  std::vector<float> want;
  for (int i = 0; i < 12; ++i) {
    const int c = i / 2 % 3;
    auto at = [&](const Tensor& t) { return static_cast<double>(ValuesOf<float>(t)[c]); };
    want.push_back(
        static_cast<float>(at(scale) * (ValuesOf<float>(x)[i] - at(mean)) / std::sqrt(at(var) + 0.5) + at(bias)));
  }
  ExpectNear(RunFloats("batch_norm", {x, scale, bias, mean, var}, {{"epsilon", 0.5}}), want);
}

TEST(BatchNormTest, Refuses) {
  const TensorType x = F({2, 3, 2, 1}), p = F({1, 3, 1, 1}), ints{DTypeKind::kInt32, {1, 3, 1, 1}};
  ExpectRefused(InferOne("batch_norm", {x, p, p, p}).status(), "got 4 inputs, takes 5 to 5");
  ExpectRefused(InferOne("batch_norm", {x, p, p, F({1, 4, 1, 1}), p}).status(), "do not broadcast");
  ExpectRefused(InferOne("batch_norm", {x, p, p, F({3, 3, 1, 1}), p}).status(), "do not broadcast");
  ExpectRefused(InferOne("batch_norm", {x, p, p, F({2, 3, 2, 4}), p}).status(), "does not fit x of shape [2,3,2,1]");
  ExpectRefused(InferOne("batch_norm", {x, p, p, ints, p}).status(), "a parameter has dtype i32; needs a float");
  ExpectRefused(InferOne("batch_norm", {ints, p, p, p, p}).status(), "x has dtype i32; needs a float");
}

// (x - mean) / sqrt(variance + eps) for the elements that `group_of` puts together.
std::vector<float> Normalized(const std::vector<float>& x, int groups, const std::function<int(int)>& group_of,
                              double eps) {
  std::vector<double> sum(groups, 0), square(groups, 0), count(groups, 0);
  for (size_t i = 0; i < x.size(); ++i) {
    sum[group_of(i)] += x[i];
    ++count[group_of(i)];
  }
  for (size_t i = 0; i < x.size(); ++i) {
    const int g = group_of(i);
    square[g] += (x[i] - sum[g] / count[g]) * (x[i] - sum[g] / count[g]);
  }
  std::vector<float> y;
  for (size_t i = 0; i < x.size(); ++i) {
    const int g = group_of(i);
    y.push_back(static_cast<float>((x[i] - sum[g] / count[g]) / std::sqrt(square[g] / count[g] + eps)));
  }
  return y;
}

TEST(LayerNormTest, OverTrailingAndOtherAxes) {
  const Tensor x = Counting({2, 3, 4}, -7, 5);
  const std::vector<float> in = ValuesOf<float>(x);
  ExpectNear(RunFloats("layer_norm", {x}, {{"axes", Ints{2}}, {"eps", 1e-3}}),
             Normalized(in, 6, [](int i) { return i / 4; }, 1e-3));
  ExpectNear(RunFloats("layer_norm", {x}, {{"axes", Ints{1, 2}}, {"eps", 1e-3}}),
             Normalized(in, 2, [](int i) { return i / 12; }, 1e-3));
  ExpectNear(RunFloats("layer_norm", {x}, {{"axes", Ints{1}}, {"eps", 1e-3}}),
             Normalized(in, 8, [](int i) { return i / 12 * 4 + i % 4; }, 1e-3));
}

TEST(LayerNormTest, WeightAndBias) {
  const Tensor x = Counting({2, 3}, -7, 5), w = F32({3}, {1, 2, 3}), b = F32({3}, {0.5f, 0, -1});
  std::vector<float> want = Normalized(ValuesOf<float>(x), 2, [](int i) { return i / 3; }, 1e-5);
  for (int i = 0; i < 6; ++i) want[i] *= static_cast<float>(1 + i % 3);
  ExpectNear(RunFloats("layer_norm", {x, w}, {{"axes", Ints{1}}}), want);
  for (int i = 0; i < 6; ++i) want[i] += ValuesOf<float>(b)[i % 3];
  ExpectNear(RunFloats("layer_norm", {x, w, b}, {{"axes", Ints{1}}}), want);
}

TEST(LayerNormTest, Refuses) {
  ExpectRefused(InferOne("layer_norm", {F({2, 3})}, {{"axes", Ints{2}}}).status(), "axis 2 is not in [0, 2)");
  ExpectRefused(InferOne("layer_norm", {F({2, 3})}, {{"axes", Ints{1, 1}}}).status(), "axis 1 is given twice");
  ExpectRefused(InferOne("layer_norm", {F({2, 3}), F({4})}, {{"axes", Ints{1}}}).status(), "do not broadcast");
  ExpectRefused(InferOne("layer_norm", {{DTypeKind::kInt32, {2}}}, {{"axes", Ints{0}}}).status(), "needs a float");
}

TEST(GroupNormTest, EveryNumberOfGroups) {
  const Tensor x = Counting({2, 6, 1, 3}, -7, 5), w = F32({6}, {1, 2, 3, 4, 5, 6}),
               b = F32({1, 6, 1, 1}, {6, 5, 4, 3, 2, 1});
  for (int64_t group : {1, 2, 3, 6}) {  // 6: instance normalization
    SCOPED_TRACE(group);
    const int per_group = static_cast<int>(18 / group);
    std::vector<float> want = Normalized(ValuesOf<float>(x), static_cast<int>(2 * group),
                                         [&](int i) { return i / per_group; }, 1e-3);
    const graph::Attributes a = {{"group", group}, {"eps", 1e-3}};
    ExpectNear(RunFloats("group_norm", {x}, a), want);
    for (size_t i = 0; i < want.size(); ++i) {
      const int c = static_cast<int>(i) / 3 % 6;
      want[i] = want[i] * static_cast<float>(c + 1) + static_cast<float>(6 - c);
    }
    ExpectNear(RunFloats("group_norm", {x, w, b}, a), want, 1e-4f);
  }
}

TEST(GroupNormTest, Refuses) {
  const TensorType x = F({2, 4, 3, 3});
  ExpectRefused(InferOne("group_norm", {x}, {{"group", int64_t{3}}}).status(),
                "4 channels do not divide into 3 groups");
  ExpectRefused(InferOne("group_norm", {x}, {{"group", int64_t{0}}}).status(), "do not divide into 0 groups");
  ExpectRefused(InferOne("group_norm", {F({2, 4})}).status(), "needs at least 3 dimensions");
  ExpectRefused(InferOne("group_norm", {x, F({3})}).status(), "need one element per channel");
  ExpectRefused(InferOne("group_norm", {x, F({2, 2})}).status(), "need one element per channel");
  ExpectRefused(InferOne("group_norm", {x, {DTypeKind::kInt32, {4}}}).status(), "a parameter has dtype i32");
}

TEST(SoftmaxTest, AlongEveryAxis) {
  const Shape shape = {2, 3, 4};
  const Tensor x = Counting(shape, -7, 5);
  const std::vector<float> in = ValuesOf<float>(x);
  const std::vector<int64_t> strides = graph::Strides(shape);
  for (int64_t axis = 0; axis < 3; ++axis) {
    std::vector<float> want;
    for (size_t i = 0; i < in.size(); ++i) {
      const int64_t at = static_cast<int64_t>(i) / strides[axis] % shape[axis];
      double sum = 0;
      for (int64_t k = 0; k < shape[axis]; ++k) sum += std::exp(in[i + (k - at) * strides[axis]]);
      want.push_back(static_cast<float>(std::exp(in[i]) / sum));
    }
    ExpectNear(RunFloats("softmax", {x}, {{"axis", axis}}), want);
  }
}

TEST(SoftmaxTest, LargeValuesInfinityAndNan) {
  const float inf = std::numeric_limits<float>::infinity();
  ExpectNear(RunFloats("softmax", {F32({3}, {1000, 1000, -1000})}, {{"axis", int64_t{0}}}), {0.5f, 0.5f, 0});
  ExpectNear(RunFloats("softmax", {F32({2}, {3, -inf})}, {{"axis", int64_t{0}}}), {1, 0});
  for (float v : RunFloats("softmax", {F32({2}, {3, std::nanf("")})}, {{"axis", int64_t{0}}}))
    EXPECT_TRUE(std::isnan(v));
}

TEST(SoftmaxTest, Refuses) {
  ExpectRefused(InferOne("softmax", {F({2})}, {{"axis", int64_t{1}}}).status(), "axis 1 is not in [0, 1)");
  ExpectRefused(InferOne("softmax", {{DTypeKind::kInt8, {2}}}, {{"axis", int64_t{0}}}).status(), "needs a float");
}

TEST(LrnTest, SumsOverNeighbouringChannels) {
  const Tensor x = Counting({1, 5, 1, 2}, -5, 2);
  const std::vector<float> in = ValuesOf<float>(x);
  std::vector<float> want;
  for (int i = 0; i < 10; ++i) {
    double sum = 0;
    for (int c = i / 2 - 1; c <= i / 2 + 1; ++c) {
      if (c >= 0 && c < 5) sum += static_cast<double>(in[c * 2 + i % 2]) * in[c * 2 + i % 2];
    }
    want.push_back(static_cast<float>(in[i] * std::pow(2 + 0.5 * sum, -0.75)));
  }
  ExpectNear(RunFloats("lrn", {x}, {{"n", int64_t{3}}, {"k", 2.0}, {"alpha", 0.5}, {"beta", 0.75}}), want);
}

TEST(LrnTest, Refuses) {
  ExpectRefused(InferOne("lrn", {F({1, 2, 3})}).status(), "needs 4 dimensions");
  ExpectRefused(InferOne("lrn", {F({1, 2, 3, 3})}, {{"n", int64_t{4}}}).status(), "n must be odd and positive");
  ExpectRefused(InferOne("lrn", {{DTypeKind::kInt8, {1, 2, 3, 3}}}).status(), "needs a float");
}

}  // namespace
}  // namespace mgec::ops
