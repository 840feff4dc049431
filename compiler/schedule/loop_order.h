// In which order the elements of a box that read much are computed.
#ifndef MGEC_COMPILER_SCHEDULE_LOOP_ORDER_H_
#define MGEC_COMPILER_SCHEDULE_LOOP_ORDER_H_

#include "compiler/schedule/merge.h"

namespace mgec::schedule {

// For a body with a long reduction, whose last dimension becomes vectors: of the dimensions before it, the one along which
// the fewest loads move to other cache lines becomes the innermost, so that what one element has read is still in the first
// level of the cache for the next. The order of equals stays.
void OrderLoops(const Box& box);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_LOOP_ORDER_H_
