// Copies between layouts.
#ifndef MGEC_COMPILER_SCHEDULE_RELAYOUT_H_
#define MGEC_COMPILER_SCHEDULE_RELAYOUT_H_

#include "compiler/schedule/scheduler.h"

namespace mgec::schedule {

// A dense tensor of `shape` ([N, C, ...]) into naturally placed blocks.
Placement BlockedFromPlain(Scheduler& s, const Placement& in, const graph::Shape& shape, const BlockElement& element,
                           plan::StepInfo info);
// Blocked channels from wherever they are into naturally placed blocks.
Placement NaturalFromBlocked(Scheduler& s, const Placement& in, const graph::Shape& shape, const BlockElement& element,
                             plan::StepInfo info);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_RELAYOUT_H_
