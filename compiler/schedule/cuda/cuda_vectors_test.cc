// Threads of several elements, by the emulator.
#include "compiler/schedule/testing/schedule_tester.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using graph::DTypeKind;
using graph::Shape;
using graph::Value;
using Ints = std::vector<int64_t>;

// What is sure to be aligned: another step's result.
Value* Aligned(ScheduleTester& t, const Shape& shape) {
  return t.Add("softmax", {t.Input(shape)}, {{"axis", static_cast<int64_t>(shape.size()) - 1}});
}

TEST(CudaVectorsTest, Pointwise) {
  ScheduleTester t;
  const Shape shape = {128, 8, 160};
  Value* x = Aligned(t, shape);
  // Not what users get, which may be aligned to elements only.
  auto expect = [&](Value* y) { t.Expect(t.Add("reduce", {y}, {{"mode", std::string("max")}, {"axes", Ints{0}}})); };
  expect(t.Add("negate", {t.Add("abs", {x})}));             // all dimensions are one
  expect(t.Add("add", {x, t.Constant({1, 1, 160})}));       // neighbours of both
  expect(t.Add("mul", {x, t.Constant({1, 8, 1})}));         // the same for all
  expect(t.Add("cond_lt_mov", {x, t.Constant({1, 8, 1}), t.Constant({1, 1, 160})}));
  expect(t.Add("cast", {x}, {{"dtype", std::string("i8")}}));  // more of them in 16 bytes
  t.CheckCuda();
  EXPECT_TRUE(t.KernelsContain("] x4"));
}

// What users bring, and parts of rows, may be aligned to elements only; rows may not be whole vectors.
TEST(CudaVectorsTest, NotAligned) {
  ScheduleTester t(1);
  t.Expect(t.Add("exp", {t.Input({64, 8, 160})}));
  t.Expect(t.Add("exp", {t.Add("slice", {Aligned(t, {64, 8, 163})}, {{"begin", Ints{0, 0, 3}}, {"end", Ints{64, 8, 163}}, {"step", Ints{1, 1, 1}}})}));
  t.Expect(t.Add("exp", {Aligned(t, {64, 9, 161})}));
  t.CheckCuda();
}

// Windows of images with channels last, and their weights: channels side by side.
TEST(CudaVectorsTest, Windows) {
  ScheduleTester t(2);
  t.set_tolerance(6e-3);
  const Shape pointwise = {32, 32, 1, 1};
  auto half = [&](const Shape& shape) { return t.Constant(shape, DTypeKind::kFloat16); };
  Value* x = t.Add("conv2d", {t.Input({1, 32, 64, 64}, DTypeKind::kFloat16), half(pointwise)});
  x = t.Add("relu", {t.Add("conv2d", {x, half({32, 1, 1, 3, 3})}, {{"group", int64_t{32}}, {"pad", Ints{1, 1}}})});
  x = t.Add("pool2d", {x}, {{"mode", std::string("average")}, {"window", Ints{3, 3}}, {"stride", Ints{1, 1}}, {"pad", Ints{1, 1}}});
  t.Expect(t.Add("conv2d", {x, half(pointwise)}));
  t.CheckCudaAfterPasses();
  EXPECT_TRUE(t.KernelsContain("] x4"));
}

}  // namespace
}  // namespace mgec::schedule
