#include "compiler/schedule/cuda/gpu_stage.h"

namespace mgec::schedule {

using kernel::Expr;
using kernel::Int;
using kernel::Op;

int64_t GpuStage::elements() const {
  int64_t n = 1;
  for (int64_t extent : extents) n *= extent;
  return n;
}

void Decompose(kernel::Block& b, const GpuStage& stage, const std::vector<size_t>& dims, const Expr& flat, int64_t total,
               kernel::Ranges* ranges, Values* values) {
  Expr rest = flat;
  if (rest->op == Op::kVar) ranges->emplace(rest->var.get(), kernel::Range{0, total - 1});
  for (size_t j = dims.size(); j-- > 0;) {
    const size_t i = dims[j];
    Expr at = rest;
    if (j > 0) {
      at = b.Let(stage.vars[i]->name, Simplify(Binary(Op::kMod, rest, Int(stage.extents[i])), *ranges));
      rest = b.Let("rest", Simplify(rest / Int(stage.extents[i]), *ranges));
    }
    if (at->op == Op::kVar) ranges->emplace(at->var.get(), kernel::Range{0, stage.extents[i] - 1});
    (*values)[stage.vars[i].get()] = at;
  }
}

}  // namespace mgec::schedule
