// Index arithmetic: ranges, linear forms, simplification.
//
//   Ranges r; r[c.get()] = {0, 57};  // c in [0, 58)
//   Simplify((c * 784 + hw) floordiv 784, r)   ->  c      where hw in [0, 784)
//
// All functions look at kInt64 scalars; other expressions pass through with their index parts simplified.
#ifndef MGEC_COMPILER_KERNEL_SIMPLIFY_H_
#define MGEC_COMPILER_KERNEL_SIMPLIFY_H_

#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "compiler/kernel/expr.h"

namespace mgec::kernel {

// Both ends included.
struct Range {
  int64_t lo, hi;
};
using Ranges = std::unordered_map<const VarNode*, Range>;

// The values an index expression can take; empty where nothing is known.
std::optional<Range> BoundsOf(const Expr& e, const Ranges& ranges);

// Sum of coefficient * term, plus constant. Terms are not sums, products by constants, or constants themselves.
struct Linear {
  std::vector<std::pair<Expr, int64_t>> terms;
  int64_t constant = 0;
};
Linear LinearOf(const Expr& e);
Expr FromLinear(const Linear& l);

// Same tree (variables and buffers by identity).
bool Equal(const Expr& a, const Expr& b);

Expr Simplify(const Expr& e, const Ranges& ranges);

// d(e)/d(v) where e is linear in v; empty where it is not.
std::optional<int64_t> StrideOf(const Expr& e, const Var& v);
bool DependsOn(const Expr& e, const Var& v);

}  // namespace mgec::kernel

#endif  // MGEC_COMPILER_KERNEL_SIMPLIFY_H_
