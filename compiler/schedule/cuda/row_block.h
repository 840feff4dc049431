// Definitions whose stages work row by row (softmax, the norms) for GPUs: a block takes a row through all stages, so that what is
// between them never leaves it, and one launch does what took one for each stage.
#ifndef MGEC_COMPILER_SCHEDULE_CUDA_ROW_BLOCK_H_
#define MGEC_COMPILER_SCHEDULE_CUDA_ROW_BLOCK_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "compiler/kernel/stmt.h"
#include "compiler/kernel/tensor_expr.h"

namespace mgec::schedule {

struct RowBlocks {
  size_t dims = 0;    // the leading dimensions that number the rows
  int64_t rows = 0;
  int threads = 0;    // of each block; 0: the stages are better off by themselves
};

// Stages that are one number of a row (sums, maxima) are computed by all of a block's threads together and known to each;
// others are in shared memory, where they must fit, or the result, which the last stage must be.
RowBlocks RowBlocksOf(const kernel::Definition& d);

// The kernel's tasks, threads and body. `input`: an element of an input.
void EmitRowBlocks(const kernel::Definition& d, const RowBlocks& rows,
                   const std::function<kernel::Expr(int tensor, const std::vector<kernel::Expr>& index)>& input,
                   const kernel::Buffer& out, kernel::Kernel* k);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_CUDA_ROW_BLOCK_H_
