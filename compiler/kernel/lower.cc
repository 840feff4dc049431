#include "compiler/kernel/lower.h"

#include <algorithm>
#include <cassert>
#include <limits>
#include <numeric>
#include <unordered_map>

#include "compiler/kernel/bounded_reduce.h"
#include "compiler/kernel/join_lanes.h"

namespace mgec::kernel {

Expr ReplaceReads(const Expr& e, const Definition& d, const Ranges& ranges, const ReadFunction& read) {
  Ranges all = ranges;
  Visit(e, [&](const Expr& n) {
    for (const ReduceAxis& a : n->reduce_axes) all[a.var.get()] = {0, a.extent - 1};
  });
  return Rewrite(e, [&](const Expr& n) -> Expr {
    if (n->op != Op::kRead) return n;
    const std::vector<int64_t>& shape = d.info(n->tensor).shape;
    // Of an empty tensor only the other side of a kSelect is wanted.
    if (std::count(shape.begin(), shape.end(), 0) != 0) return Cast(n->type, Float(0));
    std::vector<Expr> index;
    for (size_t i = 0; i < shape.size(); ++i) {
      Expr at = Simplify(n->args[i], all);
      const std::optional<Range> r = BoundsOf(at, all);
      if (!r || r->lo < 0) at = Max(at, Int(0));
      if (!r || r->hi >= shape[i]) at = Min(at, Int(shape[i] - 1));
      index.push_back(at);
    }
    return read(n->tensor, index);
  });
}

Expr Neutral(Combiner c, Type t) {
  const bool f = t.scalar == Scalar::kFloat32;
  const double inf = std::numeric_limits<double>::infinity();
  auto integer = [&](bool lowest) {
    const int bits = SizeOf(t.scalar) * 8 - (IsSigned(t.scalar) ? 1 : 0);
    const int64_t highest = bits >= 63 ? std::numeric_limits<int64_t>::max() : (int64_t{1} << bits) - 1;
    return lowest ? (IsSigned(t.scalar) ? -highest - 1 : 0) : highest;
  };
  switch (c) {
    case Combiner::kSum: return f ? Float(0, t.lanes) : Int(0, t);
    case Combiner::kProduct: return f ? Float(1, t.lanes) : Int(1, t);
    case Combiner::kMin: return f ? Float(inf, t.lanes) : Int(integer(false), t);
    case Combiner::kMax: return f ? Float(-inf, t.lanes) : Int(integer(true), t);
  }
  return nullptr;
}

Expr Combine(Combiner c, Expr a, Expr b) {
  switch (c) {
    case Combiner::kSum:
      // A float product that is added is rounded once.
      if (b->op == Op::kMul && b->type.scalar == Scalar::kFloat32) return Fma(b->args[0], b->args[1], a);
      return a + b;
    case Combiner::kProduct: return a * b;
    case Combiner::kMin: return Min(b, a);
    case Combiner::kMax: return Max(b, a);
  }
  return nullptr;
}

namespace {

// Calls f for every point of the box, in row-major order.
void ForEachPoint(const std::vector<ReduceAxis>& axes, const std::function<void(const std::vector<int64_t>&)>& f) {
  std::vector<int64_t> at(axes.size(), 0);
  for (const ReduceAxis& a : axes) {
    if (a.extent <= 0) return;
  }
  for (;;) {
    f(at);
    size_t i = axes.size();
    while (i > 0 && ++at[i - 1] == axes[i - 1].extent) at[--i] = 0;
    if (i == 0) return;
  }
}

using Vanishes = std::function<bool(const Expr&)>;

// Loops that keep to the bounds.
Expr EmitBounded(Block& b, const Expr& n, const BoundedReduce& bounded, int64_t unroll, const Ranges& ranges,
                 const Vanishes& vanishes) {
  const Buffer acc = RegisterBuffer("acc", n->type.scalar, n->type.lanes, 1);
  b.Set(acc, 0, Neutral(n->combiner, n->type));
  std::vector<Expr> begin, end;
  Expr left_out = Bool(false);
  for (size_t i = 0; i < bounded.axes.size(); ++i) {
    const BoundedReduce::Bounds& bounds = bounded.axes[i];
    begin.push_back(bounds.whole ? bounds.begin : b.Let("begin", Simplify(bounds.begin, ranges)));
    end.push_back(bounds.whole ? bounds.end : b.Let("end", Simplify(bounds.end, ranges)));
    if (!bounds.whole) left_out = Or(left_out, Or(Int(0) < begin[i], end[i] < Int(n->reduce_axes[i].extent)));
  }
  std::unordered_map<const VarNode*, Expr> values;
  Ranges inner = ranges;
  std::function<void(Block&, size_t)> nest = [&](Block& block, size_t i) {
    if (i == n->reduce_axes.size()) {
      const Expr term = EmitReductions(block, Simplify(Substitute(bounded.body, values), inner), unroll, inner, vanishes);
      block.Set(acc, 0, Combine(n->combiner, Reg(acc, 0), term));
      return;
    }
    block.For(n->reduce_axes[i].var->name, begin[i], end[i], 1, [&](Block& body, Expr v) {
      values[n->reduce_axes[i].var.get()] = v;
      if (v->op == Op::kVar) inner[v->var.get()] = {0, n->reduce_axes[i].extent - 1};
      nest(body, i + 1);
    });
  };
  nest(b, 0);
  if (bounded.outside == nullptr) return b.Let("reduced", Reg(acc, 0));
  return b.Let("reduced", Select(left_out, Combine(n->combiner, Reg(acc, 0), bounded.outside), Reg(acc, 0)));
}

Expr EmitReduce(Block& b, const Expr& n, int64_t unroll, const Ranges& ranges, const Vanishes& vanishes) {
  const int64_t points = Points(n);
  if (points == 0) return Neutral(n->combiner, n->type);
  constexpr int64_t kFewestBounded = 4;
  if (points > kFewestBounded) {
    if (const std::optional<BoundedReduce> bounded = BoundsOfReduce(n)) return EmitBounded(b, n, *bounded, unroll, ranges, vanishes);
  }
  if (points <= unroll) {
    Expr sum;
    ForEachPoint(n->reduce_axes, [&](const std::vector<int64_t>& at) {
      std::unordered_map<const VarNode*, Expr> values;
      for (size_t i = 0; i < at.size(); ++i) values[n->reduce_axes[i].var.get()] = Int(at[i]);
      // At each point other lanes may be neighbours, or outside of a tensor.
      const Expr point = RejoinLanes(Simplify(Substitute(n->args[0], values), ranges));
      if (n->combiner == Combiner::kSum && vanishes != nullptr && vanishes(point)) return;
      Expr term = EmitReductions(b, point, unroll, ranges, vanishes);
      sum = b.Let("r", sum == nullptr ? term : Combine(n->combiner, sum, term));
    });
    return sum != nullptr ? sum : Neutral(n->combiner, n->type);
  }
  const Buffer acc = RegisterBuffer("acc", n->type.scalar, n->type.lanes, 1);
  b.Set(acc, 0, Neutral(n->combiner, n->type));
  std::unordered_map<const VarNode*, Expr> values;
  Ranges inner = ranges;
  std::function<void(Block&, size_t)> nest = [&](Block& block, size_t i) {
    if (i == n->reduce_axes.size()) {
      Expr term = EmitReductions(block, Simplify(Substitute(n->args[0], values), inner), unroll, inner, vanishes);
      block.Set(acc, 0, Combine(n->combiner, Reg(acc, 0), term));
      return;
    }
    block.For(n->reduce_axes[i].var->name, 0, n->reduce_axes[i].extent, [&](Block& body, Expr v) {
      values[n->reduce_axes[i].var.get()] = v;
      if (v->op == Op::kVar) inner[v->var.get()] = {0, n->reduce_axes[i].extent - 1};
      nest(body, i + 1);
    });
  };
  nest(b, 0);
  return b.Let("reduced", Reg(acc, 0));
}

}  // namespace

Expr EmitReductions(Block& b, const Expr& e, int64_t unroll, Ranges ranges, const Vanishes& vanishes) {
  // The outermost ones: an inner one is emitted inside its loops.
  return Replace(e, [&](const Expr& n) { return n->op == Op::kReduce ? EmitReduce(b, n, unroll, ranges, vanishes) : nullptr; });
}

Expr FlatIndex(const std::vector<Expr>& index, const std::vector<int64_t>& shape) {
  Expr flat = Int(0);
  int64_t stride = 1;
  std::vector<Expr> terms;
  for (size_t i = index.size(); i-- > 0;) {
    terms.push_back(index[i] * stride);
    stride *= shape[i];
  }
  for (size_t i = terms.size(); i-- > 0;) flat = flat + terms[i];
  return flat;
}

Kernel LowerNaive(const Definition& d, int stage, const std::string& name) {
  const Stage& s = d.stages()[stage];
  Kernel k;
  k.name = name;
  k.task = MakeVar("task");
  for (int t = 0; t <= d.num_inputs() + stage; ++t) {
    const TensorInfo& info = d.info(t);
    int64_t size = 1;
    for (int64_t n : info.shape) size *= n;
    k.arguments.push_back(ArgumentBuffer("t" + std::to_string(t), info.scalar, size, t, SizeOf(info.scalar)));
  }
  const Buffer out = k.arguments.back();
  Ranges ranges;
  std::unordered_map<const VarNode*, Expr> values;
  std::vector<Expr> index(s.vars.size());
  std::vector<size_t> order(s.vars.size());
  std::iota(order.begin(), order.end(), 0);
  // The steps of a scan are the outermost loop.
  if (s.scan >= 0) std::rotate(order.begin(), order.begin() + s.scan, order.begin() + s.scan + 1);
  std::function<void(Block&, size_t)> nest = [&](Block& b, size_t depth) {
    if (depth < s.vars.size()) {
      const size_t i = order[depth];
      b.For(s.vars[i]->name, 0, s.info.shape[i], [&](Block& body, Expr v) {
        values[s.vars[i].get()] = v;
        if (v->op == Op::kVar) ranges[v->var.get()] = {0, s.info.shape[i] - 1};
        index[i] = v;
        nest(body, depth + 1);
      });
      return;
    }
    Expr body = ReplaceReads(Substitute(s.body, values), d, ranges, [&](int t, const std::vector<Expr>& at) {
      return Load(k.arguments[t], FlatIndex(at, d.info(t).shape));
    });
    body = EmitReductions(b, Simplify(body, ranges), /*unroll=*/1, ranges);
    b.Store(out, FlatIndex(index, s.info.shape), body);
  };
  Block b;
  nest(b, 0);
  k.body = b.Take();
  return k;
}

}  // namespace mgec::kernel
