// A network's first convolution on GPUs, by the emulator: pixels of three channels become words of four, padded around.
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

const DType kS8(DTypeKind::kQuantizedS8, 0.05f);
// So many pixels that a copy pays.
const Shape kImage = {2, 3, 200, 170};

Attributes Quantized() { return {{"stride", Ints{2, 2}}, {"pad", Ints{3, 3}}, {"dtype", std::string("qs32(0.0025)")}}; }

void Check(ScheduleTester& t, Value* y) {
  t.Expect(y);
  t.CheckCudaAfterPasses();
  EXPECT_EQ(t.CountOps("pad"), 1) << testing::PrintToString(t.ops());
  EXPECT_TRUE(t.KernelsContain("mma("));
}

TEST(CudaFewChannelsTest, Int8) {
  ScheduleTester t;
  t.set_integers(-60, 60);
  Value* y = t.Add("int_conv2d", {t.Input(kImage, kS8), t.Constant({8, 3, 7, 7}, kS8)}, Quantized());
  y = t.Add("add", {y, t.Constant({1, 8, 1, 1}, DType(DTypeKind::kQuantizedS32, 0.0025f))});
  Check(t, t.Add("cast", {t.Add("relu", {y})}, {{"dtype", ToString(kS8)}}));
  EXPECT_TRUE(t.KernelsContain("copy rows"));
}

// Outside of the image there is the zero point.
TEST(CudaFewChannelsTest, ZeroPoint) {
  ScheduleTester t(1);
  t.set_integers(-60, 60);
  const DType u8(DTypeKind::kQuantized8Asymm, 0.05f, 128);
  Check(t, t.Add("int_conv2d", {t.Input(kImage, u8), t.Constant({8, 3, 7, 7}, kS8)}, Quantized()));
}

// Six channels become eight; each side has a padding of its own.
TEST(CudaFewChannelsTest, Float16) {
  ScheduleTester t(2);
  t.set_tolerance(4e-3);
  Value* w = t.Constant({8, 6, 5, 5}, DTypeKind::kFloat16);
  Value* y = t.Add("conv2d", {t.Input({2, 6, 100, 90}, DTypeKind::kFloat16), w}, {{"pad", Ints{2, 1, 0, 3}}, {"dilation", Ints{1, 2}}});
  Check(t, t.Add("relu", {y}));
  EXPECT_TRUE(t.KernelsContain("copy rows"));
}

}  // namespace
}  // namespace mgec::schedule
