// Reductions whose last axis runs along memory, computed with vectors: softmax's sum over a row, a dot product.
#ifndef MGEC_COMPILER_SCHEDULE_VECTOR_REDUCE_H_
#define MGEC_COMPILER_SCHEDULE_VECTOR_REDUCE_H_

#include "compiler/kernel/lower.h"

namespace mgec::schedule {

// `e` holds a reduction of more than so many elements.
bool HasLongReduction(const kernel::Expr& e, int64_t elements);
// `e` holds a reduction.
bool HasReduce(const kernel::Expr& e);
// `e` (scalar, free of kRead) holds a reduction whose last axis reads memory with stride 1, which v does not.
bool ReducesAlongMemory(const kernel::Expr& e, const kernel::Var& v);

// Like kernel::EmitReductions, with vectors of `lanes` partial results along the last axis of each reduction. The order
// of summation depends on `lanes` only.
kernel::Expr EmitVectorReductions(kernel::Block& b, const kernel::Expr& e, int lanes, kernel::Ranges ranges);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_VECTOR_REDUCE_H_
