#include "compiler/schedule/placement.h"

#include <algorithm>

#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

Placement Of(std::vector<ChannelRef> channels) {
  Placement p;
  p.blocked = true;
  p.channels = std::move(channels);
  return p;
}

std::vector<int> Lanes(const BlockUse& b) { return {std::begin(b.channel), std::end(b.channel)}; }

TEST(PlacementTest, NaturalChannelsFillBlocks) {
  const Placement p = NaturalPlacement(3, 19);
  ASSERT_EQ(p.channels.size(), 19u);
  EXPECT_EQ(p.channels[8], (ChannelRef{3, 1, 0}));
  EXPECT_EQ(p.channels[18], (ChannelRef{3, 2, 2}));
  EXPECT_TRUE(IsNatural(p));
  EXPECT_EQ(StoragesOf(p), (std::vector<plan::StorageId>{3}));
}

TEST(PlacementTest, NaturalMeansInOrderFromTheFirstBlockOfOneStorage) {
  Placement p = NaturalPlacement(0, 16);
  std::swap(p.channels[0], p.channels[9]);
  EXPECT_FALSE(IsNatural(p));
  p = NaturalPlacement(0, 16);
  p.channels[15].storage = 1;
  EXPECT_FALSE(IsNatural(p));
  p = NaturalPlacement(0, 16);
  p.channels.erase(p.channels.begin(), p.channels.begin() + 8);  // the second block only
  EXPECT_FALSE(IsNatural(p));
  EXPECT_FALSE(IsNatural(Placement()));
}

TEST(PlacementTest, BlocksInTheOrderOfTheirFirstChannel) {
  // Two halves of a tensor of 12 channels, swapped.
  Placement p;
  p.blocked = true;
  const Placement whole = NaturalPlacement(5, 12);
  p.channels.assign(whole.channels.begin() + 6, whole.channels.end());
  p.channels.insert(p.channels.end(), whole.channels.begin(), whole.channels.begin() + 6);
  const std::vector<BlockUse> blocks = BlocksOf(p);
  ASSERT_EQ(blocks.size(), 2u);
  EXPECT_EQ(blocks[0].block, 0);
  EXPECT_EQ(Lanes(blocks[0]), (std::vector<int>{6, 7, 8, 9, 10, 11, 0, 1}));
  EXPECT_TRUE(blocks[0].full());
  EXPECT_EQ(blocks[1].block, 1);
  EXPECT_EQ(Lanes(blocks[1]), (std::vector<int>{2, 3, 4, 5, -1, -1, -1, -1}));
  EXPECT_FALSE(blocks[1].full());
}

TEST(PlacementTest, ChannelsThatShareALaneNeedTheirBlockTwice) {
  const std::vector<BlockUse> blocks = BlocksOf(Of({{0, 0, 1}, {0, 0, 1}, {0, 0, 2}, {0, 0, 1}}));
  ASSERT_EQ(blocks.size(), 3u);
  EXPECT_EQ(Lanes(blocks[0]), (std::vector<int>{-1, 0, -1, -1, -1, -1, -1, -1}));
  EXPECT_EQ(Lanes(blocks[1]), (std::vector<int>{-1, 1, 2, -1, -1, -1, -1, -1}));
  EXPECT_EQ(Lanes(blocks[2]), (std::vector<int>{-1, 3, -1, -1, -1, -1, -1, -1}));
}

TEST(PlacementTest, StoragesOnce) {
  EXPECT_EQ(StoragesOf(Of({{4, 0, 0}, {2, 0, 0}, {4, 1, 0}})), (std::vector<plan::StorageId>{4, 2}));
}

TEST(PlacementTest, SameLanesWhereverTheBlocksAre) {
  const Placement a = Of({{0, 0, 0}, {0, 0, 3}, {0, 1, 0}}), b = Of({{7, 5, 0}, {7, 5, 3}, {6, 0, 0}});
  EXPECT_TRUE(SameLanes(a, b));
  EXPECT_FALSE(SameLanes(a, Of({{7, 5, 0}, {7, 5, 3}, {7, 5, 4}})));
  EXPECT_FALSE(SameLanes(a, Of({{7, 5, 0}, {7, 5, 2}, {6, 0, 0}})));
}

TEST(PlacementTest, BlocksHoldImagesAndPixels) {
  EXPECT_EQ(BlockElements({2, 19, 3, 5}), 2 * 3 * 5 * 8);
  EXPECT_EQ(BlockElements({1, 4}), 8);
}

}  // namespace
}  // namespace mgec::schedule
