// Running sums, and the diagonal of a matrix.
#include <algorithm>

#include "compiler/ops/common.h"

namespace mgec::ops {
namespace {

using kernel::Cast;
using kernel::Int;
using kernel::Select;
using kernel::Type;

// --- cumsum: sums of the elements up to each one, along an axis. ---
Types InferCumsum(const OpContext& c) {
  RETURN_IF_ERROR(CheckAxis(c.attributes.Int("axis"), c.inputs[0].shape.size()));
  if (IsQuantized(c.inputs[0].dtype) || c.inputs[0].dtype.kind == DTypeKind::kBool) {
    return absl::InvalidArgumentError(absl::StrCat("does not take ", ToString(c.inputs[0].dtype)));
  }
  return InferSame(c);
}

absl::StatusOr<Definition> DefineCumsum(const OpContext& c) {
  Definition d = DefinitionFor(c);
  const TensorType& x = c.inputs[0];
  const int axis = static_cast<int>(c.attributes.Int("axis"));
  const bool exclusive = c.attributes.Int("exclusive") != 0, reverse = c.attributes.Int("reverse") != 0;
  const Scalar s = StorageOf(x.dtype), sum = IsFloating(x.dtype) ? Scalar::kFloat32 : s;
  const int64_t last = x.shape[axis] - 1;
  // Step t adds the element that it comes to: number t, t - 1 where the sum is exclusive, counted from the end if reverse.
  const int running = d.AddScan(x.shape, sum, axis, [&](const Indices& i, int self) {
    const Expr zero = Cast(Type(sum), Int(0));
    Indices before = i, from = i;
    before[axis] = i[axis] + int64_t{-1};
    const Expr step = exclusive ? before[axis] : i[axis];
    from[axis] = reverse ? Int(last) - step : step;
    const Expr term = Cast(Type(sum), exclusive ? d.AtOr(0, from, Cast(Type(s), Int(0))) : d.At(0, from));
    return Select(i[axis] >= int64_t{1}, d.At(self, before), zero) + term;
  });
  if (!reverse && sum == s) return d;
  d.AddStage(x.shape, s, [&](const Indices& i) {
    Indices from = i;
    if (reverse) from[axis] = Int(last) - i[axis];
    return Cast(Type(s), d.At(running, from));
  });
  return d;
}

REGISTER_OP(cumsum).Inputs(1).Infer(InferCumsum).Define(DefineCumsum);

// --- diag: a vector becomes diagonal k of a matrix of zeros, a matrix gives its diagonal k (above the main for k > 0) ---
Types InferDiag(const OpContext& c) {
  const TensorType& x = c.inputs[0];
  const int64_t k = c.attributes.Int("k");
  if (std::abs(k) > (int64_t{1} << 31)) return absl::InvalidArgumentError("k is out of limits");
  if (x.shape.size() == 1) {
    const int64_t n = x.shape[0] + std::abs(k);
    return std::vector<TensorType>{{x.dtype, {n, n}}};
  }
  RETURN_IF_ERROR(CheckRank(x, 2, "x"));
  const int64_t n = std::min(x.shape[0] + std::min<int64_t>(k, 0), x.shape[1] - std::max<int64_t>(k, 0));
  if (n <= 0) return absl::InvalidArgumentError(absl::StrCat(ToString(x.shape), " has no diagonal ", k));
  return std::vector<TensorType>{{x.dtype, {n}}};
}

absl::StatusOr<Definition> DefineDiag(const OpContext& c) {
  ASSIGN_OR_RETURN(std::vector<TensorType> out, InferDiag(c));
  Definition d = DefinitionFor(c);
  const int64_t k = c.attributes.Int("k"), right = std::max<int64_t>(k, 0), down = std::max<int64_t>(-k, 0);
  const Scalar s = StorageOf(out[0].dtype);
  d.AddStage(out[0].shape, s, [&](const Indices& i) {
    if (i.size() == 1) return d.At(0, {i[0] + down, i[0] + right});
    return Select(kernel::Binary(Op::kEq, i[0] + k, i[1]), d.At(0, {i[0] + (-down)}), Cast(Type(s), Int(0)));
  });
  return d;
}

REGISTER_OP(diag).Inputs(1).Infer(InferDiag).Define(DefineDiag);

}  // namespace
}  // namespace mgec::ops
