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
inline constexpr int64_t kTileDepth = 8;  // words of tiles along the sum

inline int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

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
