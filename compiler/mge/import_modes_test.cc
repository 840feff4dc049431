// What rare modes and formats mean, from a model made by hand to numbers: those that MegEngine's CPU kernels do not run, or of
// which testdata/ops has no case.
#include <cmath>

#include "compiler/mge/test_model.h"
#include "compiler/mge/test_results.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mgec::mge {
namespace {

namespace param = fbs::param;
using fbs::DTypeEnum;
using testing::FloatNear;
using testing::HasSubstr;
using testing::Pointwise;

// One head, nothing projected, one query [1, 0] in a sequence of two keys, [1, 0] and [0, 1], with values [1, 2] and [3, 4].
struct Attention {
  TestModel m;
  param::AttnTensorCombinationType combination = param::AttnTensorCombinationType::NONE;
  param::AttnMaskType mask = param::AttnMaskType::NO_MASK;
  bool zeros = false, training = false;
  float out_prob = 0;
  std::vector<int> more;  // operands

  void Build() {
    std::vector<int> operands = {m.Floats({1, 1, 2}, {1, 0}), m.Floats({1, 2, 2}, {1, 0, 0, 1}),
                                 m.Floats({1, 2, 2}, {1, 2, 3, 4}), m.Floats({1}, {0})};
    operands.insert(operands.end(), more.begin(), more.end());
    m.Output(m.Op("MultiHeadAttn", operands, [&](auto& b) {
      param::MultiHeadAttnBuilder p(b);
      p.add_num_heads(1);
      p.add_embeding_size(2);
      p.add_k_size(2);
      p.add_v_size(2);
      p.add_sm_scaler(1);
      p.add_training(training);
      p.add_out_prob(out_prob);
      p.add_tensor_combination_type(combination);
      p.add_attn_mask_type(mask);
      p.add_add_zero_attn(zeros);
      return p.Finish();
    }, 4));
  }
  Floats Result() {
    Build();
    return Results(m);
  }
};

// The mean of vectors with weights that are the exponentials of scores.
Floats Mean(const Floats& scores, const std::vector<Floats>& values) {
  Floats y(values[0].size(), 0);
  float sum = 0;
  for (float s : scores) sum += std::exp(s);
  for (size_t k = 0; k < scores.size(); ++k) {
    for (size_t i = 0; i < y.size(); ++i) y[i] += std::exp(scores[k]) / sum * values[k][i];
  }
  return y;
}

TEST(ModesTest, AttentionToZerosAndBiases) {
  using Combination = param::AttnTensorCombinationType;
  Attention plain;
  EXPECT_THAT(plain.Result(), Pointwise(FloatNear(1e-5f), Mean({1, 0}, {{1, 2}, {3, 4}})));
  Attention zeros;
  zeros.zeros = true;
  EXPECT_THAT(zeros.Result(), Pointwise(FloatNear(1e-5f), Mean({1, 0, 0}, {{1, 2}, {3, 4}, {0, 0}})));
  Attention biases;
  biases.combination = Combination::ONLY_BIASKV;
  biases.more = {biases.m.Floats({1, 1, 2}, {2, 7}), biases.m.Floats({1, 1, 2}, {-5, 6})};
  EXPECT_THAT(biases.Result(), Pointwise(FloatNear(1e-5f), Mean({1, 0, 2}, {{1, 2}, {3, 4}, {-5, 6}})));
  Attention all;
  all.combination = Combination::ALL;
  all.mask = param::AttnMaskType::USER_DEFINED_MASK;
  all.zeros = true;
  all.more = {all.m.Floats({1, 4}, {0.5f, 0, -1, 0.25f}), all.m.Floats({1, 1, 2}, {2, 7}), all.m.Floats({1, 1, 2}, {-5, 6})};
  EXPECT_THAT(all.Result(), Pointwise(FloatNear(1e-5f), Mean({1.5f, 0, 1, 0.25f}, {{1, 2}, {3, 4}, {-5, 6}, {0, 0}})));
}

TEST(ModesTest, AttentionThatTrainsDrops) {
  Attention kept, dropped;
  kept.training = dropped.training = true;
  EXPECT_THAT(kept.Result(), Pointwise(FloatNear(1e-5f), Mean({1, 0}, {{1, 2}, {3, 4}})));
  dropped.out_prob = 0.5f;
  dropped.Build();
  EXPECT_THAT(dropped.m.Text(), HasSubstr("random_uniform"));
}

TEST(ModesTest, AttentionRefusesOperandsThatDoNotFit) {
  Attention none, wide;
  none.mask = param::AttnMaskType::DEFAULT_MASK;
  none.Build();
  EXPECT_THAT(none.m.Text(), HasSubstr("has no mask"));
  wide.combination = param::AttnTensorCombinationType::ONLY_BIASKV;
  wide.more = {wide.m.Floats({1, 1, 3}, {2, 7, 1}), wide.m.Floats({1, 1, 3}, {2, 7, 1})};
  wide.Build();
  EXPECT_THAT(wide.m.Text(), HasSubstr("does not fit"));
}

// Row [1, 4] times a matrix [4, 32] in one block [1, 1, 32, 4].
TEST(ModesTest, MultipliesARowByBlocks) {
  TestModel m;
  m.Output(m.Op("MatrixMulV2", {m.Floats({1, 4}, {1, 2, 3, 4}), m.Floats({1, 1, 32, 4}, Range(128))}, [](auto& b) {
    return param::CreateMatrixMul(b, false, false, {}, param::MatrixMulFormat::N32K4_DOT);
  }));
  const Floats y = Results(m);
  ASSERT_EQ(y.size(), 32u);
  for (int n = 0; n < 32; ++n) {
    const float first = 4.0f * static_cast<float>(n);
    EXPECT_EQ(y[n], 10 * first + 1 * 2 + 2 * 3 + 3 * 4);
  }
  TestModel wrong;
  const int a = wrong.Input("a", {2, 3, 4, 4});
  wrong.Output(wrong.Op("MatrixMulV2", {a, a}, [](auto& b) {
    return param::CreateMatrixMul(b, false, false, {}, param::MatrixMulFormat::N32K4_DOT);
  }));
  EXPECT_THAT(wrong.Text(), HasSubstr("not a row and blocks"));
}

// The same deconvolution with channels first and last.
TEST(ModesTest, DeconvolvesVolumesWithChannelsLast) {
  auto build = [](TestModel& m, param::Convolution3DFormat format, std::vector<int64_t> weights, std::vector<int64_t> image) {
    const int64_t count = std::accumulate(image.begin(), image.end(), int64_t{1}, std::multiplies<int64_t>());
    m.Output(m.Op("Convolution3DBackwardData", {m.Floats(weights, Range(8, 1)), m.Floats(image, Range(static_cast<int>(count)))},
                  [&](auto& b) {
                    param::Convolution3DBuilder p(b);
                    p.add_format(format);
                    p.add_stride_w(2);
                    return p.Finish();
                  }));
  };
  TestModel first, last;
  build(first, param::Convolution3DFormat::NCDHW, {1, 1, 2, 2, 2}, {1, 1, 2, 1, 2});
  build(last, param::Convolution3DFormat::NDHWC, {1, 2, 2, 2, 1}, {1, 2, 1, 2, 1});
  EXPECT_EQ(Results(first), Results(last));
  EXPECT_EQ(last.Text().substr(last.Text().rfind("->")), "-> f32[1,3,2,4,1]\n");
}

// Two images, each with two groups of one channel and a window of one element.
TEST(ModesTest, BatchConvBiasInGroups) {
  TestModel m;
  const int x = m.Floats({2, 2, 1, 2}, {1, 2, 3, 4, 5, 6, 7, 8}), w = m.Floats({2, 2, 1, 1, 1, 1}, {1, 10, 100, 1000});
  m.Output(m.Op("BatchConvBiasForwardV1", {x, w}, [](auto& b) {
    param::BatchConvBiasBuilder p(b);
    p.add_sparse(param::ConvolutionSparse::GROUP);
    return p.Finish();
  }));
  EXPECT_EQ(Results(m), (Floats{1, 2, 30, 40, 500, 600, 7000, 8000}));
}

TEST(ModesTest, AffineInt) {
  TestModel m;
  const int x = m.Constant({3}, DTypeEnum::Int8, std::vector<int8_t>{1, -3, 100});
  m.Output(m.Op("AffineInt", {x, m.Floats({1}, {2.5f}), m.Floats({1}, {0})}));
  EXPECT_EQ(Results<int8_t>(m), (std::vector<int8_t>{2, -8, 127}));  // ties to even
}

TEST(ModesTest, DotOfIntegersWraps) {
  TestModel m;
  const int x = m.Constant({2}, DTypeEnum::Int8, std::vector<int8_t>{100, 2});
  m.Output(m.Op("Dot", {x, x}));
  EXPECT_EQ(Results<int8_t>(m), std::vector<int8_t>{static_cast<int8_t>(10004)});
}

// An image of bytes in a fused format: moved by nothing, it only changes its type and layout.
TEST(ModesTest, WarpsThatPreprocess) {
  const std::vector<uint8_t> bytes = {10, 20, 30, 40, 50, 60};  // [1, 1, 2, 3]
  auto build = [&](TestModel& m, param::ConvolutionFormat format, std::vector<int64_t> shape, DType out) {
    const int x = m.Constant(std::move(shape), DTypeEnum::Uint8, bytes);
    const int matrix = m.Floats({1, 3, 3}, {1, 0, 0, 0, 1, 0, 0, 0, 1});
    const int y = m.Op("WarpPerspectiveV2", {x, matrix, m.Ints({1, 2})}, [&](auto& b) {
      return param::CreateWarpPerspective(b, param::InterpolationMode::LINEAR, param::BorderMode::REPLICATE, format);
    });
    m.model().operators.back().output_dtype = out;
    m.Output(y);
  };
  DType floats, quantized;
  quantized.type = DTypeEnum::QuantizedS8;
  quantized.scale = 1;
  TestModel planes, blocks, small;
  build(planes, param::ConvolutionFormat::NHWC_NCHW, {1, 1, 2, 3}, floats);
  EXPECT_EQ(Results(planes), (Floats{10, 40, 20, 50, 30, 60}));
  build(blocks, param::ConvolutionFormat::NHWC_NCHW4_IC_SMALL, {1, 1, 2, 3}, quantized);
  EXPECT_EQ(Results<int8_t>(blocks), (std::vector<int8_t>{-118, -108, -98, 0, -88, -78, -68, 0}));
  build(small, param::ConvolutionFormat::NCHW_NCHW4_IC_SMALL, {1, 3, 1, 2}, floats);
  EXPECT_EQ(Results(small), (Floats{10, 30, 50, 0, 20, 40, 60, 0}));
}

// Places and numbers of maxima.
TEST(ModesTest, WhereMaximaOfRegionsAre) {
  TestModel m;
  const int x = m.Floats({1, 1, 2, 3}, {1, 5, 5, 0, 2, 3}), rois = m.Floats({2, 5}, {0, 0, 0, 2, 1, 0, 9, 9, 9, 9});
  const int pooled = m.Op("ROIPooling", {x, rois, m.Ints({1, 1})}, [](auto& b) { return param::CreateROIPooling(b); }, 2);
  const int aligned = m.Op("ROIAlignV1", {x, rois}, [](auto& b) {
    param::ROIAlignBuilder p(b);
    p.add_sample_height(1);
    p.add_sample_width(4);
    return p.Finish();
  }, 2);
  m.Output(pooled + 1);
  m.Output(aligned + 1);
  // The first of two; none, as the region lies outside. Samples at columns 0.25, 0.75, 1.25, 1.75; all of them zero.
  EXPECT_EQ(Results<int32_t>(m), (std::vector<int32_t>{1, -1, 3, 0}));
}

TEST(ModesTest, MeansOfRegionsHaveNoPlaces) {
  TestModel m;
  const int x = m.Floats({1, 1, 2, 3}, Range(6)), rois = m.Floats({1, 5}, {0, 0, 0, 2, 1});
  const int pooled = m.Op("ROIPooling", {x, rois, m.Ints({1, 1})},
                          [](auto& b) { return param::CreateROIPooling(b, param::ROIPoolingMode::AVERAGE); }, 2);
  m.Output(pooled + 1);
  EXPECT_THAT(m.Text(), HasSubstr("use of output 1"));
}

}  // namespace
}  // namespace mgec::mge
