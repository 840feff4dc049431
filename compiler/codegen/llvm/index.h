// Index expressions as sums: what decides the shape of an address.
//
//   i * 64 + j + 3   ->   terms {i: 64, j: 1}, constant 3
#ifndef MGEC_COMPILER_CODEGEN_LLVM_INDEX_H_
#define MGEC_COMPILER_CODEGEN_LLVM_INDEX_H_

#include <cstdint>
#include <vector>

#include "compiler/kernel/expr.h"

namespace mgec::codegen {

struct LinearTerm {
  kernel::Expr expr;  // never a sum, a product with a constant, or a constant
  int64_t scale;
};

struct LinearIndex {
  std::vector<LinearTerm> terms;  // in order of first appearance; a variable occurs at most once
  int64_t constant = 0;
};

// Splits a scalar integer expression. Exact as long as nothing overflows.
LinearIndex Linearize(const kernel::Expr& index);

// Whether the two have the same terms, so that they differ by the difference of their constants.
bool SameTerms(const LinearIndex& a, const LinearIndex& b);

}  // namespace mgec::codegen

#endif  // MGEC_COMPILER_CODEGEN_LLVM_INDEX_H_
