// Operators on images that look at a window for each output: Pooling, AdaptivePooling.
#include "absl/strings/ascii.h"
#include "compiler/mge/importer.h"
#include "compiler/mge/layout.h"

namespace mgec::mge {
namespace {

using param::ConvolutionFormat;
using param::PoolingMode;

std::string ModeText(PoolingMode mode) { return EnumText(EnumNamePoolingMode(mode), static_cast<uint32_t>(mode)); }

template <typename P>
absl::Status CheckPool(const Operator& op) {
  const P& p = *op.Param<P>();
  RETURN_IF_ERROR(CheckLayout(p.format()));
  if (EnumNamePoolingMode(p.mode())[0] != '\0') return absl::OkStatus();
  return Unsupported(absl::StrCat("mode=", ModeText(p.mode())), "MAX, AVERAGE, AVERAGE_COUNT_EXCLUDE_PADDING");
}

// The sizes of the images of an NCHW value.
absl::StatusOr<Shape> ImageSize(Value* x) {
  const Shape& s = x->type.shape;
  if (s.size() != 4) return absl::InvalidArgumentError(absl::StrCat("shape ", graph::ToString(s), " is not an image"));
  return Shape{s[2], s[3]};
}

// The operand that gives the size of the output: two numbers, or one for both.
absl::StatusOr<Shape> OutputSize(ImportContext& c, int i) {
  ASSIGN_OR_RETURN(Shape size, c.Ints(i));
  if (size.size() == 1) size.push_back(size[0]);
  if (size.size() != 2 || size[0] < 1 || size[1] < 1) {
    return absl::InvalidArgumentError(absl::StrCat("output size ", graph::ToString(size), " is not possible"));
  }
  return size;
}

absl::StatusOr<Value*> ImportPooling(ImportContext& c) {
  const auto& p = c.Param<param::Pooling>();
  ASSIGN_OR_RETURN(const Layout layout, LayoutOf(p.format()));
  ASSIGN_OR_RETURN(Value * x, ToNchw(c, c.input(0), layout));
  ASSIGN_OR_RETURN(Value * y, c.Add("pool2d", {x},
                                    {{"mode", absl::AsciiStrToLower(ModeText(p.mode()))},
                                     {"window", Shape{p.window_h(), p.window_w()}},
                                     {"stride", Shape{p.stride_h(), p.stride_w()}},
                                     {"pad", Shape{p.pad_h(), p.pad_w()}}}));
  return FromNchw(c, y, layout);
}

// All windows have the same size, unlike in other frameworks: the last one ends with the image, and the stride is as
// large as that allows.
absl::StatusOr<Value*> ImportAdaptivePooling(ImportContext& c) {
  const auto& p = c.Param<param::AdaptivePooling>();
  ASSIGN_OR_RETURN(const Layout layout, LayoutOf(p.format()));
  ASSIGN_OR_RETURN(Value * x, ToNchw(c, c.input(0), layout));
  ASSIGN_OR_RETURN(const Shape in, ImageSize(x));
  ASSIGN_OR_RETURN(const Shape out, OutputSize(c, 1));
  Shape stride(2), window(2);
  for (int i = 0; i < 2; ++i) {
    if (out[i] > in[i]) {
      return absl::InvalidArgumentError(absl::StrCat("cannot pool ", in[i], " elements to ", out[i]));
    }
    stride[i] = in[i] / out[i];
    window[i] = in[i] - (out[i] - 1) * stride[i];
  }
  ASSIGN_OR_RETURN(Value * y, c.Add("pool2d", {x},
                                    {{"mode", absl::AsciiStrToLower(ModeText(p.mode()))},
                                     {"window", window},
                                     {"stride", stride},
                                     {"pad", Shape{0, 0}}}));
  return FromNchw(c, y, layout);
}

}  // namespace

void RegisterPool(Registry& r) {
  r.Add("AdaptivePooling", ImportAdaptivePooling, CheckPool<param::AdaptivePooling>);
  r.Add("Pooling", ImportPooling, CheckPool<param::Pooling>);
}

}  // namespace mgec::mge
