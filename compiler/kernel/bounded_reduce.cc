#include "compiler/kernel/bounded_reduce.h"

#include <cmath>

#include "compiler/kernel/simplify.h"

namespace mgec::kernel {
namespace {

Expr WithoutBroadcast(Expr e) {
  while (e->op == Op::kBroadcast) e = e->args[0];
  return e;
}

void Conjuncts(const Expr& e, std::vector<Expr>& all) {
  const Expr scalar = WithoutBroadcast(e);
  if (scalar->op != Op::kAnd || scalar->type.scalar != Scalar::kBool) {
    all.push_back(scalar);
    return;
  }
  for (const Expr& a : scalar->args) Conjuncts(a, all);
}

// Takes part in a sum of floats without changing it: the sum starts from +0, and never becomes -0.
bool IsZero(const Expr& e) {
  const Expr scalar = WithoutBroadcast(e);
  if (scalar->op == Op::kInt) return scalar->int_value == 0;
  return scalar->op == Op::kFloat && scalar->float_value == 0 && !std::signbit(scalar->float_value);
}

bool DependsOnAxes(const Expr& e, const std::vector<ReduceAxis>& axes) {
  bool depends = false;
  for (const ReduceAxis& a : axes) depends = depends || DependsOn(e, a.var);
  return depends;
}

// Narrows `bounds` by the comparison; false where it is something else.
bool Narrow(const Expr& compare, const std::vector<ReduceAxis>& axes, std::vector<BoundedReduce::Bounds>& bounds) {
  if ((compare->op != Op::kLt && compare->op != Op::kLe) || compare->args[0]->type != kIndexType) return false;
  const int64_t more = compare->op == Op::kLe ? 1 : 0;
  for (size_t i = 0; i < axes.size(); ++i) {
    for (int side = 0; side < 2; ++side) {
      const Expr& axis = compare->args[side];
      const Expr& limit = compare->args[1 - side];
      if (axis->op != Op::kVar || axis->var != axes[i].var || DependsOnAxes(limit, axes)) continue;
      BoundedReduce::Bounds& b = bounds[i];
      if (side == 0) b.end = Min(b.end, limit + more);
      else b.begin = Max(b.begin, limit + (1 - more));
      b.whole = false;
      return true;
    }
  }
  return false;
}

}  // namespace

std::optional<BoundedReduce> BoundsOfReduce(const Expr& reduce) {
  const Expr& select = reduce->args[0];
  const std::vector<ReduceAxis>& axes = reduce->reduce_axes;
  if (select->op != Op::kSelect) return std::nullopt;
  const Expr& outside = select->args[2];
  const bool sum = reduce->combiner == Combiner::kSum;
  if (reduce->combiner == Combiner::kProduct || (sum && !IsZero(outside)) || DependsOnAxes(outside, axes)) return std::nullopt;
  BoundedReduce result;
  for (const ReduceAxis& a : axes) result.axes.push_back({Int(0), Int(a.extent), true});
  std::vector<Expr> conditions, others;
  Conjuncts(select->args[0], conditions);
  for (const Expr& c : conditions) {
    if (c->type.lanes != 1 || !Narrow(c, axes, result.axes)) others.push_back(c);
  }
  if (others.size() == conditions.size()) return std::nullopt;
  Expr rest = Bool(true);
  for (const Expr& c : others) rest = IsConst(rest) ? c : And(rest, c);
  result.body = Select(rest, select->args[1], outside);
  if (!sum) result.outside = outside;
  return result;
}

}  // namespace mgec::kernel
