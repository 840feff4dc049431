// argsort along the last axis: the indices of the first `count` elements in ascending or descending order. Equal elements
// come in the order of their indices, reversed where the order is descending. A second operand, int32[1], says how many
// elements of each row count: those from there on keep their places.
//
// Each element's rank is the number of elements that come before it; the index with rank r is element r of the result.
#include "compiler/ops/common.h"

namespace mgec::ops {
namespace {

using kernel::Cast;
using kernel::Int;
using kernel::Select;
using kernel::Type;

Types InferArgsort(const OpContext& c) {
  const TensorType& x = c.inputs[0];
  if (x.shape.empty()) return absl::InvalidArgumentError("x has no dimension to sort");
  if (c.inputs.size() == 2 && c.inputs[1] != TensorType{DTypeKind::kInt32, {1}}) {
    return absl::InvalidArgumentError("the size must be i32[1]");
  }
  const int64_t count = c.attributes.Int("count");
  if (count < 1 || count > x.shape.back()) {
    return absl::InvalidArgumentError(absl::StrCat("cannot take ", count, " of ", x.shape.back(), " elements"));
  }
  Shape out = x.shape;
  out.back() = count;
  return std::vector<TensorType>{{DTypeKind::kInt32, out}};
}

absl::StatusOr<Definition> DefineArgsort(const OpContext& c) {
  ASSIGN_OR_RETURN(std::vector<TensorType> out, InferArgsort(c));
  Definition d = DefinitionFor(c);
  const TensorType& x = c.inputs[0];
  const bool descending = c.attributes.Int("descending") != 0;
  const int64_t n = x.shape.back();
  const Type i32(Scalar::kInt32);
  auto at = [&](Indices i, const Expr& k) {
    i.back() = k;
    const Expr e = d.At(0, i);
    return IsFloating(x.dtype) ? ToFloat(e) : x.dtype.kind == DTypeKind::kBool ? Cast(i32, e) : e;
  };
  const int rank = d.AddStage(x.shape, Scalar::kInt32, [&](const Indices& i) {
    const Expr own = at(i, i.back());
    const Expr size = c.inputs.size() == 2 ? d.At(1, {Int(0)}) : Int(n, i32);
    const Expr rank = d.Reduce(Combiner::kSum, {n}, [&](const Indices& r) {
      const Expr other = at(i, r[0]);
      const Expr first = descending ? own < other : other < own;
      const Expr index_first = descending ? i.back() < r[0] : r[0] < i.back();
      // NaN compares with nothing: it ranks among equals.
      const Expr tie = And(kernel::Unary(Op::kNot, own < other), kernel::Unary(Op::kNot, other < own));
      Expr before = Or(first, And(tie, index_first));
      if (c.inputs.size() == 2) before = And(before, Cast(i32, r[0]) < size);
      return Select(before, Int(1, i32), Int(0, i32));
    });
    return c.inputs.size() == 2 ? Select(Cast(i32, i.back()) < size, rank, Cast(i32, i.back())) : rank;
  });
  d.AddStage(out[0].shape, Scalar::kInt32, [&](const Indices& i) {
    return d.Reduce(Combiner::kSum, {n}, [&](const Indices& r) {
      Indices index = i;
      index.back() = r[0];
      const Expr here = kernel::Binary(Op::kEq, d.At(rank, index), Cast(i32, i.back()));
      return Select(here, Cast(i32, r[0]), Int(0, i32));
    });
  });
  return d;
}

REGISTER_OP(argsort).Inputs(1, 2).Infer(InferArgsort).Define(DefineArgsort);

}  // namespace
}  // namespace mgec::ops
