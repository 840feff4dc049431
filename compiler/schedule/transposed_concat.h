// A concatenation of which only the transpose is wanted (the results of a detector's levels).
#ifndef MGEC_COMPILER_SCHEDULE_TRANSPOSED_CONCAT_H_
#define MGEC_COMPILER_SCHEDULE_TRANSPOSED_CONCAT_H_

#include "compiler/schedule/scheduler.h"

namespace mgec::schedule {

// Schedules a concatenation together with the transpose that alone reads it, where the parts are apart in memory afterwards:
// each is transposed to its place. False, and nothing done, elsewhere.
absl::StatusOr<bool> ScheduleTransposedConcat(Scheduler& s, const graph::Node& node);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_TRANSPOSED_CONCAT_H_
