#include "compiler/plan/memory_plan.h"

#include <random>

#include "gtest/gtest.h"

namespace mgec::plan {
namespace {

int64_t Rounded(int64_t bytes, int64_t alignment) { return (bytes + alignment - 1) / alignment * alignment; }

// Offsets aligned and inside the arena; what lives together lies apart.
void ExpectValid(const std::vector<Lifetime>& buffers, const MemoryPlan& plan, int64_t alignment) {
  ASSERT_EQ(plan.offsets.size(), buffers.size());
  for (size_t i = 0; i < buffers.size(); ++i) {
    const Lifetime& a = buffers[i];
    if (a.first > a.last || a.bytes == 0) continue;
    ASSERT_EQ(plan.offsets[i] % alignment, 0);
    ASSERT_GE(plan.offsets[i], 0);
    ASSERT_LE(plan.offsets[i] + a.bytes, plan.bytes);
    for (size_t j = 0; j < i; ++j) {
      const Lifetime& b = buffers[j];
      if (b.first > b.last || b.bytes == 0 || a.first > b.last || b.first > a.last) continue;
      ASSERT_TRUE(plan.offsets[i] + a.bytes <= plan.offsets[j] || plan.offsets[j] + b.bytes <= plan.offsets[i])
          << "buffers " << j << " and " << i;
    }
  }
}

TEST(MemoryPlanTest, ChainsNeedTwoBuffers) {
  std::vector<Lifetime> chain;
  for (int i = 0; i < 10; ++i) chain.push_back({1000, i, i + 1});
  const MemoryPlan plan = PlanMemory(chain, 64);
  ExpectValid(chain, plan, 64);
  EXPECT_EQ(plan.lower_bound, 2048);
  EXPECT_EQ(plan.bytes, 2048);
}

TEST(MemoryPlanTest, SharesGaps) {
  const std::vector<Lifetime> buffers = {{64, 0, 9}, {128, 0, 3}, {64, 4, 9}, {64, 4, 9}, {64, 0, 9}};
  const MemoryPlan plan = PlanMemory(buffers, 64);
  ExpectValid(buffers, plan, 64);
  EXPECT_EQ(plan.bytes, 256);
  EXPECT_EQ(plan.lower_bound, 256);
}

TEST(MemoryPlanTest, WhatNeverLivesTakesNoRoom) {
  EXPECT_EQ(PlanMemory({}, 64).bytes, 0);
  const MemoryPlan plan = PlanMemory({{1000, 5, 4}, {0, 0, 9}, {10, 1, 1}}, 64);
  EXPECT_EQ(plan.bytes, 64);
  EXPECT_EQ(plan.lower_bound, 64);
}

TEST(MemoryPlanTest, RandomLifetimes) {
  double worst = 1;
  for (uint32_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    const int64_t alignment = int64_t{1} << (random() % 8);
    const int steps = 1 + static_cast<int>(random() % 40);
    std::vector<Lifetime> buffers(random() % 80);
    for (Lifetime& b : buffers) {
      b.bytes = static_cast<int64_t>(random() % 5000);
      b.first = static_cast<int>(random() % steps);
      b.last = b.first - 1 + static_cast<int>(random() % 6);
    }
    const MemoryPlan plan = PlanMemory(buffers, alignment);
    ExpectValid(buffers, plan, alignment);
    int64_t bound = 0, sum = 0;
    for (int s = 0; s < steps + 6; ++s) {
      int64_t live = 0;
      for (const Lifetime& b : buffers) live += b.first <= s && s <= b.last ? Rounded(b.bytes, alignment) : 0;
      bound = std::max(bound, live);
    }
    for (const Lifetime& b : buffers) sum += b.first <= b.last ? Rounded(b.bytes, alignment) : 0;
    EXPECT_EQ(plan.lower_bound, bound);
    EXPECT_GE(plan.bytes, bound);
    EXPECT_LE(plan.bytes, sum);
    if (bound > 0) worst = std::max(worst, static_cast<double>(plan.bytes) / static_cast<double>(bound));
    const MemoryPlan again = PlanMemory(buffers, alignment);
    EXPECT_EQ(again.offsets, plan.offsets);
    EXPECT_EQ(again.bytes, plan.bytes);
  }
  EXPECT_LT(worst, 1.02);
}

}  // namespace
}  // namespace mgec::plan
