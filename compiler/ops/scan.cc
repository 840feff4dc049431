// Running sums, and the diagonal of a matrix.
#include <algorithm>

#include "compiler/ops/common.h"
#include "compiler/ops/routine.h"

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

// Along the last axis: several rows side by side, so that each addition need not wait for the one before; few enough that
// rows of 4 KiB, whose lines all fall into one set of the first cache, fit there with their results.
absl::StatusOr<std::optional<Routine>> CumsumRoutine(const OpContext& c, int) {
  constexpr int64_t kRows = 4;
  const TensorType& x = c.inputs[0];
  const int64_t n = x.shape.back();
  const int64_t rows = n == 0 ? 0 : graph::NumElements(x.shape) / n;
  if (c.attributes.Int("axis") != static_cast<int64_t>(x.shape.size()) - 1 || rows == 0) return std::nullopt;
  const bool exclusive = c.attributes.Int("exclusive") != 0, reverse = c.attributes.Int("reverse") != 0;
  const Scalar s = StorageOf(x.dtype), sum = IsFloating(x.dtype) ? Scalar::kFloat32 : s;
  const int64_t groups = (rows + kRows - 1) / kRows, tasks = std::min<int64_t>(groups, 64);
  RoutineBuilder r(c, {x});
  r.AddKernel("cumsum", tasks, [&](kernel::Block& b, const Expr& task) {
    const kernel::Buffer sums = kernel::RegisterBuffer("sums", sum, 1, kRows);
    // Sums of `count` rows from `first` on.
    auto side_by_side = [&](kernel::Block& b, const Expr& first, int64_t count) {
      for (int64_t k = 0; k < count; ++k) b.Set(sums, k, Cast(Type(sum), Int(0)));
      b.For("i", 0, n, [&](kernel::Block& b, const Expr& i) {
        for (int64_t k = 0; k < count; ++k) {
          const Expr at = b.Let("at", (first + k) * n + (reverse ? Int(n - 1) - i : i));
          const Expr term = b.Let("term", Cast(Type(sum), kernel::Load(r.input(0), at)));
          if (exclusive) b.Store(r.output(0), at, Cast(Type(s), kernel::Reg(sums, k)));
          b.Set(sums, k, kernel::Reg(sums, k) + term);
          if (!exclusive) b.Store(r.output(0), at, Cast(Type(s), kernel::Reg(sums, k)));
        }
      });
    };
    const TaskRange range = RangeOf(task, tasks, groups);
    b.For("group", range.begin, range.end, 1, [&](kernel::Block& b, const Expr& group) {
      const Expr first = b.Let("first", group * kRows);
      b.If(rows % kRows == 0 ? kernel::Bool(true) : first + kRows <= Int(rows),
           [&](kernel::Block& b) { side_by_side(b, first, kRows); },
           [&](kernel::Block& b) {
             b.For("row", first, Int(rows), 1, [&](kernel::Block& b, const Expr& row) { side_by_side(b, row, 1); });
           });
    });
  });
  return r.Take(static_cast<double>(rows) * static_cast<double>(n) * 4);
}

REGISTER_OP(cumsum).Inputs(1).Infer(InferCumsum).Define(DefineCumsum).AsRoutine(CumsumRoutine);

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
