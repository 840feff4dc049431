// For tests: the value of an integer expression, independent of simplifier and interpreter, and random expressions.
#ifndef MGEC_COMPILER_KERNEL_TESTING_H_
#define MGEC_COMPILER_KERNEL_TESTING_H_

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <unordered_map>
#include <vector>

#include "compiler/kernel/expr.h"

namespace mgec::kernel {

using Environment = std::unordered_map<const VarNode*, int64_t>;

inline int64_t EvaluateIndex(const Expr& e, const Environment& variables) {
  auto arg = [&](size_t i) { return EvaluateIndex(e->args[i], variables); };
  auto floor_mod = [](int64_t a, int64_t b) { return (a % b + b) % b; };
  switch (e->op) {
    case Op::kInt: return e->int_value;
    case Op::kVar: return variables.at(e->var.get());
    case Op::kNeg: return -arg(0);
    case Op::kNot: return !arg(0);
    case Op::kAdd: return arg(0) + arg(1);
    case Op::kSub: return arg(0) - arg(1);
    case Op::kMul: return arg(0) * arg(1);
    case Op::kDiv: return arg(0) / arg(1);
    case Op::kMod: return arg(0) % arg(1);
    case Op::kFloorMod: return floor_mod(arg(0), arg(1));
    case Op::kFloorDiv: return (arg(0) - floor_mod(arg(0), arg(1))) / arg(1);
    case Op::kMin: return std::min(arg(0), arg(1));
    case Op::kMax: return std::max(arg(0), arg(1));
    case Op::kLt: return arg(0) < arg(1);
    case Op::kLe: return arg(0) <= arg(1);
    case Op::kEq: return arg(0) == arg(1);
    case Op::kNe: return arg(0) != arg(1);
    case Op::kAnd: return arg(0) && arg(1);
    case Op::kOr: return arg(0) || arg(1);
    case Op::kSelect: return arg(0) ? arg(1) : arg(2);
    default: std::abort();  // no index expression
  }
}

// Random index expressions over `variables`: sums, products by constants, quotients and remainders by positive
// constants, minima, maxima, selections.
class RandomIndex {
 public:
  RandomIndex(uint32_t seed, std::vector<Expr> variables) : random_(seed), variables_(std::move(variables)) {}

  int64_t Number(int64_t lo, int64_t hi) {
    return lo + static_cast<int64_t>(random_() % static_cast<uint64_t>(hi - lo + 1));
  }

  Expr operator()(int depth) {
    if (depth == 0 || Number(0, 7) == 0) return Number(0, 4) == 0 ? Int(Number(-20, 20)) : Variable();
    const Expr a = (*this)(depth - 1);
    switch (Number(0, 10)) {
      case 0:
      case 1: return a + (*this)(depth - 1);
      case 2: return a - (*this)(depth - 1);
      case 3:
      case 4: return a * Number(-6, 12);
      case 5: return FloorDiv(a, Int(Number(1, 12)));
      case 6: return FloorMod(a, Int(Number(1, 12)));
      case 7: return a / Int(Number(1, 12));
      case 8: return Binary(Op::kMod, a, Int(Number(1, 12)));
      case 9: return Number(0, 1) ? Min(a, (*this)(depth - 1)) : Max(a, (*this)(depth - 1));
      default: return Select(Condition(depth - 1), a, (*this)(depth - 1));
    }
  }
  Expr Condition(int depth) {
    static const Op kOps[] = {Op::kLt, Op::kLe, Op::kEq, Op::kNe};
    return Binary(kOps[Number(0, 3)], (*this)(depth), (*this)(depth));
  }
  const Expr& Variable() { return variables_[Number(0, static_cast<int64_t>(variables_.size()) - 1)]; }

 private:
  std::mt19937 random_;
  const std::vector<Expr> variables_;
};

}  // namespace mgec::kernel

#endif  // MGEC_COMPILER_KERNEL_TESTING_H_
