// Vectorize and LargestDecided of lower.h.
#include <algorithm>
#include <unordered_map>

#include "compiler/kernel/lower.h"

namespace mgec::kernel {
namespace {

constexpr int64_t kMostInterleaved = 4;

// Vectors of the same length, lane 0 of all of them first.
Expr Interleave(const std::vector<Expr>& parts) {
  Expr all = parts[0];
  for (size_t i = 1; i < parts.size(); ++i) all = ConcatLanes(all, parts[i]);
  const int lanes = parts[0]->type.lanes, n = static_cast<int>(parts.size());
  std::vector<int> order;
  for (int l = 0; l < lanes; ++l) {
    for (int k = 0; k < n; ++k) order.push_back(k * lanes + l);
  }
  return Shuffle(all, std::move(order));
}

void ScalarsOf(const Expr& concat, std::vector<Expr>& scalars) {
  if (concat->op != Op::kConcat) return scalars.push_back(concat);
  for (const Expr& a : concat->args) ScalarsOf(a, scalars);
}

class Vectorizer {
 public:
  Vectorizer(const Expr& all, const Var& v, Expr base, int lanes) : var_(v), base_(std::move(base)), lanes_(lanes) {
    Visit(all, [&](const Expr& e) {
      if (e->op != Op::kLoad || e->args.size() != 1 || e->buffer->kind == BufferKind::kRegister) return;
      const int64_t stride = StrideOf(e->args[0], var_).value_or(0);
      if (stride >= 2 && stride <= kMostInterleaved) strided_.push_back({e, stride});
    });
  }

  Expr operator()(const Expr& e) {
    auto it = done_.find(e.get());
    if (it != done_.end()) return it->second;
    Expr result = e->op == Op::kConcat ? BuildConcat(e) : Build(e);
    done_.emplace(e.get(), result);
    return result;
  }

 private:
  Expr Build(const Expr& e) {
    if (!Depends(e)) return e;
    if (e->op == Op::kVar) return Ramp(base_, 1, lanes_);
    if (e->op == Op::kLoad) return BuildLoad(e);
    if (e->type == kIndexType) {  // linear index values stay ramps
      if (std::optional<int64_t> stride = StrideOf(e, var_)) {
        return Ramp(Substitute(e, {{var_.get(), base_}}), *stride, lanes_);
      }
    }
    if (e->op == Op::kCast && e->type == Type(Scalar::kInt32) && e->args[0]->type == kIndexType) {
      if (std::optional<int64_t> stride = StrideOf(e->args[0], var_)) {
        return Ramp(Cast(e->type, Substitute(e->args[0], {{var_.get(), base_}})), *stride, lanes_);
      }
    }
    std::vector<Expr> args;
    for (const Expr& a : e->args) args.push_back((*this)(a));
    return WithArgs(e, std::move(args));
  }

  Expr BuildLoad(const Expr& e) {
    const Expr& index = e->args[0];
    if (e->args.size() == 2) {
      const bool consecutive = StrideOf(index, var_) == 1;
      return Load(e->buffer, consecutive ? Substitute(index, {{var_.get(), base_}}) : Broadcast((*this)(index), lanes_),
                  lanes_, Broadcast((*this)(e->args[1]), lanes_));
    }
    const std::optional<int64_t> stride = StrideOf(index, var_);
    if (stride) {
      const Expr first = Substitute(index, {{var_.get(), base_}});
      if (*stride == 0) return Load(e->buffer, first);
      if (*stride == 1) return Load(e->buffer, first, lanes_);
      if (Expr part = PartOfWideLoad(e, *stride)) return part;
      return Load(e->buffer, Ramp(first, *stride, lanes_));
    }
    return Load(e->buffer, (*this)(index));
  }

  Expr BuildConcat(const Expr& e) {
    std::vector<Expr> parts;
    ScalarsOf(e, parts);
    for (Expr& p : parts) p = Broadcast((*this)(p), lanes_);
    return Interleave(parts);
  }

  // Elements first, first + stride, .. where others load those between them: a part of what is loaded as a whole.
  Expr PartOfWideLoad(const Expr& e, int64_t stride) {
    int64_t lowest = 0;  // how far in front of e the first of these elements lies
    std::vector<int64_t> distances;
    for (const auto& [other, other_stride] : strided_) {
      if (other->buffer != e->buffer || other_stride != stride) continue;
      const Linear distance = LinearOf(other->args[0] - e->args[0]);
      if (!distance.terms.empty()) continue;
      distances.push_back(distance.constant);
      lowest = std::min(lowest, distance.constant);
    }
    const int64_t phase = -lowest % stride;
    // The last element of the whole must be one that is loaded anyway.
    if (std::find(distances.begin(), distances.end(), stride - 1 - phase) == distances.end()) return nullptr;
    const Expr first = Substitute(e->args[0] - phase, {{var_.get(), base_}});
    std::vector<int> order;
    for (int l = 0; l < lanes_; ++l) order.push_back(static_cast<int>(l * stride + phase));
    const Expr whole = Load(e->buffer, first, lanes_ * static_cast<int>(stride));
    for (const Expr& known : wide_) {
      if (Equal(known, whole)) return Shuffle(known, std::move(order));
    }
    wide_.push_back(whole);
    return Shuffle(whole, std::move(order));
  }

  bool Depends(const Expr& e) {
    auto it = depends_.find(e.get());
    if (it != depends_.end()) return it->second;
    bool d = e->op == Op::kVar && e->var == var_;
    for (const Expr& a : e->args) d = Depends(a) || d;
    depends_.emplace(e.get(), d);
    return d;
  }

  const Var var_;
  const Expr base_;
  const int lanes_;
  std::unordered_map<const ExprNode*, Expr> done_;
  std::unordered_map<const ExprNode*, bool> depends_;
  std::vector<std::pair<Expr, int64_t>> strided_;  // loads with small strides along the variable
  std::vector<Expr> wide_;
};

int64_t FloorDivide(int64_t a, int64_t b) { return a / b - ((a % b != 0) && ((a < 0) != (b < 0))); }

}  // namespace

Expr Vectorize(const Expr& e, const Var& v, const Expr& base, int lanes) {
  if (lanes == 1) return Substitute(e, {{v.get(), base}});
  return Vectorizer(e, v, base, lanes)(e);
}

Range LargestDecided(const Expr& e, const Var& v, Range domain, const Ranges& others) {
  Ranges all = others;
  all[v.get()] = domain;
  std::vector<Range> undecided;
  Visit(e, [&](const Expr& n) {
    for (const ReduceAxis& a : n->reduce_axes) all[a.var.get()] = {0, a.extent - 1};
  });
  Visit(e, [&](const Expr& n) {
    const bool compare = n->op == Op::kLt || n->op == Op::kLe || n->op == Op::kMin || n->op == Op::kMax;
    if (!compare || n->args[0]->type != kIndexType) return;
    // Of min(max(x, 0), 7), the outer clamp compares x, wherever the inner one is decided.
    Expr left = n->args[0];
    while ((left->op == Op::kMin || left->op == Op::kMax) && IsConst(left->args[1])) left = left->args[0];
    Linear difference = LinearOf(left - n->args[1]);
    int64_t k = 0;
    Range rest{difference.constant, difference.constant};
    for (const auto& [term, c] : difference.terms) {
      if (term->op == Op::kVar && term->var == v) {
        k += c;
        continue;
      }
      // What changes with v in another way, or is not known at all, is compared everywhere.
      const std::optional<Range> r = BoundsOf(term, all);
      if (!r || DependsOn(term, v)) return;
      rest.lo += std::min(r->lo * c, r->hi * c);
      rest.hi += std::max(r->lo * c, r->hi * c);
    }
    if (k == 0) return;
    // k * v + rest < 0 (or <= 0) holds always below `sure`, never from `never` on; with k < 0 the other way round.
    // Integers: x <= 0 is x - 1 < 0. A tie decides max for the left side as well as min.
    const int64_t shift = n->op == Op::kLt || n->op == Op::kMax ? 0 : 1;
    const int64_t a = k > 0 ? k : -k;
    int64_t lo, hi;  // undecided values of v: [lo, hi]
    if (k > 0) {
      lo = FloorDivide(shift - 1 - rest.hi, a) + 1;
      hi = FloorDivide(shift - rest.lo + a - 1, a) - 1;
    } else {
      lo = FloorDivide(rest.lo - shift, a) + 1;
      hi = FloorDivide(rest.hi - shift + 1 + a - 1, a) - 1;
    }
    if (lo <= hi && lo <= domain.hi && hi >= domain.lo) undecided.push_back({lo, hi});
    // A comparison that flips between two values decides both sides, but not as one range.
    else if (lo > domain.lo && lo <= domain.hi) undecided.push_back({lo, lo - 1});
  });
  std::sort(undecided.begin(), undecided.end(), [](const Range& a, const Range& b) { return a.lo < b.lo; });
  Range best{domain.lo, domain.lo - 1};
  int64_t from = domain.lo;
  auto consider = [&](int64_t to) {  // [from, to]
    if (to - from > best.hi - best.lo) best = {from, to};
  };
  for (const Range& u : undecided) {
    consider(std::min(u.lo - 1, domain.hi));
    from = std::max(from, u.hi + 1);
  }
  if (from <= domain.hi) consider(domain.hi);
  return best;
}

}  // namespace mgec::kernel
