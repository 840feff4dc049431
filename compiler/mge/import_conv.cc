// Convolution, ConvBiasForward, BatchConvBiasForward.
#include "compiler/mge/importer.h"
#include "compiler/mge/layout.h"
#include "compiler/mge/quantized.h"

namespace mgec::mge {
namespace {

using param::ConvolutionMode;
using param::ConvolutionSparse;
using param::NonlineMode;

// What both kinds of parameters have in common has the same names.
template <typename P>
absl::Status CheckConv(const Operator& op) {
  const P& p = *op.Param<P>();
  RETURN_IF_ERROR(ConvLayoutsOf(p.format()).status());
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

absl::StatusOr<Value*> Activate(ImportContext& c, Value* x, const std::string& activation) {
  if (activation == "identity") return x;
  return c.Add(activation, {x});
}

// What follows a quantized convolution: bias and z are added, and the result is activated and rounded. `terms` are in
// NCHW, the first, if there, is the bias.
absl::StatusOr<Value*> FinishQuantized(ImportContext& c, Value* sums, const Values& terms,
                                       const std::string& activation) {
  using graph::DTypeKind;
  const graph::DType sum_type = sums->type.dtype;
  ASSIGN_OR_RETURN(const graph::DType result, OutputType(c, sum_type));
  Value* y = sums;
  size_t next = 0;
  if (!terms.empty() && !IsFloating(terms[0]->type.dtype)) {
    // The scale of a bias is nearly that of the sums.
    ASSIGN_OR_RETURN(Value * bias, FromSums(c, terms[0], sum_type));
    ASSIGN_OR_RETURN(y, c.Add("add", {y, bias}));
    next = 1;
  }
  if (next == terms.size() && (activation == "identity" || activation == "relu")) {
    ASSIGN_OR_RETURN(y, Activate(c, y, activation));
    return FromSums(c, y, result);
  }
  // The rest is done with real numbers.
  ASSIGN_OR_RETURN(y, c.Cast(y, DTypeKind::kFloat32));
  for (; next < terms.size(); ++next) {
    ASSIGN_OR_RETURN(Value * term, c.Cast(terms[next], DTypeKind::kFloat32));
    ASSIGN_OR_RETURN(y, c.Add("add", {y, term}));
  }
  ASSIGN_OR_RETURN(y, Activate(c, y, activation));
  return c.Cast(y, result);
}

template <typename P>
graph::Attributes AttributesOf(const P& p, int64_t groups) {
  graph::Attributes attributes = {{"stride", Shape{p.stride_h(), p.stride_w()}},
                                  {"pad", Shape{p.pad_h(), p.pad_w()}},
                                  {"dilation", Shape{p.dilate_h(), p.dilate_w()}},
                                  {"group", groups}};
  if (p.mode() == ConvolutionMode::CONVOLUTION) attributes.Set("flip", int64_t{1});
  return attributes;
}

template <typename P>
absl::StatusOr<Value*> Convolve(ImportContext& c, const std::string& activation) {
  const P& p = c.Param<P>();
  ASSIGN_OR_RETURN(const ConvLayouts layouts, ConvLayoutsOf(p.format()));
  const Layout& layout = layouts.in;
  const bool grouped = p.sparse() == ConvolutionSparse::GROUP;
  const size_t input_rank = c.shape(0).size();
  // The first layer of a blocked network takes NCHW and gives blocks.
  const bool first_layer = layout.kind == Layout::kNchwBlocked && layout.weight != Layout::kPlain && input_rank == 4;
  ASSIGN_OR_RETURN(Value * w, WeightToOihw(c, c.input(1), layout, grouped, input_rank));
  ASSIGN_OR_RETURN(Value * x, ToNchw(c, c.input(0), first_layer ? Layout{} : layout));
  if (!grouped && x->type.shape.size() == 4 && w->type.shape.size() == 4) {
    ASSIGN_OR_RETURN(x, DropFilling(c, x, w->type.shape[1], layout));
  }
  Values terms;
  for (int i = 2; i < c.num_inputs(); ++i) {
    ASSIGN_OR_RETURN(Value * term, ToNchw(c, c.input(i), layouts.out));
    terms.push_back(term);
  }
  graph::Attributes attributes = AttributesOf(p, grouped && !w->type.shape.empty() ? w->type.shape[0] : 1);
  Value* y;
  if (graph::IsFloating(x->type.dtype)) {
    if (activation != "identity") attributes.Set("activation", activation);
    Values inputs = {x, w};
    inputs.insert(inputs.end(), terms.begin(), terms.end());
    ASSIGN_OR_RETURN(y, c.Add("conv2d", inputs, attributes));
  } else {
    ASSIGN_OR_RETURN(y, Contract(c, "conv2d", x, w, attributes));
    ASSIGN_OR_RETURN(y, FinishQuantized(c, y, terms, activation));
  }
  return FromNchw(c, y, layouts.out);
}

absl::StatusOr<Value*> ImportConvolution(ImportContext& c) { return Convolve<param::Convolution>(c, "identity"); }

std::string ActivationOf(NonlineMode mode) {
  static const char* const kActivations[] = {"identity", "relu", "sigmoid", "h_swish"};
  return kActivations[static_cast<int>(mode)];
}

absl::StatusOr<Value*> ImportConvBias(ImportContext& c) {
  return Convolve<param::ConvBias>(c, ActivationOf(c.Param<param::ConvBias>().nonline_mode()));
}

absl::Status CheckBatchConvBias(const Operator& op) {
  const auto& p = *op.Param<param::BatchConvBias>();
  if (p.nonline_mode() > NonlineMode::H_SWISH) return Unsupported("nonline_mode", "IDENTITY, RELU, SIGMOID, H_SWISH");
  return CheckConv<param::BatchConvBias>(op);
}

// Each image has weights of its own: the images become groups of channels of one image. Where the weights of an image are
// in groups, there are as many groups for each image.
absl::StatusOr<Value*> ImportBatchConvBias(ImportContext& c) {
  const auto& p = c.Param<param::BatchConvBias>();
  ASSIGN_OR_RETURN(const ConvLayouts layouts, ConvLayoutsOf(p.format()));
  const Layout& layout = layouts.in;
  Value* w = c.input(1);
  if (p.sparse() == ConvolutionSparse::GROUP) {
    Shape joined = w->type.shape;
    if (joined.size() < 2) return absl::InvalidArgumentError("the weights have no groups");
    joined[1] *= joined[0];
    joined.erase(joined.begin());
    ASSIGN_OR_RETURN(w, c.Reshape(w, joined));
  }
  ASSIGN_OR_RETURN(w, WeightToOihw(c, w, layout, /*grouped=*/true, c.shape(0).size()));
  ASSIGN_OR_RETURN(Value * x, ToNchw(c, c.input(0), layout));
  const Shape in = x->type.shape;
  if (in.size() != 4) return absl::InvalidArgumentError("the image does not have 4 dimensions");
  if (w->type.shape.size() != 5 || w->type.shape[0] % in[0] != 0) {
    return absl::InvalidArgumentError("there are not weights for each image");
  }
  const int64_t groups = w->type.shape[0];
  ASSIGN_OR_RETURN(x, c.Reshape(x, {1, in[0] * in[1], in[2], in[3]}));
  ASSIGN_OR_RETURN(Value * y, Contract(c, "conv2d", x, w, AttributesOf(p, groups)));
  const Shape out = y->type.shape;
  ASSIGN_OR_RETURN(y, c.Reshape(y, {in[0], out[1] / in[0], out[2], out[3]}));
  Values terms;
  for (int i = 2; i < c.num_inputs(); ++i) {
    ASSIGN_OR_RETURN(Value * term, ToNchw(c, c.input(i), layouts.out));
    terms.push_back(term);
  }
  const std::string activation = ActivationOf(p.nonline_mode());
  if (graph::IsFloating(y->type.dtype)) {
    for (Value* term : terms) {
      ASSIGN_OR_RETURN(y, c.Add("add", {y, term}));
    }
    ASSIGN_OR_RETURN(y, Activate(c, y, activation));
  } else {
    ASSIGN_OR_RETURN(y, FinishQuantized(c, y, terms, activation));
  }
  return FromNchw(c, y, layouts.out);
}

}  // namespace

void RegisterConv(Registry& r) {
  r.Add("BatchConvBiasForward", ImportBatchConvBias, CheckBatchConvBias);
  r.Add("ConvBiasForward", ImportConvBias, CheckConvBias);
  r.Add("Convolution", ImportConvolution, CheckConv<param::Convolution>);
}

}  // namespace mgec::mge
