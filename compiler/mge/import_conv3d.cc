// Convolutions that are imported as other convolutions: Convolution3D as a 2-d one whose channels are those of all
// slices that a window sees, and ConvolutionBackwardData, Convolution3DBackwardData (deconvolution) as a convolution of
// the image with zeros between its elements.
#include <algorithm>

#include "compiler/mge/importer.h"
#include "compiler/mge/layout.h"
#include "compiler/mge/quantized.h"

namespace mgec::mge {
namespace {

using param::ConvolutionMode;
using param::ConvolutionSparse;

absl::Status CheckModeAndSparse(uint32_t mode, uint32_t sparse) {
  if (mode > 1) return Unsupported(absl::StrCat("mode=", mode), "CROSS_CORRELATION, CONVOLUTION");
  if (sparse > 1) return Unsupported(absl::StrCat("sparse=", sparse), "DENSE, GROUP");
  return absl::OkStatus();
}

absl::Status CheckDeconv(const Operator& op) {
  const auto& p = *op.Param<param::Convolution>();
  RETURN_IF_ERROR(CheckLayout(p.format()));
  return CheckModeAndSparse(static_cast<uint32_t>(p.mode()), static_cast<uint32_t>(p.sparse()));
}

absl::Status CheckConv3d(const Operator& op) {
  const auto& p = *op.Param<param::Convolution3D>();
  if (p.format() > param::Convolution3DFormat::NDHWC) return Unsupported("format", "NCDHW, NDHWC");
  return CheckModeAndSparse(static_cast<uint32_t>(p.mode()), static_cast<uint32_t>(p.sparse()));
}

// The part [begin, end) of an axis.
absl::StatusOr<Value*> CutAxis(ImportContext& c, Value* x, size_t axis, int64_t begin, int64_t end, int64_t step = 1) {
  if (begin == 0 && end == x->type.shape[axis] && step == 1) return x;
  Shape first(x->type.shape.size(), 0), last = x->type.shape, steps(first.size(), 1);
  first[axis] = begin;
  last[axis] = end;
  steps[axis] = step;
  return c.Add("slice", {x}, {{"begin", first}, {"end", last}, {"step", steps}});
}

absl::StatusOr<Value*> PadAxis(ImportContext& c, Value* x, size_t axis, int64_t before, int64_t after) {
  if (before == 0 && after == 0) return x;
  Shape front(x->type.shape.size(), 0), back = front;
  front[axis] = before;
  back[axis] = after;
  return c.Add("pad", {x},
               {{"before", front},
                {"after", back},
                {"mode", std::string("constant")},
                {"value", static_cast<double>(x->type.dtype.zero_point)}});
}

// x with stride - 1 zeros between its elements along an axis.
absl::StatusOr<Value*> Spread(ImportContext& c, Value* x, size_t axis, int64_t stride) {
  const Shape shape = x->type.shape;
  if (stride == 1 || shape[axis] <= 1) return x;
  int64_t before = 1, after = 1;
  for (size_t i = 0; i < shape.size(); ++i) (i < axis ? before : after) *= i == axis ? 1 : shape[i];
  Shape apart = {before, shape[axis], 1, after};
  const bool dynamic = std::any_of(c.inputs().begin(), c.inputs().end(),
                                   [&](const Value* v) { return c.shapes().IsDynamic(v); });
  if (dynamic) {  // an unknown number of images stays a dimension
    apart[0] /= std::max<int64_t>(shape[0], 1);
    apart.insert(apart.begin(), shape[0]);
  }
  ASSIGN_OR_RETURN(Value * y, c.Reshape(x, apart));
  ASSIGN_OR_RETURN(y, PadAxis(c, y, apart.size() - 2, 0, stride - 1));
  Shape spread = shape;
  spread[axis] *= stride;
  ASSIGN_OR_RETURN(y, c.Reshape(y, spread));
  return CutAxis(c, y, axis, 0, (shape[axis] - 1) * stride + 1);
}

// A convolution in any number of dimensions; before and after may be negative, which cuts.
struct ConvNd {
  Shape stride, before, after, dilation;
  bool flip = false;
};

// The same elements in the shape, whose first dimension has `first` elements that count.
absl::StatusOr<Value*> ReshapeCounted(ImportContext& c, Value* x, const Shape& shape, const Extent& first) {
  ASSIGN_OR_RETURN(Value * y, c.Reshape(x, shape));
  Extents extents(1, first);
  for (size_t i = 1; i < shape.size(); ++i) extents.emplace_back(shape[i]);
  c.shapes().Set(y, extents);
  return y;
}

// x [N, C, ..], w [G, OC/G, IC/G, ..]: two or three dimensions. Of N volumes, `images` count; of images, Follow() knows.
absl::StatusOr<Value*> Convolve(ImportContext& c, Value* x, Value* w, ConvNd p, const Extent& images) {
  const size_t dims = p.stride.size();
  for (size_t i = 0; i < dims; ++i) {
    const int64_t extent = x->type.shape[2 + i];
    const int64_t front = std::max<int64_t>(-p.before[i], 0), back = std::max<int64_t>(-p.after[i], 0);
    if (front + back >= extent && front + back > 0) return absl::InvalidArgumentError("padding leaves nothing");
    ASSIGN_OR_RETURN(x, CutAxis(c, x, 2 + i, front, extent - back));
    p.before[i] = std::max<int64_t>(p.before[i], 0);
    p.after[i] = std::max<int64_t>(p.after[i], 0);
  }
  const int64_t groups = w->type.shape[0];
  if (dims == 2) {
    const Shape& s = w->type.shape;
    if (groups == 1) {
      ASSIGN_OR_RETURN(w, c.Reshape(w, {s[1], s[2], s[3], s[4]}));
    }
    graph::Attributes attributes = {{"stride", p.stride},
                                    {"pad", Shape{p.before[0], p.before[1], p.after[0], p.after[1]}},
                                    {"dilation", p.dilation},
                                    {"group", groups}};
    if (p.flip) attributes.Set("flip", int64_t{1});
    return Contract(c, "conv2d", x, w, attributes);
  }
  // One image for each slice of the output, whose channels are those of the slices that the window sees there.
  ASSIGN_OR_RETURN(x, PadAxis(c, x, 2, p.before[0], p.after[0]));
  const Shape in = x->type.shape, kernel = w->type.shape;  // [N, C, D, H, W], [G, OC/G, IC/G, KD, KH, KW]
  const int64_t span = in[2] - ((kernel[3] - 1) * p.dilation[0] + 1);
  if (span < 0 || in[1] % groups != 0) return absl::InvalidArgumentError("the window does not fit the image");
  const int64_t depth = span / p.stride[0] + 1;
  const Extent all = images * Extent(depth);
  Values slices;
  for (int64_t k = 0; k < kernel[3]; ++k) {
    const int64_t first = k * p.dilation[0];
    ASSIGN_OR_RETURN(Value * slice, CutAxis(c, x, 2, first, first + (depth - 1) * p.stride[0] + 1, p.stride[0]));
    ASSIGN_OR_RETURN(slice, c.Transpose(slice, {0, 2, 1, 3, 4}));
    ASSIGN_OR_RETURN(slice, ReshapeCounted(c, slice, {in[0] * depth, groups, in[1] / groups, in[3], in[4]}, all));
    slices.push_back(slice);
  }
  if (p.flip) std::reverse(slices.begin(), slices.end());
  Value* stack = slices[0];
  if (slices.size() > 1) {
    ASSIGN_OR_RETURN(stack, c.Add("concat", slices, {{"axis", int64_t{2}}}));
  }
  ASSIGN_OR_RETURN(stack, c.Reshape(stack, {in[0] * depth, in[1] * kernel[3], in[3], in[4]}));
  ASSIGN_OR_RETURN(w, c.Transpose(w, {0, 1, 3, 2, 4, 5}));
  ASSIGN_OR_RETURN(w, c.Reshape(w, {groups, kernel[1], kernel[3] * kernel[2], kernel[4], kernel[5]}));
  auto tail = [](const Shape& s) { return Shape(s.begin() + 1, s.end()); };
  const ConvNd flat = {tail(p.stride), tail(p.before), tail(p.after), tail(p.dilation), p.flip};
  ASSIGN_OR_RETURN(Value * y, Convolve(c, stack, w, flat, all));
  const Shape out = y->type.shape;
  ASSIGN_OR_RETURN(y, ReshapeCounted(c, y, {in[0], depth, out[1], out[2], out[3]}, images));
  return c.Transpose(y, {0, 2, 1, 3, 4});
}

// Adds the dimension of groups to weights that have none.
absl::StatusOr<Value*> WithGroups(ImportContext& c, Value* w, bool grouped, size_t dims) {
  Shape shape = w->type.shape;
  if (shape.size() != dims + 2 + (grouped ? 1 : 0)) {
    return absl::InvalidArgumentError(absl::StrCat("weights of shape ", graph::ToString(shape), " do not fit"));
  }
  if (grouped) return w;
  shape.insert(shape.begin(), 1);
  return c.Reshape(w, shape);
}

// The image whose convolution with w, [G, OC/G, IC/G, ..], would see x as a gradient; `out` has its extents, if given.
absl::StatusOr<Value*> Deconvolve(ImportContext& c, Value* x, Value* w, const Shape& stride, const Shape& pad,
                                  const Shape& dilation, bool flip, Shape out, const Extent& images) {
  const size_t dims = stride.size();
  if (x->type.shape.size() != dims + 2) {
    return absl::InvalidArgumentError(absl::StrCat("shape ", graph::ToString(x->type.shape), " does not fit"));
  }
  if (*std::min_element(stride.begin(), stride.end()) < 1) return absl::InvalidArgumentError("the stride is 0");
  std::vector<int64_t> perm = {0, 2, 1};
  ConvNd p{Shape(dims, 1), {}, {}, dilation, !flip};
  for (size_t i = 0; i < dims; ++i) {
    perm.push_back(static_cast<int64_t>(3 + i));
    const int64_t reach = (w->type.shape[3 + i] - 1) * dilation[i];
    const int64_t extent = (x->type.shape[2 + i] - 1) * stride[i] + 1;  // with zeros between
    const int64_t natural = extent + reach - 2 * pad[i];
    if (out.size() == i) out.push_back(natural);
    if (out[i] < natural || out[i] >= natural + stride[i]) {
      return absl::InvalidArgumentError(absl::StrCat("an output of ", out[i], " is not possible, ", natural, " is"));
    }
    ASSIGN_OR_RETURN(x, Spread(c, x, 2 + i, stride[i]));
    p.before.push_back(reach - pad[i]);
    p.after.push_back(out[i] - extent - p.before[i] + reach);
  }
  ASSIGN_OR_RETURN(w, c.Transpose(w, perm));
  return Convolve(c, x, w, p, images);
}

// The operands are the weights, the image, and maybe a tensor that has the shape of the result.
absl::StatusOr<Value*> ImportDeconv(ImportContext& c) {
  const auto& p = c.Param<param::Convolution>();
  ASSIGN_OR_RETURN(const Layout layout, LayoutOf(p.format()));
  const bool grouped = p.sparse() == ConvolutionSparse::GROUP;
  ASSIGN_OR_RETURN(Value * w, WeightToOihw(c, c.input(0), layout, grouped, c.shape(1).size()));
  ASSIGN_OR_RETURN(w, WithGroups(c, w, grouped, 2));
  ASSIGN_OR_RETURN(Value * x, ToNchw(c, c.input(1), layout));
  Shape out;
  if (c.num_inputs() == 3) {
    ASSIGN_OR_RETURN(const Value* like, ToNchw(c, c.input(2), layout));
    if (like->type.shape.size() != 4) return absl::InvalidArgumentError("operand 2 is not an image");
    out.assign(like->type.shape.begin() + 2, like->type.shape.end());
  }
  ASSIGN_OR_RETURN(Value * y, Deconvolve(c, x, w, {p.stride_h(), p.stride_w()}, {p.pad_h(), p.pad_w()},
                                         {p.dilate_h(), p.dilate_w()}, p.mode() == ConvolutionMode::CONVOLUTION, out, Extent()));
  if (!graph::IsFloating(y->type.dtype)) {
    ASSIGN_OR_RETURN(const graph::DType dtype, OutputType(c, y->type.dtype));
    ASSIGN_OR_RETURN(y, FromSums(c, y, dtype));
  }
  return FromNchw(c, y, layout);
}

absl::StatusOr<Value*> ImportConv3d(ImportContext& c, bool backward) {
  const auto& p = c.Param<param::Convolution3D>();
  const Shape stride = {p.stride_d(), p.stride_h(), p.stride_w()}, pad = {p.pad_d(), p.pad_h(), p.pad_w()},
              dilation = {p.dilate_d(), p.dilate_h(), p.dilate_w()};
  if (p.stride_d() < 1 || p.dilate_d() < 1) return absl::InvalidArgumentError("stride or dilation is 0");
  const bool flip = p.mode() == param::Convolution3DMode::CONVOLUTION;
  Value *x = c.input(backward ? 1 : 0), *w = c.input(backward ? 0 : 1);
  RETURN_IF_ERROR(c.RequireFloat(0));
  RETURN_IF_ERROR(c.RequireFloat(1));
  const bool grouped = p.sparse() == param::Convolution3DSparse::GROUP;
  if (x->type.shape.size() != 5) return absl::InvalidArgumentError("the image does not have 5 dimensions");
  const Extents extents = c.shapes().Of(x);
  for (size_t i = 1; i < extents.size(); ++i) {
    if (!extents[i].fixed()) return Unsupported("images whose extents depend on values", "a number of images that does");
  }
  const bool channels_last = p.format() == param::Convolution3DFormat::NDHWC;
  if (channels_last) {
    if (w->type.shape.size() != (grouped ? 6u : 5u)) return absl::InvalidArgumentError("the weights do not fit NDHWC");
    ASSIGN_OR_RETURN(x, c.Transpose(x, {0, 4, 1, 2, 3}));
    ASSIGN_OR_RETURN(w, c.Transpose(w, grouped ? Shape{0, 1, 5, 2, 3, 4} : Shape{0, 4, 1, 2, 3}));
  }
  ASSIGN_OR_RETURN(w, WithGroups(c, w, grouped, 3));
  if (!backward) {
    ASSIGN_OR_RETURN(Value * y, Convolve(c, x, w, {stride, pad, pad, dilation, flip}, extents[0]));
    return channels_last ? c.Transpose(y, {0, 2, 3, 4, 1}) : y;
  }
  Shape out;
  if (c.num_inputs() == 3 && c.shape(2).size() == 5) {
    const auto first = c.shape(2).begin() + (channels_last ? 1 : 2);
    out.assign(first, first + 3);
  }
  ASSIGN_OR_RETURN(Value * y, Deconvolve(c, x, w, stride, pad, dilation, flip, out, extents[0]));
  return channels_last ? c.Transpose(y, {0, 2, 3, 4, 1}) : y;
}

using C = ImportContext;

}  // namespace

void RegisterConv3d(Registry& r) {
  r.Add("Convolution3D", [](C& c) { return ImportConv3d(c, false); }, CheckConv3d);
  r.Add("Convolution3DBackwardData", [](C& c) { return ImportConv3d(c, true); }, CheckConv3d);
  r.Add("ConvolutionBackwardData", ImportDeconv, CheckDeconv);
}

}  // namespace mgec::mge
