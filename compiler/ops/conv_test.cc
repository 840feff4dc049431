// 2-d convolution against loops of its own.
#include "compiler/ops/conv.h"

#include <cmath>

#include "compiler/ops/testing.h"

namespace mgec::ops {
namespace {

using graph::DType;
using graph::DTypeKind;
using graph::Shape;
using graph::TensorType;
using Ints = std::vector<int64_t>;

struct Case {
  Shape x, w;
  Ints stride = {1, 1}, pad = {0, 0, 0, 0}, dilation = {1, 1};
  int64_t group = 1, flip = 0;
};

// The sum of products at every output position; operands as Counting makes them.
std::vector<float> Direct(const Case& c, const std::vector<float>& x, const std::vector<float>& w, Shape* out) {
  const bool grouped = c.w.size() == 5;
  const Shape k(c.w.end() - 3, c.w.end());  // input channels of a group, height, width
  const int64_t oc = grouped ? c.w[0] * c.w[1] : c.w[0], ocg = oc / c.group;
  auto extent = [&](int i) {
    return (c.x[2 + i] + c.pad[i] + c.pad[2 + i] - ((k[1 + i] - 1) * c.dilation[i] + 1)) / c.stride[i] + 1;
  };
  *out = {c.x[0], oc, extent(0), extent(1)};
  std::vector<float> y;
  for (int64_t n = 0; n < c.x[0]; ++n)
    for (int64_t o = 0; o < oc; ++o)
      for (int64_t oh = 0; oh < (*out)[2]; ++oh)
        for (int64_t ow = 0; ow < (*out)[3]; ++ow) {
          double sum = 0;
          for (int64_t i = 0; i < k[0]; ++i)
            for (int64_t kh = 0; kh < k[1]; ++kh)
              for (int64_t kw = 0; kw < k[2]; ++kw) {
                const int64_t h = oh * c.stride[0] - c.pad[0] + kh * c.dilation[0];
                const int64_t v = ow * c.stride[1] - c.pad[1] + kw * c.dilation[1];
                if (h < 0 || h >= c.x[2] || v < 0 || v >= c.x[3]) continue;
                const int64_t ic = o / ocg * k[0] + i;
                const int64_t fh = c.flip ? k[1] - 1 - kh : kh, fw = c.flip ? k[2] - 1 - kw : kw;
                sum += static_cast<double>(x[((n * c.x[1] + ic) * c.x[2] + h) * c.x[3] + v]) *
                       w[((o * k[0] + i) * k[1] + fh) * k[2] + fw];
              }
          y.push_back(static_cast<float>(sum));
        }
  return y;
}

graph::Attributes AttributesOf(const Case& c) {
  graph::Attributes a = {{"stride", c.stride}, {"dilation", c.dilation}, {"group", c.group}, {"flip", c.flip}};
  const bool symmetric = c.pad[0] == c.pad[2] && c.pad[1] == c.pad[3];
  a.Set("pad", symmetric ? Ints{c.pad[0], c.pad[1]} : c.pad);
  return a;
}

TEST(ConvTest, ComputesTheSumOfProducts) {
  const Case kCases[] = {
      {{1, 1, 3, 3}, {1, 1, 3, 3}},
      {{2, 3, 5, 7}, {4, 3, 3, 2}},
      {{1, 5, 4, 3}, {2, 5, 1, 1}, {2, 1}},
      {{1, 2, 7, 5}, {3, 2, 3, 3}, {2, 3}, {1, 2, 1, 2}},
      {{1, 2, 7, 9}, {3, 2, 3, 3}, {1, 2}, {2, 0, 2, 0}, {2, 3}},
      {{1, 2, 4, 5}, {3, 2, 3, 3}, {1, 1}, {2, 0, 1, 3}},
      {{1, 4, 5, 5}, {2, 3, 2, 3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 2},
      {{1, 3, 5, 6}, {3, 1, 1, 3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}, 3},
      {{1, 3, 4, 4}, {3, 2, 1, 2, 2}, {1, 1}, {0, 0, 0, 0}, {1, 1}, 3},
      {{1, 2, 4, 5}, {1, 3, 2, 3, 2}, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1},
      {{1, 2, 5, 4}, {3, 2, 3, 2}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1, 1},
      {{0, 2, 3, 3}, {3, 2, 3, 3}},
  };
  for (const Case& c : kCases) {
    const Tensor x = Counting(c.x, -11, 2), w = Counting(c.w, -4, 1);
    Shape shape;
    const std::vector<float> want = Direct(c, ValuesOf<float>(x), ValuesOf<float>(w), &shape);
    const absl::StatusOr<Tensor> y = RunOp("conv2d", {x, w}, AttributesOf(c));
    ASSERT_TRUE(y.ok()) << y.status();
    SCOPED_TRACE(graph::ToString(c.x) + " with " + graph::ToString(c.w));
    EXPECT_EQ(y->type.shape, shape);
    ExpectNear(ValuesOf<float>(*y), want, 1e-4f);
  }
}

TEST(ConvTest, BiasResidualAndActivation) {
  const Tensor x = F32({1, 1, 1, 3}, {-4, 0.5f, 2}), w = F32({2, 1, 1, 1}, {1, -1});
  const Tensor bias = F32({1, 2, 1, 1}, {1, -1}), z = F32({1, 2, 1, 3}, {0, 1, 0, 1, 0, -10});
  // -4 .5 2 and 4 -.5 -2, plus bias
  const std::vector<float> biased = {-3, 1.5f, 3, 3, -1.5f, -3}, with_z = {-3, 2.5f, 3, 4, -1.5f, -13};
  ExpectNear(RunFloats("conv2d", {x, w, bias}), biased);
  ExpectNear(RunFloats("conv2d", {x, w, bias, z}), with_z);
  auto activated = [&](const char* mode) {
    return RunFloats("conv2d", {x, w, bias, z}, {{"activation", std::string(mode)}});
  };
  ExpectNear(activated("relu"), {0, 2.5f, 3, 4, 0, 0});
  std::vector<float> sigmoid, h_swish;
  for (float v : with_z) {
    sigmoid.push_back(1 / (1 + std::exp(-v)));
    h_swish.push_back(v * std::fmin(std::fmax(v + 3, 0.0f), 6.0f) / 6);
  }
  ExpectNear(activated("sigmoid"), sigmoid);
  ExpectNear(activated("h_swish"), h_swish);
}

TEST(ConvTest, HalfAccumulatesInFloat) {
  auto half = [](const Tensor& t) { return RunOp("cast", {t}, {{"dtype", std::string("f16")}}).value(); };
  const Tensor x = half(F32({1, 3, 1, 1}, {2048, 1, 1})), w = half(F32({1, 3, 1, 1}, {1, 1, 1}));
  const Tensor y = RunOp("conv2d", {x, w}).value();
  EXPECT_EQ(ValuesOf<uint16_t>(y)[0], 0x6801);  // 2050; adding 1 twice in half gives 2048
}

const TensorType kX{DTypeKind::kFloat32, {1, 4, 5, 5}}, kW{DTypeKind::kFloat32, {6, 4, 3, 3}};

TEST(ConvTest, Refuses) {
  auto refuse = [](const std::vector<TensorType>& in, graph::Attributes a, const char* part) {
    ExpectRefused(InferOne("conv2d", in, std::move(a)).status(), part);
  };
  auto f = [](Shape s) { return TensorType{DTypeKind::kFloat32, std::move(s)}; };
  refuse({f({4, 5, 5}), kW}, {}, "x has shape [4,5,5]; needs 4 dimensions");
  refuse({kX, f({6, 4, 3})}, {}, "w has shape [6,4,3]; needs 4 dimensions");
  refuse({kX, f({6, 3, 3, 3})}, {}, "do not fit an input of [1,4,5,5] in 1 groups");
  refuse({kX, kW}, {{"group", int64_t{2}}}, "a grouped convolution needs 5-d weights");
  refuse({kX, f({2, 3, 2, 3, 3})}, {{"group", int64_t{4}}}, "group and weights differ");
  refuse({kX, f({2, 3, 1, 3, 3})}, {{"group", int64_t{2}}}, "in 2 groups");
  refuse({kX, f({0, 3, 1, 3, 3})}, {{"group", int64_t{0}}}, "in 0 groups");
  refuse({kX, f({6, 4, 6, 3})}, {}, "a window of 6 does not fit an input of 5");
  refuse({kX, kW}, {{"dilation", Ints{3, 1}}}, "a window of 3 does not fit an input of 5");
  refuse({kX, f({6, 4, 0, 3})}, {}, "the window is 0 wide");
  refuse({kX, kW}, {{"stride", Ints{0, 1}}}, "attribute stride must be two integers >= 1");
  refuse({kX, kW}, {{"stride", Ints{1}}}, "attribute stride must be two integers >= 1");
  refuse({kX, kW}, {{"dilation", Ints{1, -1}}}, "attribute dilation must be two integers >= 1");
  refuse({kX, kW}, {{"pad", Ints{-1, 0}}}, "attribute pad must be two integers >= 0");
  refuse({kX, kW}, {{"pad", Ints{0, 0, -1, 0}}}, "padding must not be negative");
  refuse({kX, kW}, {{"pad", Ints{1, 1, 1}}}, "attribute pad must be two integers");
  refuse({kX, kW}, {{"activation", std::string("tanh")}}, "there is no activation 'tanh'");
  refuse({kX, kW, f({1, 5, 1, 1})}, {}, "do not broadcast");
  refuse({kX, kW, f({2, 6, 1, 1})}, {}, "operand 2 of type f32[2,6,1,1] does not fit f32[1,6,3,3]");
  refuse({kX, kW, {DTypeKind::kInt32, {1, 6, 1, 1}}}, {}, "operand 2 of type i32[1,6,1,1] does not fit f32[1,6,3,3]");
  refuse({kX, {DTypeKind::kFloat16, kW.shape}}, {}, "takes float operands of one dtype, not f32 and f16");
  refuse({{DTypeKind::kInt8, kX.shape}, {DTypeKind::kInt8, kW.shape}}, {}, "takes float operands");
  const DType q(DTypeKind::kQuantizedS8, 0.5f);
  refuse({{q, kX.shape}, {q, kW.shape}}, {}, "takes float operands");
  refuse({kX}, {}, "got 1 inputs, takes 2 to 4");
}

TEST(ConvTest, Params) {
  const graph::Attributes a = {{"pad", Ints{1, 2}}, {"stride", Ints{2, 1}}};
  const absl::StatusOr<ConvParams> p = ConvParamsOf({a, {kX, kW}});
  ASSERT_TRUE(p.ok()) << p.status();
  EXPECT_EQ(p->pad, (Ints{1, 2}));
  EXPECT_EQ(p->pad_after, (Ints{1, 2}));
  EXPECT_TRUE(p->padded());
  EXPECT_EQ(p->out_h, 3);
  EXPECT_EQ(p->out_w, 7);
  EXPECT_EQ(p->in_channels, 4);
  EXPECT_EQ(p->out_channels, 6);
  EXPECT_EQ(p->activation, "identity");
}

}  // namespace
}  // namespace mgec::ops
