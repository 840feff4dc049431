// Reductions over a part of their box whose bounds are computed.
//
//   max over r in [0, 64): select(begin <= r && r < end, x[r], -inf)      visits x[begin] .. x[end - 1] only
#ifndef MGEC_COMPILER_KERNEL_BOUNDED_REDUCE_H_
#define MGEC_COMPILER_KERNEL_BOUNDED_REDUCE_H_

#include <optional>
#include <vector>

#include "compiler/kernel/expr.h"

namespace mgec::kernel {

struct BoundedReduce {
  struct Bounds {
    Expr begin, end;  // the values of an axis that count, within [0, extent]
    bool whole;       // all of them, always
  };
  std::vector<Bounds> axes;  // one for each axis of the reduction
  Expr body;                 // inside of the bounds
  // What takes part once where the bounds leave anything out; null where that changes nothing.
  Expr outside;
};

// The bounds of a kReduce, which are the same for all lanes and do not depend on its axes; empty where it has none. Its value
// is the same, by the bit, as that of the whole box.
std::optional<BoundedReduce> BoundsOfReduce(const Expr& reduce);

}  // namespace mgec::kernel

#endif  // MGEC_COMPILER_KERNEL_BOUNDED_REDUCE_H_
