#include "compiler/schedule/exact_arithmetic.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>

namespace mgec::schedule {
namespace {

using kernel::Expr;
using kernel::Float;
using kernel::Int;
using kernel::Op;
using kernel::Scalar;
using kernel::Type;

bool IsFloat(const Expr& e, double* value) {
  *value = e->float_value;
  return e->op == Op::kFloat;
}

// e is max(a, 0): gives a.
Expr WithoutRelu(const Expr& e) {
  if (e->op != Op::kMax) return nullptr;
  int64_t i;
  double f;
  const bool zero = (IsConst(e->args[1], &i) && i == 0) || (IsFloat(e->args[1], &f) && f == 0);
  return zero ? e->args[0] : nullptr;
}

// e is relu(a) times a positive number, perhaps converted in between: gives the same without the relu. Where a is
// negative both are at most 0.
Expr WithoutScaledRelu(const Expr& e) {
  double scale;
  if (e->op != Op::kMul || !IsFloat(e->args[1], &scale) || !(scale > 0) || !std::isfinite(scale)) return nullptr;
  const Expr& x = e->args[0];
  const bool converted = x->op == Op::kCast && x->args[0]->type.scalar == Scalar::kInt32;
  const Expr a = WithoutRelu(converted ? x->args[0] : x);
  if (a == nullptr) return nullptr;
  return (converted ? Cast(Type(Scalar::kFloat32), a) : a) * e->args[1];
}

Expr CheaplyRounded(const Expr& e) {
  const Scalar to = e->type.scalar;
  const bool small = to == Scalar::kInt8 || to == Scalar::kUint8 || to == Scalar::kInt16;
  if (e->op != Op::kCast || !small || e->type.lanes != 1) return e;
  const Expr& min = e->args[0];
  double lowest, highest, offset = 0;
  if (min->op != Op::kMin || !IsFloat(min->args[1], &highest)) return e;
  const Expr& max = min->args[0];
  if (max->op != Op::kMax || !IsFloat(max->args[1], &lowest)) return e;
  Expr round = max->args[0];
  if (round->op == Op::kAdd && IsFloat(round->args[1], &offset)) round = round->args[0];
  if (round->op != Op::kRound || round->type != Type(Scalar::kFloat32)) return e;
  const double range_lo = to == Scalar::kUint8 ? 0 : to == Scalar::kInt8 ? -128 : -32768;
  const double range_hi = to == Scalar::kUint8 ? 255 : to == Scalar::kInt8 ? 127 : 32767;
  auto whole = [](double v) { return v == std::trunc(v); };
  if (!whole(lowest) || !whole(highest) || !whole(offset) || std::fabs(offset) > 65536 || lowest < range_lo ||
      highest > range_hi || lowest > highest) {
    return e;
  }
  lowest -= offset;
  highest -= offset;
  Expr x = round->args[0];
  if (lowest <= 0 && highest >= 0) {
    if (Expr bare = WithoutScaledRelu(x)) {
      x = bare;
      lowest = 0;
    }
  }
  // The float below a half: a half would round up what is just below it.
  const Expr half = Float(std::nextafter(0.5f, 0.0f));
  const Type word(Scalar::kInt32);
  const Expr sign = Binary(Op::kAnd, Bitcast(word, x), Int(INT32_MIN, word));
  const Expr y = x + (lowest >= 0 ? half : Bitcast(Type(Scalar::kFloat32), Binary(Op::kOr, sign, Bitcast(word, half))));
  Expr q = Cast(word, Min(Max(y, Float(lowest)), Float(highest)));
  if (offset != 0) q = q + Int(static_cast<int64_t>(offset), word);
  return ExactCast(to, q);
}

// The greatest magnitude of an int32 expression made of 8- and 16-bit numbers; empty where nothing is known.
std::optional<int64_t> MagnitudeOf(const Expr& e) {
  int64_t value;
  if (IsConst(e, &value)) return std::abs(value);
  switch (e->op) {
    case Op::kCast:
      switch (e->args[0]->type.scalar) {
        case Scalar::kInt8: return 128;
        case Scalar::kUint8: return 255;
        case Scalar::kInt16: return 32768;
        default: return std::nullopt;
      }
    case Op::kAdd:
    case Op::kSub: {
      const std::optional<int64_t> a = MagnitudeOf(e->args[0]), b = MagnitudeOf(e->args[1]);
      if (a && b) return *a + *b;
      return std::nullopt;
    }
    case Op::kSelect: {
      const std::optional<int64_t> a = MagnitudeOf(e->args[1]), b = MagnitudeOf(e->args[2]);
      if (a && b) return std::max(*a, *b);
      return std::nullopt;
    }
    default: return std::nullopt;
  }
}

// The same number as a float, with sums and choices of floats inside.
Expr AsFloat(const Expr& e) {
  const Type f32(Scalar::kFloat32);
  switch (e->op) {
    case Op::kAdd: return AsFloat(e->args[0]) + AsFloat(e->args[1]);
    case Op::kSub: return AsFloat(e->args[0]) - AsFloat(e->args[1]);
    case Op::kSelect: return Select(e->args[0], AsFloat(e->args[1]), AsFloat(e->args[2]));
    default: return Cast(f32, e);
  }
}

Expr FloatSum(const Expr& e) {
  const Type word(Scalar::kInt32);
  if (e->op != Op::kReduce || e->combiner != kernel::Combiner::kSum || e->type != word) return e;
  const Expr& product = e->args[0];
  if (product->op != Op::kMul) return e;
  const std::optional<int64_t> a = MagnitudeOf(product->args[0]), b = MagnitudeOf(product->args[1]);
  if (!a || !b) return e;
  int64_t largest = *a * *b;
  constexpr int64_t kExact = int64_t{1} << 24;
  for (const kernel::ReduceAxis& axis : e->reduce_axes) {
    if (axis.extent > kExact) return e;
    largest *= std::max<int64_t>(1, axis.extent);
    if (largest > kExact) return e;
  }
  return ExactCast(word, Reduce(e->combiner, e->reduce_axes, AsFloat(product->args[0]) * AsFloat(product->args[1])));
}

}  // namespace

Expr WithCheapRounding(const Expr& e) { return kernel::Rewrite(e, CheaplyRounded); }

Expr WithFloatSums(const Expr& e) { return kernel::Rewrite(e, FloatSum); }

}  // namespace mgec::schedule
