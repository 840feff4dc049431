// Convolutions of integers and quantized numbers, scheduled for every target, against their definition: bit by bit.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "compiler/schedule/testing/schedule_tester.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using graph::Attributes;
using graph::DType;
using graph::DTypeKind;
using graph::Shape;
using graph::Value;
using Ints = std::vector<int64_t>;

const DType kS8(DTypeKind::kQuantizedS8, 0.05f), kU8(DTypeKind::kQuantized8Asymm, 0.05f, 131);
const DType kS32(DTypeKind::kQuantizedS32, 0.0025f);

// Of the operands that a file can hold.
DType RandomType(ScheduleTester& t) {
  switch (t.Int(0, 4)) {
    case 0: return DType(DTypeKind::kQuantized8Asymm, 0.05f, static_cast<int>(t.Int(0, 255)));
    case 1: return DTypeKind::kInt8;
    case 2: return DTypeKind::kInt16;
    default: return kS8;
  }
}

std::string SumsOf(const DType& d) { return graph::IsQuantized(d) ? ToString(kS32) : "i32"; }

Value* Cast(ScheduleTester& t, Value* x, const DType& d) { return t.Add("cast", {x}, {{"dtype", ToString(d)}}); }

struct IntConv {
  Shape input = {1, 16, 7, 9};
  int64_t out_channels = 16, group = 1;
  Ints kernel = {3, 3}, stride = {1, 1}, dilation = {1, 1}, pad = {1, 1, 1, 1};

  Value* Apply(ScheduleTester& t, Value* x, const DType& weights) const {
    Shape w = {out_channels / group, x->type.shape[1] / group, kernel[0], kernel[1]};
    if (group > 1) w.insert(w.begin(), group);
    return t.Add("int_conv2d", {x, t.Constant(w, weights)},
                 {{"stride", stride}, {"dilation", dilation}, {"pad", pad}, {"group", group},
                  {"dtype", SumsOf(x->type.dtype)}});
  }
};

IntConv RandomConv(ScheduleTester& t) {
  IntConv c;
  c.out_channels = t.Int(1, 45);
  const int64_t k = t.OneOf<int64_t>({1, 1, 2, 3, 3, 5});
  c.kernel = {k, t.Coin() ? k : t.Int(1, 3)};
  c.stride = {t.Int(1, 3), t.Int(1, 3)};
  if (t.Coin()) c.stride = {1, 1};
  if (t.Coin()) c.dilation = {t.Int(1, 2), t.Int(1, 3)};
  c.pad = {0, 0, 0, 0};
  if (t.Coin()) c.pad = {t.Int(0, 3), t.Int(0, 3), t.Int(0, 3), t.Int(0, 3)};
  c.input = {t.Int(1, 3), t.Int(1, 30), (k - 1) * c.dilation[0] + t.Int(1, 9), (c.kernel[1] - 1) * c.dilation[1] + t.Int(1, 9)};
  return c;
}

void ExpectDots(const ScheduleTester& t) {
  EXPECT_TRUE(t.KernelsContain("dot2(")) << testing::PrintToString(t.ops());
}

TEST(IntConvScheduleTest, AnyWindowOfAnyType) {
  for (uint32_t i = 0; i < 16; ++i) {
    ScheduleTester t(100 + i);
    t.set_integers(-400, 400);
    const IntConv c = RandomConv(t);
    const DType d = RandomType(t);
    t.Expect(c.Apply(t, t.Input(c.input, d), d));
    t.Check();
    ExpectDots(t);
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// Every operand at the end of its range: sums that would saturate if anything did.
TEST(IntConvScheduleTest, ExtremeValues) {
  for (const auto& [x, w] : {std::pair(-128, -128), std::pair(-128, 127), std::pair(127, 127), std::pair(255, 255),
                             std::pair(255, 0), std::pair(0, 255)}) {
    for (const DType& d : {kS8, DType(DTypeKind::kQuantized8Asymm, 0.05f, 255)}) {
      for (const int64_t channels : {3, 40}) {
        ScheduleTester t(200);
        IntConv c;
        c.input = {1, channels, 3, 5};
        t.set_integers(x, x);
        Value* in = t.Input(c.input, d);
        t.set_integers(w, w);
        t.Expect(c.Apply(t, in, d));
        t.Check();
      }
    }
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// A quantized network in small: nothing but padding comes between its convolutions.
TEST(IntConvScheduleTest, StaysBlockedFromConvolutionToConvolution) {
  for (const DType& d : {kS8, kU8}) {
    ScheduleTester t(300);
    t.set_integers(-128, 127);
    IntConv c;
    c.input = {2, 3, 3, 8};
    c.out_channels = 20;
    Value* x = t.Input(c.input, d);
    for (int i = 0; i < 3; ++i) {
      Value* y = c.Apply(t, x, d);
      y = t.Add("add", {y, t.Constant({1, 20, 1, 1}, kS32)});
      y = Cast(t, t.Add("relu", {y}), DType(d.kind, 1.5f, d.zero_point));
      y = t.Add("retype", {y}, {{"dtype", ToString(d)}});
      // The sum of two quantized tensors.
      if (i > 0) y = Cast(t, t.Add("add", {Cast(t, y, DTypeKind::kFloat32), Cast(t, x, DTypeKind::kFloat32)}), d);
      x = y;
    }
    t.Expect(x);
    t.Check();
    ExpectDots(t);
    EXPECT_EQ(t.CountOps("to_blocked") + t.CountOps("gather_channels"), 0);
    EXPECT_LE(t.ops().size(), 8u) << testing::PrintToString(t.ops());  // 3 pads and products, a copy to the output
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(IntConvScheduleTest, ChannelsAnywhere) {
  for (uint32_t i = 0; i < 8; ++i) {
    ScheduleTester t(400 + i);
    t.set_integers(-128, 127);
    IntConv c = RandomConv(t);
    const DType d = t.OneOf<DType>({kS8, kU8});
    t.Expect(c.Apply(t, Cast(t, t.Scattered(c.input), d), d));
    t.Check();
    ExpectDots(t);
    EXPECT_EQ(t.CountOps("gather_channels"), 0) << "a convolution reads channels wherever they are";
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(IntConvScheduleTest, Epilogues) {
  for (uint32_t i = 0; i < 16; ++i) {
    ScheduleTester t(500 + i);
    t.set_integers(-128, 127);
    IntConv c = RandomConv(t);
    const DType d = t.OneOf<DType>({kS8, kU8});
    Value* y = c.Apply(t, t.Input(c.input, d), d);
    const Shape out = y->type.shape;
    if (t.Coin()) y = t.Add("add", {y, t.Constant({1, out[1], 1, 1}, kS32)});
    if (t.Coin()) y = t.Add("relu", {y});
    if (t.Coin()) {
      y = Cast(t, y, DTypeKind::kFloat32);
      const Value* before = y;
      switch (t.Int(0, 4)) {
        case 0: y = t.Add("add", {y, Cast(t, t.Input(out, d), DTypeKind::kFloat32)}); break;
        case 1: y = t.Add("add", {Cast(t, Cast(t, t.Scattered(out), d), DTypeKind::kFloat32), y}); break;
        case 2: y = t.Add("mul", {y, t.Blocked({out[0], out[1], 1, 1})}); break;
        case 3: y = t.Add("mul", {y, t.Scalar(0.75f)}); break;
        case 4: y = t.Add("max", {y, t.Constant(out)}); break;
      }
      EXPECT_NE(y, before);
    }
    if (t.Int(0, 3) > 0) y = Cast(t, y, t.OneOf<DType>({DType(DTypeKind::kQuantizedS8, 1.7f), DType(DTypeKind::kQuantized8Asymm, 0.9f, 17)}));
    t.Expect(y);
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(IntConvScheduleTest, GroupedAndDepthwise) {
  for (uint32_t i = 0; i < 8; ++i) {
    ScheduleTester t(600 + i);
    t.set_integers(-128, 127);
    IntConv c = RandomConv(t);
    c.group = t.Int(2, 20);
    const bool depthwise = t.Coin();
    if (!depthwise) c.group = std::min<int64_t>(c.group, 4);
    c.input[1] = c.group * (depthwise ? 1 : t.Int(1, 9));
    c.out_channels = c.group * (depthwise ? 1 : t.Int(1, 11));
    const DType d = t.OneOf<DType>({kS8, kU8});
    Value* x = t.Coin() ? t.Input(c.input, d) : Cast(t, t.Scattered(c.input), d);
    t.Expect(Cast(t, c.Apply(t, x, d), DType(d.kind, 3.1f, d.zero_point)));
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(IntConvScheduleTest, LongSums) {
  ScheduleTester t(700);
  t.set_integers(-128, 127);
  IntConv c;
  c.input = {1, 171, 3, 4};
  c.out_channels = 43;
  t.Expect(c.Apply(t, t.Input(c.input, kS8), kS8));
  t.Check();
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// By Winograd's algorithm where products come in pairs; exact, at the ends of the range too.
TEST(IntConvScheduleTest, Winograd) {
  for (uint32_t i = 0; i < 8; ++i) {
    ScheduleTester t(900 + i);
    const DType d = i % 2 != 0 ? kS8 : DType(DTypeKind::kQuantized8Asymm, 0.05f, static_cast<int>(t.Int(0, 255)));
    IntConv c;
    c.input = {t.Int(1, 2), t.Int(16, 30), t.Int(4, 12), t.Int(4, 12)};
    c.out_channels = t.Int(16, 40);
    const int64_t extreme = t.OneOf<int64_t>({-128, 127, 255, 0});
    if (i < 4) t.set_integers(-128, 127);
    else t.set_integers(extreme, extreme);
    Value* x = t.Coin() ? t.Input(c.input, d) : Cast(t, t.Scattered(c.input), d);
    if (i >= 4) t.set_integers(extreme == 127 ? 127 : -128, extreme == 127 ? 127 : -128);
    Value* y = c.Apply(t, x, d);
    if (t.Coin()) y = t.Add("relu", {t.Add("add", {y, t.Constant({1, c.out_channels, 1, 1}, kS32)})});
    if (t.Coin()) y = Cast(t, t.Add("add", {Cast(t, y, DTypeKind::kFloat32), t.Blocked(y->type.shape)}), d);
    t.Expect(y);
    t.Check();
    EXPECT_GT(t.CountOps("winograd_input"), 0);
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// Nothing that the contraction kernel takes; still right.
TEST(IntConvScheduleTest, UnusualOperands) {
  {
    ScheduleTester t(800);  // weights that a network computes
    t.Expect(t.Add("int_conv2d", {t.Input({1, 3, 5, 5}, kS8), t.Input({4, 3, 3, 3}, kS8)}, {{"dtype", ToString(kS32)}}));
    t.Check();
  }
  {
    ScheduleTester t(801);
    t.Expect(t.Add("int_conv2d", {t.Input({1, 9, 5, 5}, DTypeKind::kInt32), t.Constant({4, 9, 3, 3}, DTypeKind::kInt32)},
                   {{"dtype", std::string("i32")}}));
    t.Check();
  }
  for (const Shape& empty : {Shape{0, 9, 5, 5}, Shape{1, 0, 5, 5}}) {
    ScheduleTester t(802);
    t.Expect(t.Add("int_conv2d", {t.Input(empty, kS8), t.Constant({4, empty[1], 3, 3}, kS8)}, {{"dtype", ToString(kS32)}}));
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

}  // namespace
}  // namespace mgec::schedule
