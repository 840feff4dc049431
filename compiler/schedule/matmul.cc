// Matrix product with a constant right operand by the contraction micro-kernel: rows are pixels, columns are channels.
#include <cstring>

#include "compiler/base/status_macros.h"
#include "compiler/schedule/contraction.h"
#include "compiler/schedule/epilogue.h"
#include "compiler/schedule/scheduler.h"
#include "compiler/ops/op.h"

namespace mgec::schedule {

using kernel::Expr;
using kernel::Int;

absl::StatusOr<bool> ScheduleMatMul(Scheduler& s, const graph::Node& node) {
  const graph::Node* anchor = Anchor(node);
  if (anchor == nullptr || anchor->op != "matmul" || node.outputs.size() != 1) return false;
  const graph::Value* a = Outer(node, anchor->inputs[0]);
  const graph::Value* b = Outer(node, anchor->inputs[1]);
  const std::string* weights = Scheduler::ConstantData(b);
  if (weights == nullptr || Scheduler::ConstantData(a) != nullptr || a->type.shape.size() != 2 ||
      a->type.dtype != graph::DTypeKind::kFloat32 || node.output()->type.shape != anchor->output()->type.shape) {
    return false;
  }
  const bool ta = anchor->attributes.Int("transpose_a") != 0, tb = anchor->attributes.Int("transpose_b") != 0;
  const int64_t m = a->type.shape[ta ? 1 : 0], k = a->type.shape[ta ? 0 : 1], n = anchor->output()->type.shape[1];
  if (m == 0 || n == 0 || k == 0) return false;
  ASSIGN_OR_RETURN(kernel::Definition d, ops::DefinitionOf(node));

  ContractionSpec spec;
  spec.rows = 1;
  spec.cols = m;
  PixelMap pixels;
  pixels.flat = [](Expr, Expr col) { return col; };
  pixels.index = [](Expr, Expr col) -> std::vector<Expr> { return {col}; };
  std::vector<plan::Argument> extra;
  if (!BuildEpilogue(s, node, d, /*blocked=*/false, pixels, spec, extra)) return false;

  spec.in_row = [](Expr) { return Int(0); };
  spec.in_col_stride = ta ? 1 : k;
  spec.out_row = [](Expr) { return Int(0); };
  spec.out_col_stride = n;
  spec.out_block_stride = kBlock;
  spec.block_entries = ta ? 0 : k / kBlock;
  spec.single_entries = k - spec.block_entries * kBlock;
  spec.channels = n;
  spec.mask_last = true;
  spec.in_size = m * k;
  spec.out_size = m * n;
  std::string table((spec.block_entries + spec.single_entries) * 4, '\0');
  for (int64_t i = 0; i < spec.block_entries + spec.single_entries; ++i) {
    const int64_t element = i < spec.block_entries ? i * kBlock : i - spec.block_entries + spec.block_entries * kBlock;
    const int32_t offset = static_cast<int32_t>(ta ? element * m : element);
    std::memcpy(&table[i * 4], &offset, 4);
  }
  const float* w = reinterpret_cast<const float*>(weights->data());
  std::string packed = PackWeights(k, n, [&](int64_t i, int64_t j) { return tb ? w[j * k + i] : w[i * n + j]; });

  const Placement in = s.Plain(a);
  const Placement out = s.NewPlain(node.output());
  plan::StepInfo info = s.Info(node, OpName(node));
  std::vector<plan::Argument> arguments = {{in.storage, in.offset, m * k * 4},
                                           {s.program().AddConstant(std::move(table))},
                                           {s.program().AddConstant(std::move(packed))},
                                           {out.storage, out.offset, m * n * 4}};
  arguments.insert(arguments.end(), extra.begin(), extra.end());
  s.program().AddStep(ContractionKernel(spec, s.target(), info.op), std::move(arguments), std::move(info));
  s.Place(node.output(), out);
  return true;
}

}  // namespace mgec::schedule
