// What schedules offer to choose instead gives the same results.
#include "compiler/schedule/testing/schedule_tester.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using Ints = std::vector<int64_t>;
using testing::Contains;
using testing::StartsWith;

TEST(ChoiceScheduleTest, Pointwise) {
  for (uint32_t i = 0; i < 3; ++i) {
    ScheduleTester t(100 + i);
    const int64_t channels = t.Int(8, 40);
    t.Expect(t.Add("conv2d", {t.Input({t.Int(1, 2), channels, t.Int(4, 9), t.Int(4, 9)}),
                              t.Constant({t.Int(40, 90), channels, 1, 1})}));
    EXPECT_THAT(t.CheckAlternatives(), Contains(StartsWith("tile_height=")));
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// Enough entries of K that they are added up in several chunks.
TEST(ChoiceScheduleTest, LongSums) {
  ScheduleTester t(200);
  t.set_tolerance(1e-4);
  const int64_t channels = t.Int(116, 122) * 9;
  t.Expect(t.Add("conv2d", {t.Input({1, channels, 3, t.Int(5, 9)}), t.Constant({t.Int(33, 60), channels, 1, 1})}));
  const std::set<std::string> tried = t.CheckAlternatives();
  EXPECT_THAT(tried, Contains("chunk=64"));
  EXPECT_THAT(tried, Contains(StartsWith("tile_height=")));
  EXPECT_THAT(tried, Contains(StartsWith("split_pixels=")));
  EXPECT_THAT(tried, Contains("prefetch=0"));
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(ChoiceScheduleTest, Windows) {
  for (uint32_t i = 0; i < 4; ++i) {
    ScheduleTester t(300 + i);
    const int64_t in = t.Int(9, 24), out = t.Int(9, 40), k = t.OneOf<int64_t>({2, 3, 5});
    t.Expect(t.Add("conv2d", {t.Blocked({t.Int(1, 2), in, t.Int(6, 11), t.Int(6, 11)}), t.Constant({out, in, k, k})},
                   {{"stride", Ints{t.Int(1, 2), t.Int(1, 2)}}, {"pad", Ints{1, 1, 1, 1}}}));
    EXPECT_THAT(t.CheckAlternatives(), Contains(StartsWith("tasks=")));
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// Where the rule is direct convolution, Winograd's algorithm is offered, and the other way round.
TEST(ChoiceScheduleTest, Winograd) {
  for (const auto& [channels, extent] : {std::pair<int64_t, int64_t>{9, 7}, {24, 21}}) {
    ScheduleTester t(static_cast<uint32_t>(400 + channels));
    t.set_tolerance(1e-4);
    t.Expect(t.Add("conv2d", {t.Blocked({1, channels, extent, extent - 1}), t.Constant({19, channels, 3, 3})},
                   {{"pad", Ints{1, 1, 1, 1}}}));
    const std::set<std::string> tried = t.CheckAlternatives();
    EXPECT_THAT(tried, Contains("winograd=2"));
    EXPECT_THAT(tried, Contains(channels == 9 ? "winograd=4" : "winograd=0"));
    if (channels == 24) EXPECT_THAT(tried, Contains("group_tiles=56"));
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(ChoiceScheduleTest, WinogradOfImages) {
  ScheduleTester t(450);
  t.set_tolerance(1e-4);
  t.Expect(t.Add("conv2d", {t.Input({2, 3, 43, 61}), t.Constant({19, 3, 6, 6})}, {{"stride", Ints{2, 2}}, {"pad", Ints{2, 2}}}));
  const std::set<std::string> tried = t.CheckAlternatives();
  for (const char* choice : {"winograd=0", "winograd=2", "group_tiles=8"}) EXPECT_THAT(tried, Contains(choice));
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(ChoiceScheduleTest, Depthwise) {
  for (uint32_t i = 0; i < 3; ++i) {
    ScheduleTester t(500 + i);
    const int64_t channels = t.Int(9, 30);
    t.Expect(t.Add("conv2d", {t.Blocked({1, channels, t.Int(5, 12), t.Int(7, 19)}), t.Constant({channels, 1, 1, 3, 3})},
                   {{"group", channels}, {"pad", Ints{1, 1, 1, 1}}, {"stride", Ints{t.Int(1, 2), t.Int(1, 2)}}}));
    const std::set<std::string> tried = t.CheckAlternatives();
    EXPECT_THAT(tried, Contains("registers=1"));
    EXPECT_THAT(tried, Contains("unroll=7"));
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(ChoiceScheduleTest, MatrixProducts) {
  for (uint32_t i = 0; i < 3; ++i) {
    ScheduleTester t(600 + i);
    const int64_t m = t.Int(9, 40), k = t.Int(9, 60), n = t.Int(20, 90);
    t.Expect(t.Add("matmul", {t.Input({m, k}), t.Constant({k, n})}, {{"transpose_a", int64_t{0}}, {"transpose_b", int64_t{0}}}));
    EXPECT_FALSE(t.CheckAlternatives().empty());
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

}  // namespace
}  // namespace mgec::schedule
