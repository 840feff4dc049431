#include "compiler/kernel/simplify.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace mgec::kernel {
namespace {

// Bounds beyond this are treated as unknown, so that arithmetic on them cannot overflow.
constexpr int64_t kLimit = int64_t{1} << 50;

std::optional<Range> Checked(Range r) {
  if (r.lo < -kLimit || r.hi > kLimit) return std::nullopt;
  return r;
}

int64_t FloorDivide(int64_t a, int64_t b) { return a / b - ((a % b != 0) && ((a < 0) != (b < 0))); }

std::optional<Range> Scaled(Range r, int64_t k) {
  if (k > kLimit / 2 || k < -kLimit / 2) return std::nullopt;
  const __int128 a = static_cast<__int128>(r.lo) * k, b = static_cast<__int128>(r.hi) * k;
  if (std::min(a, b) < -kLimit || std::max(a, b) > kLimit) return std::nullopt;
  return Range{static_cast<int64_t>(std::min(a, b)), static_cast<int64_t>(std::max(a, b))};
}

void Accumulate(const Expr& e, int64_t scale, Linear& out);

void AddTerm(const Expr& e, int64_t coefficient, Linear& out) {
  for (auto& [term, c] : out.terms) {
    if (Equal(term, e)) {
      c += coefficient;
      return;
    }
  }
  out.terms.emplace_back(e, coefficient);
}

void Accumulate(const Expr& e, int64_t scale, Linear& out) {
  int64_t k;
  if (IsConst(e, &k)) {
    out.constant += k * scale;
  } else if (e->op == Op::kAdd) {
    Accumulate(e->args[0], scale, out);
    Accumulate(e->args[1], scale, out);
  } else if (e->op == Op::kSub) {
    Accumulate(e->args[0], scale, out);
    Accumulate(e->args[1], -scale, out);
  } else if (e->op == Op::kNeg) {
    Accumulate(e->args[0], -scale, out);
  } else if (e->op == Op::kMul && IsConst(e->args[1], &k)) {
    Accumulate(e->args[0], scale * k, out);
  } else {
    AddTerm(e, scale, out);
  }
}

bool IsDiv(const Expr& e) { return e->op == Op::kFloorDiv || e->op == Op::kDiv; }
bool IsMod(const Expr& e) { return e->op == Op::kFloorMod || e->op == Op::kMod; }
bool IsFloor(const Expr& e) { return e->op == Op::kFloorDiv || e->op == Op::kFloorMod; }

// floor(x / c) * c * m + (x mod c) * m  ->  x * m
void RejoinDivMod(Linear& l) {
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t i = 0; i < l.terms.size() && !changed; ++i) {
      int64_t c;
      if (!IsDiv(l.terms[i].first) || !IsConst(l.terms[i].first->args[1], &c)) continue;
      for (size_t j = 0; j < l.terms.size(); ++j) {
        int64_t c2;
        if (!IsMod(l.terms[j].first) || IsFloor(l.terms[i].first) != IsFloor(l.terms[j].first) ||
            !IsConst(l.terms[j].first->args[1], &c2) || c2 != c) continue;
        if (l.terms[i].second != l.terms[j].second * c) continue;
        if (!Equal(l.terms[i].first->args[0], l.terms[j].first->args[0])) continue;
        const Expr x = l.terms[i].first->args[0];
        const int64_t m = l.terms[j].second;
        l.terms.erase(l.terms.begin() + std::max(i, j));
        l.terms.erase(l.terms.begin() + std::min(i, j));
        Accumulate(x, m, l);
        changed = true;
        break;
      }
    }
  }
}

std::optional<Range> BoundsOfLinear(const Linear& l, const Ranges& ranges) {
  Range total{l.constant, l.constant};
  for (const auto& [term, k] : l.terms) {
    std::optional<Range> r = BoundsOf(term, ranges);
    if (!r) return std::nullopt;
    r = Scaled(*r, k);
    if (!r) return std::nullopt;
    total.lo += r->lo;
    total.hi += r->hi;
    if (!Checked(total)) return std::nullopt;
  }
  return total;
}

// Splits a linear form into the part divisible by c (divided by it) and the rest.
void SplitBy(const Linear& l, int64_t c, Linear& quotient, Linear& rest) {
  for (const auto& [term, k] : l.terms) {
    if (k % c == 0) quotient.terms.emplace_back(term, k / c);
    else rest.terms.emplace_back(term, k);
  }
  quotient.constant = FloorDivide(l.constant, c);
  rest.constant = l.constant - quotient.constant * c;
}

// The numbers that a float32 expression can be, NaN aside. Bounds are taken with more precision than the expression has, and
// widened by what each of its roundings can add.
struct FloatRange {
  double lo, hi;
};

std::optional<FloatRange> FloatBoundsOf(const Expr& e, const Ranges& ranges) {
  auto rounded = [](double lo, double hi) -> std::optional<FloatRange> {
    const double error = std::ldexp(std::max(std::fabs(lo), std::fabs(hi)), -23) + 1e-30;
    if (!(error < 1e30)) return std::nullopt;  // far from infinity
    return FloatRange{lo - error, hi + error};
  };
  switch (e->op) {
    case Op::kFloat:
      if (!std::isfinite(e->float_value)) return std::nullopt;
      return FloatRange{e->float_value, e->float_value};
    case Op::kCast: {
      const std::optional<Range> x = BoundsOf(e->args[0], ranges);
      if (!x) return std::nullopt;
      return rounded(static_cast<double>(x->lo), static_cast<double>(x->hi));
    }
    case Op::kMin:
    case Op::kMax: {  // of two, the second is the result for NaN: a clamp to constants bounds anything
      const double infinity = std::numeric_limits<double>::infinity();
      const std::optional<FloatRange> y = FloatBoundsOf(e->args[1], ranges);
      if (!y) return std::nullopt;
      const FloatRange x = FloatBoundsOf(e->args[0], ranges).value_or(FloatRange{-infinity, infinity});
      // NaN gives all of the second.
      if (e->op == Op::kMin) return FloatRange{std::min(x.lo, y->lo), y->hi};
      return FloatRange{y->lo, std::max(x.hi, y->hi)};
    }
    case Op::kFloor:
    case Op::kCeil:
    case Op::kTrunc:
    case Op::kRound:
    case Op::kRoundEven: {
      const std::optional<FloatRange> x = FloatBoundsOf(e->args[0], ranges);
      if (!x) return std::nullopt;
      return FloatRange{std::floor(x->lo), std::ceil(x->hi)};
    }
    case Op::kAdd:
    case Op::kSub:
    case Op::kMul:
    case Op::kDiv: {
      const std::optional<FloatRange> x = FloatBoundsOf(e->args[0], ranges);
      if (!x) return std::nullopt;  // before the other side is looked at: expressions share parts
      const std::optional<FloatRange> y = FloatBoundsOf(e->args[1], ranges);
      if (!y) return std::nullopt;
      if (e->op == Op::kAdd) return rounded(x->lo + y->lo, x->hi + y->hi);
      if (e->op == Op::kSub) return rounded(x->lo - y->hi, x->hi - y->lo);
      if (e->op == Op::kDiv && !(y->lo > 0)) return std::nullopt;
      double lo = std::numeric_limits<double>::infinity(), hi = -lo;
      for (const double a : {x->lo, x->hi}) {
        for (const double b : {y->lo, y->hi}) {
          const double c = e->op == Op::kMul ? a * b : a / b;
          lo = std::min(lo, c);
          hi = std::max(hi, c);
        }
      }
      return rounded(lo, hi);
    }
    default: return std::nullopt;
  }
}

Expr SimplifyDivMod(const Expr& e, const Ranges& ranges) {
  int64_t c;
  if ((!IsDiv(e) && !IsMod(e)) || !IsConst(e->args[1], &c) || c <= 0) return e;
  const Expr x = e->args[0];
  const std::optional<Range> bounds = BoundsOf(x, ranges);
  const bool floor = e->op == Op::kFloorDiv || e->op == Op::kFloorMod;
  const bool is_div = IsDiv(e);
  if (!floor && !(bounds && bounds->lo >= 0)) return e;  // truncation equals floor only from 0 up
  int64_t inner;
  if (is_div && IsDiv(x) && IsConst(x->args[1], &inner) && inner > 0 && inner <= kLimit / c &&
      (x->op == Op::kFloorDiv || BoundsOf(x->args[0], ranges).value_or(Range{-1, 0}).lo >= 0)) {
    return SimplifyDivMod(FloorDiv(x->args[0], Int(inner * c)), ranges);
  }
  Linear quotient, rest;
  SplitBy(LinearOf(x), c, quotient, rest);
  const std::optional<Range> r = BoundsOfLinear(rest, ranges);
  if (r && FloorDivide(r->lo, c) == FloorDivide(r->hi, c)) {  // the rest's quotient is one number
    const int64_t q = FloorDivide(r->lo, c);
    if (is_div) {
      quotient.constant += q;
      return FromLinear(quotient);
    }
    rest.constant -= q * c;
    return FromLinear(rest);
  }
  // A factor g of c that the other terms do not reach: floor((g * a + b) / c) is floor(a / (c / g)) for b in [0, g).
  for (const auto& [term, k] : rest.terms) {
    const int64_t g = std::gcd(k, c);
    if (g == 1) continue;
    Linear a, b;
    SplitBy(rest, g, a, b);
    const std::optional<Range> range = BoundsOfLinear(b, ranges);
    if (!range || FloorDivide(range->lo, g) != FloorDivide(range->hi, g)) continue;
    a.constant += FloorDivide(range->lo, g);
    b.constant -= FloorDivide(range->lo, g) * g;
    const Expr inner =
        SimplifyDivMod(Binary(is_div ? Op::kFloorDiv : Op::kFloorMod, FromLinear(a), Int(c / g)), ranges);
    Accumulate(inner, is_div ? 1 : g, is_div ? quotient : b);
    return FromLinear(is_div ? quotient : b);
  }
  const Expr rest_expr = FromLinear(rest);
  const bool non_negative = r && r->lo >= 0;
  if (is_div) {
    Linear sum = quotient;
    sum.terms.emplace_back(Binary(non_negative ? Op::kDiv : Op::kFloorDiv, rest_expr, Int(c)), 1);
    return FromLinear(sum);
  }
  return Binary(non_negative ? Op::kMod : Op::kFloorMod, rest_expr, Int(c));
}

Expr SimplifyCompare(const Expr& e, const Ranges& ranges) {
  Linear difference = LinearOf(e->args[0]);
  Accumulate(e->args[1], -1, difference);
  const std::optional<Range> r = BoundsOfLinear(difference, ranges);
  if (!r) return e;
  switch (e->op) {
    case Op::kLt:
      if (r->hi < 0) return Bool(true);
      if (r->lo >= 0) return Bool(false);
      break;
    case Op::kLe:
      if (r->hi <= 0) return Bool(true);
      if (r->lo > 0) return Bool(false);
      break;
    case Op::kEq:
    case Op::kNe:
      if (r->lo > 0 || r->hi < 0) return Bool(e->op == Op::kNe);
      if (r->lo == 0 && r->hi == 0) return Bool(e->op == Op::kEq);
      break;
    default:
      break;
  }
  return e;
}

Expr SimplifyNode(const Expr& e, const Ranges& ranges) {
  if (e->op == Op::kVar && e->type == kIndexType) {
    auto it = ranges.find(e->var.get());
    if (it != ranges.end() && it->second.lo == it->second.hi) return Int(it->second.lo);
  }
  if (e->args.empty() || e->args[0]->type != kIndexType) return e;
  switch (e->op) {
    case Op::kAdd:
    case Op::kSub:
    case Op::kMul: {
      Linear l = LinearOf(e);
      RejoinDivMod(l);
      return FromLinear(l);
    }
    case Op::kFloorDiv:
    case Op::kFloorMod:
    case Op::kDiv:
    case Op::kMod:
      return SimplifyDivMod(e, ranges);
    case Op::kLt:
    case Op::kLe:
    case Op::kEq:
    case Op::kNe:
      return SimplifyCompare(e, ranges);
    case Op::kMin:
    case Op::kMax: {
      Linear difference = LinearOf(e->args[0]);
      Accumulate(e->args[1], -1, difference);
      const std::optional<Range> r = BoundsOfLinear(difference, ranges);
      if (r && r->hi <= 0) return e->op == Op::kMin ? e->args[0] : e->args[1];
      if (r && r->lo >= 0) return e->op == Op::kMin ? e->args[1] : e->args[0];
      return e;
    }
    default:
      return e;
  }
}

}  // namespace

bool Equal(const Expr& a, const Expr& b) {
  if (a == b) return true;
  if (a->op != b->op || a->type != b->type || a->int_value != b->int_value || a->float_value != b->float_value ||
      std::signbit(a->float_value) != std::signbit(b->float_value) ||
      a->var != b->var || a->tensor != b->tensor || a->buffer != b->buffer || a->shuffle != b->shuffle ||
      a->combiner != b->combiner || a->args.size() != b->args.size() ||
      a->reduce_axes.size() != b->reduce_axes.size()) {
    return false;
  }
  for (size_t i = 0; i < a->reduce_axes.size(); ++i) {
    if (a->reduce_axes[i].var != b->reduce_axes[i].var || a->reduce_axes[i].extent != b->reduce_axes[i].extent) {
      return false;
    }
  }
  for (size_t i = 0; i < a->args.size(); ++i) {
    if (!Equal(a->args[i], b->args[i])) return false;
  }
  return true;
}

Linear LinearOf(const Expr& e) {
  Linear l;
  Accumulate(e, 1, l);
  l.terms.erase(std::remove_if(l.terms.begin(), l.terms.end(), [](const auto& t) { return t.second == 0; }),
                l.terms.end());
  return l;
}

Expr FromLinear(const Linear& l) {
  Expr sum;
  for (const auto& [term, k] : l.terms) {
    if (k == 0) continue;
    Expr scaled = term * k;
    sum = sum == nullptr ? scaled : sum + scaled;
  }
  if (sum == nullptr) return Int(l.constant);
  return sum + l.constant;
}

std::optional<Range> BoundsOf(const Expr& e, const Ranges& ranges) {
  if (e->type != kIndexType) return std::nullopt;
  int64_t k;
  switch (e->op) {
    case Op::kInt:
      return Checked({e->int_value, e->int_value});
    case Op::kVar: {
      auto it = ranges.find(e->var.get());
      if (it == ranges.end()) return std::nullopt;
      return Checked(it->second);
    }
    case Op::kAdd:
    case Op::kSub:
    case Op::kNeg:
      return BoundsOfLinear(LinearOf(e), ranges);
    case Op::kMul:
      if (IsConst(e->args[1], &k)) return BoundsOfLinear(LinearOf(e), ranges);
      return std::nullopt;
    case Op::kFloorDiv:
    case Op::kDiv: {
      const std::optional<Range> x = BoundsOf(e->args[0], ranges);
      if (!x || !IsConst(e->args[1], &k) || k <= 0) return std::nullopt;
      if (e->op == Op::kDiv) return Range{x->lo / k, x->hi / k};
      return Range{FloorDivide(x->lo, k), FloorDivide(x->hi, k)};
    }
    case Op::kFloorMod:
    case Op::kMod: {
      if (!IsConst(e->args[1], &k) || k <= 0) return std::nullopt;
      const std::optional<Range> x = BoundsOf(e->args[0], ranges);
      if (x && x->lo >= 0 && x->hi < k) return x;
      if (e->op == Op::kFloorMod || (x && x->lo >= 0)) return Range{0, k - 1};
      return Range{-(k - 1), k - 1};
    }
    case Op::kMin:
    case Op::kMax: {
      const std::optional<Range> x = BoundsOf(e->args[0], ranges), y = BoundsOf(e->args[1], ranges);
      const int64_t lowest = -kLimit, highest = kLimit;
      const Range a = x.value_or(Range{lowest, highest}), b = y.value_or(Range{lowest, highest});
      if (e->op == Op::kMin) return Range{std::min(a.lo, b.lo), std::min(a.hi, b.hi)};
      return Range{std::max(a.lo, b.lo), std::max(a.hi, b.hi)};
    }
    case Op::kCast: {
      const Scalar from = e->args[0]->type.scalar;
      if (from == Scalar::kFloat32) {
        const std::optional<FloatRange> x = FloatBoundsOf(e->args[0], ranges);
        if (!x || x->lo < -kLimit || x->hi > kLimit) return std::nullopt;
        return Range{static_cast<int64_t>(std::floor(x->lo)), static_cast<int64_t>(std::ceil(x->hi))};
      }
      if (IsFloat(from) || from == Scalar::kInt64) return std::nullopt;
      if (from == Scalar::kBool) return Range{0, 1};
      const int bits = SizeOf(from) * 8 - (IsSigned(from) ? 1 : 0);
      return Range{IsSigned(from) ? -(int64_t{1} << bits) : 0, (int64_t{1} << bits) - 1};
    }
    case Op::kSelect: {
      const std::optional<Range> x = BoundsOf(e->args[1], ranges), y = BoundsOf(e->args[2], ranges);
      if (!x || !y) return std::nullopt;
      return Range{std::min(x->lo, y->lo), std::max(x->hi, y->hi)};
    }
    default:
      return std::nullopt;
  }
}

Expr Simplify(const Expr& e, const Ranges& ranges) {
  // Reduction variables have the range of their axis wherever they occur.
  Ranges all = ranges;
  Visit(e, [&](const Expr& n) {
    for (const ReduceAxis& a : n->reduce_axes) all[a.var.get()] = {0, a.extent - 1};
  });
  return Rewrite(e, [&](const Expr& n) { return SimplifyNode(n, all); });
}

bool DependsOn(const Expr& e, const Var& v) {
  bool found = false;
  Visit(e, [&](const Expr& n) { found = found || (n->op == Op::kVar && n->var == v); });
  return found;
}

std::optional<int64_t> StrideOf(const Expr& e, const Var& v) {
  int64_t stride = 0;
  for (const auto& [term, k] : LinearOf(e).terms) {
    if (term->op == Op::kVar && term->var == v) stride += k;
    else if (DependsOn(term, v)) return std::nullopt;
  }
  return stride;
}

}  // namespace mgec::kernel
