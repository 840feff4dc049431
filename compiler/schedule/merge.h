// Joining adjacent dimensions that memory does not tell apart.
#ifndef MGEC_COMPILER_SCHEDULE_MERGE_H_
#define MGEC_COMPILER_SCHEDULE_MERGE_H_

#include <cstdint>
#include <vector>

#include "compiler/kernel/lower.h"

namespace mgec::schedule {

// What is computed for each point of a box: `body`, stored at `offset`. All are updated in place.
struct Box {
  std::vector<kernel::Var>& vars;
  std::vector<int64_t>& extents;
  kernel::Ranges& ranges;
  kernel::Expr& body;
  kernel::Expr& offset;
};

// Joins dimension i with i + 1 where all index arithmetic stays free of division. `apart` (may be null) is not joined.
void MergeDimensions(const Box& box, const kernel::Var& apart);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_MERGE_H_
