// Convolutions of random shapes, scheduled for every target, against their definition.
#include <algorithm>
#include <functional>

#include "compiler/schedule/testing/schedule_tester.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using graph::Attributes;
using graph::Shape;
using graph::Value;
using Ints = std::vector<int64_t>;

// Smallest input extent, of at least `lo`, that a window fits.
int64_t Fitting(ScheduleTester& t, int64_t lo, int64_t hi, int64_t kernel, int64_t dilation, int64_t pads) {
  return std::max(t.Int(lo, hi), (kernel - 1) * dilation + 1 - pads);
}

struct Conv {
  int64_t images = 1, in_channels = 8, out_channels = 8;
  Ints kernel = {1, 1}, stride = {1, 1}, dilation = {1, 1}, pad = {0, 0, 0, 0};
  int64_t extent_lo = 1, extent_hi = 9;
  bool flip = false;

  Attributes attributes() const {
    Attributes a = {{"stride", stride}, {"dilation", dilation}, {"pad", pad}};
    if (flip) a.Set("flip", int64_t{1});
    return a;
  }
  Shape input(ScheduleTester& t) const {
    return {images, in_channels, Fitting(t, extent_lo, extent_hi, kernel[0], dilation[0], pad[0] + pad[2]),
            Fitting(t, extent_lo, extent_hi, kernel[1], dilation[1], pad[1] + pad[3])};
  }
  Shape weights() const { return {out_channels, in_channels, kernel[0], kernel[1]}; }
};

Conv RandomConv(ScheduleTester& t) {
  Conv c;
  c.images = t.Int(1, 3);
  c.in_channels = t.Int(1, 30);
  c.out_channels = t.Int(1, 45);
  const int64_t k = t.OneOf<int64_t>({1, 1, 2, 3, 3, 5});
  c.kernel = {k, t.Coin() ? k : t.Int(1, 3)};
  c.stride = {t.Int(1, 3), t.Int(1, 3)};
  if (t.Coin()) c.stride = {1, 1};
  if (t.Coin()) c.dilation = {t.Int(1, 2), t.Int(1, 3)};
  if (t.Coin()) c.pad = {t.Int(0, 3), t.Int(0, 3), t.Int(0, 3), t.Int(0, 3)};
  c.flip = t.Int(0, 3) == 0;
  return c;
}

// A convolution is the contraction kernel's, never the generic schedule's.
void ExpectContraction(const ScheduleTester& t) {
  EXPECT_EQ(t.CountOps("conv2d"), 1) << testing::PrintToString(t.ops());
}

TEST(ConvScheduleTest, Pointwise) {
  for (uint32_t i = 0; i < 6; ++i) {
    ScheduleTester t(100 + i);
    Conv c;
    c.images = t.Int(1, 3);
    c.in_channels = t.Int(8, 40);
    c.out_channels = t.Int(1, 90);
    t.Expect(t.Add("conv2d", {t.Input(c.input(t)), t.Constant(c.weights())}, c.attributes()));
    t.Check();
    ExpectContraction(t);
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(ConvScheduleTest, AnyWindow) {
  for (uint32_t i = 0; i < 14; ++i) {
    ScheduleTester t(200 + i);
    const Conv c = RandomConv(t);
    t.Expect(t.Add("conv2d", {t.Input(c.input(t)), t.Constant(c.weights())}, c.attributes()));
    t.Check();
    ExpectContraction(t);
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(ConvScheduleTest, FewPlanarChannelsAreReadWhereTheyAre) {
  for (uint32_t i = 0; i < 4; ++i) {
    ScheduleTester t(300 + i);
    Conv c;
    c.images = t.Int(1, 2);
    c.in_channels = t.Int(1, 7);
    c.out_channels = t.Int(8, 40);
    c.kernel = {3, t.Int(1, 5)};
    c.stride = {2, t.Int(1, 2)};
    c.pad = {1, t.Int(0, 2), t.Int(0, 1), 1};
    c.extent_hi = 21;
    t.Expect(t.Add("conv2d", {t.Input(c.input(t)), t.Constant(c.weights())}, c.attributes()));
    t.Check();
    ExpectContraction(t);
    EXPECT_EQ(t.CountOps("to_blocked"), 0);
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// 1 to 4 channels beyond whole blocks, of any window, with what follows; whatever else the input's channels are.
TEST(ConvScheduleTest, LastChannelsAlongK) {
  for (uint32_t i = 0; i < 10; ++i) {
    ScheduleTester t(350 + i);
    Conv c;
    c.images = t.Int(1, 2);
    c.in_channels = t.Int(48, 70);
    c.out_channels = 8 * t.Int(1, 6) + t.Int(1, 4);
    c.kernel = t.Coin() ? Ints{1, 1} : Ints{t.Int(1, 3), t.Int(1, 2)};
    c.stride = {t.Int(1, 2), t.Int(1, 2)};
    c.pad = {t.Int(0, 1), t.Int(0, 1), t.Int(0, 1), 1};
    c.extent_hi = 14;
    c.extent_lo = 9;
    Value* y = t.Add("conv2d", {t.Input(c.input(t)), t.Constant(c.weights())}, c.attributes());
    y = t.Add("add", {y, t.Constant({1, c.out_channels, 1, 1})}, {});
    t.Expect(t.Add(t.Coin() ? "sigmoid" : "relu", {y}, {}));
    t.Check();
    EXPECT_TRUE(t.KernelsContain("parts["));
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// A gate of channels between a blocked tensor and a 1x1 convolution.
Value* Gated(ScheduleTester& t, const Shape& shape, Value** x) {
  Value* in = t.Add("conv2d", {t.Input(shape), t.Constant({shape[1], shape[1], 1, 1})}, {});
  t.Expect(in);  // otherwise the gate is part of its epilogue
  Value* gate = t.Add("sigmoid", {t.Input({1, shape[1], 1, 1})}, {});
  if (x != nullptr) *x = in;
  return t.Coin() ? t.Add("mul", {in, gate}, {}) : t.Add("mul", {gate, in}, {});
}

TEST(ConvScheduleTest, GatesGoIntoFewWeights) {
  for (uint32_t i = 0; i < 6; ++i) {
    ScheduleTester t(350 + i);
    const int64_t channels = t.Int(1, 40), out = t.Int(1, 40), extent = t.Int(10, 14);
    Value* y = Gated(t, {1, channels, extent, extent}, nullptr);
    y = t.Add("conv2d", {y, t.Constant({out, channels, 1, 1})}, {{"stride", Ints{t.Int(1, 2), 1}}});
    t.Expect(y);
    t.Check();
    EXPECT_EQ(t.CountOps("mul"), 0);
    EXPECT_EQ(t.CountOps("gate_weights"), 1);
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(ConvScheduleTest, GatesThatOthersNeedAreComputed) {
  for (int kind = 0; kind < 4; ++kind) {
    ScheduleTester t(360 + kind);
    Value* x = nullptr;
    Value* y = Gated(t, {1, 9, 12, 12}, &x);
    Value* w = t.Constant({8, 9, 1, 1});
    Value* z = kind == 0 ? t.Add("conv2d", {y, t.Constant({8, 9, 3, 3})}, {})  // larger windows
               : kind == 1 ? t.Add("conv2d", {y, t.Constant({300, 9, 1, 1})}, {})  // more weights than pixels
                           : t.Add("conv2d", {y, w}, {});
    t.Expect(z);
    if (kind == 2) t.Expect(y);
    if (kind == 3) t.Expect(t.Add("add", {y, x}, {}));
    t.Check();
    EXPECT_EQ(t.CountOps("gate_weights"), 0) << kind;
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(ConvScheduleTest, ChannelsAnywhere) {
  for (uint32_t i = 0; i < 8; ++i) {
    ScheduleTester t(400 + i);
    Conv c = RandomConv(t);
    c.images = t.Int(1, 2);
    c.extent_hi = 6;
    t.Expect(t.Add("conv2d", {t.Scattered(c.input(t)), t.Constant(c.weights())}, c.attributes()));
    t.Check();
    EXPECT_EQ(t.CountOps("gather_channels"), 0) << "a convolution reads channels wherever they are";
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// The sum over K is divided into parts that go through the output.
TEST(ConvScheduleTest, LongSums) {
  for (const int64_t out_channels : {5, 24, 43}) {
    ScheduleTester t(500 + static_cast<uint32_t>(out_channels));
    Conv c;
    c.in_channels = 171;
    c.out_channels = out_channels;
    c.kernel = {3, 3};
    c.pad = {1, 1, 1, 1};
    c.extent_lo = 2;
    c.extent_hi = 4;
    Value* y = t.Add("conv2d", {t.Input(c.input(t)), t.Constant(c.weights())}, c.attributes());
    y = t.Add("relu", {t.Add("add", {y, t.Constant({1, out_channels, 1, 1})})});
    t.Expect(y);
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(ConvScheduleTest, Epilogues) {
  for (uint32_t i = 0; i < 12; ++i) {
    ScheduleTester t(600 + i);
    Conv c = RandomConv(t);
    c.extent_hi = 7;
    Value* y = t.Add("conv2d", {t.Coin() ? t.Input(c.input(t)) : t.Blocked(c.input(t)), t.Constant(c.weights())},
                     c.attributes());
    const Shape out = y->type.shape;
    for (int64_t n = t.Int(1, 4); n > 0; --n) {
      switch (t.Int(0, 6)) {
        case 0: y = t.Add("add", {y, t.Constant({1, out[1], 1, 1})}); break;
        case 1: y = t.Add(t.OneOf<const char*>({"relu", "abs", "sigmoid", "h_swish"}), {y}); break;
        case 2: y = t.Add("add", {t.Coin() ? t.Input(out) : t.Scattered(out), y}); break;
        case 3: y = t.Add("mul", {y, t.Add("sigmoid", {t.Blocked({out[0], out[1], 1, 1})})}); break;
        case 4: y = t.Add("mul", {y, t.Scalar(0.75f)}); break;
        case 5: y = t.Add("max", {y, t.Input({1})}); break;
        case 6: y = t.Add("sub", {t.Constant(out), y}); break;
      }
    }
    t.Expect(y);
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// Sums start from a bias, unless somebody wants to know what they are without it.
TEST(ConvScheduleTest, SumsStartFromTheirBias) {
  struct Case {
    const char* what;
    bool starts;
    std::function<Value*(ScheduleTester& t, Value* y, Value* bias, Value* other)> follow;
  };
  const Case cases[] = {
      {"bias", true, [](ScheduleTester& t, Value* y, Value* bias, Value*) { return t.Add("relu", {t.Add("add", {bias, y})}); }},
      {"bias after residual", true,
       [](ScheduleTester& t, Value* y, Value* bias, Value* other) { return t.Add("add", {t.Add("add", {other, y}), bias}); }},
      {"bias of both factors", true,
       [](ScheduleTester& t, Value* y, Value* bias, Value*) {
         Value* sum = t.Add("add", {y, bias});
         return t.Add("mul", {sum, t.Add("sigmoid", {sum})});
       }},
      {"bias of one factor", false,
       [](ScheduleTester& t, Value* y, Value* bias, Value* other) {
         Value* sum = t.Add("add", {y, other});
         return t.Add("mul", {sum, t.Add("add", {sum, bias})});
       }},
      {"bias after a product", false,
       [](ScheduleTester& t, Value* y, Value* bias, Value* other) { return t.Add("add", {t.Add("mul", {y, other}), bias}); }},
      {"not per channel", false,
       [](ScheduleTester& t, Value* y, Value*, Value* other) { return t.Add("add", {y, other}); }},
  };
  for (const Case& c : cases) {
    ScheduleTester t(650);
    Value* y = t.Add("conv2d", {t.Input({1, 20, 5, 5}), t.Constant({27, 20, 1, 1})}, {});
    t.Expect(c.follow(t, y, t.Constant({1, 27, 1, 1}), t.Input({1, 27, 5, 5})));
    t.Check();
    EXPECT_EQ(t.KernelsContain("start["), c.starts) << c.what;
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(ConvScheduleTest, BiasAndResidualOfTheOperatorItself) {
  for (const char* activation : {"identity", "relu", "sigmoid", "h_swish"}) {
    ScheduleTester t(700);
    Conv c;
    c.in_channels = 11;
    c.out_channels = 19;
    c.kernel = {3, 3};
    c.pad = {1, 0, 1, 2};
    Value* x = t.Input(c.input(t));
    Value* w = t.Constant(c.weights());
    Value* plain = t.Add("conv2d", {x, w}, c.attributes());
    Attributes a = c.attributes();
    a.Set("activation", std::string(activation));
    t.Expect(t.Add("conv2d", {x, w, t.Constant({1, 19, 1, 1}), t.Input(plain->type.shape)}, a));
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(ConvScheduleTest, GroupedButNotDepthwise) {
  for (uint32_t i = 0; i < 3; ++i) {
    ScheduleTester t(800 + i);
    const int64_t group = t.Int(2, 4), in = t.Int(1, 9), out = t.Int(1, 11);
    Value* x = t.Coin() ? t.Input({2, group * in, 5, 6}) : t.Scattered({2, group * in, 5, 6});
    t.Expect(t.Add("conv2d", {x, t.Constant({group, out, in, 3, 3})}, {{"group", group}, {"pad", Ints{1, 1}}}));
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// Nothing that the contraction kernel takes; still right.
TEST(ConvScheduleTest, UnusualOperands) {
  {
    ScheduleTester t(900);  // weights that a network computes
    t.Expect(t.Add("conv2d", {t.Input({1, 3, 5, 5}), t.Input({4, 3, 3, 3})}));
    t.Check();
  }
  {
    ScheduleTester t(901);
    t.set_tolerance(2e-3);
    using graph::DTypeKind;
    t.Expect(t.Add("conv2d", {t.Input({1, 9, 5, 5}, DTypeKind::kFloat16), t.Constant({4, 9, 3, 3}, DTypeKind::kFloat16)}));
    t.Check();
  }
  {
    ScheduleTester t(902);
    t.Expect(t.Add("conv2d", {t.Input({0, 9, 5, 5}), t.Constant({4, 9, 3, 3})}));
    t.Check();
  }
  {
    ScheduleTester t(903);  // no input channel: all zeros
    t.Expect(t.Add("conv2d", {t.Input({1, 0, 5, 5}), t.Constant({4, 0, 3, 3})}));
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(ConvScheduleTest, DuplicatedChannels) {
  ScheduleTester t(1000);
  Value* x = t.Blocked({1, 12, 4, 4});
  Value* twice = t.Add("concat", {x, x}, {{"axis", int64_t{1}}});
  t.Expect(t.Add("conv2d", {twice, t.Constant({10, 24, 3, 3})}, {{"pad", Ints{1, 1}}}));
  t.Expect(t.Add("pool2d", {twice}, {{"mode", std::string("max")}, {"window", Ints{2, 2}}, {"stride", Ints{2, 2}}}));
  Value* some = t.Add("gather", {x, t.graph().AddInts({3, 3, 0, 11, 3})}, {{"axis", int64_t{1}}});
  t.Expect(t.Add("conv2d", {some, t.Constant({10, 5, 1, 1})}));
  t.Check();
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(ConvScheduleTest, WeightsThatTheNetworkComputes) {
  for (uint32_t i = 0; i < 6; ++i) {
    ScheduleTester t(900 + i);
    const int64_t ic = t.OneOf<int64_t>({3, 8, 21}), oc = t.OneOf<int64_t>({1, 16, 37}), kernel = t.Int(1, 3);
    Value* x = i % 3 == 0 ? t.Input({2, ic, 7, 6}) : i % 3 == 1 ? t.Blocked({1, ic, 7, 6}) : t.Scattered({1, ic, 7, 6});
    Value* w = t.Add("relu", {t.Input({oc, ic, kernel, kernel})});
    Value* y = t.Add("conv2d", {x, w}, {{"pad", Ints{1, 1}}, {"flip", int64_t{i % 2}}});
    t.Expect(t.Add("relu", {t.Add("add", {y, t.Constant({1, oc, 1, 1})})}));
    t.Check();
    EXPECT_EQ(t.CountOps("pack_filter"), 1);
  }
  // Too few pixels to pack for.
  ScheduleTester t(910);
  t.Expect(t.Add("conv2d", {t.Input({1, 9, 2, 2}), t.Input({16, 9, 2, 2})}));
  t.Check();
  EXPECT_EQ(t.CountOps("pack_filter"), 0);
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

}  // namespace
}  // namespace mgec::schedule
