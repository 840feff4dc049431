// Windows over NCHW images: taking them apart (images_to_windows), adding them up (windows_to_image), and convolutions
// whose weights differ from place to place (local_conv2d) or that see only a region (region_conv2d).
#include "compiler/ops/common.h"

namespace mgec::ops {
namespace {

using kernel::Cast;
using kernel::FloorDiv;
using kernel::FloorMod;
using kernel::Int;
using kernel::Select;
using kernel::Type;

// Pairs for height and width.
struct Window {
  std::vector<int64_t> size, stride, pad, dilation;

  // Number of positions along an axis, or an error.
  absl::StatusOr<int64_t> Positions(int i, int64_t extent) const {
    const int64_t span = extent + 2 * pad[i] - ((size[i] - 1) * dilation[i] + 1);
    if (span < 0) {
      return absl::InvalidArgumentError(absl::StrCat("a window of ", size[i], " does not fit an image of ", extent));
    }
    return span / stride[i] + 1;
  }
  // Where element k of window number `at` lies in the image.
  Expr Place(int i, const Expr& at, const Expr& k) const {
    return at * stride[i] + k * dilation[i] + (-pad[i]);
  }
};

// The size is an attribute, or that of the weights.
absl::StatusOr<Window> WindowOf(const OpContext& c, std::vector<int64_t> size = {}) {
  Window w;
  w.size = std::move(size);
  if (w.size.empty()) {
    ASSIGN_OR_RETURN(w.size, PairOf(c.attributes, "window", 1, 1));
  }
  ASSIGN_OR_RETURN(w.stride, PairOf(c.attributes, "stride", 1, 1));
  ASSIGN_OR_RETURN(w.pad, PairOf(c.attributes, "pad", 0, 0));
  ASSIGN_OR_RETURN(w.dilation, PairOf(c.attributes, "dilation", 1, 1));
  return w;
}

// --- images_to_windows: [N,C,H,W] -> [N,C,OH,OW,KH,KW], zeros outside ---
Types InferToWindows(const OpContext& c) {
  const TensorType& x = c.inputs[0];
  RETURN_IF_ERROR(CheckRank(x, 4, "x"));
  ASSIGN_OR_RETURN(Window w, WindowOf(c));
  ASSIGN_OR_RETURN(int64_t oh, w.Positions(0, x.shape[2]));
  ASSIGN_OR_RETURN(int64_t ow, w.Positions(1, x.shape[3]));
  return std::vector<TensorType>{{x.dtype, {x.shape[0], x.shape[1], oh, ow, w.size[0], w.size[1]}}};
}

absl::StatusOr<Definition> DefineToWindows(const OpContext& c) {
  ASSIGN_OR_RETURN(std::vector<TensorType> out, InferToWindows(c));
  ASSIGN_OR_RETURN(Window w, WindowOf(c));
  Definition d = DefinitionFor(c);
  const Scalar s = StorageOf(out[0].dtype);
  d.AddStage(out[0].shape, s, [&](const Indices& i) {
    return d.AtOr(0, {i[0], i[1], w.Place(0, i[2], i[4]), w.Place(1, i[3], i[5])}, Cast(Type(s), Int(0)));
  });
  return d;
}

REGISTER_OP(images_to_windows).Inputs(1).Infer(InferToWindows).Define(DefineToWindows);

// --- windows_to_image: [N,C,OH,OW,KH,KW] -> [N,C,H,W]: each element is the sum of what windows have there ---
Types InferToImage(const OpContext& c) {
  const TensorType& x = c.inputs[0];
  RETURN_IF_ERROR(CheckRank(x, 6, "x"));
  RETURN_IF_ERROR(CheckFloat(x, "x"));
  ASSIGN_OR_RETURN(Window w, WindowOf(c));
  ASSIGN_OR_RETURN(std::vector<int64_t> size, PairOf(c.attributes, "size", 1, 1));
  for (int i = 0; i < 2; ++i) {
    ASSIGN_OR_RETURN(int64_t positions, w.Positions(i, size[i]));
    if (positions != x.shape[2 + i] || w.size[i] != x.shape[4 + i]) {
      return absl::InvalidArgumentError(absl::StrCat("windows ", ToString(x.shape), " do not fit an image of ",
                                                     size[0], " by ", size[1]));
    }
  }
  return std::vector<TensorType>{{x.dtype, {x.shape[0], x.shape[1], size[0], size[1]}}};
}

absl::StatusOr<Definition> DefineToImage(const OpContext& c) {
  ASSIGN_OR_RETURN(std::vector<TensorType> out, InferToImage(c));
  ASSIGN_OR_RETURN(Window w, WindowOf(c));
  Definition d = DefinitionFor(c);
  const Scalar s = StorageOf(out[0].dtype);
  const Shape& x = c.inputs[0].shape;
  d.AddStage(out[0].shape, s, [&](const Indices& i) {
    return FromFloat(s, d.Reduce(Combiner::kSum, w.size, [&](const Indices& r) {
      Expr valid = kernel::Bool(true);
      Indices at;
      for (int k = 0; k < 2; ++k) {
        // The window whose element r[k] lies here, if its distance is a multiple of the stride.
        const Expr distance = i[2 + k] + w.pad[k] - r[k] * w.dilation[k];
        valid = And(valid, And(distance >= int64_t{0}, distance < (x[2 + k] - 1) * w.stride[k] + 1));
        if (w.stride[k] > 1) {
          valid = And(valid, kernel::Binary(Op::kEq, FloorMod(distance, Int(w.stride[k])), Int(0)));
        }
        at.push_back(FloorDiv(distance, Int(w.stride[k])));
      }
      return Select(valid, ToFloat(d.At(0, {i[0], i[1], at[0], at[1], r[0], r[1]})), kernel::Float(0));
    }));
  });
  return d;
}

REGISTER_OP(windows_to_image).Inputs(1).Infer(InferToImage).Define(DefineToImage);

// --- local_conv2d(x, w): w is [G, SH, SW, IC/G, KH, KW, OC/G]; output row oh takes the weights of row oh * SH / OH ---
struct LocalConv {
  Window window;
  int64_t groups, in, out;  // channels per group
  Shape shape;
};

absl::StatusOr<LocalConv> LocalConvOf(const OpContext& c) {
  const TensorType& x = c.inputs[0];
  const TensorType& w = c.inputs[1];
  RETURN_IF_ERROR(CheckRank(x, 4, "x"));
  RETURN_IF_ERROR(CheckRank(w, 7, "w"));
  RETURN_IF_ERROR(CheckFloat(x, "x"));
  LocalConv p;
  ASSIGN_OR_RETURN(p.window, WindowOf(c, {w.shape[4], w.shape[5]}));
  p.groups = w.shape[0];
  p.in = w.shape[3];
  p.out = w.shape[6];
  ASSIGN_OR_RETURN(int64_t oh, p.window.Positions(0, x.shape[2]));
  ASSIGN_OR_RETURN(int64_t ow, p.window.Positions(1, x.shape[3]));
  if (w.dtype != x.dtype || p.groups * p.in != x.shape[1] || w.shape[1] < 1 || w.shape[2] < 1 ||
      oh % w.shape[1] != 0 || ow % w.shape[2] != 0) {
    return absl::InvalidArgumentError(absl::StrCat("weights ", ToString(w), " do not fit ", ToString(x),
                                                   " and an output of ", oh, " by ", ow));
  }
  p.shape = {x.shape[0], p.groups * p.out, oh, ow};
  return p;
}

Types InferLocalConv(const OpContext& c) {
  ASSIGN_OR_RETURN(LocalConv p, LocalConvOf(c));
  return std::vector<TensorType>{{c.inputs[0].dtype, p.shape}};
}

absl::StatusOr<Definition> DefineLocalConv(const OpContext& c) {
  ASSIGN_OR_RETURN(LocalConv p, LocalConvOf(c));
  Definition d = DefinitionFor(c);
  const Scalar s = StorageOf(c.inputs[0].dtype);
  const bool flip = c.attributes.Int("flip") != 0;
  const Window& window = p.window;
  const int64_t rows = p.shape[2] / c.inputs[1].shape[1], columns = p.shape[3] / c.inputs[1].shape[2];
  d.AddStage(p.shape, s, [&](const Indices& i) {
    const Expr g = FloorDiv(i[1], Int(p.out)), o = FloorMod(i[1], Int(p.out));
    return FromFloat(s, d.Reduce(Combiner::kSum, {p.in, window.size[0], window.size[1]}, [&](const Indices& r) {
      const Expr h = window.Place(0, i[2], r[1]), w = window.Place(1, i[3], r[2]);
      const Expr kh = flip ? Int(window.size[0] - 1) - r[1] : r[1], kw = flip ? Int(window.size[1] - 1) - r[2] : r[2];
      const Expr x = d.AtOr(0, {i[0], g * p.in + r[0], h, w}, Cast(Type(s), Int(0)));
      const Expr weight = d.At(1, {g, FloorDiv(i[2], Int(rows)), FloorDiv(i[3], Int(columns)), r[0], kh, kw, o});
      return ToFloat(x) * ToFloat(weight);
    }));
  });
  return d;
}

REGISTER_OP(local_conv2d).Inputs(2).Infer(InferLocalConv).Define(DefineLocalConv);

// --- region_conv2d(x, w, rin, rout): a convolution that only sees elements whose region, rin[n,h,w], is that of the
// output, rout[n,oh,ow]; w is [G, OC/G, IC/G, KH, KW] ---
absl::StatusOr<LocalConv> RegionConvOf(const OpContext& c) {
  const TensorType& x = c.inputs[0];
  const TensorType& w = c.inputs[1];
  RETURN_IF_ERROR(CheckRank(x, 4, "x"));
  RETURN_IF_ERROR(CheckRank(w, 5, "w"));
  RETURN_IF_ERROR(CheckFloat(x, "x"));
  LocalConv p;
  ASSIGN_OR_RETURN(p.window, WindowOf(c, {w.shape[3], w.shape[4]}));
  p.groups = w.shape[0];
  p.in = w.shape[2];
  p.out = w.shape[1];
  ASSIGN_OR_RETURN(int64_t oh, p.window.Positions(0, x.shape[2]));
  ASSIGN_OR_RETURN(int64_t ow, p.window.Positions(1, x.shape[3]));
  const Shape rin = {x.shape[0], x.shape[2], x.shape[3]}, rout = {x.shape[0], oh, ow};
  if (w.dtype != x.dtype || p.groups * p.in != x.shape[1] || c.inputs[2].shape != rin || c.inputs[3].shape != rout ||
      c.inputs[2].dtype != c.inputs[3].dtype || IsFloating(c.inputs[2].dtype)) {
    return absl::InvalidArgumentError(absl::StrCat("operands ", ToString(x), ", ", ToString(w), ", ",
                                                   ToString(c.inputs[2]), ", ", ToString(c.inputs[3]), " do not fit"));
  }
  p.shape = {x.shape[0], p.groups * p.out, oh, ow};
  return p;
}

Types InferRegionConv(const OpContext& c) {
  ASSIGN_OR_RETURN(LocalConv p, RegionConvOf(c));
  return std::vector<TensorType>{{c.inputs[0].dtype, p.shape}};
}

absl::StatusOr<Definition> DefineRegionConv(const OpContext& c) {
  ASSIGN_OR_RETURN(LocalConv p, RegionConvOf(c));
  Definition d = DefinitionFor(c);
  const Scalar s = StorageOf(c.inputs[0].dtype);
  const bool flip = c.attributes.Int("flip") != 0;
  const Window& window = p.window;
  // With zeros around, every element of every window lies in the image.
  const Shape& image = c.inputs[0].shape;
  const Shape padded = {image[0], image[1], image[2] + 2 * window.pad[0], image[3] + 2 * window.pad[1]};
  RETURN_IF_ERROR(CheckSize(padded));
  const bool pads = window.pad[0] + window.pad[1] > 0;
  const int x_padded = !pads ? 0 : d.AddStage(padded, s, [&](const Indices& i) {
    const Indices at = {i[0], i[1], i[2] + (-window.pad[0]), i[3] + (-window.pad[1])};
    return d.AtOr(0, at, Cast(Type(s), Int(0)));
  });
  const Scalar region = StorageOf(c.inputs[2].dtype);
  const int regions = !pads ? 2 : d.AddStage({padded[0], padded[2], padded[3]}, region, [&](const Indices& i) {
    return d.AtOr(2, {i[0], i[1] + (-window.pad[0]), i[2] + (-window.pad[1])}, Cast(Type(region), Int(0)));
  });
  d.AddStage(p.shape, s, [&](const Indices& i) {
    const Expr g = FloorDiv(i[1], Int(p.out)), o = FloorMod(i[1], Int(p.out));
    return FromFloat(s, d.Reduce(Combiner::kSum, {p.in, window.size[0], window.size[1]}, [&](const Indices& r) {
      const Expr h = window.Place(0, i[2], r[1]) + window.pad[0], w = window.Place(1, i[3], r[2]) + window.pad[1];
      const Expr kh = flip ? Int(window.size[0] - 1) - r[1] : r[1], kw = flip ? Int(window.size[1] - 1) - r[2] : r[2];
      const Expr x = d.At(x_padded, {i[0], g * p.in + r[0], h, w});
      const Expr same = kernel::Binary(Op::kEq, d.At(regions, {i[0], h, w}), d.At(3, {i[0], i[2], i[3]}));
      return Select(same, ToFloat(x) * ToFloat(d.At(1, {g, o, r[0], kh, kw})), kernel::Float(0));
    }));
  });
  return d;
}

REGISTER_OP(region_conv2d).Inputs(4).Infer(InferRegionConv).Define(DefineRegionConv);

}  // namespace
}  // namespace mgec::ops
