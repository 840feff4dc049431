// Index arithmetic of vectors in 32 bits.
#ifndef MGEC_COMPILER_KERNEL_NARROW_INDICES_H_
#define MGEC_COMPILER_KERNEL_NARROW_INDICES_H_

#include "compiler/kernel/simplify.h"

namespace mgec::kernel {

// `e` (scalar, free of kRead) with index arithmetic that depends on `v`, the variable that becomes lanes, in int32 wherever
// its bounds prove that all values fit: a register holds twice as many of them, and AVX2 converts no 64-bit integers to or
// from floats. The index of a load becomes a sum of what does not depend on v, in 64 bits, and of the rest:
//
//   x[c * 4096 + min(int64(floor(f[v])), 63)]   ->   x[c * 4096 + int64(min(int32(floor(f[v])), 63))]
//
// What is linear in v stays as it is: it is an address and a stride.
Expr NarrowIndices(const Expr& e, const Var& v, const Ranges& ranges);

}  // namespace mgec::kernel

#endif  // MGEC_COMPILER_KERNEL_NARROW_INDICES_H_
