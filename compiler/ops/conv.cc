// 2-d convolution, NCHW. Weights are [OC, IC, KH, KW] or, with group > 1, [G, OC/G, IC/G, KH, KW].
#include "compiler/ops/conv.h"

#include "compiler/ops/common.h"

namespace mgec::ops {
namespace {

using kernel::Float;

absl::StatusOr<int64_t> OutputExtent(int64_t in, int64_t k, int64_t stride, int64_t pads, int64_t dilation) {
  if (k < 1 || k > (int64_t{1} << 20)) return absl::InvalidArgumentError(absl::StrCat("the window is ", k, " wide"));
  const int64_t span = in + pads - ((k - 1) * dilation + 1);
  if (span < 0) return absl::InvalidArgumentError(absl::StrCat("a window of ", k, " does not fit an input of ", in));
  return span / stride + 1;
}

Types InferConv(const OpContext& c) {
  ASSIGN_OR_RETURN(ConvParams p, ConvParamsOf(c));
  const TensorType& x = c.inputs[0];
  if (IsQuantized(x.dtype) || x.dtype != c.inputs[1].dtype || !IsFloating(x.dtype)) {
    return absl::InvalidArgumentError(absl::StrCat("takes float operands of one dtype, not ", ToString(x.dtype),
                                                   " and ", ToString(c.inputs[1].dtype)));
  }
  const Shape out = {x.shape[0], p.out_channels, p.out_h, p.out_w};
  for (size_t i = 2; i < c.inputs.size(); ++i) {
    ASSIGN_OR_RETURN(Shape together, graph::BroadcastShapes(out, c.inputs[i].shape));
    if (together != out || c.inputs[i].dtype != x.dtype) {
      return absl::InvalidArgumentError(absl::StrCat("operand ", i, " of type ", ToString(c.inputs[i]),
                                                     " does not fit ", ToString(x.dtype), ToString(out)));
    }
  }
  return std::vector<TensorType>{{x.dtype, out}};
}

Expr Activate(const std::string& mode, Expr x) {
  using kernel::Max;
  using kernel::Min;
  if (mode == "relu") return Max(x, Float(0));
  if (mode == "sigmoid") return kernel::Unary(Op::kSigmoid, x);
  if (mode == "h_swish") return x * Min(Max(x + Float(3), Float(0)), Float(6)) * Float(1.0 / 6.0);
  return x;
}

absl::StatusOr<Definition> DefineConv(const OpContext& c) {
  ASSIGN_OR_RETURN(ConvParams p, ConvParamsOf(c));
  Definition d = DefinitionFor(c);
  const Scalar s = StorageOf(c.inputs[0].dtype);
  const bool grouped = c.inputs[1].shape.size() == 5;
  const int64_t icg = p.in_channels / p.group, ocg = p.out_channels / p.group;
  d.AddStage({c.inputs[0].shape[0], p.out_channels, p.out_h, p.out_w}, s, [&](const Indices& i) {
    const Expr g = p.group == 1 ? kernel::Int(0) : kernel::FloorDiv(i[1], kernel::Int(ocg));
    const Expr o = p.group == 1 ? i[1] : kernel::FloorMod(i[1], kernel::Int(ocg));
    Expr y = d.Reduce(Combiner::kSum, {icg, p.kernel[0], p.kernel[1]}, [&](const Indices& r) {
      const Expr h = i[2] * p.stride[0] + r[1] * p.dilation[0] + (-p.pad[0]);
      const Expr w = i[3] * p.stride[1] + r[2] * p.dilation[1] + (-p.pad[1]);
      const Expr kh = p.flip ? kernel::Int(p.kernel[0] - 1) - r[1] : r[1];
      const Expr kw = p.flip ? kernel::Int(p.kernel[1] - 1) - r[2] : r[2];
      const Expr weight = grouped ? d.At(1, {g, o, r[0], kh, kw}) : d.At(1, {i[1], r[0], kh, kw});
      const Expr x = d.AtOr(0, {i[0], g * icg + r[0], h, w}, kernel::Cast(kernel::Type(s), Float(0)));
      return ToFloat(x) * ToFloat(weight);
    });
    for (size_t k = 2; k < c.inputs.size(); ++k) y = y + ToFloat(d.AtBroadcast(static_cast<int>(k), i));
    return FromFloat(s, Activate(p.activation, y));
  });
  return d;
}

REGISTER_OP(conv2d).Inputs(2, 4).Infer(InferConv).Define(DefineConv);

}  // namespace

absl::StatusOr<ConvParams> ConvParamsOf(const OpContext& c) {
  const TensorType& x = c.inputs[0];
  const TensorType& w = c.inputs[1];
  ConvParams p;
  ASSIGN_OR_RETURN(p.stride, PairOf(c.attributes, "stride", 1, 1));
  // Four numbers pad each side by its own width: top, left, bottom, right.
  const std::vector<int64_t> pad = c.attributes.Ints("pad");
  if (pad.size() == 4) {
    for (int64_t v : pad) {
      if (v < 0 || v > (int64_t{1} << 31)) return absl::InvalidArgumentError("padding must not be negative");
    }
    p.pad = {pad[0], pad[1]};
    p.pad_after = {pad[2], pad[3]};
  } else {
    ASSIGN_OR_RETURN(p.pad, PairOf(c.attributes, "pad", 0, 0));
    p.pad_after = p.pad;
  }
  ASSIGN_OR_RETURN(p.dilation, PairOf(c.attributes, "dilation", 1, 1));
  p.group = c.attributes.Int("group", 1);
  p.flip = c.attributes.Int("flip", 0) != 0;
  p.activation = c.attributes.String("activation", "identity");
  if (p.activation != "identity" && p.activation != "relu" && p.activation != "sigmoid" && p.activation != "h_swish") {
    return absl::InvalidArgumentError(absl::StrCat("there is no activation '", p.activation, "'"));
  }
  RETURN_IF_ERROR(CheckRank(x, 4, "x"));
  const bool grouped = w.shape.size() == 5;
  if (!grouped) RETURN_IF_ERROR(CheckRank(w, 4, "w"));
  if (!grouped && p.group != 1) return absl::InvalidArgumentError("a grouped convolution needs 5-d weights");
  if (grouped && w.shape[0] != p.group) return absl::InvalidArgumentError("group and weights differ");
  p.in_channels = x.shape[1];
  p.out_channels = grouped ? w.shape[0] * w.shape[1] : w.shape[0];
  const int64_t icg = grouped ? w.shape[2] : w.shape[1];
  if (p.group < 1 || icg * p.group != p.in_channels) {
    return absl::InvalidArgumentError(absl::StrCat("weights ", ToString(w.shape), " do not fit an input of ",
                                                   ToString(x.shape), " in ", p.group, " groups"));
  }
  p.kernel = {w.shape[w.shape.size() - 2], w.shape[w.shape.size() - 1]};
  ASSIGN_OR_RETURN(p.out_h, OutputExtent(x.shape[2], p.kernel[0], p.stride[0], p.pad[0] + p.pad_after[0],
                                         p.dilation[0]));
  ASSIGN_OR_RETURN(p.out_w, OutputExtent(x.shape[3], p.kernel[1], p.stride[1], p.pad[1] + p.pad_after[1],
                                         p.dilation[1]));
  return p;
}

}  // namespace mgec::ops
