// Convolutions of planar images that Winograd's algorithm takes in one kernel, scheduled for every target, against their
// definition.
#include "compiler/schedule/testing/schedule_tester.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using graph::Value;
using Ints = std::vector<int64_t>;

struct Window {
  int64_t height, width, stride_h, stride_w;
};

// Asymmetric padding, extents that do not divide into tiles and strips, channels that do not fill blocks, and epilogues.
Value* Convolution(ScheduleTester& t, Value* x, int64_t out, const Window& w, graph::DType dtype = graph::DTypeKind::kFloat32) {
  Ints pad;
  for (int64_t extent : {w.height, w.width, w.height, w.width}) pad.push_back(t.Int(0, extent - 1));
  Value* y = t.Add("conv2d", {x, t.Constant({out, x->type.shape[1], w.height, w.width}, dtype)},
                   {{"pad", pad}, {"stride", Ints{w.stride_h, w.stride_w}}, {"flip", t.Int(0, 1)}});
  return t.Add("add", {y, t.Constant({1, out, 1, 1}, dtype)});
}

void Check(uint32_t salt, const graph::Shape& in, int64_t out, const Window& window) {
  ScheduleTester t(salt);
  t.set_tolerance(3e-5);
  Value* y = Convolution(t, t.Input(in), out, window);
  if (t.Coin()) y = t.Add("add", {y, t.Blocked(y->type.shape)});
  t.Expect(t.Add(t.OneOf({"relu", "silu"}), {y}));
  t.Check();
  EXPECT_TRUE(t.KernelsContain("winograd_image"));
}

TEST(WinogradImageScheduleTest, Stride2) {
  Check(1, {1, 3, 43, 158}, 16, {6, 6, 2, 2});  // several strips
  Check(2, {2, 3, 47, 44}, 24, {6, 6, 2, 2});
  Check(3, {1, 4, 45, 48}, 9, {6, 6, 2, 2});  // in shorter strips, for want of memory
  Check(4, {3, 2, 44, 46}, 8, {5, 5, 2, 2});
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(WinogradImageScheduleTest, Stride1) {
  Check(5, {1, 3, 23, 87}, 34, {3, 3, 1, 1});
  Check(6, {2, 7, 22, 27}, 16, {3, 3, 1, 1});
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// In tiles of three outputs.
TEST(WinogradImageScheduleTest, PhasesOf4) {
  Check(13, {1, 3, 45, 118}, 16, {7, 7, 2, 2});
  Check(14, {2, 3, 47, 46}, 41, {7, 7, 2, 2});
  Check(15, {1, 2, 22, 45}, 8, {4, 8, 1, 2});
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(WinogradImageScheduleTest, StridesOfTheirOwn) {
  Check(7, {1, 2, 21, 45}, 16, {3, 6, 1, 2});
  Check(8, {1, 3, 41, 29}, 11, {5, 3, 2, 1});
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(WinogradImageScheduleTest, Float16) {
  ScheduleTester t(9);
  t.set_tolerance(2e-3);
  const graph::DType half(graph::DTypeKind::kFloat16);
  t.Expect(Convolution(t, t.Input({1, 3, 41, 46}, half), 19, {6, 6, 2, 2}, half));
  t.CheckAfterPasses();
  EXPECT_TRUE(t.KernelsContain("winograd_image"));
  EXPECT_TRUE(t.KernelsContain("in: f16["));
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// What this kernel leaves to others: where nothing is won, windows that may miss the image, and many channels.
TEST(WinogradImageScheduleTest, Others) {
  auto direct = [](uint32_t salt, const graph::Shape& in, graph::Attributes attributes, int64_t window) {
    ScheduleTester t(salt);
    t.Expect(t.Add("conv2d", {t.Input(in), t.Constant({16, in[1], window, window})}, std::move(attributes)));
    t.Check();
    EXPECT_FALSE(t.KernelsContain("winograd_image"));
  };
  direct(10, {1, 3, 40, 40}, {{"stride", Ints{2, 2}}}, 3);
  direct(11, {1, 3, 40, 40}, {{"stride", Ints{2, 2}}, {"pad", Ints{6, 6}}}, 6);
  direct(12, {1, 3, 40, 40}, {{"dilation", Ints{2, 2}}}, 3);
  direct(13, {1, 16, 18, 18}, {}, 3);
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

}  // namespace
}  // namespace mgec::schedule
