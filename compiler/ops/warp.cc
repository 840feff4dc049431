// Sampling images at computed places: perspective_grid and affine_grid give the places, sample_image looks there.
//
// A grid is [N, OH, OW, 2]: for each element of the output the column and the row in the input. MegEngine computes the
// places of NHWC images with few channels as OpenCV does, in units of 1/32 ("cv_linear") or 1 ("cv_nearest") pixels from
// doubles. Kernels have no doubles: pairs of floats stand for them.
#include "compiler/ops/common.h"

namespace mgec::ops {
namespace {

using kernel::Cast;
using kernel::Float;
using kernel::FloorMod;
using kernel::Fma;
using kernel::Int;
using kernel::Select;
using kernel::Type;
using kernel::Unary;

const Type kF32(Scalar::kFloat32);

// --- Pairs of floats: hi + lo, unevaluated, about 48 bits. ---
struct Pair {
  Expr hi, lo;
};

Pair ExactSum(const Expr& a, const Expr& b) {
  const Expr s = a + b, bb = s - a;
  return {s, (a - (s - bb)) + (b - bb)};
}

Pair ExactProduct(const Expr& a, const Expr& b) {
  const Expr p = a * b;
  return {p, Fma(a, b, Unary(Op::kNeg, p))};
}

Pair Add(const Pair& a, const Pair& b) {
  const Pair s = ExactSum(a.hi, b.hi);
  return ExactSum(s.hi, s.lo + (a.lo + b.lo));
}

Pair Add(const Pair& a, const Expr& b) { return Add(a, Pair{b, Float(0)}); }

Pair Multiply(const Pair& a, const Pair& b) {
  const Pair p = ExactProduct(a.hi, b.hi);
  return ExactSum(p.hi, p.lo + (a.hi * b.lo + a.lo * b.hi));
}

Pair Scale(const Pair& a, double power_of_two) { return {a.hi * Float(power_of_two), a.lo * Float(power_of_two)}; }

// power_of_two / b, and 0 where b is 0.
Pair Divide(double power_of_two, const Pair& b) {
  const Expr zero = kernel::Binary(Op::kEq, b.hi, Float(0));
  const Expr divisor = Select(zero, Float(1), b.hi);
  const Expr q = Float(power_of_two) / divisor;
  const Pair back = Multiply({q, Float(0)}, {divisor, b.lo});
  const Expr rest = (Float(power_of_two) - back.hi) - back.lo;
  const Pair y = ExactSum(q, rest / divisor);
  return {Select(zero, Float(0), y.hi), Select(zero, Float(0), y.lo)};
}

// To the nearest integer, half to even.
Expr RoundToIndex(const Pair& a) {
  const Expr r = Unary(Op::kRoundEven, a.hi);
  const Expr off = a.hi - r;
  const Expr up = Float(0) < (off - Float(0.5)) + a.lo, down = (off + Float(0.5)) + a.lo < Float(0);
  const Expr near = Select(up, Float(1), Select(down, Float(-1), Float(0)));
  // From 2^23 on hi is an integer, and all the rest is in lo.
  const Expr correction = Select(Unary(Op::kAbs, a.hi) < Float(8388608), near, Unary(Op::kRoundEven, a.lo));
  return BoundedIndex(r) + BoundedIndex(correction);
}

// --- Grids. ---
struct Grid {
  std::string precision;
  Shape shape;
};

absl::StatusOr<Grid> GridOf(const OpContext& c, int64_t rows) {
  const TensorType& m = c.inputs[0];
  if (m.shape.size() != 3 || m.shape[1] != rows || m.shape[2] != 3 || m.dtype.kind != DTypeKind::kFloat32) {
    return absl::InvalidArgumentError(absl::StrCat("the matrices are ", ToString(m), ", need f32[N,", rows, ",3]"));
  }
  ASSIGN_OR_RETURN(std::vector<int64_t> size, PairOf(c.attributes, "size", 1, 1));
  Grid g{c.attributes.String("precision", "float"), {m.shape[0], size[0], size[1], 2}};
  if (g.precision != "float" && g.precision != "cv_linear" && g.precision != "cv_nearest") {
    return absl::InvalidArgumentError(absl::StrCat("there is no precision '", g.precision, "'"));
  }
  return g;
}

template <int kRows>
Types InferGrid(const OpContext& c) {
  ASSIGN_OR_RETURN(Grid g, GridOf(c, kRows));
  return std::vector<TensorType>{{DTypeKind::kFloat32, g.shape}};
}

// (X, Y, Z) = M (x, y, 1); the place is (X / Z, Y / Z).
absl::StatusOr<Definition> DefinePerspectiveGrid(const OpContext& c) {
  ASSIGN_OR_RETURN(Grid g, GridOf(c, 3));
  Definition d = DefinitionFor(c);
  d.AddStage(g.shape, Scalar::kFloat32, [&](const Indices& i) {
    const Expr x = Cast(kF32, i[2]), y = Cast(kF32, i[1]);
    auto m = [&](const Expr& row, int64_t column) { return d.At(0, {i[0], row, Int(column)}); };
    if (g.precision == "float") {
      auto along = [&](const Expr& row) { return m(row, 0) * x + m(row, 1) * y + m(row, 2); };
      return along(i[3]) / along(Int(2));
    }
    auto along = [&](const Expr& row) {
      return Add(Add(ExactProduct(m(row, 0), x), ExactProduct(m(row, 1), y)), m(row, 2));
    };
    const double unit = g.precision == "cv_linear" ? 32 : 1;
    const Expr at = RoundToIndex(Multiply(along(i[3]), Divide(unit, along(Int(2)))));
    return Cast(kF32, at) * Float(1 / unit);
  });
  return d;
}

// The place is M (x, y, 1). OpenCV's form rounds the parts that depend on x and on y, each to 1/1024.
absl::StatusOr<Definition> DefineAffineGrid(const OpContext& c) {
  ASSIGN_OR_RETURN(Grid g, GridOf(c, 2));
  Definition d = DefinitionFor(c);
  d.AddStage(g.shape, Scalar::kFloat32, [&](const Indices& i) {
    const Expr x = Cast(kF32, i[2]), y = Cast(kF32, i[1]);
    auto m = [&](int64_t column) { return d.At(0, {i[0], i[3], Int(column)}); };
    if (g.precision == "float") return m(0) * x + m(1) * y + m(2);
    const Expr sum = RoundToIndex(Scale(ExactProduct(m(0), x), 1024)) +
                     RoundToIndex(Scale(Add(ExactProduct(m(1), y), m(2)), 1024));
    if (g.precision == "cv_nearest") return Cast(kF32, kernel::FloorDiv(sum + int64_t{512}, Int(1024)));
    return Cast(kF32, kernel::FloorDiv(sum + int64_t{16}, Int(32))) * Float(1.0 / 32);
  });
  return d;
}

REGISTER_OP(perspective_grid).Inputs(1).Infer(InferGrid<3>).Define(DefinePerspectiveGrid);
REGISTER_OP(affine_grid).Inputs(1).Infer(InferGrid<2>).Define(DefineAffineGrid);

// --- sample_image(x, grid [, image]): image[n] is the batch element of x that grid element n looks at, n itself if it is
// absent. x is NCHW or, with channels_last, NHWC. ---
struct Sample {
  bool channels_last, away;
  std::string mode, border;
  double value;
  int64_t height, width;
  Shape out;
};

absl::StatusOr<Sample> SampleOf(const OpContext& c) {
  const TensorType& x = c.inputs[0];
  const TensorType& grid = c.inputs[1];
  RETURN_IF_ERROR(CheckRank(x, 4, "x"));
  RETURN_IF_ERROR(CheckRank(grid, 4, "grid"));
  Sample p;
  p.channels_last = c.attributes.Int("channels_last") != 0;
  p.mode = c.attributes.String("mode", "linear");
  p.away = c.attributes.String("rounding", "away") == "away";
  p.border = c.attributes.String("border", "replicate");
  p.value = c.attributes.Float("value");
  p.height = x.shape[p.channels_last ? 1 : 2];
  p.width = x.shape[p.channels_last ? 2 : 3];
  const bool known = p.border == "replicate" || p.border == "reflect" || p.border == "reflect_101" ||
                     p.border == "wrap" || p.border == "constant";
  if (!known) return absl::InvalidArgumentError(absl::StrCat("there is no border '", p.border, "'"));
  if (p.mode != "nearest" && p.mode != "linear" && p.mode != "cubic" && p.mode != "lanczos4") {
    return absl::InvalidArgumentError(absl::StrCat("there is no mode '", p.mode, "'"));
  }
  if (grid.shape[3] != 2 || grid.dtype.kind != DTypeKind::kFloat32 || p.height < 1 || p.width < 1 ||
      (c.inputs.size() == 2 && grid.shape[0] != x.shape[0]) || x.shape[0] < 1) {
    return absl::InvalidArgumentError(absl::StrCat("grid ", ToString(grid), " does not fit ", ToString(x)));
  }
  if (c.inputs.size() == 3 && c.inputs[2] != TensorType{DTypeKind::kInt32, {grid.shape[0]}}) {
    return absl::InvalidArgumentError("the numbers of the images do not fit");
  }
  if (x.dtype.kind == DTypeKind::kBool) return absl::InvalidArgumentError("does not take bool");
  p.out = p.channels_last ? Shape{grid.shape[0], grid.shape[1], grid.shape[2], x.shape[3]}
                          : Shape{grid.shape[0], x.shape[1], grid.shape[1], grid.shape[2]};
  return p;
}

Types InferSample(const OpContext& c) {
  ASSIGN_OR_RETURN(Sample p, SampleOf(c));
  return std::vector<TensorType>{{c.inputs[0].dtype, p.out}};
}

// An index of any size brought into [0, n) by the rule of the border; "constant" leaves it.
Expr Bordered(const std::string& border, const Expr& i, int64_t n) {
  if (border == "replicate" || n == 1) return border == "constant" ? i : Min(Max(i, Int(0)), Int(n - 1));
  if (border == "wrap") return FloorMod(i, Int(n));
  if (border == "constant") return i;
  const int64_t period = border == "reflect" ? 2 * n : 2 * n - 2;
  const Expr m = FloorMod(i, Int(period));
  return Select(m < n, m, Int(border == "reflect" ? period - 1 : period) - m);
}

// The weight, up to a factor that all share, of tap `k` (a float) of 4 or 8 for a place at `a`, 0 <= a < 1, behind the middle.
Expr TapWeight(const std::string& mode, const Expr& k, const Expr& a) {
  if (mode == "cubic") {
    constexpr double kA = -0.75;
    const Expr t = Unary(Op::kAbs, (k - Float(1)) - a);
    const Expr near = ((t * Float(kA + 2) - Float(kA + 3)) * t) * t + Float(1);
    const Expr far = ((t * Float(kA) - Float(5 * kA)) * t + Float(8 * kA)) * t - Float(4 * kA);
    return Select(t <= Float(1), near, far);
  }
  // sin(x) / x^2 with alternating signs, for x = pi / 4 times the distance.
  const Expr t = (a + Float(3)) - k;
  const Expr half = k * Float(0.5);
  const Expr odd = Unary(Op::kFloor, half) < half;
  const Expr wave = Unary(Op::kSin, t * Float(0.78539816339744830962)) / Max(t * t, Float(1e-12));
  const Expr on_pixel = Select(kernel::Binary(Op::kEq, k, Float(3)), Float(1), Float(0));
  return Select(a <= Float(1.1920929e-7), on_pixel, Select(odd, Unary(Op::kNeg, wave), wave));
}

absl::StatusOr<Definition> DefineSample(const OpContext& c) {
  ASSIGN_OR_RETURN(Sample p, SampleOf(c));
  Definition d = DefinitionFor(c);
  const TensorType& x = c.inputs[0];
  const Scalar s = StorageOf(x.dtype);
  const int64_t taps = p.mode == "cubic" ? 4 : 8;
  int weights = -1;  // of the taps along both axes
  if (p.mode == "cubic" || p.mode == "lanczos4") {
    Shape shape = c.inputs[1].shape;
    shape.push_back(taps);
    RETURN_IF_ERROR(CheckSize(shape));
    weights = d.AddStage(shape, Scalar::kFloat32, [&](const Indices& i) {
      const Expr place = d.At(1, {i[0], i[1], i[2], i[3]});
      return TapWeight(p.mode, Cast(kF32, i[4]), place - Unary(Op::kFloor, place));
    });
  }
  d.AddStage(p.out, s, [&](const Indices& i) {
    const Expr oh = i[p.channels_last ? 1 : 2], ow = i[p.channels_last ? 2 : 3], channel = i[p.channels_last ? 3 : 1];
    Expr image = i[0];
    if (c.inputs.size() == 3) image = Cast(kernel::kIndexType, d.At(2, {i[0]}));
    const Expr border_value = Float(p.value);
    auto at = [&](Expr h, Expr w) {
      h = Bordered(p.border, h, p.height);
      w = Bordered(p.border, w, p.width);
      const Indices index = p.channels_last ? Indices{image, h, w, channel} : Indices{image, channel, h, w};
      if (p.border != "constant") return ToFloat(d.At(0, index));
      const Expr inside = And(And(h >= int64_t{0}, h < p.height), And(w >= int64_t{0}, w < p.width));
      return Select(inside, ToFloat(d.At(0, index)), border_value);
    };
    const Expr column = d.At(1, {i[0], oh, ow, Int(0)}), row = d.At(1, {i[0], oh, ow, Int(1)});
    Expr y;
    if (weights >= 0) {
      const Expr top = BoundedIndex(Unary(Op::kFloor, row)) + (1 - taps / 2);
      const Expr left = BoundedIndex(Unary(Op::kFloor, column)) + (1 - taps / 2);
      auto sum = [&](auto term) {
        return d.Reduce(Combiner::kSum, {taps, taps}, [&](const Indices& r) {
          return term(r, d.At(weights, {i[0], oh, ow, Int(1), r[0]}) * d.At(weights, {i[0], oh, ow, Int(0), r[1]}));
        });
      };
      y = sum([&](const Indices& r, const Expr& weight) { return at(top + r[0], left + r[1]) * weight; }) /
          sum([](const Indices&, const Expr& weight) { return weight; });
    } else if (p.mode == "nearest") {
      y = at(BoundedIndex(Unary(Op::kRoundEven, row)), BoundedIndex(Unary(Op::kRoundEven, column)));
    } else {
      const Expr top = Unary(Op::kFloor, row), left = Unary(Op::kFloor, column);
      const Expr h = BoundedIndex(top), w = BoundedIndex(left), ah = row - top, aw = column - left;
      const Expr upper = at(h, w) * (Float(1) - aw) + at(h, w + int64_t{1}) * aw;
      const Expr lower = at(h + int64_t{1}, w) * (Float(1) - aw) + at(h + int64_t{1}, w + int64_t{1}) * aw;
      y = upper * (Float(1) - ah) + lower * ah;
    }
    // Infinity minus itself is NaN.
    const Expr finite = kernel::Binary(Op::kEq, (row - row) + (column - column), Float(0));
    y = Select(finite, y, border_value);
    if (!IsFloating(x.dtype)) y = Unary(p.away ? Op::kRound : Op::kRoundEven, y);
    return FromFloat(s, y);
  });
  return d;
}

REGISTER_OP(sample_image).Inputs(2, 3).Infer(InferSample).Define(DefineSample);

}  // namespace
}  // namespace mgec::ops
