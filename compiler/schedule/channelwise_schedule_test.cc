// Whatever works channel by channel, on channels that live anywhere, scheduled for every target, against the definitions.
#include <limits>
#include <string>
#include <vector>

#include "compiler/schedule/testing/schedule_tester.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using graph::Shape;
using graph::Value;
using Ints = std::vector<int64_t>;

Shape RandomShape(ScheduleTester& t, int64_t max_extent = 9) {
  return {t.Int(1, 3), t.Int(1, 30), t.Int(1, max_extent), t.Int(1, max_extent)};
}
Value* Anywhere(ScheduleTester& t, const Shape& shape) { return t.Coin() ? t.Blocked(shape) : t.Scattered(shape); }

// No step copies the tensor into another layout first.
void ExpectNoGather(const ScheduleTester& t) {
  EXPECT_EQ(t.CountOps("gather_channels"), 0) << testing::PrintToString(t.ops());
}

TEST(ChannelwiseScheduleTest, DepthwiseConvolution) {
  for (uint32_t i = 0; i < 10; ++i) {
    ScheduleTester t(100 + i);
    const int64_t kh = t.OneOf<int64_t>({1, 3, 3, 5}), kw = t.OneOf<int64_t>({2, 3, 3, 5});
    Shape x = RandomShape(t, 12);
    x[2] += 2 * (kh - 1);
    x[3] += 2 * (kw - 1);
    const graph::Attributes a = {{"group", x[1]},
                                 {"stride", Ints{t.Int(1, 2), t.Int(1, 3)}},
                                 {"dilation", Ints{t.Int(1, 2), t.Int(1, 2)}},
                                 {"pad", Ints{t.Int(0, 3), t.Int(0, 2), t.Int(0, 2), t.Int(0, 3)}},
                                 {"flip", int64_t{t.Coin()}}};
    Value* y = t.Add("conv2d", {Anywhere(t, x), t.Constant({x[1], 1, 1, kh, kw})}, a);
    if (t.Coin()) y = t.Add("relu", {t.Add("add", {y, t.Constant({1, x[1], 1, 1})})});
    t.Expect(y);
    t.Check();
    ExpectNoGather(t);
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// Sums of some rows wait for what becomes of them: rows of all lengths, with and without borders, and several images.
TEST(ChannelwiseScheduleTest, WindowsBeforeFunctions) {
  for (uint32_t i = 0; i < 12; ++i) {
    ScheduleTester t(150 + i);
    t.set_tolerance(2e-5);
    const int64_t k = t.OneOf<int64_t>({1, 3, 5}), cols[] = {1, 5, 13, 28, 29, 57, 150, 300};
    const Shape x = {t.Int(1, 2), t.Int(1, 20), k + t.Int(0, 9), k + cols[i % 8]};
    Value* y;
    if (i % 4 == 3) {
      y = t.Add("pool2d", {Anywhere(t, x)}, {{"mode", std::string("average")}, {"window", Ints{k, k}}, {"pad", Ints{k / 2, k / 2}}});
    } else {
      y = t.Add("conv2d", {Anywhere(t, x), t.Constant({x[1], 1, 1, k, k})}, {{"group", x[1]}, {"pad", Ints{k / 2, k / 2}}});
    }
    y = t.Add(t.OneOf<const char*>({"silu", "sigmoid", "tanh", "exp"}), {y});
    if (t.Coin()) y = t.Add("add", {y, t.Coin() ? t.Constant({1, x[1], 1, 1}) : t.Blocked(y->type.shape)});
    t.Expect(y);
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// Global pooling, or a mean, of what a step computes: the step sums its pixels.
TEST(ChannelwiseScheduleTest, SqueezesReadSums) {
  for (uint32_t i = 0; i < 8; ++i) {
    ScheduleTester t(180 + i);
    t.set_tolerance(2e-5);
    const int64_t cols[] = {1, 4, 7, 13, 29, 61, 100, 300};
    const Shape x = {t.Int(1, 3), t.Int(2, 30), t.Int(1, 9), cols[i]};  // with one channel it is no depthwise convolution
    Value* y = t.Add("conv2d", {Anywhere(t, x), t.Constant({x[1], 1, 1, 3, 3})}, {{"group", x[1]}, {"pad", Ints{1, 1}}});
    y = t.Add(i % 2 ? "silu" : "relu", {y});
    Value* squeezed = i % 4 < 2 ? t.Add("pool2d", {y}, {{"mode", std::string("average")}, {"window", Ints{x[2], x[3]}}, {"stride", Ints{x[2], x[3]}}})
                                : t.Add("reduce", {y}, {{"mode", std::string("mean")}, {"axes", Ints{2, 3}}});
    t.Expect(y);
    t.Expect(squeezed);
    t.Check();
    EXPECT_TRUE(t.KernelsContain("pixel_sums")) << i << " " << testing::PrintToString(x) << testing::PrintToString(t.ops());
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// Parts of the pixels, the maximum, and sums beside other operands are no such sums.
TEST(ChannelwiseScheduleTest, OtherPoolingReadsTheTensor) {
  const auto dense = [](ScheduleTester& t) {
    return t.Add("relu", {t.Add("conv2d", {t.Blocked({1, 8, 6, 8}), t.Constant({8, 1, 1, 3, 3})}, {{"group", int64_t{8}}, {"pad", Ints{1, 1}}})});
  };
  for (int i = 0; i < 3; ++i) {
    ScheduleTester t(190 + static_cast<uint32_t>(i));
    Value* y = dense(t);
    const Ints window = i == 0 ? Ints{6, 4} : Ints{6, 8};
    if (i < 2) t.Expect(t.Add("pool2d", {y}, {{"mode", std::string(i == 0 ? "average" : "max")}, {"window", window}, {"stride", window}}));
    else t.Expect(t.Add("reduce", {y}, {{"mode", std::string("mean")}, {"axes", Ints{3}}}));
    t.Check();
    EXPECT_FALSE(t.KernelsContain("pixel_sums")) << i;
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// What infinite weights make of the zeros outside of an image is NaN.
TEST(ChannelwiseScheduleTest, InfiniteWeightsMeetPadding) {
  ScheduleTester t(170);
  std::vector<float> weights(8 * 9, 1.0f);
  for (size_t c = 0; c < 8; ++c) weights[c * 9] = c % 2 ? std::numeric_limits<float>::infinity() : 2;
  const std::string data(reinterpret_cast<const char*>(weights.data()), weights.size() * sizeof(float));
  Value* w = t.graph().AddConstant({graph::DTypeKind::kFloat32, {8, 1, 1, 3, 3}}, data);
  t.Expect(t.Add("conv2d", {t.Blocked({1, 8, 5, 6}), w}, {{"group", int64_t{8}}, {"pad", Ints{1, 1}}}));
  t.Check();
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// Long sums are divided: rows that divide into registers, that leave a rest, that are one register, and primes.
TEST(ChannelwiseScheduleTest, PoolingOfWholeImages) {
  for (const Shape& x : {Shape{1, 9, 14, 14}, Shape{2, 8, 5, 13}, Shape{1, 3, 70, 1}, Shape{1, 16, 3, 37}, Shape{1, 8, 40, 2}, Shape{3, 8, 2, 112}}) {
    for (const char* mode : {"average", "max"}) {
      ScheduleTester t(77);
      t.Expect(t.Add("pool2d", {Anywhere(t, x)}, {{"mode", std::string(mode)}, {"window", Ints{x[2], x[3]}}, {"stride", Ints{x[2], x[3]}}}));
      t.Check();
      ExpectNoGather(t);
    }
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(ChannelwiseScheduleTest, Pooling) {
  for (uint32_t i = 0; i < 9; ++i) {
    ScheduleTester t(200 + i);
    const Ints window = {t.Int(1, 4), t.Int(1, 4)};
    Shape x = RandomShape(t, 12);
    x[2] += window[0];
    x[3] += window[1];
    const char* modes[] = {"max", "average", "average_count_exclude_padding"};
    t.Expect(t.Add("pool2d", {Anywhere(t, x)},
                   {{"mode", std::string(modes[i % 3])},
                    {"window", window},
                    {"stride", Ints{t.Int(1, 3), t.Int(1, 3)}},
                    {"pad", Ints{t.Int(0, window[0] - 1), t.Int(0, window[1] - 1)}}}));
    t.Check();
    ExpectNoGather(t);
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(ChannelwiseScheduleTest, Resize) {
  for (const char* mode : {"nearest", "linear", "cubic"}) {
    for (uint32_t i = 0; i < 3; ++i) {
      ScheduleTester t(300 + i);
      const Shape x = RandomShape(t);
      Value* y = t.Add("resize", {Anywhere(t, x)}, {{"mode", std::string(mode)}, {"size", Ints{t.Int(1, 15), t.Int(1, 15)}}});
      t.Expect(y);
      t.Check();
      ExpectNoGather(t);
    }
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(ChannelwiseScheduleTest, Reductions) {
  const Ints axes[] = {{2}, {3}, {2, 3}, {0}, {1}, {0, 2}, {1, 2, 3}, {0, 1, 2, 3}};
  for (uint32_t i = 0; i < std::size(axes); ++i) {
    ScheduleTester t(400 + i);
    const char* mode = t.OneOf<const char*>({"sum", "sum_sqr", "min", "max", "mean", "product"});
    Value* x = Anywhere(t, RandomShape(t, 6));
    if (std::string(mode) == "product") x = t.Add("add", {t.Add("mul", {x, t.Scalar(0.05f)}), t.Scalar(1)});
    Value* y = t.Add("reduce", {x}, {{"mode", std::string(mode)}, {"axes", axes[i]}});
    t.Expect(y);
    t.Expect(t.Add("sub", {x, y}));  // broadcast back
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(ChannelwiseScheduleTest, Normalizations) {
  for (uint32_t i = 0; i < 6; ++i) {
    ScheduleTester t(500 + i);
    t.set_tolerance(5e-5);
    const int64_t per_group = i < 3 ? 1 : t.Int(2, 5), group = t.Int(1, 9), c = group * per_group;
    const Shape x = {t.Int(1, 2), c, t.Int(2, 7), t.Int(2, 7)};
    Value* y = t.Add("group_norm", {Anywhere(t, x), t.Constant({c}), t.Constant({c})},
                     {{"group", group}, {"eps", 1e-3}});
    t.Expect(t.Add("relu", {y}));
    t.Check();
  }
  for (uint32_t i = 0; i < 3; ++i) {
    ScheduleTester t(520 + i);
    t.set_tolerance(5e-5);
    const Shape x = RandomShape(t, 5);
    const Shape p = {1, x[1], 1, 1};
    Value* variance = t.Add("abs", {t.Constant(p)});
    t.Expect(t.Add("batch_norm", {Anywhere(t, x), t.Constant(p), t.Constant(p), t.Constant(p), variance},
                   {{"epsilon", 1e-2}}));
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(ChannelwiseScheduleTest, SpatialPadding) {
  for (const char* mode : {"constant", "replicate", "reflect"}) {
    for (uint32_t i = 0; i < 2; ++i) {
      ScheduleTester t(600 + i);
      Shape x = RandomShape(t);
      x[2] += 3;
      x[3] += 3;
      t.Expect(t.Add("pad", {Anywhere(t, x)},
                     {{"before", Ints{0, 0, t.Int(0, 3), t.Int(0, 3)}},
                      {"after", Ints{0, 0, t.Int(0, 3), t.Int(0, 3)}},
                      {"mode", std::string(mode)},
                      {"value", 0.5}}));
      t.Check();
      ExpectNoGather(t);
    }
    ScheduleTester t(610);  // images and channels, too
    t.Expect(t.Add("pad", {t.Scattered({3, 9, 4, 4})},
                   {{"before", Ints{1, 2, 0, 1}}, {"after", Ints{0, 3, 2, 0}}, {"mode", std::string(mode)}}));
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(ChannelwiseScheduleTest, PointwiseChains) {
  for (uint32_t i = 0; i < 14; ++i) {
    ScheduleTester t(700 + i);
    t.set_tolerance(2e-5);
    const Shape x = RandomShape(t, i % 3 == 0 ? 24 : 6);
    const Shape per_channel = {1, x[1], 1, 1};
    Value* y = Anywhere(t, x);
    for (int64_t n = t.Int(1, 6); n > 0; --n) {
      switch (t.Int(0, 9)) {
        case 0: y = t.Add("add", {y, t.Constant(per_channel)}); break;
        case 1: y = t.Add("mul", {t.Scalar(0.7f), y}); break;
        case 2: y = t.Add("add", {y, Anywhere(t, x)}); break;
        case 3: y = t.Add("sub", {t.Input(x), y}); break;
        case 4: y = t.Add("mul", {y, t.Add("sigmoid", {Anywhere(t, {x[0], x[1], 1, 1})})}); break;
        case 5: y = t.Add("add", {y, t.Input({1, 1, x[2], x[3]})}); break;
        case 6: y = t.Add("max", {y, t.Constant({1, x[1], 1, x[3]})}); break;
        case 7: y = t.Add("add", {y, t.Input(per_channel)}); break;
        case 8: {  // a leaky ReLU with a slope for every channel
          Value* slope = t.Constant(per_channel);
          y = t.Add("where", {t.Add("less", {y, t.Scalar(0)}), t.Add("mul", {y, slope}), y});
          break;
        }
        case 9: y = t.Add(t.OneOf<const char*>({"tanh", "abs", "h_swish", "silu", "round"}), {y}); break;
      }
    }
    t.Expect(y);
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(ChannelwiseScheduleTest, RanksOtherThanFour) {
  for (const Shape& rest : {Shape{}, Shape{20}, Shape{2, 3, 5}}) {
    ScheduleTester t(800 + static_cast<uint32_t>(rest.size()));
    Shape shape = {2, 13};
    shape.insert(shape.end(), rest.begin(), rest.end());
    int64_t pixels = 1;
    for (int64_t d : rest) pixels *= d;
    Value* x = t.Add("reshape", {t.Blocked({2, 13, 1, pixels})}, {{"shape", shape}});
    Shape per_channel(shape.size(), 1);
    per_channel[1] = 13;
    Value* y = t.Add("relu", {t.Add("add", {x, t.Constant(per_channel)})});
    t.Expect(y);
    const int64_t last = static_cast<int64_t>(shape.size()) - 1;
    t.Expect(t.Add("reduce", {y}, {{"mode", std::string("mean")}, {"axes", Ints{last}}}));
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// Squeeze and excitation: reduced, multiplied by matrices, broadcast back.
TEST(ChannelwiseScheduleTest, Gates) {
  for (uint32_t i = 0; i < 4; ++i) {
    ScheduleTester t(900 + i);
    t.set_tolerance(3e-5);
    const Shape x = RandomShape(t, 8);
    Value* v = Anywhere(t, x);
    Value* gate = t.Add("reduce", {v}, {{"mode", std::string("mean")}, {"axes", Ints{2, 3}}});
    const int64_t inner = t.Int(1, 12);
    gate = t.Add("relu", {t.Add("conv2d", {gate, t.Constant({inner, x[1], 1, 1})})});
    gate = t.Add("sigmoid", {t.Add("conv2d", {gate, t.Constant({x[1], inner, 1, 1})})});
    Value* y = t.Add("mul", {v, gate});
    t.Expect(t.Add("conv2d", {y, t.Constant({t.Int(1, 20), x[1], 1, 1})}));
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

}  // namespace
}  // namespace mgec::schedule
