// Long sums of products whose result has too few tiles for a GPU, computed in parts by more blocks ("split-K").
#ifndef MGEC_COMPILER_SCHEDULE_CUDA_SPLIT_SUMS_H_
#define MGEC_COMPILER_SCHEDULE_CUDA_SPLIT_SUMS_H_

#include "compiler/kernel/tensor_expr.h"

namespace mgec::schedule {

// The same definition in which each such sum is a stage of its own with one dimension more, the first, of parts; the stage that
// held it adds them up, in order. Results are the same in each run, but floats are rounded otherwise than in one sum.
kernel::Definition SplitSums(kernel::Definition d);

// Whether `body` adds up products.
bool AddsProducts(const kernel::Expr& body);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_CUDA_SPLIT_SUMS_H_
