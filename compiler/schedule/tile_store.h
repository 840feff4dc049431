// The results of a contraction's register tile, through its epilogue to memory.
#ifndef MGEC_COMPILER_SCHEDULE_TILE_STORE_H_
#define MGEC_COMPILER_SCHEDULE_TILE_STORE_H_

#include <vector>

#include "compiler/kernel/stmt.h"
#include "compiler/schedule/contraction.h"

namespace mgec::schedule {

// The sums of a tile: one file of `height` registers, a pixel each, for every vector of `lanes[v]` channels, the widest first.
struct RegisterTile {
  const std::vector<kernel::Buffer>& registers;
  const std::vector<int>& lanes;
  int height;
};

// Where a tile lies: its first block of channels and first pixel, and the element that these begin with in the output.
struct TilePlace {
  kernel::Expr block, row, col, out;
};

class TileStore {
 public:
  // `partial`: where sums wait between chunks.
  TileStore(const ContractionSpec& spec, const kernel::Target& target, kernel::Buffer out, kernel::Buffer partial);

  // The partial sum of pixel m and block j of a tile.
  kernel::Expr LoadPartial(const TilePlace& at, const kernel::Expr& m, const kernel::Expr& j) const;
  void StorePartial(kernel::Block& b, const RegisterTile& tile, const TilePlace& at) const { StoreOf(b, tile, at, false); }
  // With the epilogue.
  void Finish(kernel::Block& b, const RegisterTile& tile, const TilePlace& at) const;

 private:
  struct Result {  // pixel m of a tile, block j of its part
    int m, j;
  };
  kernel::Expr LastMask(const kernel::Expr& block) const;
  kernel::Expr OutAt(const TilePlace& at, const kernel::Expr& m, const kernel::Expr& j) const;
  kernel::Expr Finished(const kernel::Expr& sum, const TilePlace& at, const kernel::Expr& m, const kernel::Expr& j) const;
  void FinishInMemory(kernel::Block& b, const RegisterTile& tile, const TilePlace& at) const;
  void StoreOf(kernel::Block& b, const RegisterTile& tile, const TilePlace& at, bool with_epilogue) const;
  void StoreResults(kernel::Block& b, const kernel::Buffer& to, const kernel::Expr& y, const std::vector<Result>& results,
                    const TilePlace& at) const;

  const ContractionSpec& s_;
  const kernel::Target& target_;
  kernel::Buffer out_, partial_;
  bool finishes_in_memory_;  // functions need many registers of their own: the epilogue is better done when the tile's are free
};

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_TILE_STORE_H_
