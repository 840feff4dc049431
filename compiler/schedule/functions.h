// What expressions compute: long chains of operations, reductions.
#ifndef MGEC_COMPILER_SCHEDULE_FUNCTIONS_H_
#define MGEC_COMPILER_SCHEDULE_FUNCTIONS_H_

#include "compiler/kernel/expr.h"

namespace mgec::schedule {

// Whether `e` contains what takes many instructions, one after the other: exp and its like, division of floats.
bool ComputesFunctions(const kernel::Expr& e);

// The one kReduce in `e`; null where there is none or where there are several.
kernel::Expr OnlyReduction(const kernel::Expr& e);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_FUNCTIONS_H_
