#include "compiler/schedule/cuda/min_cut.h"

#include <limits>
#include <random>

#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

TEST(MinCutTest, TakesTheCheaper) {
  MinCut cut(3);
  cut.AddCost(0, 5, 1);
  cut.AddCost(1, 0, 3);
  cut.AddCost(2, 4, 4);  // the first of two equals
  EXPECT_EQ(cut.Solve(), (std::vector<bool>{true, false, false}));
}

TEST(MinCutTest, DifferencesCost) {
  MinCut cut(3);
  cut.AddCost(0, 5, 1);
  cut.AddCost(2, 0, 3);
  cut.AddDifference(0, 1, 10);
  cut.AddDifference(1, 2, 10);
  EXPECT_EQ(cut.Solve(), (std::vector<bool>{true, true, true}));
}

// Against trying everything.
TEST(MinCutTest, IsTheOptimum) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    constexpr int kThings = 8;
    int64_t cost[kThings][2], difference[kThings][kThings] = {}, one_way[kThings][kThings] = {};
    MinCut cut(kThings);
    for (int i = 0; i < kThings; ++i) {
      for (int64_t& c : cost[i]) c = random() % 10;
      cut.AddCost(i, cost[i][0], cost[i][1]);
      for (int j = 0; j < i; ++j) {
        difference[i][j] = random() % 3 == 0 ? random() % 6 : 0;
        cut.AddDifference(i, j, difference[i][j]);
        one_way[i][j] = random() % 4 == 0 ? random() % 6 : 0;
        cut.AddOneWay(i, j, one_way[i][j]);
      }
    }
    auto total = [&](const auto& second) {
      int64_t sum = 0;
      for (int i = 0; i < kThings; ++i) {
        sum += cost[i][second(i) ? 1 : 0];
        for (int j = 0; j < i; ++j) {
          if (second(i) != second(j)) sum += difference[i][j];
          if (!second(i) && second(j)) sum += one_way[i][j];
        }
      }
      return sum;
    };
    int64_t least = std::numeric_limits<int64_t>::max();
    for (int bits = 0; bits < 1 << kThings; ++bits) least = std::min(least, total([&](int i) { return (bits >> i & 1) != 0; }));
    const std::vector<bool> found = cut.Solve();
    EXPECT_EQ(total([&](int i) { return static_cast<bool>(found[i]); }), least);
  }
}

}  // namespace
}  // namespace mgec::schedule
