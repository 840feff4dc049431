#include "compiler/schedule/cuda/reduce.h"

#include <algorithm>

#include "compiler/kernel/bounded_reduce.h"

namespace mgec::schedule {
namespace {

using kernel::Block;
using kernel::Buffer;
using kernel::Expr;
using kernel::Int;
using kernel::Op;
using kernel::Scalar;
using kernel::Type;

constexpr int kWarp = 32;

// Calls f for the reductions that are inside no other.
void ForEachOutermost(const Expr& e, const std::function<void(const Expr&)>& f) {
  std::unordered_map<const kernel::ExprNode*, bool> seen;
  std::function<void(const Expr&)> walk = [&](const Expr& n) {
    if (!seen.emplace(n.get(), true).second) return;
    if (n->op == Op::kReduce) return f(n);
    for (const Expr& a : n->args) walk(a);
  };
  walk(e);
}

// Warps exchange 32 bits.
Expr ToExchanged(const Expr& e) { return SizeOf(e->type.scalar) < 4 ? Cast(Type(Scalar::kInt32), e) : e; }

Expr EmitReduce(Block& b, const Expr& n, const Expr& thread, int threads, const kernel::Ranges& ranges) {
  const int64_t points = kernel::Points(n);
  if (points == 0) return kernel::Neutral(n->combiner, n->type);
  const Buffer acc = kernel::RegisterBuffer("acc", n->type.scalar, 1, 1);
  b.Set(acc, 0, kernel::Neutral(n->combiner, n->type));
  b.For("r", thread, Int(points), threads, [&](Block& b, Expr r) {
    kernel::Ranges inner = ranges;
    if (r->op == Op::kVar) inner[r->var.get()] = {0, points - 1};
    std::unordered_map<const kernel::VarNode*, Expr> values;
    Expr rest = r;
    for (size_t i = n->reduce_axes.size(); i-- > 0;) {
      const kernel::ReduceAxis& axis = n->reduce_axes[i];
      Expr at = rest;
      if (i > 0) {
        at = b.Let(axis.var->name, Binary(Op::kMod, rest, Int(axis.extent)));
        rest = b.Let("rest", rest / Int(axis.extent));
      }
      values[axis.var.get()] = at;
      if (at->op == Op::kVar) inner[at->var.get()] = {0, axis.extent - 1};
    }
    const Expr term = kernel::EmitReductions(b, Simplify(Substitute(n->args[0], values), inner), /*unroll=*/4, inner);
    b.Set(acc, 0, kernel::Combine(n->combiner, Reg(acc, 0), term));
  });
  Expr sum = b.Let("sum", Reg(acc, 0));
  for (int bits = kWarp / 2; bits > 0; bits /= 2) {
    const Expr other = b.Let("other", kernel::WarpXor(b.Let("own", ToExchanged(sum)), bits));
    sum = b.Let("sum", kernel::Combine(n->combiner, sum, Cast(n->type, other)));
  }
  if (threads == kWarp) return sum;
  const int warps = threads / kWarp;
  const Buffer parts = kernel::SharedBuffer("parts", n->type.scalar, warps);
  b.If(Binary(Op::kEq, Binary(Op::kMod, thread, Int(kWarp)), Int(0)),
       [&](Block& b) { b.Store(parts, thread / Int(kWarp), sum); });
  b.Barrier();
  sum = Load(parts, Int(0));
  for (int w = 1; w < warps; ++w) sum = kernel::Combine(n->combiner, sum, Load(parts, Int(w)));
  return b.Let("total", sum);
}

}  // namespace

int64_t LargestReduction(const Expr& e) {
  int64_t largest = 0;
  ForEachOutermost(e, [&](const Expr& n) {
    if (!kernel::BoundsOfReduce(n)) largest = std::max(largest, kernel::Points(n));
  });
  return largest;
}

bool CanReduceTogether(const Expr& e) {
  bool can = true;
  ForEachOutermost(e, [&](const Expr& n) {
    const Scalar s = n->type.scalar;
    can = can && s != Scalar::kInt64 && s != Scalar::kBool && !IsHalf(s);
  });
  return can;
}

Expr EmitGroupReductions(Block& b, const Expr& e, const Expr& thread, int threads, kernel::Ranges ranges) {
  return kernel::Replace(
      e, [&](const Expr& n) { return n->op == Op::kReduce ? EmitReduce(b, n, thread, threads, ranges) : nullptr; });
}

}  // namespace mgec::schedule
