#include "compiler/schedule/attention.h"

#include <cstring>
#include <map>

#include "compiler/base/status_macros.h"
#include "compiler/ops/op.h"
#include "compiler/schedule/cuda/attention.h"

namespace mgec::schedule {
namespace {

using kernel::Expr;
using kernel::Int;
using kernel::Op;

AttentionMatrix MatrixOf(const ops::MatrixView& v, int64_t size) {
  AttentionMatrix m;
  m.scalar = ops::StorageOf(v.source->type.dtype);
  m.size = size;
  m.offset = v.offset;
  m.batch = v.batch;
  m.row_stride = v.row_stride;
  m.col_stride = v.col_stride;
  return m;
}

AttentionMatrix MatrixOf(const ops::MatrixView& v) { return MatrixOf(v, graph::NumElements(v.source->type.shape)); }

// An operand of the pointwise nodes.
struct Operand {
  Expr immediate;
  kernel::Buffer buffer;
  AttentionMatrix matrix;
};

// The elements of a constant matrix whose rows are apart, with its columns apart instead: vectors run along the rows.
std::string Turned(const std::string& data, int element_bytes, const ops::Attention& a, AttentionMatrix* m) {
  const AttentionMatrix from = *m;
  std::string turned;
  const int64_t columns = from.col_stride == 0 ? 1 : a.keys;
  std::vector<int64_t> extents = a.batch;
  int64_t matrices = 1;
  m->offset = 0;
  for (size_t i = extents.size(); i-- > 0;) {
    if (from.batch[i] == 0) extents[i] = 1;
    m->batch[i] = from.batch[i] == 0 ? 0 : matrices * columns * a.queries;
    matrices *= extents[i];
  }
  for (int64_t matrix = 0; matrix < matrices; ++matrix) {
    int64_t at = from.offset, rest = matrix;
    for (size_t i = extents.size(); i-- > 0; rest /= extents[i]) at += rest % extents[i] * from.batch[i];
    for (int64_t col = 0; col < columns; ++col) {
      for (int64_t row = 0; row < a.queries; ++row) {
        turned.append(&data[(at + row * from.row_stride + col * from.col_stride) * element_bytes], element_bytes);
      }
    }
  }
  m->row_stride = 1;
  m->col_stride = from.col_stride == 0 ? 0 : a.queries;
  m->size = matrices * columns * a.queries;
  return turned;
}

Operand OperandOf(Scheduler& s, const graph::Value* v, const ops::MatrixView& view, const ops::Attention& a, int argument,
                  std::vector<plan::Argument>& arguments) {
  Operand o;
  o.immediate = Scheduler::Immediate(v);
  if (o.immediate != nullptr) return o;
  o.matrix = MatrixOf(view, graph::NumElements(v->type.shape));
  const kernel::Scalar scalar = ops::StorageOf(v->type.dtype);
  plan::Argument binding{};
  const std::string* data = Scheduler::ConstantData(v);
  if (data != nullptr && view.row_stride != 0 && view.row_stride != 1 && !s.target().cuda) {
    binding.storage = s.program().AddConstant(Turned(*data, SizeOf(scalar), a, &o.matrix));
  } else {
    const Placement p = s.Plain(v);
    binding.storage = p.storage;
    binding.offset = p.offset;
  }
  binding.bytes = o.matrix.size * SizeOf(scalar);
  o.buffer = kernel::ArgumentBuffer("e" + std::to_string(argument - kAttentionExtra), scalar, o.matrix.size, argument, SizeOf(scalar));
  arguments.push_back(binding);
  return o;
}

// A division takes several times as long as a multiplication.
Expr WithProductsForQuotients(const Expr& e) {
  return kernel::Rewrite(e, [](const Expr& n) -> Expr {
    if (n->op != Op::kDiv || n->args[1]->op != Op::kFloat) return n;
    return n->args[0] * kernel::Float(1 / n->args[1]->float_value);
  });
}

}  // namespace

AttentionSpec AttentionSpecOf(const ops::Attention& a) {
  AttentionSpec spec;
  spec.batch = a.batch;
  spec.queries = a.queries;
  spec.keys = a.keys;
  spec.depth = a.depth;
  spec.value_depth = a.value_depth;
  spec.scale = a.scale;
  spec.q = MatrixOf(a.q);
  spec.k = MatrixOf(a.k);
  spec.v = MatrixOf(a.v);
  spec.out = MatrixOf(a.out);
  return spec;
}

BoundAttention BindAttention(Scheduler& s, const graph::Node& node, const ops::Attention& a) {
  BoundAttention result;
  AttentionSpec& spec = result.spec = AttentionSpecOf(a);
  for (const ops::MatrixView* m : {&a.q, &a.k, &a.v}) {
    const Placement p = s.Plain(Outer(node, m->source));
    result.arguments.push_back({p.storage, p.offset, graph::ByteSize(m->source->type)});
  }
  const Placement out = s.NewPlain(node.output());
  result.arguments.push_back({out.storage, out.offset, graph::ByteSize(node.output()->type)});
  s.Place(node.output(), out);
  if (a.pointwise.empty()) return result;

  // The pointwise nodes as one expression of the score and of elements of the operands, which are variables at first.
  std::map<const graph::Value*, Expr> values;
  std::map<const kernel::VarNode*, Operand> operands;
  const kernel::Var score = kernel::MakeVar("score", kernel::Type(kernel::Scalar::kFloat32));
  values[a.scores] = Use(score);
  for (const auto& [v, view] : a.operands) {
    const ops::MatrixView outer = {Outer(node, view.source), view.offset, view.batch, view.row_stride, view.col_stride};
    const int argument = kAttentionExtra + static_cast<int>(spec.extra.size());
    const Operand o = OperandOf(s, outer.source, outer, a, argument, result.arguments);
    if (o.immediate != nullptr) {
      values[v] = o.immediate;
      continue;
    }
    spec.extra.push_back(o.buffer);
    const kernel::Var element = kernel::MakeVar("element", kernel::Type(o.buffer->scalar));
    values[v] = graph::IsFloating(v->type.dtype) ? Cast(kernel::Type(kernel::Scalar::kFloat32), Use(element)) : Use(element);
    operands[element.get()] = o;
  }
  std::function<Expr(const graph::Value*)> value_of = [&](const graph::Value* v) {
    const auto it = values.find(v);
    return it != values.end() ? it->second : value_of(v->producer->inputs[0]);  // a reshape of scores
  };
  Expr logit;
  for (const graph::Node* n : a.pointwise) {
    const absl::StatusOr<kernel::Definition> d = ops::DefinitionOf(*n);  // has been inferred before
    logit = kernel::Rewrite(d->stages()[0].body, [&](const Expr& e) -> Expr {
      return e->op == Op::kRead ? value_of(n->inputs[e->tensor]) : e;
    });
    values[n->output()] = logit;
  }
  logit = WithProductsForQuotients(logit);
  spec.logit = [=](const Expr& scored, const std::vector<Expr>& batch, const Expr& query, const Expr& key) {
    return kernel::Rewrite(logit, [&](const Expr& e) -> Expr {
      if (e->op != Op::kVar) return e;
      if (e->var == score) return scored;
      const auto it = operands.find(e->var.get());
      if (it == operands.end()) return e;
      const AttentionMatrix& m = it->second.matrix;
      return Load(it->second.buffer, MatrixOffset(m, batch) + query * m.row_stride + key * m.col_stride);
    });
  };
  return result;
}

namespace {

// How many steps the node's members are by themselves.
int StepsApart(const graph::Node& node) {
  const auto& members = node.body->nodes();
  return static_cast<int>(std::count_if(members.begin(), members.end(), [](const auto& n) {
    return n->op != "input" && n->op != "constant" && n->op != "reshape";
  }));
}

}  // namespace

absl::StatusOr<bool> ScheduleAttention(Scheduler& s, const graph::Node& node) {
  const std::optional<ops::Attention> a = ops::AttentionOf(node);
  if (!a) return false;
  // Tensor cores multiply float16 faster than one kernel without them saves.
  const bool halves = a->scores->producer->attributes.String("factors") == "f16";
  const AttentionSpec unbound = AttentionSpecOf(*a);
  if (s.target().cuda ? halves || !FusesOnGpu(unbound, StepsApart(node)) : !FusesOnCpu(unbound, s.target())) {
    RETURN_IF_ERROR(s.ScheduleApart(node));
    return true;
  }
  BoundAttention bound = BindAttention(s, node, *a);
  kernel::Kernel k = s.target().cuda ? GpuAttentionKernel(bound.spec, "attention") : AttentionKernel(bound.spec, s.target(), "attention");
  s.program().AddStep(std::move(k), std::move(bound.arguments), s.Info(node, "attention"));
  return true;
}

}  // namespace mgec::schedule
