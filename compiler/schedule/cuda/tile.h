// How matrix products are divided among the thread blocks of a GPU: the size of tiles, and the parts of a long sum.
#ifndef MGEC_COMPILER_SCHEDULE_CUDA_TILE_H_
#define MGEC_COMPILER_SCHEDULE_CUDA_TILE_H_

#include <cstdint>
#include <vector>

namespace mgec::schedule {

// A block computes rows x cols results, a thread thread_rows x thread_cols of them.
struct Tile {
  int64_t rows, cols;
  int thread_rows, thread_cols;
  int threads() const { return static_cast<int>(rows * cols / (thread_rows * thread_cols)); }
};
// Words of tiles along the sum at least; what one product of matrices by tensor cores has.
inline constexpr int64_t kTileDepth = 8;
// Words between the rows of tiles in shared memory.
inline constexpr int64_t kRowPadding = 4, kTensorRowPadding = 8;

// What a tile of both factors takes of shared memory where it is rows of items, so many words apart beyond their size.
inline int64_t TileBytes(const Tile& t, int64_t depth, int64_t padding) { return 4 * depth * (t.rows + t.cols + 2 * padding); }

// What a thread does without tensor cores, estimated: for each term of its sums (multiply-adds, reading factors, bringing its share of
// those), and for each tile (waiting, and finding out where the next one is).
double InstructionsPerTerm(const Tile& t);
inline constexpr double kInstructionsPerTile = 40;

inline int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Words of tiles along a sum of so many terms, for tensor cores: with twice as many, threads wait for each other half as often, which
// pays where the last tile is not emptier for it. (Others: sum_box.h.)
inline int64_t TensorTileDepth(int64_t terms, int elements) {
  const int64_t products = CeilDiv(terms, kTileDepth * elements);
  return products >= 4 && products % 2 == 0 ? 2 * kTileDepth : kTileDepth;
}

// `batches` products, each of rows x cols sums of `depth` terms.
struct ProductSize {
  int64_t batches, rows, cols, depth;
  int elements = 1;  // along the sum, in a word
  bool tensor_cores = false;
};

// The tile with the least expected time.
Tile ChooseTile(const ProductSize& size);

// In how many parts, one of `divisors` of the depth, to compute each sum so that there are blocks enough for a large GPU, where
// adding up the parts with another kernel takes less time than is gained; 1: in one.
int64_t ChooseParts(const ProductSize& size, const std::vector<int64_t>& divisors);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_CUDA_TILE_H_
