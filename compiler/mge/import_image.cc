// Image operators that move pixels or change colours: WarpPerspective, WarpAffine, Remap, CvtColor, Flip, Rotate.
#include "absl/strings/ascii.h"
#include "compiler/mge/importer.h"
#include "compiler/mge/layout.h"
#include "compiler/mge/quantized.h"

namespace mgec::mge {
namespace {

using param::BorderMode;
using param::InterpolationMode;

std::string ModeText(InterpolationMode mode) {
  return EnumText(EnumNameInterpolationMode(mode), static_cast<uint32_t>(mode));
}

// Layouts of the image and of the result, which differ for the formats of preprocessing.
struct WarpLayouts {
  Layout in, out;
  bool fused = false;  // a format of preprocessing
};

absl::StatusOr<WarpLayouts> WarpLayoutsOf(param::ConvolutionFormat format) {
  const Layout nchw, nhwc{Layout::kNhwc}, nchw4{Layout::kNchwBlocked, 4};
  switch (format) {
    case param::ConvolutionFormat::NHWC_NCHW:
      return WarpLayouts{nhwc, nchw, true};
    case param::ConvolutionFormat::NHWC_NCHW4_IC_SMALL:
      return WarpLayouts{nhwc, nchw4, true};
    case param::ConvolutionFormat::NCHW_NCHW4_IC_SMALL:
      return WarpLayouts{nchw, nchw4, true};
    default:
      break;
  }
  ASSIGN_OR_RETURN(const Layout both, LayoutOf(format));
  return WarpLayouts{both, both};
}

absl::Status CheckSampling(param::ConvolutionFormat format, InterpolationMode mode, BorderMode border) {
  RETURN_IF_ERROR(WarpLayoutsOf(format).status());
  if (mode > InterpolationMode::LANCZOS4 || mode == InterpolationMode::AREA) {
    return Unsupported(absl::StrCat("imode=", ModeText(mode)), "NEAREST, LINEAR, CUBIC, LANCZOS4");
  }
  if (border > BorderMode::CONSTANT) {
    return Unsupported(absl::StrCat("border=", EnumText(EnumNameBorderMode(border), static_cast<uint32_t>(border))),
                       "REPLICATE, REFLECT, REFLECT_101, WRAP, CONSTANT");
  }
  return absl::OkStatus();
}

absl::Status CheckPerspective(const Operator& op) {
  const auto& p = *op.Param<param::WarpPerspective>();
  return CheckSampling(p.format(), p.imode(), p.bmode());
}

absl::Status CheckAffine(const Operator& op) {
  const auto& p = *op.Param<param::WarpAffine>();
  RETURN_IF_ERROR(CheckLayout(p.format()));
  return CheckSampling(p.format(), p.imode(), p.border_mode());
}

absl::Status CheckRemap(const Operator& op) {
  const auto& p = *op.Param<param::Remap>();
  RETURN_IF_ERROR(CheckLayout(p.format()));
  if (p.imode() > InterpolationMode::LINEAR) {
    return Unsupported(absl::StrCat("imode=", ModeText(p.imode())), "NEAREST, LINEAR");
  }
  return CheckSampling(p.format(), p.imode(), p.border_type());
}

// MegEngine does as OpenCV does for these images.
bool LikeOpenCv(const Layout& layout, const TensorType& x) {
  return layout.kind == Layout::kNhwc && x.shape.size() == 4 && x.shape[3] >= 1 && x.shape[3] <= 3 &&
         (x.dtype.kind == graph::DTypeKind::kUint8 || x.dtype.kind == graph::DTypeKind::kFloat32);
}

struct Sampling {
  InterpolationMode mode;
  BorderMode border;
  double value;
  const char* rounding;
};

// `inputs` are what sample_image takes, the image in its layout.
absl::StatusOr<Value*> Sample(ImportContext& c, Values inputs, const Layout& layout, const Sampling& s) {
  if (s.mode > InterpolationMode::LINEAR && !LikeOpenCv(layout, inputs[0]->type)) {
    return Unsupported(absl::StrCat("imode=", ModeText(s.mode)), "LINEAR, or NHWC images of 1 to 3 channels");
  }
  const bool channels_last = layout.kind == Layout::kNhwc;
  if (!channels_last) {
    ASSIGN_OR_RETURN(inputs[0], ToNchw(c, inputs[0], layout));
  }
  ASSIGN_OR_RETURN(Value * y, c.Add("sample_image", inputs,
                                    {{"channels_last", int64_t{channels_last}},
                                     {"mode", absl::AsciiStrToLower(ModeText(s.mode))},
                                     {"border", absl::AsciiStrToLower(EnumNameBorderMode(s.border))},
                                     {"value", s.value},
                                     {"rounding", std::string(s.rounding)}}));
  return channels_last ? y : FromNchw(c, y, layout);
}

absl::StatusOr<Shape> SizeOf(ImportContext& c, int operand) {
  ASSIGN_OR_RETURN(Shape size, c.Ints(operand));
  if (size.size() == 1) size.push_back(size[0]);
  if (size.size() != 2) return absl::InvalidArgumentError("the size of the output must be two numbers");
  return size;
}

// The place in the input of every pixel of the output.
absl::StatusOr<Value*> GridOf(ImportContext& c, const char* op, Value* matrices, const Shape& size, bool like_open_cv,
                              InterpolationMode mode) {
  std::string precision = "float";
  if (like_open_cv) {
    precision = mode == InterpolationMode::NEAREST ? "cv_nearest" : "cv_linear";
  } else if (mode == InterpolationMode::NEAREST) {
    return Unsupported("imode=NEAREST", "LINEAR, or NHWC images of 1 to 3 channels");
  }
  ASSIGN_OR_RETURN(matrices, c.Cast(matrices, graph::DTypeKind::kFloat32));
  return c.Add(op, {matrices}, {{"size", size}, {"precision", precision}});
}

// Numbers of a type as they are stored, as float32.
absl::StatusOr<Value*> RawFloats(ImportContext& c, Value* x) {
  if (x->type.dtype.kind == graph::DTypeKind::kQuantized8Asymm) {
    ASSIGN_OR_RETURN(x, Retype(c, x, graph::DTypeKind::kUint8));
  }
  if (x->type.dtype.kind != graph::DTypeKind::kUint8) {
    return Unsupported(absl::StrCat("preprocessing of ", graph::ToString(x->type.dtype)), "uint8, quantized8asymm");
  }
  return c.Cast(x, graph::DTypeKind::kFloat32);
}

// Numbers that stand for elements of type `from`, as the type `to`; bytes become numbers around 0 where that is signed.
absl::StatusOr<Value*> FromRawFloats(ImportContext& c, Value* y, const graph::DType& from, const graph::DType& to) {
  const bool centred = from.kind == graph::DTypeKind::kUint8 && to.kind == graph::DTypeKind::kQuantizedS8;
  const float zero = centred ? 128 : static_cast<float>(from.zero_point);
  if (zero != 0) {
    ASSIGN_OR_RETURN(y, c.Add("sub", {y, c.graph().AddScalar(zero)}));
  }
  if (IsQuantized(from)) {
    ASSIGN_OR_RETURN(y, c.Add("mul", {y, c.graph().AddScalar(from.scale)}));
  }
  return c.Cast(y, to);
}

// The operands are one image tensor or several, the matrices, maybe the image that each matrix is for, and the size.
absl::StatusOr<Value*> ImportPerspective(ImportContext& c) {
  const auto& p = c.Param<param::WarpPerspective>();
  ASSIGN_OR_RETURN(const WarpLayouts layouts, WarpLayoutsOf(p.format()));
  const Layout& layout = layouts.in;
  const int last = c.num_inputs() - 1;
  int matrices = 1;
  while (matrices < last && c.shape(matrices).size() != 3) ++matrices;
  if (last - matrices != 1 && last - matrices != 2) return absl::InvalidArgumentError("the operands do not fit");
  ASSIGN_OR_RETURN(const Shape size, SizeOf(c, last));
  Value* x = c.input(0);
  if (matrices > 1) {
    const Values images(c.inputs().begin(), c.inputs().begin() + matrices);
    ASSIGN_OR_RETURN(x, c.Add("concat", images, {{"axis", int64_t{layout.kind == Layout::kChwn4 ? 3 : 0}}}));
  }
  ASSIGN_OR_RETURN(const graph::DType dtype, OutputType(c, x->type.dtype));
  const bool converts = layouts.fused || dtype != x->type.dtype;
  ASSIGN_OR_RETURN(Value * grid, GridOf(c, "perspective_grid", c.input(matrices), size,
                                        !converts && LikeOpenCv(layout, x->type), p.imode()));
  Values inputs = {x, grid};
  if (last - matrices == 2) inputs.push_back(c.input(matrices + 1));
  const Sampling sampling{p.imode(), p.bmode(), p.border_val(), "away"};
  if (!converts) return Sample(c, inputs, layout, sampling);
  ASSIGN_OR_RETURN(inputs[0], RawFloats(c, x));
  ASSIGN_OR_RETURN(inputs[0], ToNchw(c, inputs[0], layout));
  ASSIGN_OR_RETURN(Value * y, Sample(c, inputs, Layout{}, sampling));
  ASSIGN_OR_RETURN(y, FromRawFloats(c, y, x->type.dtype, dtype));
  return FromNchw(c, y, layouts.out);
}

absl::StatusOr<Value*> ImportAffine(ImportContext& c) {
  const auto& p = c.Param<param::WarpAffine>();
  ASSIGN_OR_RETURN(const Layout layout, LayoutOf(p.format()));
  ASSIGN_OR_RETURN(const Shape size, SizeOf(c, 2));
  const bool like_open_cv = LikeOpenCv(layout, c.input(0)->type);
  ASSIGN_OR_RETURN(Value * grid, GridOf(c, "affine_grid", c.input(1), size, like_open_cv, p.imode()));
  return Sample(c, {c.input(0), grid}, layout, {p.imode(), p.border_mode(), p.border_val(), "away"});
}

absl::StatusOr<Value*> ImportRemap(ImportContext& c) {
  const auto& p = c.Param<param::Remap>();
  ASSIGN_OR_RETURN(const Layout layout, LayoutOf(p.format()));
  ASSIGN_OR_RETURN(Value * grid, c.Cast(c.input(1), graph::DTypeKind::kFloat32));
  return Sample(c, {c.input(0), grid}, layout, {p.imode(), p.border_type(), p.scalar(), "even"});
}

std::string ColorText(param::CvtColorMode mode) {
  // Old names.
  if (mode == param::CvtColorMode::YCrCb2RGB) mode = param::CvtColorMode::YUV2RGB_NV21;
  if (mode == param::CvtColorMode::YCrCb2BGR) mode = param::CvtColorMode::YUV2BGR_NV21;
  return EnumText(EnumNameCvtColorMode(mode), static_cast<uint32_t>(mode));
}

absl::Status CheckCvtColor(const Operator& op) {
  const auto mode = op.Param<param::CvtColor>()->mode();
  const bool known = EnumNameCvtColorMode(mode)[0] != '\0';
  return known ? absl::OkStatus() : Unsupported(absl::StrCat("mode=", ColorText(mode)), "MegEngine's modes");
}

absl::StatusOr<Value*> ImportCvtColor(ImportContext& c) {
  return c.Add("cvt_color", {c.input(0)},
               {{"mode", absl::AsciiStrToLower(ColorText(c.Param<param::CvtColor>().mode()))}});
}

// An NHWC image with the axes in `axes` turned round.
absl::StatusOr<Value*> Mirror(ImportContext& c, Value* x, const std::vector<int64_t>& axes) {
  const Shape& shape = x->type.shape;
  if (shape.size() != 4) return absl::InvalidArgumentError(absl::StrCat(graph::ToString(shape), " is not an image"));
  if (axes.empty()) return x;
  Shape begin(4, 0), end = shape, step(4, 1);
  for (int64_t axis : axes) {
    begin[axis] = shape[axis] - 1;
    end[axis] = step[axis] = -1;
  }
  return c.Add("slice", {x}, {{"begin", begin}, {"end", end}, {"step", step}});
}

absl::StatusOr<Value*> ImportFlip(ImportContext& c) {
  const auto& p = c.Param<param::Flip>();
  std::vector<int64_t> axes;
  if (p.vertical()) axes.push_back(1);
  if (p.horizontal()) axes.push_back(2);
  return Mirror(c, c.input(0), axes);
}

absl::StatusOr<Value*> ImportRotate(ImportContext& c) {
  ASSIGN_OR_RETURN(Value * y, Mirror(c, c.input(0), {c.Param<param::Rotate>().clockwise() ? 1 : 2}));
  return c.Transpose(y, {0, 2, 1, 3});
}

}  // namespace

void RegisterImage(Registry& r) {
  r.Add("CvtColor", ImportCvtColor, CheckCvtColor);
  r.Add("Flip", ImportFlip);
  r.Add("Remap", ImportRemap, CheckRemap);
  r.Add("Rotate", ImportRotate);
  r.Add("WarpAffine", ImportAffine, CheckAffine);
  r.Add("WarpPerspective", ImportPerspective, CheckPerspective);
}

}  // namespace mgec::mge
