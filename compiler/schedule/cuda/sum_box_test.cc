#include "compiler/schedule/cuda/sum_box.h"

#include <optional>
#include <set>
#include <vector>

#include "compiler/kernel/simplify.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using kernel::Expr;
using kernel::Int;
using kernel::ReduceAxis;

constexpr Tile kTile = {64, 64, 8, 4};

std::vector<ReduceAxis> Axes(const std::vector<int64_t>& extents) {
  std::vector<ReduceAxis> axes;
  for (int64_t extent : extents) axes.push_back({kernel::MakeVar("r"), extent});
  return axes;
}

int64_t ValueOf(const Expr& e) {
  int64_t value = -1;
  EXPECT_TRUE(IsConst(kernel::Simplify(e, {}), &value)) << ToString(e);
  return value;
}

// That tiles of the box have all terms, each once.
void CheckTerms(const std::vector<ReduceAxis>& axes, const SumBox& box, int64_t run) {
  int64_t points = 1;
  for (const ReduceAxis& a : axes) points *= a.extent;
  std::set<std::vector<int64_t>> terms;
  for (int64_t tile = 0; tile < box.count; ++tile) {
    for (int64_t place = 0; place < box.depth; ++place) {
      kernel::Block b;
      kernel::Ranges ranges;
      Values values;
      const Expr begin = LocateBox(b, axes, box, Int(tile), &ranges, &values);
      const int64_t first = place / run * run;
      const Expr in_chunk = LocateInBox(b, axes, box, Int(first), run, &ranges, &values);
      Expr& index = values[axes[box.axis].var.get()] = begin + in_chunk;
      Expr& innermost = values.at(axes[InnermostAxis(axes)].var.get());
      innermost = innermost + (place - first);
      EXPECT_TRUE(b.empty()) << "constants are not computed";
      std::vector<int64_t> term;
      for (const ReduceAxis& a : axes) term.push_back(ValueOf(values.at(a.var.get())));
      bool inside = true;
      for (size_t i = 0; i < term.size(); ++i) inside = inside && term[i] < axes[i].extent;
      EXPECT_TRUE(inside || box.partial) << index;
      if (inside) EXPECT_TRUE(terms.insert(term).second) << "twice";
    }
  }
  EXPECT_EQ(static_cast<int64_t>(terms.size()), points);
}

TEST(SumBoxTest, EveryTermIsInOneTile) {
  for (const std::vector<int64_t>& extents :
       {std::vector<int64_t>{8}, {58}, {37}, {1000}, {3, 3, 64}, {7, 3, 7}, {16, 3, 3}, {5, 3, 3}, {3, 3, 3}, {2, 1, 31}, {9, 1, 1}, {2, 2, 2}}) {
    const std::vector<ReduceAxis> axes = Axes(extents);
    const SumBox box = ChooseSumBox(axes, kTile);
    EXPECT_GE(box.depth, kTileDepth);
    CheckTerms(axes, box, 1);
  }
}

// Words of so many elements that tensor cores multiply at a time, or twice as many.
TEST(SumBoxTest, BoxesForTensorCores) {
  for (int elements : {1, 2, 4}) {
    for (const std::vector<int64_t>& extents : {std::vector<int64_t>{32}, {64}, {3, 3, 64}, {7, 8, 4}, {64, 1, 1}, {2, 2, 16}, {1, 1, 96}, {4, 32}}) {
      const std::vector<ReduceAxis> axes = Axes(extents);
      const std::optional<SumBox> box = FindTensorBox(axes, elements);
      ASSERT_TRUE(box) << elements << " " << extents[0];
      EXPECT_FALSE(box->partial);
      EXPECT_TRUE(box->depth == kTileDepth * elements || box->depth == 2 * kTileDepth * elements);
      CheckTerms(axes, *box, elements);
    }
  }
  EXPECT_FALSE(FindTensorBox(Axes({3, 3, 20}), 2));  // a tile would be no box
  EXPECT_FALSE(FindTensorBox(Axes({40}), 2));        // or not full
  EXPECT_FALSE(FindTensorBox(Axes({16, 2}), 4));     // words would have no neighbours
  EXPECT_TRUE(FindTensorBox(Axes({16, 2}), 2));
  EXPECT_EQ(FindTensorBox(Axes({3, 3, 64}), 2)->depth, 32);
  EXPECT_EQ(FindTensorBox(Axes({3, 3, 16}), 2)->depth, 16);
}

// Equal tiles need no tests, and whole windows of few channels no loop.
TEST(SumBoxTest, TilesDivideTheSum) {
  EXPECT_FALSE(ChooseSumBox(Axes({58}), kTile).partial);
  EXPECT_EQ(ChooseSumBox(Axes({58}), kTile).depth, 29);
  EXPECT_EQ(ChooseSumBox(Axes({3, 3, 3}), kTile).count, 1);
  const SumBox rows = ChooseSumBox(Axes({7, 3, 7}), kTile);
  EXPECT_EQ(rows.depth, 21);
  EXPECT_EQ(rows.count, 7);
  const SumBox channels = ChooseSumBox(Axes({3, 3, 64}), kTile);
  EXPECT_EQ(channels.axis, 2u);
  EXPECT_EQ(channels.count * channels.depth, 576);
  EXPECT_TRUE(ChooseSumBox(Axes({37}), kTile).partial);
}

TEST(SumBoxTest, TilesFitIntoSharedMemory) {
  for (const Tile& tile : {Tile{128, 128, 8, 8}, Tile{64, 128, 8, 8}, Tile{32, 32, 4, 4}}) {
    for (const std::vector<int64_t>& extents : {std::vector<int64_t>{4096}, {3, 3, 512}, {11, 3, 11}, {13, 13}}) {
      const SumBox box = ChooseSumBox(Axes(extents), tile);
      EXPECT_LE(2 * 4 * box.depth * (tile.rows + tile.cols + 2 * kRowPadding), 48 << 10);
    }
  }
}

}  // namespace
}  // namespace mgec::schedule
