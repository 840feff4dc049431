// Long reductions with few results, in two steps, so that all of a GPU takes part: many blocks compute partial results, and
// the stage combines those.
//
//   y[] = sum over r in [0, 1000000): x[r]
//
// becomes
//
//   p[i] = sum over r in [0, 2000): x[i * 2000 + r]        for i in [0, 500)
//   y[] = sum over i in [0, 500): p[i]
//
// A stage with several reductions, such as a largest element that is NaN where there is one, gets such partial results for each; one
// kernel computes those that are alike.
#ifndef MGEC_COMPILER_SCHEDULE_CUDA_PARTIAL_H_
#define MGEC_COMPILER_SCHEDULE_CUDA_PARTIAL_H_

#include "compiler/kernel/lower.h"

namespace mgec::schedule {

// Into how many parts the reductions of a stage are better divided; 1: they are not. `body` is the stage's value with its
// accesses to memory, `last` the variable along which its results lie in memory (null: there is one result).
int64_t ReductionParts(const kernel::Expr& body, const kernel::Var& last, int64_t results);

// Inserts, before stage number `stage` of the definition, stages that hold partial results of its outermost reductions of more
// than one element, in about `parts` parts each, and lets the stage combine those. The parts depend on shapes only: results
// are the same each time. Tensors from the stage on get numbers that are larger by what is returned: how many were inserted.
int InsertPartialReductions(kernel::Definition& d, int stage, int64_t parts);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_CUDA_PARTIAL_H_
