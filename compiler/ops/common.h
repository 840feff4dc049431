// Helpers that several operator files share.
#ifndef MGEC_COMPILER_OPS_COMMON_H_
#define MGEC_COMPILER_OPS_COMMON_H_

#include <vector>

#include "absl/strings/str_cat.h"
#include "compiler/base/status_macros.h"
#include "compiler/ops/op.h"

namespace mgec::ops {

using graph::DType;
using graph::DTypeKind;
using graph::Shape;
using graph::TensorType;
using kernel::Combiner;
using kernel::Definition;
using kernel::Expr;
using kernel::Op;
using graph::ToString;
using kernel::Scalar;

using Types = absl::StatusOr<std::vector<TensorType>>;
using Indices = std::vector<Expr>;

// A definition whose inputs are the operator's.
inline Definition DefinitionFor(const OpContext& c) {
  std::vector<kernel::TensorInfo> infos;
  for (const TensorType& t : c.inputs) infos.push_back(InfoOf(t));
  return Definition(std::move(infos));
}

// The result has the first input's type.
Types InferSame(const OpContext& c);

// InvalidArgument unless the value has the given rank / is floating.
absl::Status CheckRank(const TensorType& t, size_t rank, const char* what);
absl::Status CheckFloat(const TensorType& t, const char* what);
// InvalidArgument unless 0 <= axis < rank.
absl::Status CheckAxis(int64_t axis, size_t rank);
// The same for each of several axes, no two of them equal.
absl::Status CheckAxes(const std::vector<int64_t>& axes, size_t rank);
// A pair attribute of positive (or, with lowest = 0, non-negative) integers; `otherwise` twice where absent.
absl::StatusOr<std::vector<int64_t>> PairOf(const graph::Attributes& a, const char* name, int64_t otherwise,
                                            int64_t lowest);

// The element as float32, whatever float it is stored as; and back.
inline Expr ToFloat(Expr e) { return kernel::Cast(kernel::Type(Scalar::kFloat32), std::move(e)); }
inline Expr FromFloat(Scalar s, Expr e) { return kernel::Cast(kernel::Type(s), std::move(e)); }

// A float that is an integer, as an index: kept so near to 0 that arithmetic on it does not overflow. NaN becomes one of
// the bounds.
inline Expr BoundedIndex(Expr e) {
  constexpr double kBound = 1 << 30;
  return kernel::Cast(kernel::kIndexType, Min(Max(std::move(e), kernel::Float(-kBound)), kernel::Float(kBound)));
}

}  // namespace mgec::ops

#endif  // MGEC_COMPILER_OPS_COMMON_H_
