// What layouts of images cost on GPUs. Costs are instructions of single threads; a processor issues 128 of them, and gets 16 bytes
// of memory, in a clock.
#ifndef MGEC_COMPILER_SCHEDULE_CUDA_LAYOUT_COST_H_
#define MGEC_COMPILER_SCHEDULE_CUDA_LAYOUT_COST_H_

#include <cstdint>

#include "compiler/schedule/cuda/product.h"
#include "compiler/schedule/cuda/tile.h"

namespace mgec::schedule {

inline constexpr int64_t kCostPerByte = 8;
inline constexpr int64_t kLaunchCost = 3000 * 108 * 128;  // of an A100

// To bring numbers of a factor to shared memory, as counted in PTX: one by itself (its place, the load, its place in a word), or
// several at once. Where a sum has several axes, each place takes some divisions, unless tiles are boxes (sum_box.h).
struct BringingCost {
  int64_t one, several, each_of_several;
};
inline constexpr BringingCost kOneAxis = {5, 8, 2}, kManyAxes = {40, 25, 2}, kBoxes = {8, 12, 2};

// The numbers of a factor, of rows or columns, that all blocks together bring to shared memory.
inline int64_t NumbersBrought(const Product& p, bool rows) {
  const Tile tile = ChooseTile(SizeOf(p));
  const int64_t step = kTileDepth * ElementsOf(p.words);  // deeper tiles are no emptier
  const int64_t row_tiles = CeilDiv(p.rows.extent, tile.rows), col_tiles = CeilDiv(p.cols.extent, tile.cols);
  return p.batches * row_tiles * col_tiles * (rows ? tile.rows : tile.cols) * CeilDiv(p.depth, step) * step;
}

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_CUDA_LAYOUT_COST_H_
