// Resizing of NCHW images with half-pixel centres: nearest, linear, cubic (A = -0.75).
#include "compiler/ops/common.h"

namespace mgec::ops {
namespace {

using kernel::Cast;
using kernel::Float;
using kernel::Int;
using kernel::Select;
using kernel::Type;

Types InferResize(const OpContext& c) {
  const TensorType& x = c.inputs[0];
  RETURN_IF_ERROR(CheckRank(x, 4, "x"));
  if (x.dtype.kind == DTypeKind::kBool) return absl::InvalidArgumentError("does not take bool");
  const std::string mode = c.attributes.String("mode");
  if (mode != "nearest" && mode != "linear" && mode != "cubic") {
    return absl::InvalidArgumentError(absl::StrCat("there is no mode '", mode, "' for NCHW images"));
  }
  ASSIGN_OR_RETURN(std::vector<int64_t> size, PairOf(c.attributes, "size", 1, 1));
  if (x.shape[2] == 0 || x.shape[3] == 0) return absl::InvalidArgumentError("the image is empty");
  return std::vector<TensorType>{{x.dtype, {x.shape[0], x.shape[1], size[0], size[1]}}};
}

// Source taps of one output coordinate along one axis.
struct Taps {
  std::vector<Expr> at;
  std::vector<Expr> weight;
};

Taps TapsOf(const std::string& mode, const Expr& i, int64_t in, int64_t out) {
  const float scale = static_cast<float>(out) / static_cast<float>(in);
  const Type f32(Scalar::kFloat32);
  auto to_index = [](Expr e) { return Cast(kernel::kIndexType, std::move(e)); };
  if (mode == "nearest") {
    return {{Min(to_index(Cast(f32, i) / Float(scale)), Int(in - 1))}, {Float(1)}};
  }
  if (in == 1 && mode == "linear") return {{Int(0)}, {Float(1)}};
  const Expr position = (Cast(f32, i) + Float(0.5)) / Float(scale) - Float(0.5);
  const Expr floor = kernel::Unary(Op::kFloor, position);
  Expr first = to_index(floor);
  Expr a = position - floor;
  if (mode == "linear") {
    const Expr below = first < int64_t{0}, above = first >= in - 1;
    a = Select(below, Float(0), Select(above, Float(1), a));
    first = Min(Max(first, Int(0)), Int(in - 2));
    return {{first, first + 1}, {Float(1) - a, a}};
  }
  const double kA = -0.75;
  auto near = [&](Expr x) { return ((x * Float(kA + 2) - Float(kA + 3)) * x) * x + Float(1); };
  const Expr b = a + Float(1), r = Float(1) - a;
  Taps t;
  t.weight = {((b * Float(kA) - Float(5 * kA)) * b + Float(8 * kA)) * b - Float(4 * kA), near(a), near(r)};
  t.weight.push_back(Float(1) - t.weight[0] - t.weight[1] - t.weight[2]);
  for (int k = -1; k <= 2; ++k) t.at.push_back(Min(Max(first + k, Int(0)), Int(in - 1)));
  return t;
}

absl::StatusOr<Definition> DefineResize(const OpContext& c) {
  Definition d = DefinitionFor(c);
  const TensorType& x = c.inputs[0];
  const std::string mode = c.attributes.String("mode");
  const std::vector<int64_t> size = c.attributes.Ints("size");
  const Scalar s = StorageOf(x.dtype);
  // Element (h, i[3]) of the image whose rows are resized.
  auto along_row = [&](const Indices& i, const Expr& h) {
    const Taps w = TapsOf(mode, i[3], x.shape[3], size[1]);
    Expr row;
    for (size_t q = 0; q < w.at.size(); ++q) {
      Expr e = ToFloat(d.At(0, {i[0], i[1], h, w.at[q]})) * w.weight[q];
      row = row == nullptr ? e : row + e;
    }
    return row;
  };
  // Rows are resized once for all that read them, where that is less work.
  const int64_t taps = mode == "cubic" ? 4 : 2;
  int rows = -1;
  if (mode != "nearest" && x.shape[2] + size[0] < taps * size[0]) {
    rows = d.AddStage({x.shape[0], x.shape[1], x.shape[2], size[1]}, Scalar::kFloat32,
                      [&](const Indices& i) { return along_row(i, i[2]); });
  }
  d.AddStage({x.shape[0], x.shape[1], size[0], size[1]}, s, [&](const Indices& i) {
    const Taps h = TapsOf(mode, i[2], x.shape[2], size[0]);
    if (mode == "nearest") return d.At(0, {i[0], i[1], h.at[0], TapsOf(mode, i[3], x.shape[3], size[1]).at[0]});
    Expr y;
    for (size_t p = 0; p < h.at.size(); ++p) {
      Expr row = rows < 0 ? along_row(i, h.at[p]) : d.At(rows, {i[0], i[1], h.at[p], i[3]});
      row = row * h.weight[p];
      y = y == nullptr ? row : y + row;
    }
    if (IsFloating(x.dtype)) return FromFloat(s, y);
    // Integers are rounded half away from zero, and kept in range by the conversion; int8 wraps.
    y = kernel::Unary(Op::kRound, y);
    return x.dtype.kind == DTypeKind::kInt8 ? Cast(Type(s), Cast(Type(Scalar::kInt32), y)) : FromFloat(s, y);
  });
  return d;
}

REGISTER_OP(resize).Inputs(1).Infer(InferResize).Define(DefineResize);

}  // namespace
}  // namespace mgec::ops
