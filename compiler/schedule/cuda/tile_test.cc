#include "compiler/schedule/cuda/tile.h"

#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

// Blocks of the product with the tile that it gets.
int64_t Blocks(const ProductSize& s) {
  const Tile t = ChooseTile(s);
  return s.batches * CeilDiv(s.rows, t.rows) * CeilDiv(s.cols, t.cols);
}

std::vector<int64_t> DivisorsOf(int64_t n) {
  std::vector<int64_t> divisors;
  for (int64_t i = 2; i <= n; ++i) {
    if (n % i == 0) divisors.push_back(i);
  }
  return divisors;
}

// The share of a GPU's processors that is busy with the product, in the parts that are chosen for it.
double Busy(const ProductSize& s, int64_t processors) {
  const int64_t parts = ChooseParts(s, DivisorsOf(s.depth));
  const int64_t blocks = Blocks({s.batches * parts, s.rows, s.cols, s.depth / parts});
  return static_cast<double>(blocks) / static_cast<double>(CeilDiv(blocks, processors) * processors);
}

TEST(TileTest, LargeProductsGetLargeTiles) {
  EXPECT_EQ(ChooseTile({1, 4096, 4096, 4096}).rows, 128);
  EXPECT_EQ(ChooseTile({1, 8, 4096, 64}).rows, 32);
  EXPECT_EQ(ChooseParts({1, 4096, 4096, 4096}, DivisorsOf(4096)), 1);
  EXPECT_EQ(ChooseTile({64, 30, 30, 64}).rows, 32);
}

// No more rows than there are.
TEST(TileTest, FewRowsGetTilesOfFewRows) {
  EXPECT_EQ(ChooseTile({1, 24, 401408, 27}).rows, 24);
  EXPECT_EQ(ChooseTile({1, 16, 401408, 32}).rows, 16);
  EXPECT_EQ(ChooseTile({1, 32, 401408, 32}).rows, 32);
}

TEST(TileTest, LongSumsWithFewResultsAreSplit) {
  // What is gained pays for adding up the parts.
  EXPECT_GT(ChooseParts({1, 32, 1000, 1024}, DivisorsOf(1024)), 3);
  EXPECT_GT(ChooseParts({1, 8, 8, 1 << 20}, DivisorsOf(1 << 20)), 60);
  EXPECT_EQ(ChooseParts({1, 32, 1000, 64}, DivisorsOf(64)), 1);
  // Only by the divisors that there are.
  EXPECT_EQ(ChooseParts({1, 32, 1000, 1024}, {}), 1);
  EXPECT_EQ(ChooseParts({1, 32, 1000, 1021}, {1021}), 1);
}

// The matrix products of ResNet-50 and ShuffleNetV2 for 32 images.
TEST(TileTest, ProcessorsAreBusy) {
  for (const ProductSize& s :
       {ProductSize{1, 32, 1000, 2048}, ProductSize{1, 32, 1000, 1024}, ProductSize{1, 64, 401408, 147},
        ProductSize{1, 64, 100352, 256}, ProductSize{1, 256, 100352, 64}, ProductSize{1, 128, 25088, 1152},
        ProductSize{1, 512, 25088, 128}, ProductSize{1, 256, 6272, 1024}, ProductSize{1, 256, 6272, 2304},
        ProductSize{1, 512, 1568, 4608}, ProductSize{1, 2048, 1568, 512}, ProductSize{1, 512, 1568, 2048},
        ProductSize{1, 58, 25088, 58}, ProductSize{1, 116, 6272, 116}, ProductSize{1, 232, 1568, 232}}) {
    for (int64_t processors : {108, 132}) {
      EXPECT_GT(Busy(s, processors), 0.6) << s.rows << " x " << s.cols << " x " << s.depth << " on " << processors;
    }
  }
}

}  // namespace
}  // namespace mgec::schedule
