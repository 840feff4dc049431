// Windows whose elements are sampled at places that the network computes (deformable_windows), and the correlation of
// two images over displacements.
#include "compiler/ops/common.h"

namespace mgec::ops {
namespace {

using kernel::Cast;
using kernel::Float;
using kernel::FloorDiv;
using kernel::FloorMod;
using kernel::Int;
using kernel::Select;
using kernel::Type;

// --- deformable_windows(x, offset, mask): [N,C,H,W] -> [N, C * KH * KW, OH, OW] ---
//
// Element (kh, kw) of a window lies at its usual place plus an offset, and is interpolated between its neighbours (zero
// outside of the image), times the mask. The channels of x are divided into DG groups with offsets of their own:
// offset [N, DG * KH * KW * 2, OH, OW] has (y, x) in its last factor, mask is [N, DG * KH * KW, OH, OW].
struct Deformable {
  std::vector<int64_t> window, stride, pad, dilation;
  int64_t groups;
  Shape out;
};

absl::StatusOr<Deformable> DeformableOf(const OpContext& c) {
  const TensorType& x = c.inputs[0];
  Deformable p;
  for (const TensorType& t : c.inputs) {
    RETURN_IF_ERROR(CheckRank(t, 4, "an operand"));
    RETURN_IF_ERROR(CheckFloat(t, "an operand"));
  }
  ASSIGN_OR_RETURN(p.window, PairOf(c.attributes, "window", 1, 1));
  ASSIGN_OR_RETURN(p.stride, PairOf(c.attributes, "stride", 1, 1));
  ASSIGN_OR_RETURN(p.pad, PairOf(c.attributes, "pad", 0, 0));
  ASSIGN_OR_RETURN(p.dilation, PairOf(c.attributes, "dilation", 1, 1));
  const int64_t taps = p.window[0] * p.window[1];
  p.out = {x.shape[0], x.shape[1] * taps, 0, 0};
  for (int i = 0; i < 2; ++i) {
    const int64_t span = x.shape[2 + i] + 2 * p.pad[i] - ((p.window[i] - 1) * p.dilation[i] + 1);
    if (span < 0) return absl::InvalidArgumentError("the window does not fit the image");
    p.out[2 + i] = span / p.stride[i] + 1;
  }
  p.groups = c.inputs[2].shape[1] / taps;
  if (p.groups < 1 || x.shape[1] % p.groups != 0 ||
      c.inputs[1].shape != Shape{p.out[0], p.groups * taps * 2, p.out[2], p.out[3]} ||
      c.inputs[2].shape != Shape{p.out[0], p.groups * taps, p.out[2], p.out[3]}) {
    return absl::InvalidArgumentError(absl::StrCat("offset ", ToString(c.inputs[1].shape), " and mask ",
                                                   ToString(c.inputs[2].shape), " do not fit ", ToString(x.shape)));
  }
  return p;
}

Types InferDeformable(const OpContext& c) {
  ASSIGN_OR_RETURN(Deformable p, DeformableOf(c));
  return std::vector<TensorType>{{c.inputs[0].dtype, p.out}};
}

absl::StatusOr<Definition> DefineDeformable(const OpContext& c) {
  ASSIGN_OR_RETURN(Deformable p, DeformableOf(c));
  Definition d = DefinitionFor(c);
  const Shape& x = c.inputs[0].shape;
  const Scalar s = StorageOf(c.inputs[0].dtype);
  const int64_t taps = p.window[0] * p.window[1], per_group = x[1] / p.groups;
  d.AddStage(p.out, s, [&](const Indices& i) {
    const Expr channel = FloorDiv(i[1], Int(taps)), tap = FloorMod(i[1], Int(taps));
    const Expr group_tap = FloorDiv(channel, Int(per_group)) * taps + tap;
    const Expr kernel_at[] = {FloorDiv(tap, Int(p.window[1])), FloorMod(tap, Int(p.window[1]))};
    Expr first[2], part[2], inside = kernel::Bool(true);
    for (int k = 0; k < 2; ++k) {
      const Expr regular = i[2 + k] * p.stride[k] + kernel_at[k] * p.dilation[k] + (-p.pad[k]);
      const Expr offset = ToFloat(d.At(1, {i[0], group_tap * 2 + int64_t{k}, i[2], i[3]}));
      const Expr at = Cast(Type(Scalar::kFloat32), regular) + offset;
      inside = And(inside, And(Float(-1) < at, at < Float(static_cast<double>(x[2 + k]))));
      const Expr floor = kernel::Unary(Op::kFloor, at);
      first[k] = BoundedIndex(floor);
      part[k] = at - floor;
    }
    auto at = [&](int64_t dy, int64_t dx) {
      return ToFloat(d.AtOr(0, {i[0], channel, first[0] + dy, first[1] + dx}, Cast(Type(s), Int(0))));
    };
    const Expr top = at(0, 0) * (Float(1) - part[1]) + at(0, 1) * part[1];
    const Expr bottom = at(1, 0) * (Float(1) - part[1]) + at(1, 1) * part[1];
    const Expr y = (top * (Float(1) - part[0]) + bottom * part[0]) *
                   ToFloat(d.At(2, {i[0], group_tap, i[2], i[3]}));
    return FromFloat(s, Select(inside, y, Float(0)));
  });
  return d;
}

REGISTER_OP(deformable_windows).Inputs(3).Infer(InferDeformable).Define(DefineDeformable);

// --- correlation(a, b): the mean over a window and all channels of a * b, or |a - b|, for each displacement of b ---
struct Correlation {
  int64_t radius, reach, stride, step, pad, grid;  // grid: displacements along each axis
  bool multiply;
  Shape out;
};

absl::StatusOr<Correlation> CorrelationOf(const OpContext& c) {
  const TensorType& a = c.inputs[0];
  RETURN_IF_ERROR(CheckRank(a, 4, "a"));
  RETURN_IF_ERROR(CheckFloat(a, "a"));
  if (c.inputs[1] != a) return absl::InvalidArgumentError("operands have different types");
  const int64_t window = c.attributes.Int("window", 1);
  Correlation p;
  p.radius = (window - 1) / 2;
  p.reach = c.attributes.Int("max_displacement");
  p.stride = c.attributes.Int("stride", 1);
  p.step = c.attributes.Int("displacement_step", 1);
  p.pad = c.attributes.Int("pad");
  p.multiply = c.attributes.Int("multiply", 1) != 0;
  constexpr int64_t kMost = int64_t{1} << 20;
  if (window < 1 || p.stride < 1 || p.step < 1 || p.reach < 0 || p.pad < 0 || window > kMost || p.reach > kMost ||
      p.pad > kMost) {
    return absl::InvalidArgumentError("window and strides must be positive");
  }
  p.grid = 2 * (p.reach / p.step) + 1;
  p.out = {a.shape[0], p.grid * p.grid, 0, 0};
  for (int i = 0; i < 2; ++i) {
    const int64_t span = a.shape[2 + i] + 2 * p.pad - 2 * (p.reach + p.radius);
    if (span <= 0) return absl::InvalidArgumentError("the displacements do not fit the image");
    p.out[2 + i] = (span - 1) / p.stride + 1;
  }
  return p;
}

Types InferCorrelation(const OpContext& c) {
  ASSIGN_OR_RETURN(Correlation p, CorrelationOf(c));
  return std::vector<TensorType>{{c.inputs[0].dtype, p.out}};
}

absl::StatusOr<Definition> DefineCorrelation(const OpContext& c) {
  ASSIGN_OR_RETURN(Correlation p, CorrelationOf(c));
  Definition d = DefinitionFor(c);
  const Scalar s = StorageOf(c.inputs[0].dtype);
  const Shape& x = c.inputs[0].shape;
  const int64_t channels = x[1], side = 2 * p.radius + 1;
  // With zeros around, every displacement of every place lies in the image.
  const Shape padded = {x[0], x[1], x[2] + 2 * p.pad, x[3] + 2 * p.pad};
  RETURN_IF_ERROR(CheckSize(padded));
  int images[2] = {0, 1};
  for (int& image : images) {
    if (p.pad == 0) continue;
    image = d.AddStage(padded, s, [&](const Indices& i) {
      return d.AtOr(image, {i[0], i[1], i[2] + (-p.pad), i[3] + (-p.pad)}, Cast(Type(s), Int(0)));
    });
  }
  d.AddStage(p.out, s, [&](const Indices& i) {
    const Expr dy = FloorDiv(i[1], Int(p.grid)) * p.step + (-(p.grid / 2) * p.step);
    const Expr dx = FloorMod(i[1], Int(p.grid)) * p.step + (-(p.grid / 2) * p.step);
    Expr sum = d.Reduce(Combiner::kSum, {channels, side, side}, [&](const Indices& r) {
      const Expr h = i[2] * p.stride + r[1] + p.reach, w = i[3] * p.stride + r[2] + p.reach;
      const Expr a = ToFloat(d.At(images[0], {i[0], r[0], h, w}));
      const Expr b = ToFloat(d.At(images[1], {i[0], r[0], h + dy, w + dx}));
      return p.multiply ? a * b : kernel::Unary(Op::kAbs, a - b);
    });
    return FromFloat(s, sum * Float(1.0 / static_cast<double>(channels * side * side)));
  });
  return d;
}

REGISTER_OP(correlation).Inputs(2).Infer(InferCorrelation).Define(DefineCorrelation);

}  // namespace
}  // namespace mgec::ops
