// 2-d pooling, NCHW, floor output size. Adaptive pooling is imported as its uniform window. Means of quantized numbers are
// rounded half away from zero, those of other integers toward zero.
#include "compiler/kernel/lower.h"
#include "compiler/ops/quantize.h"

namespace mgec::ops {
namespace {

using kernel::Float;
using kernel::Int;
using kernel::Max;
using kernel::Min;

struct PoolParams {
  std::string mode;
  std::vector<int64_t> window, stride, pad;
  Shape out;
};

absl::StatusOr<PoolParams> ParamsOf(const OpContext& c) {
  PoolParams p;
  const TensorType& x = c.inputs[0];
  RETURN_IF_ERROR(CheckRank(x, 4, "x"));
  if (x.dtype.kind == DTypeKind::kBool) return absl::InvalidArgumentError("does not take bool");
  p.mode = c.attributes.String("mode");
  if (p.mode != "max" && p.mode != "average" && p.mode != "average_count_exclude_padding") {
    return absl::InvalidArgumentError(absl::StrCat("there is no pooling mode '", p.mode, "'"));
  }
  ASSIGN_OR_RETURN(p.window, PairOf(c.attributes, "window", 2, 1));
  ASSIGN_OR_RETURN(p.stride, PairOf(c.attributes, "stride", 2, 1));
  ASSIGN_OR_RETURN(p.pad, PairOf(c.attributes, "pad", 0, 0));
  p.out = x.shape;
  for (int i = 0; i < 2; ++i) {
    const int64_t span = x.shape[2 + i] + 2 * p.pad[i] - p.window[i];
    if (span < 0 || p.pad[i] >= p.window[i]) {
      return absl::InvalidArgumentError(absl::StrCat("a window of ", p.window[i], " with padding ", p.pad[i],
                                                     " does not fit an input of ", x.shape[2 + i]));
    }
    p.out[2 + i] = span / p.stride[i] + 1;
  }
  return p;
}

Types InferPool(const OpContext& c) {
  ASSIGN_OR_RETURN(PoolParams p, ParamsOf(c));
  return std::vector<TensorType>{{c.inputs[0].dtype, p.out}};
}

// Number of window positions along one axis that lie inside the input, as float.
Expr CountInside(Expr start, int64_t window, int64_t extent) {
  return kernel::Cast(kernel::Type(Scalar::kFloat32),
                      Min(start + window, Int(extent)) - Max(start, Int(0)));
}

Definition DefineIntPool(const OpContext& c, const PoolParams& p) {
  Definition d = DefinitionFor(c);
  const DType& dtype = c.inputs[0].dtype;
  const kernel::Type stored(StorageOf(dtype)), i32(Scalar::kInt32);
  const Shape& in = c.inputs[0].shape;
  const bool is_max = p.mode == "max";
  const Expr outside = is_max ? kernel::Neutral(Combiner::kMax, stored) : Int(ZeroPointOf(dtype), stored);
  d.AddStage(p.out, stored.scalar, [&](const Indices& i) {
    const Expr h0 = i[2] * p.stride[0] + (-p.pad[0]);
    const Expr w0 = i[3] * p.stride[1] + (-p.pad[1]);
    Expr y = d.Reduce(is_max ? Combiner::kMax : Combiner::kSum, p.window, [&](const Indices& r) {
      const Expr x = d.AtOr(0, {i[0], i[1], h0 + r[0], w0 + r[1]}, outside);
      return is_max ? x : Unbiased(dtype, x);
    });
    if (is_max) return y;
    Expr count = Int(p.window[0] * p.window[1], i32);
    if (p.mode != "average") {
      count = kernel::Cast(i32, CountInside(h0, p.window[0], in[2]) * CountInside(w0, p.window[1], in[3]));
    }
    if (!IsQuantized(dtype)) {
      if (p.mode == "average") return kernel::Cast(stored, y / count);
      return kernel::Cast(stored, kernel::Unary(Op::kRound, ToFloat(y) / ToFloat(count)));
    }
    // What is rounded is the mean of the numbers as they are stored.
    const int zero_point = ZeroPointOf(dtype);
    if (zero_point != 0) y = y + count * Int(zero_point, i32);
    return QuantizeScaled(DType(dtype.kind, dtype.scale), ToFloat(y) / ToFloat(count));
  });
  return d;
}

absl::StatusOr<Definition> DefinePool(const OpContext& c) {
  ASSIGN_OR_RETURN(PoolParams p, ParamsOf(c));
  if (!IsFloating(c.inputs[0].dtype)) return DefineIntPool(c, p);
  Definition d = DefinitionFor(c);
  const Scalar s = StorageOf(c.inputs[0].dtype);
  const Shape& in = c.inputs[0].shape;
  const bool is_max = p.mode == "max";
  const bool padded = p.pad[0] != 0 || p.pad[1] != 0;
  const Expr outside = kernel::Cast(kernel::Type(s), Float(is_max ? -3.4028234663852886e38 : 0));
  d.AddStage(p.out, s, [&](const Indices& i) {
    const Expr h0 = i[2] * p.stride[0] + (-p.pad[0]);
    const Expr w0 = i[3] * p.stride[1] + (-p.pad[1]);
    Expr y = d.Reduce(is_max ? Combiner::kMax : Combiner::kSum, p.window, [&](const Indices& r) {
      Indices index = {i[0], i[1], h0 + r[0], w0 + r[1]};
      return ToFloat(padded ? d.AtOr(0, index, outside) : d.At(0, index));
    });
    if (p.mode == "average" || (!is_max && !padded)) y = y * Float(1.0 / static_cast<double>(p.window[0] * p.window[1]));
    else if (!is_max) y = y / (CountInside(h0, p.window[0], in[2]) * CountInside(w0, p.window[1], in[3]));
    return FromFloat(s, y);
  });
  return d;
}

REGISTER_OP(pool2d).Inputs(1).Infer(InferPool).Define(DefinePool);

}  // namespace
}  // namespace mgec::ops
