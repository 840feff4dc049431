// Multi-head attention: projections, scores, softmax and the weighted sum, each an ordinary node.
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

absl::StatusOr<Values> ImportMultiHeadAttn(ImportContext& c) {
  const auto& p = c.Param<param::MultiHeadAttn>();
  RETURN_IF_ERROR(c.RequireFloat(0));
  const int64_t heads = p.num_heads();
  for (int i = 0; i < 3; ++i) {
    if (c.shape(i).size() != 3) return absl::InvalidArgumentError("query, key and value must have 3 dimensions");
  }
  if (heads < 1) return absl::InvalidArgumentError("num_heads is 0");
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
    ASSIGN_OR_RETURN(part[i], SplitHeads(c, part[i], heads, weight[i] != nullptr));
  }
  ASSIGN_OR_RETURN(Value * scores, c.Add("matmul", {part[0], part[1]}, {{"transpose_b", int64_t{1}}}));
  ASSIGN_OR_RETURN(scores, c.Add("mul", {scores, c.graph().AddScalar(p.sm_scaler())}));
  if (p.attn_mask_type() != param::AttnMaskType::NO_MASK) {
    ASSIGN_OR_RETURN(scores, c.Add("add", {scores, c.input(4)}));
  }
  ASSIGN_OR_RETURN(Value * weights, c.Add("softmax", {scores}, {{"axis", int64_t{2}}}));
  ASSIGN_OR_RETURN(Value * sum, c.Add("matmul", {weights, part[2]}));
  const int64_t n = c.shape(0)[0], length = c.shape(0)[1], depth = sum->type.shape[2];
  ASSIGN_OR_RETURN(Value * y, c.Reshape(sum, {n, heads, length, depth}));
  ASSIGN_OR_RETURN(y, c.Transpose(y, {0, 2, 1, 3}));
  ASSIGN_OR_RETURN(y, c.Reshape(y, {n, length, heads * depth}));
  ASSIGN_OR_RETURN(y, Project(c, y, weight[3], bias[3]));
  return Values{y, weights, nullptr, nullptr};
}

absl::Status CheckMultiHeadAttn(const Operator& op) {
  const auto& p = *op.Param<param::MultiHeadAttn>();
  if (p.training()) return Unsupported("training=true", "false");
  if (p.reslink()) return Unsupported("reslink=true", "false");
  if (p.add_zero_attn()) return Unsupported("add_zero_attn=true", "false");
  if (p.tensor_combination_type() != param::AttnTensorCombinationType::NONE &&
      p.tensor_combination_type() != param::AttnTensorCombinationType::ONLY_MASK) {
    return Unsupported("extra key and value biases", "none");
  }
  if (p.attn_mask_type() == param::AttnMaskType::CUDNN_STYLE_MASK) {
    return Unsupported("attn_mask_type=CUDNN_STYLE_MASK", "NO_MASK, DEFAULT_MASK, USER_DEFINED_MASK");
  }
  return absl::OkStatus();
}

}  // namespace

void RegisterAttention(Registry& r) { r.AddMany("MultiHeadAttn", ImportMultiHeadAttn, CheckMultiHeadAttn); }

}  // namespace mgec::mge
