#include "tools/fastest_steps.h"

#include "gtest/gtest.h"

namespace mgec {
namespace {

std::vector<StepInfo> Pass(std::vector<uint64_t> ns) {
  std::vector<StepInfo> steps(ns.size());
  for (size_t i = 0; i < ns.size(); ++i) steps[i].last_ns = ns[i];
  return steps;
}

TEST(FastestStepsTest, KeepsTheShortestOfEach) {
  std::vector<StepInfo> fastest;
  KeepFastest(Pass({500, 20, 7}), fastest);
  KeepFastest(Pass({400, 30, 7}), fastest);
  KeepFastest(Pass({450, 10, 8}), fastest);
  ASSERT_EQ(fastest.size(), 3u);
  EXPECT_EQ(fastest[0].last_ns, 400u);
  EXPECT_EQ(fastest[1].last_ns, 10u);
  EXPECT_EQ(fastest[2].last_ns, 7u);
  EXPECT_DOUBLE_EQ(Seconds(fastest[0]), 4e-7);
}

}  // namespace
}  // namespace mgec
