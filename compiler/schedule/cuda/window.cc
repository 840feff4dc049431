#include "compiler/schedule/cuda/window.h"

#include <unordered_map>

#include "compiler/kernel/bounded_reduce.h"
#include "compiler/schedule/vector_reduce.h"

namespace mgec::schedule {
namespace {

using kernel::Block;
using kernel::Expr;
using kernel::Int;
using kernel::Op;
using kernel::Ranges;

constexpr int64_t kMostRows = 4;          // of the result, in a thread
constexpr int64_t kMostTerms = 100;       // of all windows of a thread: they become straight code
constexpr int64_t kEnoughThreads = 16384;

// The elements of all reductions together; 0 where one is within another or visits a part of its box only.
int64_t Terms(const Expr& body) {
  int64_t terms = 0;
  bool plain = true;
  kernel::Visit(body, [&](const Expr& n) {
    if (n->op != Op::kReduce) return;
    terms += kernel::Points(n);
    plain = plain && kernel::Points(n) > 0 && !HasReduce(n->args[0]) && !kernel::BoundsOfReduce(n);
  });
  return plain ? terms : 0;
}

class Emitter {
 public:
  // `rows`: results of a thread, at most the extent of the last dimension but one.
  Emitter(const GpuStage& stage, int64_t rows)
      : s_(stage), down_(stage.vars.size() - 2), rows_(rows), extent_(stage.extents[down_]), ranges_(stage.ranges) {}

  void Emit(kernel::Kernel* k) {
    const int64_t groups = (extent_ + rows_ - 1) / rows_;
    int64_t tasks = 1;
    for (size_t i = 0; i < s_.vars.size(); ++i) tasks *= i == down_ ? groups : s_.extents[i];
    Block b;
    Expr rest = tasks == 1 ? Int(0) : Use(k->task), group;
    int64_t left = tasks;
    ranges_[k->task.get()] = {0, tasks - 1};
    for (size_t i = s_.vars.size(); i-- > 0;) {
      const int64_t extent = i == down_ ? groups : s_.extents[i];
      left /= extent;
      Expr at = rest;
      if (i > 0) {
        at = Let(b, s_.vars[i]->name, Binary(Op::kMod, rest, Int(extent)), extent);
        rest = Let(b, "rest", rest / Int(extent), left);
      }
      if (i == down_) group = at;
      else values_[s_.vars[i].get()] = at;
    }
    // The last group begins earlier where rows are left over, so that all of its rows exist; it leaves to the one before it
    // what that computes as well.
    const bool whole = extent_ % rows_ == 0;
    const Expr first = group * rows_;
    first_ = Let(b, "first", whole ? first : Min(first, Int(extent_ - rows_)), extent_ - rows_ + 1);

    const std::vector<Expr> bodies = Reductions(b);
    for (int64_t row = 0; row < rows_; ++row) {
      const Values values = At(row);
      const Expr offset = Simplify(kernel::Substitute(s_.offset, values), ranges_), value = Loaded(b, bodies[row], values);
      if (whole) b.Store(s_.out, offset, value);
      else b.If(first_ + row >= first, [&](Block& b) { b.Store(s_.out, offset, value); });
    }
    k->tasks = tasks;
    k->body = b.Take();
  }

  // Whether many of a thread's loads are the same. (Of another emitter than the one that emits.)
  bool Shares() {
    Block b;
    first_ = Use(kernel::MakeVar("first"));
    ranges_[first_->var.get()] = {0, extent_ - rows_};
    Reductions(b);
    return static_cast<int64_t>(loads_.size()) * 4 <= all_loads_ * 3;
  }

 private:
  Expr Let(Block& b, const std::string& name, const Expr& value, int64_t extent) {
    const Expr e = b.Let(name, Simplify(value, ranges_));
    if (e->op == Op::kVar) ranges_[e->var.get()] = {0, extent - 1};
    return e;
  }

  Values At(int64_t row) const {
    Values values = values_;
    values[s_.vars[down_].get()] = first_ + row;
    return values;
  }

  // `e` at the given values, with each load from memory done once.
  Expr Loaded(Block& b, const Expr& e, const Values& values) {
    return kernel::Rewrite(Simplify(kernel::Substitute(e, values), ranges_), [&](const Expr& n) {
      if (n->op != Op::kLoad) return n;
      ++all_loads_;
      for (const auto& [load, value] : loads_) {
        if (Equal(load, n)) return value;
      }
      const Expr value = b.Let("loaded", n);
      loads_.push_back({n, value});
      return value;
    });
  }

  // Computes all reductions; returns, for each row, the body with their values in place of them.
  std::vector<Expr> Reductions(Block& b) {
    std::vector<std::unordered_map<const kernel::ExprNode*, Expr>> done(rows_);
    kernel::Visit(s_.body, [&](const Expr& n) {
      if (n->op != Op::kReduce) return;
      const kernel::Buffer acc = kernel::RegisterBuffer("acc", n->type.scalar, 1, rows_);
      for (int64_t row = 0; row < rows_; ++row) b.Set(acc, row, kernel::Neutral(n->combiner, n->type));
      const int64_t points = kernel::Points(n);
      for (int64_t point = 0; point < points; ++point) {
        for (int64_t row = 0; row < rows_; ++row) {
          Values values = At(row);
          int64_t rest = point;
          for (size_t i = n->reduce_axes.size(); i-- > 0;) {
            values[n->reduce_axes[i].var.get()] = Int(rest % n->reduce_axes[i].extent);
            rest /= n->reduce_axes[i].extent;
          }
          b.Set(acc, row, kernel::Combine(n->combiner, Reg(acc, row), Loaded(b, n->args[0], values)));
        }
      }
      for (int64_t row = 0; row < rows_; ++row) done[row][n.get()] = Reg(acc, row);
    });
    std::vector<Expr> bodies;
    for (int64_t row = 0; row < rows_; ++row) {
      bodies.push_back(kernel::Replace(s_.body, [&](const Expr& n) {
        const auto it = done[row].find(n.get());
        return it == done[row].end() ? nullptr : it->second;
      }));
    }
    return bodies;
  }

  const GpuStage& s_;
  const size_t down_;  // the dimension along which a thread goes
  const int64_t rows_, extent_;
  Ranges ranges_;
  Values values_;
  Expr first_;
  std::vector<std::pair<Expr, Expr>> loads_;
  int64_t all_loads_ = 0;
};

}  // namespace

bool EmitWindows(const GpuStage& stage, kernel::Kernel* k) {
  if (stage.vars.size() < 2) return false;
  const int64_t terms = Terms(stage.body);
  if (terms < 2) return false;
  const int64_t extent = stage.extents[stage.vars.size() - 2];
  for (int64_t rows = kMostRows; rows > 1; rows /= 2) {
    if (extent < rows || terms * rows > kMostTerms || stage.elements() / rows < kEnoughThreads) continue;
    if (!Emitter(stage, rows).Shares()) return false;
    Emitter(stage, rows).Emit(k);
    return true;
  }
  return false;
}

}  // namespace mgec::schedule
