#include "compiler/schedule/cuda/half_factors.h"

#include <utility>

#include "compiler/schedule/cuda/product.h"

namespace mgec::schedule {
namespace {

using kernel::Expr;
using kernel::Op;
using kernel::Scalar;

Expr Rounded(const Expr& e) { return IsFloat16Number(e) ? e : Cast(Scalar::kFloat32, Cast(Scalar::kFloat16, e)); }

}  // namespace

kernel::Definition WithHalfFactors(kernel::Definition d) {
  for (kernel::Stage& stage : d.stages()) {
    Product p;
    if (!FindProduct(stage, &p) || p.words != WordKind::kOne || p.sum->type.scalar != Scalar::kFloat32) continue;
    stage.body = kernel::Rewrite(stage.body, [](const Expr& n) {
      if (n->op != Op::kReduce) return n;  // there is one, and its term is a product
      const Expr& term = n->args[0];
      return kernel::Reduce(n->combiner, n->reduce_axes, Rounded(term->args[0]) * Rounded(term->args[1]));
    });
  }
  return d;
}

}  // namespace mgec::schedule
