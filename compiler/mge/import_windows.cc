// Operators that look at windows of an image, other than the usual convolutions: Images2Neibs, SlidingWindowTranspose,
// Local, GroupLocal, LocalShareForward, DeformableConvForward, RegionRestrictedConvolution, MaskConvolution,
// MaskPropagate, CorrelationForward. NCHW.
#include "compiler/mge/importer.h"

namespace mgec::mge {
namespace {

using param::ConvolutionFormat;
using param::ConvolutionMode;
using param::ConvolutionSparse;

template <typename P>
absl::Status CheckNchw(const Operator& op) {
  const P& p = *op.Param<P>();
  if (p.format() != ConvolutionFormat::NCHW) {
    return Unsupported(
        absl::StrCat("format=", EnumText(EnumNameConvolutionFormat(p.format()), static_cast<uint32_t>(p.format()))),
        "NCHW");
  }
  if (p.mode() > ConvolutionMode::CONVOLUTION) {
    return Unsupported(absl::StrCat("mode=", static_cast<uint32_t>(p.mode())), "CROSS_CORRELATION, CONVOLUTION");
  }
  if (p.sparse() > ConvolutionSparse::GROUP) {
    return Unsupported(absl::StrCat("sparse=", static_cast<uint32_t>(p.sparse())), "DENSE, GROUP");
  }
  return absl::OkStatus();
}

// How the window moves.
template <typename P>
graph::Attributes Motion(const P& p) {
  return {{"stride", Shape{p.stride_h(), p.stride_w()}},
          {"pad", Shape{p.pad_h(), p.pad_w()}},
          {"dilation", Shape{p.dilate_h(), p.dilate_w()}}};
}

absl::StatusOr<Value*> ImportImages2Neibs(ImportContext& c) {
  const auto& p = c.Param<param::Images2Neibs>();
  graph::Attributes attributes = Motion(p);
  attributes.Set("window", Shape{p.window_h(), p.window_w()});
  return c.Add("images_to_windows", {c.input(0)}, attributes);
}

absl::StatusOr<Value*> ImportSlidingWindowTranspose(ImportContext& c) {
  const auto& p = c.Param<param::SlidingWindowTranspose>();
  RETURN_IF_ERROR(c.RequireFloat(0));
  graph::Attributes attributes = Motion(p);
  attributes.Set("window", Shape{p.window_h(), p.window_w()});
  attributes.Set("size", Shape{p.out_h(), p.out_w()});
  return c.Add("windows_to_image", {c.input(0)}, attributes);
}

// Weights for every place, or for every part of the image: without a dimension of groups, there is one group.
template <typename P>
absl::StatusOr<Value*> ImportLocal(ImportContext& c) {
  const P& p = c.Param<P>();
  RETURN_IF_ERROR(c.RequireFloat(0));
  RETURN_IF_ERROR(c.RequireFloat(1));
  Shape shape = c.shape(1);
  if (shape.size() == 6) shape.insert(shape.begin(), 1);
  ASSIGN_OR_RETURN(Value * w, c.Reshape(c.input(1), shape));
  graph::Attributes attributes = Motion(p);
  if (p.mode() == ConvolutionMode::CONVOLUTION) attributes.Set("flip", int64_t{1});
  return c.Add("local_conv2d", {c.input(0), w}, attributes);
}

// The windows are sampled first; a convolution with a window of 1 by 1 does the rest.
absl::StatusOr<Value*> ImportDeformableConv(ImportContext& c) {
  const auto& p = c.Param<param::Convolution>();
  for (int i = 0; i < 4; ++i) RETURN_IF_ERROR(c.RequireFloat(i));
  const bool grouped = p.sparse() == ConvolutionSparse::GROUP;
  const Shape w = c.shape(1);
  if (w.size() != (grouped ? 5 : 4)) return absl::InvalidArgumentError("the weights have a wrong rank");
  const int64_t kh = w[w.size() - 2], kw = w.back();
  graph::Attributes attributes = Motion(p);
  attributes.Set("window", Shape{kh, kw});
  ASSIGN_OR_RETURN(Value * x, c.Add("deformable_windows", {c.input(0), c.input(2), c.input(3)}, attributes));
  Shape flat(w.begin(), w.end() - 2);
  flat.back() *= kh * kw;
  flat.insert(flat.end(), {1, 1});
  Value* weights = c.input(1);
  if (p.mode() == ConvolutionMode::CONVOLUTION) {  // as conv2d does with "flip"
    Shape begin(w.size(), 0), end = w, step(w.size(), 1);
    for (size_t i = w.size() - 2; i < w.size(); ++i) {
      begin[i] = w[i] - 1;
      end[i] = step[i] = -1;
    }
    ASSIGN_OR_RETURN(weights, c.Add("slice", {weights}, {{"begin", begin}, {"end", end}, {"step", step}}));
  }
  ASSIGN_OR_RETURN(weights, c.Reshape(weights, flat));
  return c.Add("conv2d", {x, weights},
               {{"stride", Shape{1, 1}},
                {"pad", Shape{0, 0}},
                {"dilation", Shape{1, 1}},
                {"group", grouped ? w[0] : 1}});
}

absl::StatusOr<Value*> ImportRegionConv(ImportContext& c) {
  const auto& p = c.Param<param::Convolution>();
  RETURN_IF_ERROR(c.RequireFloat(0));
  Shape shape = c.shape(1);
  if (p.sparse() == ConvolutionSparse::DENSE) shape.insert(shape.begin(), 1);
  ASSIGN_OR_RETURN(Value * w, c.Reshape(c.input(1), shape));
  graph::Attributes attributes = Motion(p);
  if (p.mode() == ConvolutionMode::CONVOLUTION) attributes.Set("flip", int64_t{1});
  return c.Add("region_conv2d", {c.input(0), w, c.input(2), c.input(3)}, attributes);
}

// A convolution that is zero where the mask, [OH, OW], is.
absl::StatusOr<Value*> ImportMaskConvolution(ImportContext& c) {
  const auto& p = c.Param<param::Convolution>();
  RETURN_IF_ERROR(c.RequireFloat(0));
  const bool grouped = p.sparse() == ConvolutionSparse::GROUP;
  graph::Attributes attributes = Motion(p);
  attributes.Set("group", grouped && !c.shape(1).empty() ? c.shape(1)[0] : int64_t{1});
  if (p.mode() == ConvolutionMode::CONVOLUTION) attributes.Set("flip", int64_t{1});
  ASSIGN_OR_RETURN(Value * y, c.Add("conv2d", {c.input(0), c.input(1)}, attributes));
  ASSIGN_OR_RETURN(Value * mask, c.Cast(c.input(2), graph::DTypeKind::kBool));
  ASSIGN_OR_RETURN(Value * zero, c.Cast(c.graph().AddScalar(0), y->type.dtype));
  return c.Add("where", {mask, y, zero});
}

// 1 where the window of a convolution would see an element of the mask, [H, W], that is not 0.
absl::StatusOr<Value*> ImportMaskPropagate(ImportContext& c) {
  const auto& p = c.Param<param::MaskPropagate>();
  const Shape shape = c.shape(0);
  if (shape.size() != 2) return absl::InvalidArgumentError("the mask is not a matrix");
  ASSIGN_OR_RETURN(Value * mask, c.Cast(c.input(0), graph::DTypeKind::kBool));
  ASSIGN_OR_RETURN(mask, c.Cast(mask, graph::DTypeKind::kInt32));
  ASSIGN_OR_RETURN(mask, c.Reshape(mask, {1, 1, shape[0], shape[1]}));
  graph::Attributes attributes = Motion(p);
  attributes.Set("window", Shape{p.kernel_h(), p.kernel_w()});
  ASSIGN_OR_RETURN(Value * y, c.Add("images_to_windows", {mask}, attributes));
  ASSIGN_OR_RETURN(y, c.Add("reduce", {y}, {{"mode", std::string("max")}, {"axes", std::vector<int64_t>{4, 5}}}));
  ASSIGN_OR_RETURN(y, c.Reshape(y, {y->type.shape[2], y->type.shape[3]}));
  return c.Cast(y, c.input(0)->type.dtype);
}

absl::Status CheckCorrelation(const Operator& op) {
  if (op.Param<param::Correlation>()->format() == param::LegacyConvolutionFormat::NCHW) return absl::OkStatus();
  return Unsupported("a format other than NCHW", "NCHW");
}

absl::StatusOr<Value*> ImportCorrelation(ImportContext& c) {
  const auto& p = c.Param<param::Correlation>();
  RETURN_IF_ERROR(c.RequireFloat(0));
  return c.Add("correlation", {c.input(0), c.input(1)},
               {{"window", int64_t{p.kernel_size()}},
                {"max_displacement", int64_t{p.max_displacement()}},
                {"stride", int64_t{p.stride1()}},
                {"displacement_step", int64_t{p.stride2()}},
                {"pad", int64_t{p.pad_size()}},
                {"multiply", int64_t{p.is_multiply()}}});
}

}  // namespace

void RegisterWindows(Registry& r) {
  r.Add("CorrelationForward", ImportCorrelation, CheckCorrelation);
  r.Add("DeformableConvForward", ImportDeformableConv, CheckNchw<param::Convolution>);
  r.Add("GroupLocal", ImportLocal<param::Convolution>, CheckNchw<param::Convolution>);
  r.Add("Images2Neibs", ImportImages2Neibs);
  r.Add("Local", ImportLocal<param::Convolution>, CheckNchw<param::Convolution>);
  r.Add("LocalShareForward", ImportLocal<param::LocalShare>, CheckNchw<param::LocalShare>);
  r.Add("MaskConvolution", ImportMaskConvolution, CheckNchw<param::Convolution>);
  r.Add("MaskPropagate", ImportMaskPropagate);
  r.Add("RegionRestrictedConvolution", ImportRegionConv, CheckNchw<param::Convolution>);
  r.Add("SlidingWindowTranspose", ImportSlidingWindowTranspose);
}

}  // namespace mgec::mge
