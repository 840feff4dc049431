// Resizing by tables (resize_table) and of volumes (resize3d).
#include "compiler/ops/common.h"

namespace mgec::ops {
namespace {

using kernel::Cast;
using kernel::Float;
using kernel::Int;
using kernel::Type;
using kernel::Unary;

const Type kI32(Scalar::kInt32);

// --- resize_table(x, index_h, weight_h, index_w, weight_w): NHWC. Row h of the result is a sum of the rows index_h[h, p]
// of x with weights weight_h[h, p]; columns alike. Integer weights are fixed-point numbers: the sum plus `add` is shifted
// right by `shift`. Float sums of integers are rounded, half to even or away from zero ---
Types InferResizeTable(const OpContext& c) {
  const TensorType& x = c.inputs[0];
  RETURN_IF_ERROR(CheckRank(x, 4, "x"));
  TensorType out = x;
  for (int axis = 0; axis < 2; ++axis) {
    const TensorType& index = c.inputs[1 + 2 * axis];
    const TensorType& weight = c.inputs[2 + 2 * axis];
    if (index.dtype.kind != DTypeKind::kInt32 || index.shape.size() != 2 || weight.shape != index.shape ||
        weight.dtype != c.inputs[2].dtype || x.shape[1 + axis] < 1) {
      return absl::InvalidArgumentError(absl::StrCat("tables ", ToString(index), " and ", ToString(weight),
                                                     " do not fit"));
    }
    out.shape[1 + axis] = index.shape[0];
  }
  const bool fixed = c.inputs[2].dtype.kind == DTypeKind::kInt32;
  if (!fixed && c.inputs[2].dtype.kind != DTypeKind::kFloat32) return absl::InvalidArgumentError("weights are f32 or i32");
  if (x.dtype.kind == DTypeKind::kBool || (fixed && (IsFloating(x.dtype) || ByteSize(x.dtype) != 1))) {
    return absl::InvalidArgumentError(absl::StrCat("does not take ", ToString(x.dtype)));
  }
  return std::vector<TensorType>{out};
}

absl::StatusOr<Definition> DefineResizeTable(const OpContext& c) {
  ASSIGN_OR_RETURN(std::vector<TensorType> out, InferResizeTable(c));
  Definition d = DefinitionFor(c);
  const Scalar s = StorageOf(out[0].dtype);
  const bool fixed = c.inputs[2].dtype.kind == DTypeKind::kInt32;
  const Type sum = fixed ? kI32 : Type(Scalar::kFloat32);
  d.AddStage(out[0].shape, s, [&](const Indices& i) {
    auto index = [&](int axis, const Expr& tap) {
      return Cast(kernel::kIndexType, d.At(1 + 2 * axis, {i[1 + axis], tap}));
    };
    Expr y = d.Reduce(Combiner::kSum, {c.inputs[1].shape[1], c.inputs[3].shape[1]}, [&](const Indices& r) {
      const Expr x = Cast(sum, d.At(0, {i[0], index(0, r[0]), index(1, r[1]), i[3]}));
      return x * (d.At(2, {i[1], r[0]}) * d.At(4, {i[2], r[1]}));
    });
    if (fixed) {
      y = kernel::Binary(Op::kShr, y + Int(c.attributes.Int("add"), kI32), Int(c.attributes.Int("shift"), kI32));
      const bool is_unsigned = s == Scalar::kUint8;
      y = Min(Max(y, Int(is_unsigned ? 0 : -128, kI32)), Int(is_unsigned ? 255 : 127, kI32));
    } else if (!IsFloating(out[0].dtype)) {
      y = Unary(c.attributes.String("rounding") == "even" ? Op::kRoundEven : Op::kRound, y);
    }
    return Cast(Type(s), y);
  });
  return d;
}

REGISTER_OP(resize_table).Inputs(5).Infer(InferResizeTable).Define(DefineResizeTable);

// --- resize3d: trilinear, NCDHW. With align_corners the first and last elements keep their places, else the borders ---
Types InferResize3d(const OpContext& c) {
  const TensorType& x = c.inputs[0];
  RETURN_IF_ERROR(CheckRank(x, 5, "x"));
  RETURN_IF_ERROR(CheckFloat(x, "x"));
  const std::vector<int64_t> size = c.attributes.Ints("size");
  TensorType out = x;
  for (int i = 0; i < 3; ++i) {
    if (size.size() != 3 || size[i] < 1 || x.shape[2 + i] < 1) {
      return absl::InvalidArgumentError("the size must be three positive numbers");
    }
    out.shape[2 + i] = size[i];
  }
  return std::vector<TensorType>{out};
}

absl::StatusOr<Definition> DefineResize3d(const OpContext& c) {
  ASSIGN_OR_RETURN(std::vector<TensorType> out, InferResize3d(c));
  Definition d = DefinitionFor(c);
  const Shape &in = c.inputs[0].shape, &shape = out[0].shape;
  const bool align = c.attributes.Int("align_corners") != 0;
  const Scalar s = StorageOf(out[0].dtype);
  // One axis after the other, the last first: each stage reads the one before.
  int from = 0;
  Shape resized = in;
  for (int k = 2; k >= 0; --k) {
    const double n = static_cast<double>(in[2 + k]), m = static_cast<double>(shape[2 + k]);
    resized[2 + k] = shape[2 + k];
    from = d.AddStage(resized, k == 0 ? s : Scalar::kFloat32, [&](const Indices& i) {
      const Expr at = Cast(Type(Scalar::kFloat32), i[2 + k]);
      const Expr place = align ? at * Float(m > 1 ? (n - 1) / (m - 1) : 0)
                               : Max((at + Float(0.5)) * Float(n / m) - Float(0.5), Float(0));
      const Expr floor = Unary(Op::kFloor, place), part = place - floor;
      Indices near = i, next = i;
      near[2 + k] = Min(BoundedIndex(floor), Int(in[2 + k] - 1));
      next[2 + k] = Min(near[2 + k] + int64_t{1}, Int(in[2 + k] - 1));
      const Expr y = ToFloat(d.At(from, near)) * (Float(1) - part) + ToFloat(d.At(from, next)) * part;
      return k == 0 ? FromFloat(s, y) : y;
    });
  }
  return d;
}

REGISTER_OP(resize3d).Inputs(1).Infer(InferResize3d).Define(DefineResize3d);

}  // namespace
}  // namespace mgec::ops
