// Several vectors computed as one.
#ifndef MGEC_COMPILER_KERNEL_JOIN_LANES_H_
#define MGEC_COMPILER_KERNEL_JOIN_LANES_H_

#include <vector>

#include "compiler/kernel/expr.h"

namespace mgec::kernel {

// The lanes of all `parts`, one part after the other, which have the same type. As far as the parts are alike they become
// operations on longer vectors: neighbours in memory one load, equal constants one constant, lanes of one vector that
// vector again. What is not alike is computed part by part.
//
// The code generator divides a vector that is longer than a register into registers, operation by operation: chains of
// dependent operations are interleaved, which a CPU needs to overlap them (its scheduler holds but a few chains).
Expr JoinLanes(const std::vector<Expr>& parts);

// Joins what has become alike in the vectors of `e` since they were put together: after substitution, for example.
Expr RejoinLanes(const Expr& e);

// `lanes` lanes, a multiple of those of `e`, which are those of `e` again and again.
Expr RepeatLanes(const Expr& e, int lanes);

}  // namespace mgec::kernel

#endif  // MGEC_COMPILER_KERNEL_JOIN_LANES_H_
