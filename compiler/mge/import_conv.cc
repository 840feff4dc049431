// Convolution and ConvBiasForward.
#include "compiler/mge/importer.h"
#include "compiler/mge/layout.h"

namespace mgec::mge {
namespace {

using param::ConvolutionMode;
using param::ConvolutionSparse;
using param::NonlineMode;

// What both kinds of parameters have in common has the same names.
template <typename P>
absl::Status CheckConv(const Operator& op) {
  const P& p = *op.Param<P>();
  RETURN_IF_ERROR(CheckLayout(p.format()));
  if (p.mode() > ConvolutionMode::CONVOLUTION) {
    return Unsupported(absl::StrCat("mode=", static_cast<uint32_t>(p.mode())), "CROSS_CORRELATION, CONVOLUTION");
  }
  if (p.sparse() > ConvolutionSparse::GROUP) {
    return Unsupported(absl::StrCat("sparse=", static_cast<uint32_t>(p.sparse())), "DENSE, GROUP");
  }
  return absl::OkStatus();
}

absl::Status CheckConvBias(const Operator& op) {
  const NonlineMode mode = op.Param<param::ConvBias>()->nonline_mode();
  if (mode > NonlineMode::H_SWISH) {
    return Unsupported(absl::StrCat("nonline_mode=", static_cast<uint32_t>(mode)), "IDENTITY, RELU, SIGMOID, H_SWISH");
  }
  return CheckConv<param::ConvBias>(op);
}

// Drops the channels that only fill up the last block, where the weights do not have them.
absl::StatusOr<Value*> DropFilling(ImportContext& c, Value* x, int64_t channels, const Layout& layout) {
  const int64_t extra = x->type.shape[1] - channels;
  if (extra <= 0 || extra >= layout.block) return x;
  Shape end = x->type.shape;
  end[1] = channels;
  return c.Add("slice", {x}, {{"begin", Shape{0, 0, 0, 0}}, {"end", end}, {"step", Shape{1, 1, 1, 1}}});
}

template <typename P>
absl::StatusOr<Value*> Convolve(ImportContext& c, const std::string& activation) {
  const P& p = c.Param<P>();
  RETURN_IF_ERROR(c.RequireFloat(0));
  RETURN_IF_ERROR(c.RequireFloat(1));
  ASSIGN_OR_RETURN(const Layout layout, LayoutOf(p.format()));
  const bool grouped = p.sparse() == ConvolutionSparse::GROUP;
  const size_t input_rank = c.shape(0).size();
  // The first layer of a blocked network takes NCHW and gives blocks.
  const bool first_layer = layout.kind == Layout::kNchwBlocked && layout.weight != Layout::kPlain && input_rank == 4;
  ASSIGN_OR_RETURN(Value * w, WeightToOihw(c, c.input(1), layout, grouped, input_rank));
  ASSIGN_OR_RETURN(Value * x, ToNchw(c, c.input(0), first_layer ? Layout{} : layout));
  if (!grouped && x->type.shape.size() == 4 && w->type.shape.size() == 4) {
    ASSIGN_OR_RETURN(x, DropFilling(c, x, w->type.shape[1], layout));
  }
  Values inputs = {x, w};
  for (int i = 2; i < c.num_inputs(); ++i) {
    RETURN_IF_ERROR(c.RequireFloat(i));
    ASSIGN_OR_RETURN(Value * term, ToNchw(c, c.input(i), layout));
    inputs.push_back(term);
  }
  graph::Attributes attributes = {{"stride", Shape{p.stride_h(), p.stride_w()}},
                                  {"pad", Shape{p.pad_h(), p.pad_w()}},
                                  {"dilation", Shape{p.dilate_h(), p.dilate_w()}},
                                  {"group", grouped && !w->type.shape.empty() ? w->type.shape[0] : 1}};
  if (activation != "identity") attributes.Set("activation", activation);
  if (p.mode() == ConvolutionMode::CONVOLUTION) attributes.Set("flip", int64_t{1});
  ASSIGN_OR_RETURN(Value * y, c.Add("conv2d", inputs, attributes));
  return FromNchw(c, y, layout);
}

absl::StatusOr<Value*> ImportConvolution(ImportContext& c) { return Convolve<param::Convolution>(c, "identity"); }

absl::StatusOr<Value*> ImportConvBias(ImportContext& c) {
  static const char* const kActivations[] = {"identity", "relu", "sigmoid", "h_swish"};
  return Convolve<param::ConvBias>(c, kActivations[static_cast<int>(c.Param<param::ConvBias>().nonline_mode())]);
}

}  // namespace

void RegisterConv(Registry& r) {
  r.Add("ConvBiasForward", ImportConvBias, CheckConvBias);
  r.Add("Convolution", ImportConvolution, CheckConv<param::Convolution>);
}

}  // namespace mgec::mge
