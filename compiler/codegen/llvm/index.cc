#include "compiler/codegen/llvm/index.h"

namespace mgec::codegen {
namespace {

using kernel::Expr;
using kernel::IsConst;
using kernel::Op;

bool SameExpr(const Expr& a, const Expr& b) {
  return a == b || (a->op == Op::kVar && b->op == Op::kVar && a->var == b->var);
}

void Accumulate(const Expr& e, int64_t scale, LinearIndex& out) {
  int64_t c;
  switch (e->op) {
    case Op::kInt: out.constant += scale * e->int_value; return;
    case Op::kAdd:
      Accumulate(e->args[0], scale, out);
      Accumulate(e->args[1], scale, out);
      return;
    case Op::kSub:
      Accumulate(e->args[0], scale, out);
      Accumulate(e->args[1], -scale, out);
      return;
    case Op::kNeg: Accumulate(e->args[0], -scale, out); return;
    case Op::kMul:
      if (IsConst(e->args[1], &c)) return Accumulate(e->args[0], scale * c, out);
      if (IsConst(e->args[0], &c)) return Accumulate(e->args[1], scale * c, out);
      break;
    default: break;
  }
  for (LinearTerm& t : out.terms) {
    if (SameExpr(t.expr, e)) {
      t.scale += scale;
      return;
    }
  }
  out.terms.push_back({e, scale});
}

}  // namespace

LinearIndex Linearize(const Expr& index) {
  LinearIndex all, result;
  Accumulate(index, 1, all);
  result.constant = all.constant;
  for (LinearTerm& t : all.terms) {
    if (t.scale != 0) result.terms.push_back(std::move(t));  // i - i is nothing
  }
  return result;
}

bool SameTerms(const LinearIndex& a, const LinearIndex& b) {
  if (a.terms.size() != b.terms.size()) return false;
  for (size_t i = 0; i < a.terms.size(); ++i) {
    if (a.terms[i].scale != b.terms[i].scale || !SameExpr(a.terms[i].expr, b.terms[i].expr)) return false;
  }
  return true;
}

}  // namespace mgec::codegen
