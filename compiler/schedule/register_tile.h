// The sizes of a contraction's register tiles.
#ifndef MGEC_COMPILER_SCHEDULE_REGISTER_TILE_H_
#define MGEC_COMPILER_SCHEDULE_REGISTER_TILE_H_

#include <cstdint>
#include <vector>

#include "compiler/kernel/target.h"

namespace mgec::schedule {

// How many pixels a register tile covers for a panel part of `blocks` blocks.
int TileHeight(const kernel::Target& target, int blocks);

// The lanes of the vectors that cover `blocks` blocks.
std::vector<int> VectorsOf(const kernel::Target& target, int blocks);

// How `cols` pixels are divided into tiles of at most `height`: `count` tiles, the first `larger` of them one pixel
// larger than `base`. Balanced, so that no tile is a tiny remainder.
struct Tiling {
  int64_t count, base, larger;
  Tiling(int64_t cols, int64_t height)
      : count((cols + height - 1) / height), base(cols / count), larger(cols % count) {}
};

// The parts, in blocks, that a panel is divided into: one of 4 blocks takes two passes where registers are few.
std::vector<int> PartsOf(const kernel::Target& target, int panel_blocks);

// The least pixels that a register tile of some panel covers.
int LeastHeight(const kernel::Target& target, const std::vector<int>& panels);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_REGISTER_TILE_H_
