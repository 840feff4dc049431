// A convolution and the depthwise one that alone reads it (MobileNet's expansions), a part of the channels at a time: the tensor
// between them is then never whole, and what there is of it stays in the cache.
#ifndef MGEC_COMPILER_SCHEDULE_CHANNEL_PARTS_H_
#define MGEC_COMPILER_SCHEDULE_CHANNEL_PARTS_H_

#include "compiler/schedule/scheduler.h"

namespace mgec::schedule {

// Schedules `node` together with the node after it where they are such a pair, and the tensor between them is too large for
// the cache. False, and nothing done, elsewhere.
absl::StatusOr<bool> ScheduleInChannelParts(Scheduler& s, const graph::Node& node);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_CHANNEL_PARTS_H_
