// Reductions that the threads of a block compute together.
#ifndef MGEC_COMPILER_SCHEDULE_CUDA_REDUCE_H_
#define MGEC_COMPILER_SCHEDULE_CUDA_REDUCE_H_

#include "compiler/kernel/lower.h"

namespace mgec::schedule {

// The elements of the largest outermost reduction of `e` that visits all of its box; 0 if there is none.
int64_t LargestReduction(const kernel::Expr& e);
// The threads of a block can reduce all of `e`: its reductions are of types that warps exchange.
bool CanReduceTogether(const kernel::Expr& e);

// Like kernel::EmitReductions. The elements of each outermost reduction are dealt out to the `threads` threads (a multiple of
// 32), whose partial results meet in a tree: the order of summation depends on `threads` only. Every thread gets the value;
// that of thread 0 counts.
kernel::Expr EmitGroupReductions(kernel::Block& b, const kernel::Expr& e, const kernel::Expr& thread, int threads,
                                 kernel::Ranges ranges);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_CUDA_REDUCE_H_
