// Definitions whose stages work row by row, such as softmax: a row can go through all of them at once.
#ifndef MGEC_COMPILER_SCHEDULE_ROWS_H_
#define MGEC_COMPILER_SCHEDULE_ROWS_H_

#include <cstdint>
#include <vector>

#include "compiler/kernel/tensor_expr.h"

namespace mgec::schedule {

// Rows that all stages of a definition have in common.
struct Rows {
  size_t dims = 0;  // the leading dimensions that number them; 0: the stages do not work row by row
  int64_t count = 1, tasks = 1;
  std::vector<int64_t> scratch;  // of each stage: elements of one row, 0 where a row has one number or is the result
};

// The rows of `d`, in at most `most_tasks` tasks of about `task_elements` elements. Without dimensions where there is only one
// stage, where stages read other rows of each other, and where rows are so few that each stage is better divided by itself.
Rows RowsOf(const kernel::Definition& d, int64_t task_elements, int64_t most_tasks);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_ROWS_H_
