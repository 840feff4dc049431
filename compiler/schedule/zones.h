// Splitting a loop where conditions on its variable become certain: the borders of padded windows apart from the
// interior, which then has no tests at all.
#ifndef MGEC_COMPILER_SCHEDULE_ZONES_H_
#define MGEC_COMPILER_SCHEDULE_ZONES_H_

#include <functional>

#include "compiler/kernel/lower.h"

namespace mgec::schedule {

// Iterations [begin, end). `unroll`: few enough to emit each with its own constant index.
struct Zone {
  int64_t begin, end;
  bool unroll;
};
struct Zones {
  Zone before, interior, after;
};

// Zones of v in [0, extent) for the conditions in `body`.
Zones ZonesOf(const kernel::Expr& body, const kernel::Var& v, int64_t extent, const kernel::Ranges& ranges);

// Emits `f(index, range of the index)` for every iteration of the zones that lies in [begin, end).
void ForEachZone(kernel::Block& b, const Zones& zones, kernel::Expr begin, kernel::Expr end,
                 const std::function<void(kernel::Block&, kernel::Expr, kernel::Range)>& f);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_ZONES_H_
