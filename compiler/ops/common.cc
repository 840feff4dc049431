#include "compiler/ops/common.h"

#include <algorithm>

namespace mgec::ops {

Types InferSame(const OpContext& c) { return std::vector<TensorType>{c.inputs[0]}; }

absl::Status CheckRank(const TensorType& t, size_t rank, const char* what) {
  if (t.shape.size() == rank) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(what, " has shape ", ToString(t.shape), "; needs ", rank, " dimensions"));
}

absl::Status CheckFloat(const TensorType& t, const char* what) {
  if (IsFloating(t.dtype)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(what, " has dtype ", ToString(t.dtype), "; needs a float"));
}

absl::Status CheckAxis(int64_t axis, size_t rank) {
  if (axis >= 0 && axis < static_cast<int64_t>(rank)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("axis ", axis, " is not in [0, ", rank, ")"));
}

absl::Status CheckAxes(const std::vector<int64_t>& axes, size_t rank) {
  for (size_t i = 0; i < axes.size(); ++i) {
    RETURN_IF_ERROR(CheckAxis(axes[i], rank));
    if (std::count(axes.begin(), axes.begin() + i, axes[i]) != 0) {
      return absl::InvalidArgumentError(absl::StrCat("axis ", axes[i], " is given twice"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<int64_t>> PairOf(const graph::Attributes& a, const char* name, int64_t otherwise,
                                            int64_t lowest) {
  if (!a.Has(name)) return std::vector<int64_t>{otherwise, otherwise};
  std::vector<int64_t> v = a.Ints(name);
  if (v.size() != 2 || v[0] < lowest || v[1] < lowest || v[0] > (int64_t{1} << 31) || v[1] > (int64_t{1} << 31)) {
    return absl::InvalidArgumentError(absl::StrCat("attribute ", name, " must be two integers >= ", lowest));
  }
  return v;
}

absl::Status CheckSize(const Shape& s) {
  if (s.size() > 7) return absl::InvalidArgumentError(absl::StrCat("shape ", ToString(s), " has over 7 dimensions"));
  int64_t n = 1;
  for (int64_t d : s) {
    if (d < 0 || d >= (int64_t{1} << 31) || (n > 0 && d > (int64_t{1} << 30) / n)) {
      return absl::InvalidArgumentError(absl::StrCat("shape ", ToString(s), " is out of limits (2^30 elements)"));
    }
    n *= d;
  }
  return absl::OkStatus();
}

}  // namespace mgec::ops
