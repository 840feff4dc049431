// Normalizations: BatchNorm, LayerNorm, GroupNorm, InstanceNorm, GeneralNorm, Softmax, LRN.
#include <numeric>

#include "compiler/mge/importer.h"

namespace mgec::mge {
namespace {

absl::Status CheckBatchNorm(const Operator& op) {
  if (op.Param<param::BN>()->fwd_mode() == param::BNFwdMode::TRAINING || op.inputs.size() == 5) return absl::OkStatus();
  return Unsupported("no mean and variance", "fwd_mode=TRAINING, or 5 operands");
}

// With the mean and the variance of the batch itself, over the dimensions that the scale does not have.
absl::StatusOr<Value*> NormalizeBatch(ImportContext& c) {
  const Shape &x = c.shape(0), &scale = c.shape(1);
  std::vector<int64_t> axes;
  for (size_t k = 0; k < x.size(); ++k) {
    if (scale.size() == x.size() && scale[k] == 1) axes.push_back(static_cast<int64_t>(k));
  }
  if (axes.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("a scale ", graph::ToString(scale), " does not fit ", graph::ToString(x)));
  }
  const graph::Attributes mean_of = {{"mode", std::string("mean")}, {"axes", axes}};
  ASSIGN_OR_RETURN(Value * mean, c.Add("reduce", {c.input(0)}, mean_of));
  ASSIGN_OR_RETURN(Value * deviation, c.Add("sub", {c.input(0), mean}));
  ASSIGN_OR_RETURN(Value * square, c.Add("square", {deviation}));
  ASSIGN_OR_RETURN(Value * variance, c.Add("reduce", {square}, mean_of));
  return c.Add("batch_norm", {c.input(0), c.input(1), c.input(2), mean, variance},
               {{"epsilon", c.Param<param::BN>().epsilon()}});
}

// The operands are x, scale, bias, mean, variance; whichever dimensions are normalised, they broadcast against x.
// y is the last output; those before it are for training.
absl::StatusOr<Values> ImportBatchNorm(ImportContext& c) {
  RETURN_IF_ERROR(c.RequireFloat(0));
  Values outputs(c.op().num_outputs, nullptr);
  if (c.Param<param::BN>().fwd_mode() == param::BNFwdMode::TRAINING) {
    ASSIGN_OR_RETURN(outputs.back(), NormalizeBatch(c));
    return outputs;
  }
  ASSIGN_OR_RETURN(outputs.back(), c.Add("batch_norm", c.inputs(), {{"epsilon", c.Param<param::BN>().epsilon()}}));
  return outputs;
}

// What training wants to know: the mean over `axes` of x, and the inverse of its deviation or, as `variance`, that itself; both
// float32 of the shape `shape`. Null where nobody uses them.
struct Moments {
  Value* mean = nullptr;
  Value* spread = nullptr;
};

absl::StatusOr<Moments> MomentsOf(ImportContext& c, Value* x, std::vector<int64_t> axes, Shape shape, bool variance, float eps) {
  Moments m;
  if (!c.uses(1) && !c.uses(2)) return m;
  if (shape.empty()) shape = {1};
  const graph::Attributes mean_of = {{"mode", std::string("mean")}, {"axes", std::move(axes)}};
  ASSIGN_OR_RETURN(x, c.Cast(x, graph::DTypeKind::kFloat32));
  ASSIGN_OR_RETURN(m.mean, c.Add("reduce", {x}, mean_of));
  ASSIGN_OR_RETURN(Value * deviation, c.Add("sub", {x, m.mean}));
  ASSIGN_OR_RETURN(deviation, c.Add("square", {deviation}));
  ASSIGN_OR_RETURN(m.spread, c.Add("reduce", {deviation}, mean_of));
  if (!variance) {
    ASSIGN_OR_RETURN(m.spread, c.Add("add", {m.spread, c.graph().AddScalar(eps)}));
    ASSIGN_OR_RETURN(m.spread, c.Add("sqrt", {m.spread}));
    ASSIGN_OR_RETURN(m.spread, c.Add("true_div", {c.graph().AddScalar(1), m.spread}));
  }
  ASSIGN_OR_RETURN(m.mean, c.Reshape(m.mean, shape));
  ASSIGN_OR_RETURN(m.spread, c.Reshape(m.spread, shape));
  return m;
}

// Normalises the axes [begin, end); weight and bias have the shape of these axes.
absl::StatusOr<Values> NormalizeAxes(ImportContext& c, uint64_t begin, uint64_t end, bool affine, float eps) {
  RETURN_IF_ERROR(c.RequireFloat(0));
  const Shape& shape = c.shape(0);
  if (begin >= end || end > shape.size()) {
    return absl::InvalidArgumentError(absl::StrCat("cannot normalise axes ", begin, " to ", end, " of ",
                                                   graph::ToString(shape)));
  }
  if (affine != (c.num_inputs() == 3)) {
    return absl::InvalidArgumentError(absl::StrCat("has ", c.num_inputs(), " inputs, affine=", affine));
  }
  std::vector<int64_t> axes(end - begin);
  std::iota(axes.begin(), axes.end(), static_cast<int64_t>(begin));
  Values inputs = {c.input(0)};
  for (int i = 1; i < c.num_inputs(); ++i) {
    Shape aligned(shape.begin() + begin, shape.begin() + end);
    aligned.resize(aligned.size() + shape.size() - end, 1);
    ASSIGN_OR_RETURN(Value * parameter, c.Reshape(c.input(i), aligned));
    inputs.push_back(parameter);
  }
  ASSIGN_OR_RETURN(Value * y, c.Add("layer_norm", inputs, {{"axes", axes}, {"eps", static_cast<double>(eps)}}));
  Shape kept(shape.begin(), shape.begin() + begin);
  kept.insert(kept.end(), shape.begin() + end, shape.end());
  ASSIGN_OR_RETURN(const Moments m, MomentsOf(c, c.input(0), axes, kept, /*variance=*/false, eps));
  return Values{y, m.mean, m.spread};
}

absl::StatusOr<Values> ImportLayerNorm(ImportContext& c) {
  const auto& p = c.Param<param::LayerNorm>();
  const uint64_t rank = c.shape(0).size();
  if (p.normalized_dim() > rank) {
    return absl::InvalidArgumentError(absl::StrCat("cannot normalise ", p.normalized_dim(), " axes of ", rank));
  }
  return NormalizeAxes(c, rank - p.normalized_dim(), rank, p.affine(), p.eps());
}

absl::StatusOr<Values> ImportGeneralNorm(ImportContext& c) {
  const auto& p = c.Param<param::GeneralNorm>();
  return NormalizeAxes(c, p.axis_start(), p.axis_end(), p.affine(), p.eps());
}

absl::Status CheckGroupNorm(const Operator& op) {
  const param::ConvolutionFormat format = op.Param<param::GroupNorm>()->format();
  if (format == param::ConvolutionFormat::NCHW) return absl::OkStatus();
  return Unsupported(
      absl::StrCat("format=", EnumText(EnumNameConvolutionFormat(format), static_cast<uint32_t>(format))), "NCHW");
}

absl::StatusOr<Values> NormalizeGroups(ImportContext& c, int64_t group) {
  RETURN_IF_ERROR(c.RequireFloat(0));
  const auto& p = c.Param<param::GroupNorm>();
  if (p.affine() != (c.num_inputs() == 3)) {
    return absl::InvalidArgumentError(absl::StrCat("has ", c.num_inputs(), " inputs, affine=", p.affine()));
  }
  ASSIGN_OR_RETURN(Value * y, c.Add("group_norm", c.inputs(), {{"group", group}, {"eps", static_cast<double>(p.eps())}}));
  const int64_t images = c.shape(0)[0], elements = graph::NumElements(c.shape(0));
  Value* x = c.input(0);
  if (c.uses(1) || c.uses(2)) {
    ASSIGN_OR_RETURN(x, c.Reshape(x, {images, group, elements == 0 ? 0 : elements / (images * group)}));
  }
  // MegEngine calls it the inverse of the deviation, and gives the variance.
  ASSIGN_OR_RETURN(const Moments m, MomentsOf(c, x, {2}, {images, group}, /*variance=*/true, p.eps()));
  return Values{y, m.mean, m.spread};
}

absl::StatusOr<Values> ImportGroupNorm(ImportContext& c) {
  return NormalizeGroups(c, c.Param<param::GroupNorm>().group());
}

absl::StatusOr<Values> ImportInstanceNorm(ImportContext& c) {
  if (c.shape(0).size() < 2) return absl::InvalidArgumentError("needs channels");
  return NormalizeGroups(c, c.shape(0)[1]);
}

absl::StatusOr<Value*> ImportSoftmax(ImportContext& c) {
  RETURN_IF_ERROR(c.RequireFloat(0));
  ASSIGN_OR_RETURN(const int64_t axis, NormalizeAxis(c.Param<param::Softmax>().axis(), c.shape(0).size()));
  return c.Add("softmax", {c.input(0)}, {{"axis", axis}});
}

absl::StatusOr<Value*> ImportLrn(ImportContext& c) {
  RETURN_IF_ERROR(c.RequireFloat(0));
  const auto& p = c.Param<param::LRN>();
  return c.Add("lrn", {c.input(0)},
               {{"n", static_cast<int64_t>(p.n())},
                {"k", static_cast<double>(p.k())},
                {"alpha", static_cast<double>(p.alpha())},
                {"beta", static_cast<double>(p.beta())}});
}

}  // namespace

void RegisterNorm(Registry& r) {
  r.AddMany("BatchNorm", ImportBatchNorm, CheckBatchNorm);
  r.AddMany("GeneralNorm", ImportGeneralNorm);
  r.AddMany("GroupNorm", ImportGroupNorm, CheckGroupNorm);
  r.AddMany("InstanceNorm", ImportInstanceNorm, CheckGroupNorm);
  r.Add("LRN", ImportLrn);
  r.AddMany("LayerNorm", ImportLayerNorm);
  r.Add("Softmax", ImportSoftmax);
}

}  // namespace mgec::mge
