// Overlapping windows (depthwise convolution, pooling) over tensors of 16-bit floats would convert each element again and again.
// The rows that some output rows read are widened first, into memory of the stack.
#ifndef MGEC_COMPILER_SCHEDULE_WINDOW_BAND_H_
#define MGEC_COMPILER_SCHEDULE_WINDOW_BAND_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "compiler/kernel/simplify.h"
#include "compiler/kernel/stmt.h"
#include "compiler/kernel/tensor_expr.h"

namespace mgec::schedule {

// Rows of one block of a tensor [N, C, .., H, W] whose channels lie in blocks.
struct WindowBand {
  int tensor;
  int64_t rows, row_elements;     // of the tensor's block
  int64_t stride, before, after;  // output row r reads rows [stride * r + before, stride * r + after], as far as they exist
  kernel::Buffer wide;            // float32; made by Divide
  kernel::Expr first;             // the row that `wide` begins with; set by Widen

  // The most rows that so many output rows read.
  int64_t RowsFor(int64_t out_rows) const;
  // Divides the output rows of a task, equally, so that each part's band is small. Returns the rows of a part.
  int64_t Divide(int64_t out_rows);
  // What output rows [first_row, last_row) read; the block's elements lie in `stored` from `block` on. `lanes`: of a vector, 8 or a
  // multiple.
  void Widen(kernel::Block& b, const kernel::Buffer& stored, const kernel::Expr& block, const kernel::Expr& first_row,
             const kernel::Expr& last_row, int lanes);
  // Where the elements at `index` begin in `wide`.
  kernel::Expr Index(const std::vector<kernel::Expr>& index) const;
};

// The band of tensor `t`; nothing where the stage reads it otherwise than in windows along its last two dimensions, where elements
// are read few times, or where a row's band is too large. `ranges` knows the stage's variables.
std::optional<WindowBand> WindowBandOf(const kernel::Stage& stage, const kernel::Definition& d, int t, const kernel::Ranges& ranges);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_WINDOW_BAND_H_
