// Operators that go along an axis whose size depends on values: reductions, running sums, sorting.
#include <algorithm>

#include "absl/strings/ascii.h"
#include "compiler/mge/dynamic_rules.h"

namespace mgec::mge {
namespace {

using graph::DTypeKind;

constexpr int kNoReduceAxis = 2147483647;

// Replaces what does not count along the axis by elements that change nothing.
absl::Status Neutralize(ImportContext& c, int64_t axis, const char* fill) {
  if (!c.shapes().Of(c.input(0))[axis].fixed() && IsQuantized(c.input(0)->type.dtype)) {
    return Unsupported("quantized operands along an axis whose size depends on values", "float32, float16");
  }
  ASSIGN_OR_RETURN(Value * masked, MaskTail(c, c.input(0), axis, fill));
  c.set_input(0, masked);
  return absl::OkStatus();
}

// The node that computes `y` without a size along the axis: MaskTail() has taken care of it.
absl::StatusOr<Value*> AddAlong(ImportContext& c, absl::string_view op, Values inputs, graph::Attributes attributes,
                                const std::vector<int64_t>& axes, bool keep) {
  Extents extents = c.shapes().Of(inputs[0]);
  ASSIGN_OR_RETURN(Value * y, c.Add(op, std::move(inputs), std::move(attributes)));
  for (int64_t axis : axes) {
    if (!keep) extents[axis] = Extent(1);
  }
  c.shapes().Set(y, extents);
  return y;
}

// The axes of Reduce, from its parameter or the shape that it is to give.
absl::StatusOr<std::vector<int64_t>> ReducedAxes(ImportContext& c, Extents* target) {
  const Extents from = c.shapes().Of(c.input(0));
  if (c.num_inputs() == 1) {
    ASSIGN_OR_RETURN(const int64_t axis, NormalizeAxis(c.Param<param::Reduce>().axis(), from.size()));
    return std::vector<int64_t>{axis};
  }
  ASSIGN_OR_RETURN(*target, ExtentsOfOperand(c, 1));
  const bool to_scalar = *target == Extents{Extent(1)};
  if (!to_scalar && target->size() != from.size()) return absl::InvalidArgumentError("the target has another rank");
  std::vector<int64_t> axes;
  for (size_t i = 0; i < from.size(); ++i) {
    const Extent wanted = to_scalar ? Extent(1) : (*target)[i];
    if (wanted == from[i]) continue;
    if (wanted != Extent(1)) {
      return Unsupported("a target whose size depends on other values than x", "1, or the size of x");
    }
    axes.push_back(static_cast<int64_t>(i));
  }
  return axes;
}

// Of no elements: the sum is 0, the product 1, the mean NaN, the minimum and maximum the highest and lowest number.
absl::StatusOr<Values> ImportReduce(ImportContext& c) {
  using param::ReduceDataType;
  using param::ReduceMode;
  const auto& p = c.Param<param::Reduce>();
  Extents target;
  ASSIGN_OR_RETURN(const std::vector<int64_t> axes, ReducedAxes(c, &target));
  const ReduceMode mode = p.mode();
  const char* fill = mode == ReduceMode::PRODUCT ? "one"
                     : mode == ReduceMode::MIN_   ? "highest"
                     : mode == ReduceMode::MAX_   ? "lowest"
                                                 : "zero";
  if (IsQuantized(c.input(0)->type.dtype) || p.data_type() >= ReduceDataType::QUINT_I8xO32) {
    return Unsupported("quantized operands whose size depends on values", "float32, float16");
  }
  graph::DType result = c.input(0)->type.dtype;
  Extent count;
  for (int64_t axis : axes) {
    count = count * c.shapes().Of(c.input(0))[axis];
    RETURN_IF_ERROR(Neutralize(c, axis, fill));
  }
  if (p.data_type() == ReduceDataType::FLOAT_O32xC32) result = DTypeKind::kFloat32;
  if (p.data_type() == ReduceDataType::FLOAT_O16xC32) result = DTypeKind::kFloat16;
  Value* y = c.input(0);
  if (result.kind == DTypeKind::kFloat32 && y->type.dtype != result) {
    ASSIGN_OR_RETURN(y, AddFollowed(c, "cast", {y}, {{"dtype", graph::ToString(result)}}));
  }
  std::string name = absl::AsciiStrToLower(EnumText(EnumNameReduceMode(mode), static_cast<uint32_t>(mode)));
  const bool mean = mode == ReduceMode::MEAN && !count.fixed();
  const graph::DType sums = graph::IsFloating(y->type.dtype) ? DTypeKind::kFloat32 : y->type.dtype;
  if (mean) {
    name = "sum";
    if (y->type.dtype != sums) {
      ASSIGN_OR_RETURN(y, AddFollowed(c, "cast", {y}, {{"dtype", graph::ToString(sums)}}));
    }
  }
  if (!axes.empty()) {
    ASSIGN_OR_RETURN(y, AddAlong(c, "reduce", {y}, {{"mode", name}, {"axes", axes}}, axes, /*keep=*/false));
  } else if (mode == ReduceMode::SUM_SQR) {
    ASSIGN_OR_RETURN(y, AddFollowed(c, "square", {y}));
  }
  if (mean) {
    if (!graph::IsFloating(sums)) {
      return Unsupported("mode=MEAN of integers along an axis whose size depends on values", "float32, float16");
    }
    ASSIGN_OR_RETURN(Value * n, c.shapes().AsValue(count));
    ASSIGN_OR_RETURN(n, c.Cast(n, sums));
    ASSIGN_OR_RETURN(y, AddFollowed(c, "true_div", {y, n}));
  }
  if (y->type.dtype != result) {
    ASSIGN_OR_RETURN(y, AddFollowed(c, "cast", {y}, {{"dtype", graph::ToString(result)}}));
  }
  if (c.num_inputs() == 2) {
    ASSIGN_OR_RETURN(y, Repack(c.graph(), c.shapes(), y, target));
  }
  return Values{y};
}

// Of no elements: 0.
absl::StatusOr<Values> ImportArg(ImportContext& c, const char* op, const char* fill) {
  ASSIGN_OR_RETURN(const int64_t axis, NormalizeAxis(c.Param<param::Axis>().axis(), c.shape(0).size()));
  RETURN_IF_ERROR(Neutralize(c, axis, fill));
  ASSIGN_OR_RETURN(Value * y, AddAlong(c, op, {c.input(0)}, {{"axis", axis}}, {axis}, /*keep=*/false));
  return Values{y};
}
absl::StatusOr<Values> ImportArgmax(ImportContext& c) { return ImportArg(c, "argmax", "lowest"); }
absl::StatusOr<Values> ImportArgmin(ImportContext& c) { return ImportArg(c, "argmin", "highest"); }

absl::StatusOr<Values> ImportSoftmax(ImportContext& c) {
  RETURN_IF_ERROR(c.RequireFloat(0));
  ASSIGN_OR_RETURN(const int64_t axis, NormalizeAxis(c.Param<param::Softmax>().axis(), c.shape(0).size()));
  RETURN_IF_ERROR(Neutralize(c, axis, "lowest"));
  ASSIGN_OR_RETURN(Value * y, AddAlong(c, "softmax", {c.input(0)}, {{"axis", axis}}, {axis}, /*keep=*/true));
  return Values{y};
}

absl::StatusOr<Values> ImportCumsum(ImportContext& c) {
  const auto& p = c.Param<param::Cumsum>();
  ASSIGN_OR_RETURN(const int64_t axis, NormalizeAxis(p.axis() == kNoReduceAxis ? 0 : p.axis(), c.shape(0).size()));
  RETURN_IF_ERROR(Neutralize(c, axis, "zero"));
  ASSIGN_OR_RETURN(Value * y, AddAlong(c, "cumsum", {c.input(0)},
                                       {{"axis", axis},
                                        {"exclusive", int64_t{p.exclusive()}},
                                        {"reverse", int64_t{p.reverse()}}},
                                       {axis}, /*keep=*/true));
  return Values{y};
}

// The first `count` elements of each sorted row and where they were.
absl::StatusOr<Values> Sort(ImportContext& c, bool descending, const Extent& count) {
  Extents extents = c.shapes().Of(c.input(0));
  if (extents.size() != 2) {
    return absl::InvalidArgumentError(absl::StrCat("shape ", graph::ToString(c.shape(0)), " is not a matrix"));
  }
  if (c.shape(0)[1] == 0) return absl::InvalidArgumentError("the rows are empty");
  Values inputs = {c.input(0)};
  if (!extents[1].fixed()) {
    ASSIGN_OR_RETURN(Value * size, c.shapes().AsValue(extents[1]));
    inputs.push_back(size);
  }
  const int64_t most = std::clamp<int64_t>(c.shapes().Most(count), 1, c.shape(0)[1]);
  ASSIGN_OR_RETURN(Value * index, c.Add("argsort", inputs, {{"descending", int64_t{descending}}, {"count", most}}));
  ASSIGN_OR_RETURN(Value * values, c.Add("take_along", {c.input(0), index}, {{"axis", int64_t{1}}}));
  extents[1] = count;
  c.shapes().Set(index, extents);
  c.shapes().Set(values, extents);
  return Values{values, index};
}

absl::StatusOr<Values> ImportArgsort(ImportContext& c) {
  const bool descending = c.Param<param::Argsort>().order() == param::ArgsortOrder::DESCENDING;
  const Extents extents = c.shapes().Of(c.input(0));
  return Sort(c, descending, extents.back());
}

// k and the number of columns, or only one of them, may depend on values.
absl::StatusOr<Values> ImportTopK(ImportContext& c) {
  const Extents extents = c.shapes().Of(c.input(0));
  const std::vector<Number> numbers = c.shapes().NumbersOf(c.input(1));
  if (numbers.size() != 1) return absl::InvalidArgumentError("k is not one number");
  if (c.Param<param::TopK>().mode() == param::TopKMode::KTH_ONLY) {
    return Unsupported("mode=KTH_ONLY with sizes that depend on values", "VALUE_IDX_NOSORT, VALUE_IDX_SORTED");
  }
  const Number k = numbers[0];
  if (k.least < 0 && k.most > 0) return Unsupported("a k that may be positive or negative", "k of known sign");
  const bool descending = k.most <= 0;
  if (k.constant() && k.least == 0) return absl::InvalidArgumentError("k is 0");
  // The smaller of |k| and the number of columns.
  const Extent& columns = extents.back();
  if (columns.fixed() && k.constant()) {
    return Sort(c, descending, Extent(std::min(columns.factor, static_cast<int64_t>(std::abs(k.least)))));
  }
  ASSIGN_OR_RETURN(Value * wanted, c.shapes().Element(c.input(1), 0));
  if (descending) {
    ASSIGN_OR_RETURN(wanted, c.Add("negate", {wanted}));
  }
  ASSIGN_OR_RETURN(Value * size, c.shapes().AsValue(columns));
  ASSIGN_OR_RETURN(Value * count, c.Add("min", {wanted, size}));
  ASSIGN_OR_RETURN(const Extent result, c.shapes().ExtentAt(count, 0));
  return Sort(c, descending, result);
}

}  // namespace

void RegisterDynamicAlong(Registry& r) {
  r.AddDynamic("Argmax", ImportArgmax);
  r.AddDynamic("Argmin", ImportArgmin);
  r.AddDynamic("Argsort", ImportArgsort);
  r.AddDynamic("Cumsum", ImportCumsum);
  r.AddDynamic("Reduce", ImportReduce);
  r.AddDynamic("Softmax", ImportSoftmax);
  r.AddDynamic("TopK", ImportTopK);
}

}  // namespace mgec::mge
