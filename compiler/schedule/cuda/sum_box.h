// How a sum of several axes is divided into tiles, so that finding a term takes next to nothing: a tile is a box of terms.
#ifndef MGEC_COMPILER_SCHEDULE_CUDA_SUM_BOX_H_
#define MGEC_COMPILER_SCHEDULE_CUDA_SUM_BOX_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "compiler/kernel/tensor_expr.h"
#include "compiler/schedule/cuda/gpu_stage.h"
#include "compiler/schedule/cuda/tile.h"

namespace mgec::schedule {

// `chunk` indices of one axis, and all of those behind it. Which indices of the axes before a tile has, and where its chunk begins,
// is the same for all of its terms, so that it is found once; the rest is the same for all tiles.
struct SumBox {
  size_t axis = 0;
  int64_t chunk = 1, depth = 1, count = 1;  // depth: terms of a tile; count: tiles
  bool partial = false;                     // the last chunk of the axis is shorter than others
};

// The box that takes the least time with that tile of the result, without tensor cores: `axes` have at least kTileDepth points.
SumBox ChooseSumBox(const std::vector<kernel::ReduceAxis>& axes, const Tile& tile);

// The axis along which neighbours of the sum differ: the last that is longer than 1.
size_t InnermostAxis(const std::vector<kernel::ReduceAxis>& axes);

// A box for tensor cores, whose words have so many elements along the sum: as many words as they multiply at a time, or twice as many
// (TensorTileDepth). Empty where none divides the axes so.
std::optional<SumBox> FindTensorBox(const std::vector<kernel::ReduceAxis>& axes, int elements);

// Sets the variables of axes before the box's to those of tile `number`; returns where its chunk begins, which is seen to be a multiple
// of the chunk. `ranges` learns those of variables that are added to `b`.
kernel::Expr LocateBox(kernel::Block& b, const std::vector<kernel::ReduceAxis>& axes, const SumBox& box, const kernel::Expr& number,
                       kernel::Ranges* ranges, Values* values);
// Sets the variables of axes behind the box's to those of term `place` of each tile, a multiple of `run`; returns the index in its
// chunk. Where runs do not leave the innermost axis, its variable is seen to be a multiple, too.
kernel::Expr LocateInBox(kernel::Block& b, const std::vector<kernel::ReduceAxis>& axes, const SumBox& box, const kernel::Expr& place,
                         int64_t run, kernel::Ranges* ranges, Values* values);

// The same with term number `flat` of the whole sum: sets all variables.
void LocateInSum(kernel::Block& b, const std::vector<kernel::ReduceAxis>& axes, const kernel::Expr& flat, int64_t run,
                 kernel::Ranges* ranges, Values* values);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_CUDA_SUM_BOX_H_
