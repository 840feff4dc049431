// Long reductions over the pixels of an image, as of global pooling: one chain of additions waits for each before the next.
#ifndef MGEC_COMPILER_SCHEDULE_LONG_REDUCE_H_
#define MGEC_COMPILER_SCHEDULE_LONG_REDUCE_H_

#include <functional>

#include "compiler/kernel/lower.h"
#include "compiler/kernel/target.h"

namespace mgec::schedule {

// Like kernel::EmitReductions. Reductions of more than `unroll` elements are computed as several partial ones, which take turns
// along the last axis and fill registers: for 8 channels in registers of 16 lanes, one of the even pixels and one of the odd ones.
// The order depends on the target only. `vanishes` as there, for what is no longer than `unroll`.
kernel::Expr EmitLongReductions(kernel::Block& b, const kernel::Expr& e, int64_t unroll, const kernel::Target& target,
                                const kernel::Ranges& ranges,
                                const std::function<bool(const kernel::Expr& term)>& vanishes);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_LONG_REDUCE_H_
