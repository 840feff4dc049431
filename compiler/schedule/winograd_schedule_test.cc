// Convolutions of sizes that Winograd's algorithm takes, scheduled for every target, against their definition.
#include "compiler/schedule/testing/schedule_tester.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using graph::Value;
using Ints = std::vector<int64_t>;

// Epilogues, asymmetric padding, extents that do not divide into tiles, and channels that do not fill blocks.
void Check(uint32_t salt, int64_t images, int64_t in, int64_t out, int64_t height, int64_t width) {
  ScheduleTester t(salt);
  t.set_tolerance(3e-5);
  const Ints pad = {t.Int(0, 2), t.Int(0, 2), t.Int(0, 2), t.Int(0, 2)};
  Value* x = t.Coin() ? t.Blocked({images, in, height, width}) : t.Scattered({images, in, height, width});
  Value* y = t.Add("conv2d", {x, t.Constant({out, in, 3, 3})}, {{"pad", pad}, {"flip", t.Int(0, 1)}});
  y = t.Add("add", {y, t.Constant({1, out, 1, 1})});
  if (t.Coin()) y = t.Add("add", {y, t.Blocked(y->type.shape)});
  if (t.Coin()) y = t.Add("relu", {y});
  t.Expect(y);
  t.Check();
  EXPECT_GT(t.CountOps("winograd_output"), 0);
}

TEST(WinogradScheduleTest, LargeTiles) {
  Check(1, 1, 16, 19, 23, 26);
  Check(2, 2, 21, 16, 22, 24);
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(WinogradScheduleTest, SmallTiles) {
  Check(3, 1, 64, 66, 8, 9);
  Check(4, 3, 67, 64, 9, 8);
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

}  // namespace
}  // namespace mgec::schedule
