// Reductions over axes (kept with size 1), and argmax / argmin.
#include <algorithm>
#include <limits>

#include "compiler/ops/common.h"

namespace mgec::ops {
namespace {

using kernel::Float;
using kernel::Int;

Types InferReduce(const OpContext& c) {
  const TensorType& x = c.inputs[0];
  if (IsQuantized(x.dtype) || x.dtype.kind == DTypeKind::kBool) {
    return absl::InvalidArgumentError(absl::StrCat("does not take ", ToString(x.dtype)));
  }
  static const char* const kModes[] = {"sum", "sum_sqr", "product", "min", "max", "mean"};
  const std::string mode = c.attributes.String("mode");
  if (std::none_of(std::begin(kModes), std::end(kModes), [&](const char* m) { return mode == m; })) {
    return absl::InvalidArgumentError(absl::StrCat("there is no reduction '", mode, "'"));
  }
  Shape out = x.shape;
  const std::vector<int64_t> axes = c.attributes.Ints("axes");
  RETURN_IF_ERROR(CheckAxes(axes, x.shape.size()));
  for (int64_t axis : axes) {
    if (x.shape[axis] == 0 && (mode == "min" || mode == "max" || (mode == "mean" && !IsFloating(x.dtype)))) {
      return absl::InvalidArgumentError(absl::StrCat(mode, " needs at least one element"));
    }
    out[axis] = 1;
  }
  return std::vector<TensorType>{{x.dtype, out}};
}

absl::StatusOr<Definition> DefineReduce(const OpContext& c) {
  Definition d = DefinitionFor(c);
  const TensorType& x = c.inputs[0];
  const std::string mode = c.attributes.String("mode");
  const std::vector<int64_t> axes = c.attributes.Ints("axes");
  const Scalar s = StorageOf(x.dtype);
  Shape out = x.shape;
  std::vector<int64_t> extents;
  int64_t count = 1;
  for (int64_t axis : axes) {
    extents.push_back(x.shape[axis]);
    count *= x.shape[axis];
    out[axis] = 1;
  }
  const Combiner combiner = mode == "product" ? Combiner::kProduct
                            : mode == "min"   ? Combiner::kMin
                            : mode == "max"   ? Combiner::kMax
                                              : Combiner::kSum;
  const bool is_float = IsFloating(x.dtype);
  d.AddStage(out, s, [&](const Indices& i) {
    auto element = [&](const Indices& r) {
      Indices index = i;
      for (size_t k = 0; k < axes.size(); ++k) index[axes[k]] = r[k];
      Expr e = d.At(0, index);
      return is_float ? ToFloat(e) : e;
    };
    Expr y = d.Reduce(combiner, extents, [&](const Indices& r) {
      Expr e = element(r);
      return mode == "sum_sqr" ? e * e : e;
    });
    if (mode == "mean" && is_float) y = y * Float(1.0 / static_cast<double>(count));
    if (mode == "mean" && !is_float) y = kernel::Cast(kernel::kIndexType, y) / Int(count);  // truncates toward zero
    if ((mode == "min" || mode == "max") && is_float) {  // NaN wins; the combiners pass over it
      Expr nan = d.Reduce(Combiner::kMax, extents, [&](const Indices& r) {
        return Select(kernel::Unary(Op::kIsNan, element(r)), Float(1), Float(0));
      });
      y = Select(nan > Float(0), Float(std::numeric_limits<double>::quiet_NaN()), y);
    }
    return kernel::Cast(kernel::Type(s), y);
  });
  return d;
}

REGISTER_OP(reduce).Inputs(1).Infer(InferReduce).Define(DefineReduce);

// --- argmax, argmin: the first index of the extreme value; NaN wins, the last one. ---
Types InferArg(const OpContext& c) {
  const TensorType& x = c.inputs[0];
  const int64_t axis = c.attributes.Int("axis");
  RETURN_IF_ERROR(CheckAxis(axis, x.shape.size()));
  if (x.dtype.kind == DTypeKind::kBool) return absl::InvalidArgumentError("does not take bool");
  if (x.shape[axis] == 0) return absl::InvalidArgumentError("needs at least one element along the axis");
  Shape out = x.shape;
  out[axis] = 1;
  return std::vector<TensorType>{{DTypeKind::kInt32, out}};
}

absl::StatusOr<Definition> DefineArg(const OpContext& c, Combiner combiner) {
  Definition d = DefinitionFor(c);
  const TensorType& x = c.inputs[0];
  const int64_t axis = c.attributes.Int("axis");
  const int64_t extent = x.shape[axis];
  const bool is_float = IsFloating(x.dtype);
  Shape out = x.shape;
  out[axis] = 1;
  auto at = [&](const Indices& i, const Expr& k) {
    Indices index = i;
    index[axis] = k;
    const Expr e = d.At(0, index);
    return is_float ? ToFloat(e) : e;
  };
  const int best = d.AddStage(out, is_float ? Scalar::kFloat32 : StorageOf(x.dtype), [&](const Indices& i) {
    return d.Reduce(combiner, {extent}, [&](const Indices& r) { return at(i, r[0]); });
  });
  d.AddStage(out, Scalar::kInt32, [&](const Indices& i) {
    const kernel::Type i32(Scalar::kInt32);
    Expr first = d.Reduce(Combiner::kMin, {extent}, [&](const Indices& r) {
      return Select(kernel::Binary(Op::kEq, at(i, r[0]), d.At(best, i)), kernel::Cast(i32, r[0]),
                    Int(std::numeric_limits<int32_t>::max(), i32));
    });
    if (!is_float) return first;
    Expr last_nan = d.Reduce(Combiner::kMax, {extent}, [&](const Indices& r) {
      return Select(kernel::Unary(Op::kIsNan, at(i, r[0])), kernel::Cast(i32, r[0]), Int(-1, i32));
    });
    return Select(last_nan >= int64_t{0}, last_nan, first);
  });
  return d;
}

REGISTER_OP(argmax).Inputs(1).Infer(InferArg).Define([](const OpContext& c) { return DefineArg(c, Combiner::kMax); });
REGISTER_OP(argmin).Inputs(1).Infer(InferArg).Define([](const OpContext& c) { return DefineArg(c, Combiner::kMin); });

}  // namespace
}  // namespace mgec::ops
