#include "compiler/schedule/cuda/tf32_factors.h"

#include "compiler/schedule/cuda/product.h"

namespace mgec::schedule {

using kernel::Expr;
using kernel::Op;

kernel::Definition WithTf32Factors(kernel::Definition d) {
  for (kernel::Stage& stage : d.stages()) {
    Product p;
    if (!FindProduct(stage, &p) || p.words != WordKind::kOne || p.sum->type.scalar != kernel::Scalar::kFloat32) continue;
    stage.body = kernel::Rewrite(stage.body, [](const Expr& n) {
      if (n->op != Op::kReduce) return n;  // there is one, and its term is a product
      const Expr& term = n->args[0];
      return kernel::Reduce(n->combiner, n->reduce_axes,
                            Unary(Op::kRoundTf32, term->args[0]) * Unary(Op::kRoundTf32, term->args[1]));
    });
  }
  return d;
}

}  // namespace mgec::schedule
