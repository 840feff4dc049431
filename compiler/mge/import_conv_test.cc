#include "compiler/mge/test_model.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mgec::mge {
namespace {

using testing::HasSubstr;
namespace param = fbs::param;
using param::ConvolutionFormat;
using param::ConvolutionMode;
using param::ConvolutionSparse;

auto Conv(ConvolutionFormat format, ConvolutionSparse sparse = ConvolutionSparse::DENSE,
          ConvolutionMode mode = ConvolutionMode::CROSS_CORRELATION) {
  return [=](auto& b) { return param::CreateConvolution(b, mode, 1, 2, 3, 4, 1, 2, sparse, format); };
}

// The shape of the convolution's own result and of the imported one.
std::string Shapes(std::vector<int64_t> x, std::vector<int64_t> w, ConvolutionFormat format, ConvolutionSparse sparse) {
  TestModel m;
  m.Output(m.Op("ConvolutionV2", {m.Input("x", std::move(x)), m.Weight(std::move(w))},
                [&](auto& b) { return param::CreateConvolution(b, {}, 1, 1, 1, 1, 1, 1, sparse, format); }));
  const absl::StatusOr<graph::Graph> g = m.Import();
  if (!g.ok()) return std::string(g.status().message());
  std::string text;
  for (const auto& node : g->nodes()) {
    if (node->op != "conv2d") continue;
    text = absl::StrCat(graph::ToString(node->inputs[0]->type.shape), " * ",
                        graph::ToString(node->inputs[1]->type.shape), " / ", node->attributes.Int("group"), " = ",
                        graph::ToString(g->outputs()[0].value->type.shape));
  }
  return text;
}

TEST(ImportConvTest, TakesAllParameters) {
  TestModel m;
  m.Output(
      m.Op("ConvolutionV2", {m.Input("x", {1, 3, 32, 32}), m.Weight({8, 3, 3, 3})}, Conv(ConvolutionFormat::NCHW)));
  EXPECT_EQ(m.Text(), "conv2d dilation=[1,2] group=1 pad=[1,2] stride=[3,4] -> f32[1,8,11,8]\n");
}

TEST(ImportConvTest, MirrorsTheKernelOfATrueConvolution) {
  TestModel m;
  m.Output(m.Op("Convolution", {m.Input("x", {1, 4, 8, 8}), m.Weight({2, 1, 2, 3, 3})},
                Conv(ConvolutionFormat::NCHW, ConvolutionSparse::GROUP, ConvolutionMode::CONVOLUTION)));
  EXPECT_THAT(m.Text(), HasSubstr("flip=1 group=2"));
}

TEST(ImportConvTest, ConvBiasTakesBiasResidualAndActivation) {
  TestModel m;
  const int x = m.Input("x", {1, 3, 8, 8});
  const auto conv_bias = [](param::NonlineMode mode) {
    return [mode](auto& b) { return param::CreateConvBias(b, mode); };
  };
  m.Output(m.Op("ConvBiasForwardV4", {x, m.Weight({8, 3, 1, 1}), m.Weight({1, 8, 1, 1}), m.Input("z", {1, 8, 8, 8})},
                conv_bias(param::NonlineMode::H_SWISH)));
  EXPECT_THAT(m.Text(), HasSubstr("conv2d activation=h_swish dilation=[1,1] group=1"));
  m.Op("ConvBiasForward", {x, m.Weight({8, 3, 1, 1})}, conv_bias(static_cast<param::NonlineMode>(9)));
  EXPECT_THAT(m.Text(), HasSubstr("nonline_mode=9"));
}

TEST(ImportConvTest, BringsLayoutsToNchw) {
  const auto kDense = ConvolutionSparse::DENSE;
  const auto kGroup = ConvolutionSparse::GROUP;
  using F = ConvolutionFormat;
  EXPECT_EQ(Shapes({1, 8, 8, 6}, {4, 3, 3, 6}, F::NHWC, kDense), "[1,6,8,8] * [4,6,3,3] / 1 = [1,8,8,4]");
  EXPECT_EQ(Shapes({1, 8, 8, 6}, {2, 4, 3, 3, 3}, F::NHWC, kGroup), "[1,6,8,8] * [2,4,3,3,3] / 2 = [1,8,8,8]");
  EXPECT_EQ(Shapes({1, 2, 8, 8, 4}, {16, 2, 3, 3, 4}, F::NCHW4, kDense),
            "[1,8,8,8] * [16,8,3,3] / 1 = [1,4,8,8,4]");
  EXPECT_EQ(Shapes({1, 2, 8, 8, 8}, {3, 2, 3, 3, 8, 8}, F::NCHW88, kDense),
            "[1,16,8,8] * [24,16,3,3] / 1 = [1,3,8,8,8]");
  EXPECT_EQ(Shapes({1, 3, 8, 8}, {2, 3, 3, 3, 8}, F::NCHW88, kDense), "[1,3,8,8] * [16,3,3,3] / 1 = [1,2,8,8,8]")
      << "first layer";
  EXPECT_EQ(Shapes({1, 2, 8, 8, 8}, {2, 1, 1, 3, 3, 8}, F::NCHW88, kGroup),
            "[1,16,8,8] * [16,1,1,3,3] / 16 = [1,2,8,8,8]")
      << "channel-wise";
  EXPECT_EQ(Shapes({1, 4, 8, 8, 4}, {2, 1, 2, 3, 3, 4, 4}, F::NCHW44, kGroup),
            "[1,16,8,8] * [2,4,8,3,3] / 2 = [1,2,8,8,4]");
  EXPECT_EQ(Shapes({1, 4, 8, 8, 4}, {2, 4, 3, 3, 4, 4}, F::NCHW44_DOT, kDense),
            "[1,16,8,8] * [8,16,3,3] / 1 = [1,2,8,8,4]");
  EXPECT_EQ(Shapes({2, 8, 8, 1, 4}, {2, 3, 3, 16, 4}, F::CHWN4, kDense), "[1,8,8,8] * [16,8,3,3] / 1 = [4,8,8,1,4]");
  EXPECT_EQ(Shapes({1, 8, 2, 8, 4}, {3, 3, 3, 8, 4}, F::NHWCD4, kDense), "[1,8,8,8] * [12,8,3,3] / 1 = [1,8,3,8,4]");
  EXPECT_EQ(Shapes({1, 8, 1, 8, 4}, {3, 3, 3, 3, 4}, F::NHWCD4, kDense), "[1,3,8,8] * [12,3,3,3] / 1 = [1,8,3,8,4]")
      << "one channel only fills up";
  EXPECT_EQ(Shapes({1, 8, 2, 8, 4}, {2, 1, 3, 3, 4}, F::NHWCD4, kGroup), "[1,8,8,8] * [8,1,1,3,3] / 8 = [1,8,2,8,4]");
}

TEST(ImportConvTest, RefusesWhatDoesNotFit) {
  EXPECT_THAT(Shapes({1, 3, 8, 8}, {8, 4, 3, 3}, ConvolutionFormat::NCHW, ConvolutionSparse::DENSE),
              HasSubstr("do not fit"));
  EXPECT_THAT(Shapes({1, 3, 8, 8}, {8, 3, 3, 3}, ConvolutionFormat::NCHW32, ConvolutionSparse::DENSE),
              HasSubstr("does not fit the format"));
  EXPECT_THAT(Shapes({1, 3, 8, 8}, {8, 3, 3, 3}, ConvolutionFormat::NHWC_NCHW, ConvolutionSparse::DENSE),
              HasSubstr("format=NHWC_NCHW"));
  EXPECT_THAT(Shapes({1, 3, 8, 8}, {8, 3, 3, 3}, ConvolutionFormat::NCHW, static_cast<ConvolutionSparse>(2)),
              HasSubstr("sparse=2"));
}

}  // namespace
}  // namespace mgec::mge
