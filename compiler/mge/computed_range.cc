#include "compiler/mge/computed_range.h"

#include <algorithm>

#include "compiler/mge/dynamic_rules.h"

namespace mgec::mge {

absl::StatusOr<int64_t> StepOf(ImportContext& c, const AxisIndex& a) {
  if (!a.step.has_value()) return 1;
  const std::vector<Number> numbers = c.shapes().NumbersOf(c.input(*a.step));
  if (numbers.size() != 1) return absl::InvalidArgumentError(absl::StrCat("operand ", *a.step, " is not one number"));
  if (!numbers[0].constant()) return Unsupported("a step that depends on values", "constant steps");
  if (numbers[0].least == 0) return absl::InvalidArgumentError("the step of a range is 0");
  return static_cast<int64_t>(numbers[0].least);
}

absl::StatusOr<std::optional<Number>> BoundOf(ImportContext& c, std::optional<int> operand) {
  if (!operand.has_value()) return std::optional<Number>();
  const std::vector<Number> numbers = c.shapes().NumbersOf(c.input(*operand));
  if (numbers.size() != 1) return absl::InvalidArgumentError("a bound of a range is not one number");
  return std::optional<Number>(numbers[0]);
}

bool FromFirst(int64_t step, const std::optional<Number>& begin) {
  return step == 1 && (!begin.has_value() || (begin->constant() && begin->least == 0));
}

absl::StatusOr<ComputedRange> ComputedRangeOf(ImportContext& c, Value* y, const AxisIndex& a) {
  DynamicShapes& shapes = c.shapes();
  const auto one = [&](int64_t v) { return c.graph().AddInts({v}); };
  const int64_t most = y->type.shape[a.axis];
  ASSIGN_OR_RETURN(const int64_t step, StepOf(c, a));
  ASSIGN_OR_RETURN(const std::optional<Number> begin, BoundOf(c, a.begin));
  ASSIGN_OR_RETURN(const std::optional<Number> end, BoundOf(c, a.end));
  const Extent all = shapes.Of(y)[a.axis];
  if (FromFirst(step, begin)) {
    // The first elements, as many as are known to be there.
    if (!end.has_value() || (end->extent.has_value() && *end->extent == all)) return ComputedRange{one(0), all};
    if (all.fixed() && end->least >= 0 && end->most <= static_cast<double>(most)) {
      ASSIGN_OR_RETURN(const Extent count, shapes.ExtentAt(c.input(*a.end), 0));
      return ComputedRange{one(0), count};
    }
  }
  ASSIGN_OR_RETURN(Value * size, shapes.AsValue(all));
  ASSIGN_OR_RETURN(Value * last, c.Add("sub", {size, one(1)}));
  Value* const lowest = one(step > 0 ? 0 : -1);
  Value* const highest = step > 0 ? size : last;
  const auto bound = [&](std::optional<int> operand, Value* otherwise) -> absl::StatusOr<Value*> {
    if (!operand.has_value()) return otherwise;
    ASSIGN_OR_RETURN(Value * v, shapes.Element(c.input(*operand), 0));
    ASSIGN_OR_RETURN(v, FromStart(c, v, size));
    ASSIGN_OR_RETURN(v, c.Add("max", {v, lowest}));
    return c.Add("min", {v, highest});
  };
  ASSIGN_OR_RETURN(Value * first, bound(a.begin, step > 0 ? lowest : highest));
  ASSIGN_OR_RETURN(Value * past, bound(a.end, step > 0 ? highest : lowest));
  const int64_t pace = std::abs(step);
  ASSIGN_OR_RETURN(Value * span, step > 0 ? c.Add("sub", {past, first}) : c.Add("sub", {first, past}));
  ASSIGN_OR_RETURN(span, c.Add("add", {span, one(pace - 1)}));
  ASSIGN_OR_RETURN(span, c.Add("max", {span, one(0)}));
  ASSIGN_OR_RETURN(Value * count, c.Add("floor_div", {span, one(pace)}));
  // How many these can be.
  int64_t room = most;
  if (step > 0 && begin.has_value() && begin->least >= 0) room -= std::min<int64_t>(most, static_cast<int64_t>(begin->least));
  if (step > 0 && begin.has_value() && begin->most < 0) room = std::min<int64_t>(room, static_cast<int64_t>(-begin->least));
  if (step > 0 && end.has_value() && end->least >= 0) {
    const double from = begin.has_value() && begin->least >= 0 ? begin->least : 0;
    room = std::min<int64_t>(room, static_cast<int64_t>(std::max(0.0, end->most - from)));
  }
  if (step > 0 && end.has_value() && end->most < 0) room = std::max<int64_t>(0, room + static_cast<int64_t>(end->most));
  room = (room + pace - 1) / pace;
  return ComputedRange{first, shapes.Count(count, room)};
}

absl::StatusOr<Value*> FromStart(ImportContext& c, Value* v, Value* size) {
  ASSIGN_OR_RETURN(Value * negative, AddFollowed(c, "lt", {v, c.graph().AddInts({0})}));
  ASSIGN_OR_RETURN(negative, AddFollowed(c, "cast", {negative}, {{"dtype", std::string("bool")}}));
  ASSIGN_OR_RETURN(Value * shifted, AddFollowed(c, "add", {v, size}));
  return AddFollowed(c, "where", {negative, shifted, v});
}

}  // namespace mgec::mge
