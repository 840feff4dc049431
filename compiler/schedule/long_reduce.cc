#include "compiler/schedule/long_reduce.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "compiler/kernel/bounded_reduce.h"
#include "compiler/kernel/join_lanes.h"

namespace mgec::schedule {
namespace {

using kernel::Block;
using kernel::Buffer;
using kernel::Expr;
using kernel::Int;
using kernel::Op;
using kernel::Ranges;

constexpr int64_t kMostRegisters = 8;

// How many elements of the last axis, `extent` long, are taken together: at most `most`, if possible without a rest.
int64_t Together(int64_t extent, int64_t most) {
  for (int64_t n = std::min(extent, most); 2 * n > most; --n) {
    if (extent % n == 0) return n;
  }
  return std::min(extent, most);
}

class Emitter {
 public:
  Emitter(const Expr& reduce, int64_t unroll, const kernel::Target& target, const Ranges& ranges)
      : n_(*reduce), unroll_(unroll), ranges_(ranges) {
    per_register_ = std::max(1, target.vector_lanes / n_.type.lanes);
    extent_ = n_.reduce_axes.back().extent;
    together_ = Together(extent_, kMostRegisters * per_register_);
  }

  Expr Emit(Block& b) {
    const int64_t whole = together_ / per_register_, rest = together_ % per_register_;
    if (whole > 0) whole_ = NewPartial(b, per_register_, whole);
    if (rest > 0 || extent_ % together_ != 0) single_ = NewPartial(b, 1, std::max<int64_t>(1, rest));
    Outer(b, 0);
    Expr sum;
    const auto add = [&](const Expr& e) { sum = sum == nullptr ? e : kernel::Combine(n_.combiner, sum, e); };
    if (whole > 0) {
      const Expr all = b.Let("all", Tree(whole_, 0, whole));
      for (int64_t i = 0; i < per_register_; ++i) add(Slice(all, static_cast<int>(i) * n_.type.lanes, n_.type.lanes));
    }
    if (single_ != nullptr) add(Tree(single_, 0, single_->size));
    return b.Let("reduced", sum);
  }

 private:
  // `count` partial results of `pixels` elements each.
  Buffer NewPartial(Block& b, int64_t pixels, int64_t count) const {
    const Buffer partial = kernel::RegisterBuffer("partial", n_.type.scalar, static_cast<int>(pixels) * n_.type.lanes, count);
    for (int64_t i = 0; i < count; ++i) {
      b.Set(partial, i, kernel::Neutral(n_.combiner, n_.type.WithLanes(static_cast<int>(pixels) * n_.type.lanes)));
    }
    return partial;
  }

  Expr Tree(const Buffer& partial, int64_t begin, int64_t end) const {
    if (end - begin == 1) return Reg(partial, begin);
    const int64_t middle = (begin + end) / 2;
    return kernel::Combine(n_.combiner, Tree(partial, begin, middle), Tree(partial, middle, end));
  }

  void Outer(Block& b, size_t i) {
    const kernel::ReduceAxis& axis = n_.reduce_axes[i];
    if (i + 1 < n_.reduce_axes.size()) {
      b.For(axis.var->name, 0, axis.extent, [&](Block& b, const Expr& v) {
        values_[axis.var.get()] = v;
        if (v->op == Op::kVar) ranges_[v->var.get()] = {0, axis.extent - 1};
        Outer(b, i + 1);
      });
      return;
    }
    const int64_t main_end = extent_ / together_ * together_;
    b.For(axis.var->name, Int(0), Int(main_end), together_, [&](Block& b, const Expr& v) {
      if (v->op == Op::kVar) ranges_[v->var.get()] = {0, main_end - together_};
      int64_t at = 0;
      for (int64_t k = 0; at + per_register_ <= together_; ++k, at += per_register_) Take(b, whole_, k, v + at, per_register_);
      for (int64_t k = 0; at < together_; ++k, ++at) Take(b, single_, k, v + at, 1);
    });
    for (int64_t at = main_end; at < extent_; ++at) Take(b, single_, 0, Int(at), 1);
  }

  // Adds `count` elements from `first` on to a partial result.
  void Take(Block& b, const Buffer& partial, int64_t k, const Expr& first, int64_t count) {
    std::vector<Expr> terms;
    for (int64_t i = 0; i < count; ++i) {
      values_[n_.reduce_axes.back().var.get()] = first + i;
      terms.push_back(kernel::Simplify(kernel::Substitute(n_.args[0], values_), ranges_));
    }
    const Expr term = kernel::EmitReductions(b, kernel::JoinLanes(terms), unroll_, ranges_);
    b.Set(partial, k, kernel::Combine(n_.combiner, Reg(partial, k), term));
  }

  const kernel::ExprNode& n_;
  const int64_t unroll_;
  Ranges ranges_;
  std::unordered_map<const kernel::VarNode*, Expr> values_;
  int64_t per_register_, extent_, together_;
  Buffer whole_, single_;
};

bool IsLong(const Expr& e, int64_t unroll) {
  return kernel::Points(e) > unroll && e->reduce_axes.back().extent > 1 && !kernel::BoundsOfReduce(e);
}

}  // namespace

Expr EmitLongReductions(Block& b, const Expr& e, int64_t unroll, const kernel::Target& target, const Ranges& ranges,
                        const std::function<bool(const Expr&)>& vanishes) {
  return kernel::Replace(e, [&](const Expr& n) -> Expr {
    if (n->op != Op::kReduce) return nullptr;
    return IsLong(n, unroll) ? Emitter(n, unroll, target, ranges).Emit(b) : kernel::EmitReductions(b, n, unroll, ranges, vanishes);
  });
}

}  // namespace mgec::schedule
