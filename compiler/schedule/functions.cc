#include "compiler/schedule/functions.h"

namespace mgec::schedule {

bool ComputesFunctions(const kernel::Expr& e) {
  using kernel::Op;
  bool found = false;
  kernel::Visit(e, [&](const kernel::Expr& x) {
    found = found || (x->op >= Op::kSqrt && x->op <= Op::kSigmoid) || x->op == Op::kPow || x->op == Op::kAtan2 ||
            (x->op == Op::kDiv && x->type.scalar == kernel::Scalar::kFloat32);
  });
  return found;
}

kernel::Expr OnlyReduction(const kernel::Expr& e) {
  kernel::Expr reduction;
  int count = 0;
  kernel::Visit(e, [&](const kernel::Expr& x) {
    if (x->op != kernel::Op::kReduce) return;
    reduction = x;
    ++count;
  });
  return count == 1 ? reduction : nullptr;
}

}  // namespace mgec::schedule
