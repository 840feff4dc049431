// Matrix products by the contraction micro-kernel: rows are pixels, columns are channels. A right operand that the network
// computes is packed first. Integers are multiplied by constants only.
#include <cstring>
#include <optional>

#include "compiler/base/status_macros.h"
#include "compiler/schedule/contraction.h"
#include "compiler/schedule/epilogue.h"
#include "compiler/schedule/int_operands.h"
#include "compiler/schedule/narrow_floats.h"
#include "compiler/schedule/pack_operand.h"
#include "compiler/schedule/scheduler.h"
#include "compiler/ops/op.h"

namespace mgec::schedule {

using kernel::Expr;
using kernel::Int;

namespace {

// The left operand as the micro-kernel multiplies it: rows of whole groups along K, of `pitch` elements.
struct Rows {
  int64_t m, k;
  bool transposed;  // in memory: [K, M]
  BlockElement from, to;
  int64_t pitch;
};

plan::StorageId ConvertRows(Scheduler& s, const graph::Node& node, const Placement& in, const Rows& r) {
  const plan::StorageId storage = s.program().AddArena(r.m * r.pitch * r.to.bytes());
  kernel::Kernel k;
  k.name = "to_rows";
  k.task = kernel::MakeVar("task");
  k.tasks = r.m;
  k.arguments = {kernel::ArgumentBuffer("in", r.from.stored, r.m * r.k, 0, r.from.bytes()),
                 kernel::ArgumentBuffer("out", r.to.stored, r.m * r.pitch, 1, r.to.bytes())};
  kernel::Block b;
  const Expr row = Use(k.task);
  auto copy = [&](kernel::Block& b, Expr i, int lanes) {
    const Expr from = r.transposed ? i * r.m + row : row * r.k + i;
    b.Store(k.arguments[1], row * r.pitch + i, ToStored(r.to, FromStored(r.from, Load(k.arguments[0], from, lanes))));
  };
  const int64_t lanes = r.transposed ? 1 : s.target().vector_lanes, main_end = r.k / lanes * lanes;
  b.For("i", Int(0), Int(main_end), lanes, [&](kernel::Block& b, Expr i) { copy(b, i, static_cast<int>(lanes)); });
  b.For("i", main_end, r.k, [&](kernel::Block& b, Expr i) { copy(b, i, 1); });
  k.body = b.Take();
  plan::StepInfo info = s.Info(node, "to_rows");
  info.macs = 0;
  info.bytes = r.m * r.k * (r.from.bytes() + r.to.bytes());
  s.program().AddStep(std::move(k), {{in.storage, in.offset, r.m * r.k * r.from.bytes()}, {storage}}, std::move(info));
  return storage;
}

}  // namespace

absl::StatusOr<bool> ScheduleMatMul(Scheduler& s, const graph::Node& node) {
  const graph::Node* anchor = Anchor(node);
  if (anchor == nullptr || (anchor->op != "matmul" && anchor->op != "int_matmul") || node.outputs.size() != 1) return false;
  const graph::Value* a = Outer(node, anchor->inputs[0]);
  const graph::Value* b = Outer(node, anchor->inputs[1]);
  const std::string* weights = Scheduler::ConstantData(b);
  const graph::Shape &a_shape = a->type.shape, &b_shape = b->type.shape;
  const size_t rank = a_shape.size();
  if (rank < 2 || rank > 3 || b_shape.size() != rank || a_shape[0] == 0 || (rank == 3 && a_shape[0] != b_shape[0]) ||
      node.output()->type.shape != anchor->output()->type.shape || !CanBeBlocked(node.output())) {
    return false;
  }
  std::optional<IntOperands> integers;
  if (anchor->op == "int_matmul") {
    if (weights == nullptr || Scheduler::ConstantData(a) != nullptr || rank != 2) return false;
    integers = IntOperandsOf(s, a, b);
  }
  // Float32 is multiplied, whatever memory holds.
  const auto is_float = [&](int i) { return anchor->inputs[i]->type.dtype == graph::DTypeKind::kFloat32; };
  if (!integers && !(is_float(0) && is_float(1))) return false;
  const bool ta = anchor->attributes.Int("transpose_a") != 0, tb = anchor->attributes.Int("transpose_b") != 0;
  const int64_t batch = rank == 3 ? a_shape[0] : 1;
  const int64_t m = a_shape[rank - (ta ? 1 : 2)], k = a_shape[rank - (ta ? 2 : 1)], n = b_shape[rank - (tb ? 2 : 1)];
  if (m == 0 || n == 0 || k == 0) return false;
  // Packing costs about as much as multiplying a few rows.
  constexpr int64_t kFewestRows = 8;
  if (weights == nullptr && m < kFewestRows) return false;
  ASSIGN_OR_RETURN(kernel::Definition d, DefinitionFor(node));

  ContractionSpec spec;
  if (integers) spec.in_scalar = integers->in.stored;
  spec.out = PlainElement(ops::StorageOf(node.output()->type.dtype));
  spec.rows = 1;
  spec.cols = m;
  spec.channels = n;
  spec.floats_start = true;
  PixelMap pixels;
  spec.batch = batch;
  spec.in_batch_stride = m * k;
  spec.out_batch_stride = m * n;
  // Of several matrices, the number of the matrix is what the epilogue gets as row.
  pixels.flat = [=](Expr row, Expr col) { return batch == 1 ? col : row * m + col; };
  pixels.index = [=](Expr row, Expr col) {
    return batch == 1 && rank == 2 ? std::vector<Expr>{col} : std::vector<Expr>{row, col};
  };
  std::vector<plan::Argument> extra;
  if (!BuildEpilogue(s, node, d, /*blocked=*/false, pixels, spec, extra)) return false;

  // Where the rows of the left operand lie: element i of row j at i * step + j * in_col_stride.
  const int64_t group = spec.group(), pitch = (k + group - 1) / group * group;
  const Placement in = s.Plain(a);
  plan::Argument input = {in.storage, in.offset, graph::ByteSize(a->type)};
  int64_t step = ta ? m : 1;
  spec.in_col_stride = ta ? 1 : k;
  spec.in_size = batch * m * k;
  if (integers) {
    const Rows rows = {m, k, ta, PlainElement(integers->in.value), integers->in, pitch};
    if (ta || pitch != k || !rows.to.plain()) {
      input = {ConvertRows(s, node, in, rows)};
      step = 1;
      spec.in_col_stride = pitch;
      spec.in_size = m * pitch;
    }
  }
  if (!integers) spec.in_scalar = ops::StorageOf(a->type.dtype);
  if (!integers && ta && spec.in_scalar != kernel::Scalar::kFloat32) {  // columns are read element by element
    input = {Widened(s, node, input, spec.in_scalar)};
    spec.in_scalar = kernel::Scalar::kFloat32;
  }
  spec.in_row = [](Expr) { return Int(0); };
  spec.out_row = [](Expr) { return Int(0); };
  spec.out_col_stride = n;
  spec.out_block_stride = kBlock;
  spec.block_entries = step != 1 ? 0 : pitch / kBlock;
  spec.single_entries = (pitch - spec.block_entries * kBlock) / group;
  spec.mask_last = true;
  spec.choice = s.choice();
  spec.out_size = batch * m * n;
  spec.out_alignment = spec.out.bytes();
  std::string table((spec.block_entries + spec.single_entries) * 4, '\0');
  for (int64_t i = 0; i < spec.block_entries + spec.single_entries; ++i) {
    const int64_t element =
        i < spec.block_entries ? i * kBlock : (i - spec.block_entries) * group + spec.block_entries * kBlock;
    const int32_t offset = static_cast<int32_t>(element * step);
    std::memcpy(&table[i * 4], &offset, 4);
  }
  auto index = [&](int64_t i, int64_t j) { return i >= k ? -1 : tb ? j * k + i : i * n + j; };
  plan::StorageId packed;
  if (integers) {
    packed = AddIntWeights(s, *integers, pitch, index, spec, extra);
  } else if (weights != nullptr) {
    const float* w = reinterpret_cast<const float*>(weights->data());
    spec.float_weights = StorageForWeights(w, batch * k * n, s.float_storage());
    std::string data;
    for (int64_t i = 0; i < batch; ++i, w += k * n) {
      data += PackWeights(k, n, spec.float_weights, [&](int64_t i, int64_t j) { return w[index(i, j)]; });
    }
    packed = s.program().AddConstant(std::move(data));
  } else {
    const Placement right = s.Plain(b);
    packed = PackComputed(s, node, {{right.storage, right.offset, graph::ByteSize(b->type)}, ops::StorageOf(b->type.dtype), batch, k, n, tb});
  }

  const Placement out = s.NewPlain(node.output());
  plan::StepInfo info = s.Info(node, OpName(node));
  std::vector<plan::Argument> arguments = {input,
                                           {s.program().AddConstant(std::move(table))},
                                           {packed},
                                           {out.storage, out.offset, graph::ByteSize(node.output()->type)}};
  arguments.insert(arguments.end(), extra.begin(), extra.end());
  AddOwnArguments(s, spec, arguments);
  s.Offer(ContractionAlternatives(spec, s.target()));
  s.program().AddStep(ContractionKernel(spec, s.target(), info.op), std::move(arguments), std::move(info));
  s.Place(node.output(), out);
  return true;
}

}  // namespace mgec::schedule
