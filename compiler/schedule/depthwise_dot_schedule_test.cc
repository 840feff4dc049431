// Depthwise convolutions of quantized numbers by dot products, for every target, against the definition: bit by bit.
#include "compiler/schedule/testing/schedule_tester.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using graph::DType;
using graph::DTypeKind;
using graph::Shape;
using graph::Value;
using Ints = std::vector<int64_t>;

const DType kS32(DTypeKind::kQuantizedS32, 0.0025f);

Value* Cast(ScheduleTester& t, Value* x, const DType& d) { return t.Add("cast", {x}, {{"dtype", ToString(d)}}); }

// Quantized numbers of the whole range, in blocks in their natural order.
Value* Blocked(ScheduleTester& t, const Shape& shape, const DType& d) {
  return Cast(t, t.Add("mul", {t.Blocked(shape), t.Scalar(2)}), d);
}

struct Window {
  Ints kernel = {3, 3}, stride = {1, 1}, dilation = {1, 1}, pad = {1, 1, 1, 1};

  Value* Apply(ScheduleTester& t, Value* x) const {
    const int64_t channels = x->type.shape[1];
    return t.Add("int_conv2d", {x, t.Constant({channels, 1, 1, kernel[0], kernel[1]}, x->type.dtype)},
                 {{"stride", stride}, {"dilation", dilation}, {"pad", pad}, {"group", channels}, {"dtype", ToString(kS32)}});
  }
};

DType RandomType(ScheduleTester& t) {
  return t.Coin() ? DType(DTypeKind::kQuantizedS8, 0.05f) : DType(DTypeKind::kQuantized8Asymm, 0.05f, static_cast<int>(t.Int(0, 255)));
}

// Weights of asymmetric numbers may need 9 bits: products are then of pairs.
bool MultipliesInGroups(const ScheduleTester& t) { return t.KernelsContain("dot4(") || t.KernelsContain("dot2("); }

TEST(DepthwiseDotScheduleTest, AnyWindow) {
  for (uint32_t i = 0; i < 12; ++i) {
    ScheduleTester t(100 + i);
    t.set_reported("x86-64-v4-vnni");
    t.set_integers(-128, 127);
    Window w;
    w.kernel = {t.OneOf<int64_t>({1, 2, 3, 3, 5}), t.OneOf<int64_t>({1, 2, 3, 3, 4, 5, 7})};
    w.stride = t.Coin() ? Ints{1, 1} : Ints{t.Int(1, 3), t.Int(1, 3)};
    w.dilation = t.Int(0, 3) > 0 ? Ints{1, 1} : Ints{t.Int(1, 2), t.Int(1, 3)};
    w.pad = t.Coin() ? Ints{0, 0, 0, 0} : Ints{t.Int(0, 3), t.Int(0, 3), t.Int(0, 3), t.Int(0, 3)};
    const Shape shape = {t.Int(1, 3), t.Int(1, 30), (w.kernel[0] - 1) * w.dilation[0] + t.Int(1, 9),
                         (w.kernel[1] - 1) * w.dilation[1] + t.Int(1, 21)};
    const DType d = RandomType(t);
    t.Expect(Cast(t, w.Apply(t, Blocked(t, shape, d)), DType(d.kind, 1.5f, d.zero_point)));
    t.Check();
    // Taps that lie further apart than a vector reaches are left to other schedules.
    if (w.dilation[1] == 1 && w.stride[1] < 3) {
      EXPECT_TRUE(MultipliesInGroups(t)) << testing::PrintToString(t.ops());
    }
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(DepthwiseDotScheduleTest, Epilogues) {
  for (uint32_t i = 0; i < 8; ++i) {
    ScheduleTester t(200 + i);
    t.set_integers(-128, 127);
    const Shape shape = {t.Int(1, 2), t.Int(1, 20), t.Int(1, 14), t.Int(1, 20)};
    const DType d = RandomType(t);
    Value* y = Window().Apply(t, Blocked(t, shape, d));
    if (t.Coin()) y = t.Add("add", {y, t.Constant({1, shape[1], 1, 1}, kS32)});
    if (t.Coin()) y = t.Add("relu", {y});
    if (t.Coin()) y = t.Add("add", {Cast(t, y, DTypeKind::kFloat32), Cast(t, Blocked(t, shape, d), DTypeKind::kFloat32)});
    if (t.Int(0, 3) > 0) y = Cast(t, y, DType(DTypeKind::kQuantized8Asymm, 0.9f, 17));
    t.Expect(y);
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// The edges of images that are read as they are: every remainder of rows and columns, even and odd, and both paddings.
TEST(DepthwiseDotScheduleTest, WithoutCopiesOfPaddedImages) {
  for (const int64_t width : {8, 9, 10, 11, 21}) {
    ScheduleTester t(static_cast<uint32_t>(width));
    t.set_reported("x86-64-v4-vnni");
    t.set_integers(-128, 127);
    Window w;
    if (width % 4 == 1) w.pad = {0, 1, 1, 0};
    if (width % 4 == 2) w.kernel = {5, 5}, w.pad = {2, 2, 2, 2};
    if (width % 4 == 3) w.stride = {2, 2};
    const DType d = RandomType(t);
    t.Expect(Cast(t, w.Apply(t, Blocked(t, {t.Int(1, 2), t.Int(2, 12), t.Int(6, 11), width}, d)), DType(d.kind, 1.5f, d.zero_point)));
    t.Check();
    // Weights that need 9 bits are multiplied by numbers of 16 bits, which images do not hold there.
    const bool converts = t.KernelsContain("dot2(");
    if (!converts) EXPECT_THAT(t.ops(), testing::Not(testing::Contains("pad"))) << width;
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// Sums that would saturate if anything did.
TEST(DepthwiseDotScheduleTest, ExtremeValues) {
  for (const auto& [x, w] : {std::pair(-6, -128), std::pair(-6, 127), std::pair(6, 127), std::pair(6, 255), std::pair(6, 0)}) {
    for (const DType& d : {DType(DTypeKind::kQuantizedS8, 0.01f), DType(DTypeKind::kQuantized8Asymm, 0.01f, 255)}) {
      ScheduleTester t(300);
      Window window;
      window.kernel = {3, 5};
      Value* in = Cast(t, t.Add("max", {t.Add("min", {t.Blocked({1, 9, 6, 11}), t.Scalar(static_cast<float>(x))}),
                                        t.Scalar(static_cast<float>(x))}), d);
      t.set_integers(w, w);
      t.Expect(window.Apply(t, in));
      t.Check();
    }
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

}  // namespace
}  // namespace mgec::schedule
