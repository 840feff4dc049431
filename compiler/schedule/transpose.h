// Copies whose source and target are contiguous along different dimensions, in tiles that are transposed in registers.
#ifndef MGEC_COMPILER_SCHEDULE_TRANSPOSE_H_
#define MGEC_COMPILER_SCHEDULE_TRANSPOSE_H_

#include <optional>
#include <vector>

#include "compiler/kernel/simplify.h"
#include "compiler/kernel/stmt.h"

namespace mgec::schedule {

// out[to] = in[from] for all values of the variables; both are linear in them.
struct CopyLoops {
  std::vector<kernel::Var> vars;
  std::vector<int64_t> extents;
  kernel::Buffer in, out;
  kernel::Expr from, to;
};

// Emits one task of the copy and returns the number of tasks, at most `max_tasks`; nothing where the copy is of another
// kind, or too small for tiles.
std::optional<int64_t> EmitTransposedCopy(kernel::Block& b, const kernel::Expr& task, const CopyLoops& copy,
                                          int64_t max_tasks);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_TRANSPOSE_H_
