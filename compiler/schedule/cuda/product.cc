#include "compiler/schedule/cuda/product.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace mgec::schedule {

using kernel::Expr;
using kernel::Op;
using kernel::Scalar;
using kernel::Var;

namespace {

constexpr int64_t kLeastRows = 8, kLeastDepth = 8;

// The values that an int32 expression made of 8-bit numbers can take; empty where nothing is known.
std::optional<kernel::Range> BoundsOfFactor(const Expr& e) {
  int64_t value;
  if (IsConst(e, &value)) return kernel::Range{value, value};
  switch (e->op) {
    case Op::kCast:
      if (e->args[0]->type.scalar == Scalar::kInt8) return kernel::Range{-128, 127};
      if (e->args[0]->type.scalar == Scalar::kUint8) return kernel::Range{0, 255};
      return std::nullopt;
    case Op::kAdd:
    case Op::kSub: {
      const std::optional<kernel::Range> a = BoundsOfFactor(e->args[0]), b = BoundsOfFactor(e->args[1]);
      if (!a || !b) return std::nullopt;
      if (e->op == Op::kAdd) return kernel::Range{a->lo + b->lo, a->hi + b->hi};
      return kernel::Range{a->lo - b->hi, a->hi - b->lo};
    }
    case Op::kSelect: {
      const std::optional<kernel::Range> a = BoundsOfFactor(e->args[1]), b = BoundsOfFactor(e->args[2]);
      if (!a || !b) return std::nullopt;
      return kernel::Range{std::min(a->lo, b->lo), std::max(a->hi, b->hi)};
    }
    default: return std::nullopt;
  }
}

WordKind WordsOf(const Expr& a, const Expr& b) {
  auto is_int8 = [](const Expr& e) {
    const std::optional<kernel::Range> r = BoundsOfFactor(e);
    return r && r->lo >= -128 && r->hi <= 127;
  };
  if (a->type.scalar == Scalar::kInt32) return is_int8(a) && is_int8(b) ? WordKind::kInt8 : WordKind::kOne;
  if (a->op == Op::kRoundTf32 && b->op == Op::kRoundTf32) return WordKind::kTf32;
  return IsFloat16Number(a) && IsFloat16Number(b) ? WordKind::kFloat16 : WordKind::kOne;
}

}  // namespace

bool IsFloat16Number(const Expr& e) {
  switch (e->op) {
    case Op::kFloat: return e->float_value == 0;
    case Op::kCast: return e->args[0]->type.scalar == Scalar::kFloat16;
    case Op::kSelect: return IsFloat16Number(e->args[1]) && IsFloat16Number(e->args[2]);
    default: return false;
  }
}

GpuStage SplitGroups(GpuStage s) {
  for (size_t i = 0; i < s.vars.size(); ++i) {
    int64_t divisor = 0;
    kernel::Visit(s.body, [&](const Expr& n) {
      int64_t c;
      if ((n->op == Op::kDiv || n->op == Op::kFloorDiv) && n->args[0]->op == Op::kVar && n->args[0]->var == s.vars[i] &&
          IsConst(n->args[1], &c) && c > 1) {
        divisor = c;
      }
    });
    if (divisor == 0 || s.extents[i] % divisor != 0 || s.extents[i] == divisor) continue;
    const Var group = kernel::MakeVar("g"), inner = kernel::MakeVar("i");
    s.ranges[group.get()] = {0, s.extents[i] / divisor - 1};
    s.ranges[inner.get()] = {0, divisor - 1};
    const std::unordered_map<const kernel::VarNode*, Expr> values = {{s.vars[i].get(), Use(group) * divisor + Use(inner)}};
    s.body = kernel::Simplify(kernel::Substitute(s.body, values), s.ranges);
    s.offset = kernel::Simplify(kernel::Substitute(s.offset, values), s.ranges);
    s.vars[i] = inner;
    s.vars.insert(s.vars.begin() + i, group);
    s.extents.insert(s.extents.begin() + i, s.extents[i] / divisor);
    s.extents[++i] = divisor;
  }
  return s;
}

ProductSize SizeOf(const Product& p) {
  return {p.batches, p.rows.extent, p.cols.extent, p.depth, ElementsOf(p.words), OnTensorCores(p.words)};
}

bool FindProduct(const GpuStage& s, Product* p) {
  int reductions = 0;
  kernel::Visit(s.body, [&](const Expr& n) {
    if (n->op != Op::kReduce) return;
    ++reductions;
    p->sum = n;
  });
  if (reductions != 1 || p->sum->combiner != kernel::Combiner::kSum) return false;
  const Expr& term = p->sum->args[0];
  const Scalar scalar = p->sum->type.scalar;
  if (term->op != Op::kMul || (scalar != Scalar::kFloat32 && scalar != Scalar::kInt32)) return false;
  p->depth = kernel::Points(p->sum);
  p->rows.value = term->args[0];
  p->cols.value = term->args[1];
  p->words = WordsOf(p->rows.value, p->cols.value);
  if (p->words == WordKind::kTf32) {
    for (Factor* f : {&p->rows, &p->cols}) f->value = Expr(f->value->args[0]);
  }
  for (size_t i = 0; i < s.vars.size(); ++i) {
    const bool in_rows = kernel::DependsOn(p->rows.value, s.vars[i]), in_cols = kernel::DependsOn(p->cols.value, s.vars[i]);
    if (in_rows == in_cols) {
      p->batch.push_back(i);
      p->batches *= s.extents[i];
      continue;
    }
    Factor& f = in_rows ? p->rows : p->cols;
    f.dims.push_back(i);
    f.extent *= s.extents[i];
  }
  // Along columns the result lies in memory.
  if (!p->rows.dims.empty() && (p->cols.dims.empty() || p->rows.dims.back() > p->cols.dims.back())) std::swap(p->rows, p->cols);
  return p->rows.extent >= kLeastRows && p->cols.extent >= kLeastRows && p->depth >= kLeastDepth;
}

bool FindProduct(const kernel::Stage& stage, Product* p) {
  if (stage.scan >= 0) return false;
  GpuStage s;
  s.vars = stage.vars;
  s.extents = stage.info.shape;
  for (size_t i = 0; i < s.vars.size(); ++i) s.ranges[s.vars[i].get()] = {0, s.extents[i] - 1};
  s.body = stage.body;
  s.offset = kernel::Int(0);
  return FindProduct(SplitGroups(std::move(s)), p);
}

Expr WithSum(const Expr& body, const Expr& sum, const Expr& value) {
  return kernel::Replace(body, [&](const Expr& n) { return n == sum ? value : nullptr; });
}

}  // namespace mgec::schedule
