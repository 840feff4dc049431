// Multi-head attention: projections, scores, softmax and the weighted sum, each an ordinary node.
//
// What only cuDNN would do, MegEngine's CPU kernels pass over, and so does this: `reslink`, masks of CUDNN_STYLE_MASK.
#include "compiler/mge/dropout.h"
#include "compiler/mge/flat_parameters.h"
#include "compiler/mge/importer.h"

namespace mgec::mge {
namespace {

// x [N, L, E] times w [E, P] plus b [1, P]; x itself where there is no projection.
absl::StatusOr<Value*> Project(ImportContext& c, Value* x, Value* w, Value* b) {
  if (w == nullptr) return x;
  const Shape s = x->type.shape;
  ASSIGN_OR_RETURN(Value * y, c.Reshape(x, {s[0] * s[1], s[2]}));
  ASSIGN_OR_RETURN(y, c.Add("matmul", {y, w}));
  if (b != nullptr) {
    ASSIGN_OR_RETURN(y, c.Add("add", {y, b}));
  }
  return c.Reshape(y, {s[0], s[1], w->type.shape[1]});
}

// [N, L, heads * D] to [N * heads, L, D]. Without a projection every head sees the whole tensor.
absl::StatusOr<Value*> SplitHeads(ImportContext& c, Value* x, int64_t heads, bool projected) {
  const Shape s = x->type.shape;
  if (!projected) {
    ASSIGN_OR_RETURN(Value * y, c.Reshape(x, {s[0], 1, s[1], s[2]}));
    ASSIGN_OR_RETURN(y, c.Add("broadcast", {y}, {{"shape", Shape{s[0], heads, s[1], s[2]}}}));
    return c.Reshape(y, {s[0] * heads, s[1], s[2]});
  }
  if (s[2] % heads != 0) return absl::InvalidArgumentError("the projections do not divide into the heads");
  ASSIGN_OR_RETURN(Value * y, c.Reshape(x, {s[0], s[1], heads, s[2] / heads}));
  ASSIGN_OR_RETURN(y, c.Transpose(y, {0, 2, 1, 3}));
  return c.Reshape(y, {s[0] * heads, s[1], s[2] / heads});
}

// The operands after the first four. Null where there is none.
struct Extras {
  Value* mask = nullptr;
  Value* bias_k = nullptr;
  Value* bias_v = nullptr;
};

absl::StatusOr<Extras> ExtrasOf(const ImportContext& c) {
  using Combination = param::AttnTensorCombinationType;
  const auto& p = c.Param<param::MultiHeadAttn>();
  const Combination which = p.tensor_combination_type();
  const bool mask = which == Combination::ONLY_MASK || which == Combination::ALL;
  const bool biases = which == Combination::ONLY_BIASKV || which == Combination::ALL;
  const int count = 4 + (mask ? 1 : 0) + (biases ? 2 : 0);
  if (c.num_inputs() != count) {
    return absl::InvalidArgumentError(absl::StrCat("has ", c.num_inputs(), " inputs, need ", count));
  }
  const bool added =
      p.attn_mask_type() == param::AttnMaskType::DEFAULT_MASK || p.attn_mask_type() == param::AttnMaskType::USER_DEFINED_MASK;
  if (added && !mask) return absl::InvalidArgumentError("has no mask");
  Extras e;
  if (added) e.mask = c.input(4);
  if (biases) {
    e.bias_k = c.input(count - 2);
    e.bias_v = c.input(count - 1);
  }
  return e;
}

// Elements that every sequence of x, [N, L, E], gets at its end: the vector `bias`, if there is one, and a vector of zeros.
absl::StatusOr<Value*> Lengthen(ImportContext& c, Value* x, Value* bias, bool zeros) {
  const Shape s = x->type.shape;
  if (bias != nullptr) {
    if (graph::NumElements(bias->type.shape) != s[2]) {
      return absl::InvalidArgumentError(absl::StrCat("a bias of shape ", graph::ToString(bias->type.shape), " does not fit ",
                                                     graph::ToString(s)));
    }
    ASSIGN_OR_RETURN(bias, c.Reshape(bias, {1, 1, s[2]}));
    ASSIGN_OR_RETURN(bias, c.Add("broadcast", {bias}, {{"shape", Shape{s[0], 1, s[2]}}}));
    ASSIGN_OR_RETURN(x, c.Add("concat", {x, bias}, {{"axis", int64_t{1}}}));
  }
  if (!zeros) return x;
  return c.Add("pad", {x},
               {{"before", Shape{0, 0, 0}}, {"after", Shape{0, 1, 0}}, {"mode", std::string("constant")}, {"value", 0.0}});
}

absl::StatusOr<Values> ImportMultiHeadAttn(ImportContext& c) {
  const auto& p = c.Param<param::MultiHeadAttn>();
  RETURN_IF_ERROR(c.RequireFloat(0));
  const int64_t heads = p.num_heads();
  for (int i = 0; i < 3; ++i) {
    if (c.shape(i).size() != 3) return absl::InvalidArgumentError("query, key and value must have 3 dimensions");
  }
  if (heads < 1) return absl::InvalidArgumentError("num_heads is 0");
  ASSIGN_OR_RETURN(const Extras extras, ExtrasOf(c));
  const int64_t projections[4] = {p.qproj_size(), p.kproj_size(), p.vproj_size(), p.oproj_size()};
  const bool biases[4] = {p.qbias(), p.kbias(), p.vbias(), p.obias()};
  const int64_t inputs[4] = {p.embeding_size(), p.k_size(), p.v_size(),
                             projections[2] != 0 ? projections[2] : int64_t{p.v_size()} * heads};
  Value* weight[4] = {};
  Value* bias[4] = {};
  if (projections[0] + projections[1] + projections[2] + projections[3] > 0) {
    FlatParameters flat(c, c.input(3));
    for (int i = 0; i < 4; ++i) {
      if (projections[i] == 0) continue;
      ASSIGN_OR_RETURN(weight[i], flat.Take(inputs[i], projections[i]));
    }
    for (int i = 0; i < 4; ++i) {
      if (projections[i] == 0 || !biases[i]) continue;
      ASSIGN_OR_RETURN(bias[i], flat.Take(1, projections[i]));
    }
  }
  Value* part[3];
  for (int i = 0; i < 3; ++i) {
    ASSIGN_OR_RETURN(part[i], Project(c, c.input(i), weight[i], bias[i]));
    if (i > 0) {
      ASSIGN_OR_RETURN(part[i], Lengthen(c, part[i], i == 1 ? extras.bias_k : extras.bias_v, p.add_zero_attn()));
    }
    ASSIGN_OR_RETURN(part[i], SplitHeads(c, part[i], heads, weight[i] != nullptr));
  }
  ASSIGN_OR_RETURN(Value * scores, c.Add("matmul", {part[0], part[1]}, {{"transpose_b", int64_t{1}}}));
  ASSIGN_OR_RETURN(Value * scaler, c.Cast(c.graph().AddScalar(p.sm_scaler()), scores->type.dtype));
  ASSIGN_OR_RETURN(scores, c.Add("mul", {scores, scaler}));
  if (extras.mask != nullptr) {
    ASSIGN_OR_RETURN(Value * mask, c.Cast(extras.mask, scores->type.dtype));
    ASSIGN_OR_RETURN(scores, c.Add("add", {scores, mask}));
  }
  ASSIGN_OR_RETURN(Value * weights, c.Add("softmax", {scores}, {{"axis", int64_t{2}}}));
  if (p.training()) {
    ASSIGN_OR_RETURN(weights, DropElements(c, weights, p.attn_prob(), p.seed()));
  }
  ASSIGN_OR_RETURN(Value * sum, c.Add("matmul", {weights, part[2]}));
  const int64_t n = c.shape(0)[0], length = c.shape(0)[1], depth = sum->type.shape[2];
  ASSIGN_OR_RETURN(Value * y, c.Reshape(sum, {n, heads, length, depth}));
  ASSIGN_OR_RETURN(y, c.Transpose(y, {0, 2, 1, 3}));
  ASSIGN_OR_RETURN(y, c.Reshape(y, {n, length, heads * depth}));
  ASSIGN_OR_RETURN(y, Project(c, y, weight[3], bias[3]));
  if (p.training()) {
    ASSIGN_OR_RETURN(y, DropElements(c, y, p.out_prob(), p.seed() + 1));
  }
  return Values{y, weights, nullptr, nullptr};
}

}  // namespace

void RegisterAttention(Registry& r) { r.AddMany("MultiHeadAttn", ImportMultiHeadAttn); }

}  // namespace mgec::mge
