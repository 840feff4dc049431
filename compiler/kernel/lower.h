// From tensor expressions to statements: the steps that all schedules share.
#ifndef MGEC_COMPILER_KERNEL_LOWER_H_
#define MGEC_COMPILER_KERNEL_LOWER_H_

#include <functional>
#include <string>
#include <vector>

#include "compiler/kernel/simplify.h"
#include "compiler/kernel/stmt.h"
#include "compiler/kernel/tensor_expr.h"

namespace mgec::kernel {

// The access that reads element `index` of a definition's tensor. Indices are simplified and in bounds.
using ReadFunction = std::function<Expr(int tensor, const std::vector<Expr>& index)>;

// Replaces every kRead. An index that is not provably in bounds is clamped into them, so that both sides of a kSelect
// can be evaluated.
Expr ReplaceReads(const Expr& e, const Definition& d, const Ranges& ranges, const ReadFunction& read);

// The neutral element of a combiner, and the combination of two values.
Expr Neutral(Combiner c, Type t);
Expr Combine(Combiner c, Expr a, Expr b);

// Emits loops that compute every kReduce inside `e` and returns what remains, free of kReduce. Reductions whose box has
// at most `unroll` elements become straight code. Where a reduction leaves out what lies outside of computed bounds, the
// loops keep to the bounds (bounded_reduce.h).
//
// Terms of sums of which `vanishes` says that they are zeros, whatever memory holds, are left out of straight code.
Expr EmitReductions(Block& b, const Expr& e, int64_t unroll, Ranges ranges,
                    const std::function<bool(const Expr& term)>& vanishes = nullptr);

// `e` for `lanes` consecutive values of `v` from `base` on. Loads that do not depend on v stay scalar, loads whose index
// has stride 1 in v become vector loads; loads that share the elements of a small stride, such as the channels of a pixel,
// parts of one that takes them all; others gathers. Where `e` is several scalars (kConcat), lanes of the first value of v
// come first: the pixels of an image.
Expr Vectorize(const Expr& e, const Var& v, const Expr& base, int lanes);

// The largest sub-range of v in which every comparison of `e` that v takes part in, as a linear term, has one outcome.
Range LargestDecided(const Expr& e, const Var& v, Range domain, const Ranges& others);

// Row-major offset.
Expr FlatIndex(const std::vector<Expr>& index, const std::vector<int64_t>& shape);

// Plain loops over dense row-major tensors: argument t is tensor t for every tensor up to and including the stage's own.
// The oracle that everything else is compared with.
Kernel LowerNaive(const Definition& d, int stage, const std::string& name);

}  // namespace mgec::kernel

#endif  // MGEC_COMPILER_KERNEL_LOWER_H_
