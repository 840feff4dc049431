#include "compiler/schedule/vector_reduce.h"

#include <algorithm>

#include "compiler/kernel/bounded_reduce.h"

namespace mgec::schedule {
namespace {

using kernel::Block;
using kernel::Combiner;
using kernel::Expr;
using kernel::Int;
using kernel::Op;
using kernel::Ranges;
using kernel::Reg;

bool LoadsWithStride(const Expr& e, const kernel::Var& v, int64_t stride) {
  bool found = false;
  kernel::Visit(e, [&](const Expr& n) {
    if (n->op == Op::kLoad && kernel::DependsOn(n->args[0], v)) {
      found = found || kernel::StrideOf(n->args[0], v).value_or(0) == stride;
    }
  });
  return found;
}

Op HorizontalOp(Combiner c) {
  return c == Combiner::kSum ? Op::kReduceAdd : c == Combiner::kMax ? Op::kReduceMax : Op::kReduceMin;
}

Expr EmitReduce(Block& b, const Expr& n, int lanes, Ranges ranges) {
  const kernel::ReduceAxis& last = n->reduce_axes.back();
  while (lanes > 1 && lanes > last.extent) lanes /= 2;
  const kernel::Type t = n->type;
  const kernel::Buffer vector = kernel::RegisterBuffer("vacc", t.scalar, lanes, 1);
  const kernel::Buffer tail = kernel::RegisterBuffer("tail", t.scalar, 1, 1);
  b.Set(vector, 0, kernel::Neutral(n->combiner, t.WithLanes(lanes)));
  b.Set(tail, 0, kernel::Neutral(n->combiner, t));
  const int64_t main_end = last.extent / lanes * lanes;
  std::unordered_map<const kernel::VarNode*, Expr> values;
  std::function<void(Block&, size_t)> nest = [&](Block& block, size_t i) {
    if (i + 1 < n->reduce_axes.size()) {
      const kernel::ReduceAxis& axis = n->reduce_axes[i];
      block.For(axis.var->name, 0, axis.extent, [&](Block& body, Expr v) {
        values[axis.var.get()] = v;
        if (v->op == Op::kVar) ranges[v->var.get()] = {0, axis.extent - 1};
        nest(body, i + 1);
      });
      return;
    }
    const Expr term = kernel::Simplify(kernel::Substitute(n->args[0], values), ranges);
    block.For(last.var->name, Int(0), Int(main_end), lanes, [&](Block& body, Expr v) {
      Expr x = Broadcast(kernel::Vectorize(term, last.var, v, lanes), lanes);
      body.Set(vector, 0, kernel::Combine(n->combiner, Reg(vector, 0), x));
    });
    block.For(last.var->name, main_end, last.extent, [&](Block& body, Expr v) {
      Expr x = kernel::Substitute(term, {{last.var.get(), v}});
      body.Set(tail, 0, kernel::Combine(n->combiner, Reg(tail, 0), x));
    });
  };
  nest(b, 0);
  Expr all = HorizontalReduce(HorizontalOp(n->combiner), Reg(vector, 0));
  if (main_end < last.extent) all = kernel::Combine(n->combiner, all, Reg(tail, 0));
  return b.Let("reduced", all);
}

}  // namespace

bool HasReduce(const Expr& e) {
  bool found = false;
  kernel::Visit(e, [&](const Expr& n) { found = found || n->op == Op::kReduce; });
  return found;
}

bool HasLongReduction(const Expr& e, int64_t elements) {
  bool found = false;
  kernel::Visit(e, [&](const Expr& n) { found = found || (n->op == Op::kReduce && kernel::Points(n) > elements); });
  return found;
}

bool ReducesAlongMemory(const Expr& e, const kernel::Var& v) {
  bool found = false;
  kernel::Visit(e, [&](const Expr& n) {
    if (n->op == Op::kReduce && !n->reduce_axes.empty()) {
      found = found || LoadsWithStride(n->args[0], n->reduce_axes.back().var, 1);
    }
  });
  return found && !LoadsWithStride(e, v, 1);
}

Expr EmitVectorReductions(Block& b, const Expr& e, int lanes, Ranges ranges) {
  if (e->op == Op::kReduce) {
    // Vectors along the last axis visit all of it; bounds on the others leave more out.
    const std::optional<kernel::BoundedReduce> bounded = kernel::BoundsOfReduce(e);
    const bool whole_rows = !bounded || std::all_of(bounded->axes.begin(), bounded->axes.end() - 1, [](const auto& a) { return a.whole; });
    const bool vector = whole_rows && !e->reduce_axes.empty() && e->combiner != Combiner::kProduct && !HasReduce(e->args[0]) &&
                        e->reduce_axes.back().extent >= 4 &&
                        LoadsWithStride(e->args[0], e->reduce_axes.back().var, 1);
    return vector ? EmitReduce(b, e, lanes, ranges) : kernel::EmitReductions(b, e, 16, ranges);
  }
  if (!HasReduce(e)) return e;
  std::vector<Expr> args;
  for (const Expr& a : e->args) args.push_back(EmitVectorReductions(b, a, lanes, ranges));
  return WithArgs(e, std::move(args));
}

}  // namespace mgec::schedule
