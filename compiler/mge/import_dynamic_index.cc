// Subtensor and its relatives where the size of an axis, a bound or an index depends on values.
#include <algorithm>

#include "compiler/mge/dynamic_rules.h"
#include "compiler/mge/index_items.h"

namespace mgec::mge {
namespace {

using graph::DTypeKind;

Value* OneInt(ImportContext& c, int64_t v) { return c.graph().AddInts({v}); }

absl::StatusOr<std::vector<int64_t>> Known(ImportContext& c, int operand) {
  const std::vector<Number> numbers = c.shapes().NumbersOf(c.input(operand));
  if (numbers.size() != 1) return absl::InvalidArgumentError(absl::StrCat("operand ", operand, " is not one number"));
  if (!numbers[0].constant()) return std::vector<int64_t>();
  return std::vector<int64_t>{static_cast<int64_t>(numbers[0].least)};
}

// index where it is not negative, index + size elsewhere.
absl::StatusOr<Value*> Wrapped(ImportContext& c, Value* index, Value* size) {
  ASSIGN_OR_RETURN(Value * negative, AddFollowed(c, "lt", {index, OneInt(c, 0)}));
  ASSIGN_OR_RETURN(negative, AddFollowed(c, "cast", {negative}, {{"dtype", std::string("bool")}}));
  ASSIGN_OR_RETURN(Value * shifted, AddFollowed(c, "add", {index, size}));
  return AddFollowed(c, "where", {negative, shifted, index});
}

// The elements begin, begin + step, .. of axis `a.axis` of y, up to end, by Python's rules.
absl::StatusOr<Value*> CutAxis(ImportContext& c, Value* y, const AxisIndex& a) {
  DynamicShapes& shapes = c.shapes();
  const int64_t axis = a.axis;
  Extents extents = shapes.Of(y);
  const Extent old = extents[axis];
  const int64_t most = y->type.shape[axis];
  int64_t step = 1;
  if (a.step.has_value()) {
    ASSIGN_OR_RETURN(const std::vector<int64_t> known, Known(c, *a.step));
    if (known.empty()) return Unsupported("a step that depends on values", "constant steps");
    step = known[0];
  }
  if (step == 0) return absl::InvalidArgumentError("the step of a range is 0");
  if (old.fixed()) {
    // Known numbers select as they do where nothing depends on values.
    Ranges ranges(y->type.shape);
    if (const absl::Status s = SetRange(c, a, ranges); s.ok()) {
      if (ranges.IsWhole(y->type.shape)) return y;
      ASSIGN_OR_RETURN(Value * part, c.Add("slice", {y}, ranges.attributes()));
      extents[axis] = Extent(part->type.shape[axis]);
      shapes.Set(part, extents);
      return part;
    } else if (!NeedsComputedOperand(s)) {
      return s;
    }
  }
  // What is known of a bound: nothing where it is not given, and not constant.
  const auto bounds = [&](std::optional<int> operand) -> absl::StatusOr<std::optional<Number>> {
    if (!operand.has_value()) return std::optional<Number>();
    const std::vector<Number> numbers = shapes.NumbersOf(c.input(*operand));
    if (numbers.size() != 1) return absl::InvalidArgumentError("a bound of a range is not one number");
    return std::optional<Number>(numbers[0]);
  };
  ASSIGN_OR_RETURN(const std::optional<Number> begin, bounds(a.begin));
  ASSIGN_OR_RETURN(const std::optional<Number> end, bounds(a.end));
  const bool from_start = step == 1 && (!begin.has_value() || (begin->constant() && begin->least == 0));
  if (from_start && (!end.has_value() || (end->extent.has_value() && *end->extent == old))) return y;
  const auto prefix = [&](const Extent& count) -> absl::StatusOr<Value*> {
    Shape last = y->type.shape;
    last[axis] = std::min(most, shapes.Most(count));
    Value* part = y;
    if (last[axis] < most) {
      ASSIGN_OR_RETURN(part, c.Add("slice", {y}, {{"begin", Shape(last.size(), 0)},
                                                  {"end", last},
                                                  {"step", Shape(last.size(), 1)}}));
    } else {  // another value, of another size
      ASSIGN_OR_RETURN(part, c.Add("identity", {y}));
    }
    extents[axis] = count;
    shapes.Set(part, extents);
    return part;
  };
  // The first elements, as many as are known to be there.
  if (from_start && old.fixed() && end->least >= 0 && end->most <= static_cast<double>(most)) {
    ASSIGN_OR_RETURN(const Extent count, shapes.ExtentAt(c.input(*a.end), 0));
    return prefix(count);
  }

  ASSIGN_OR_RETURN(Value * size, shapes.AsValue(old));
  ASSIGN_OR_RETURN(Value * last, c.Add("sub", {size, OneInt(c, 1)}));
  Value* const lowest = OneInt(c, step > 0 ? 0 : -1);
  Value* const highest = step > 0 ? size : last;
  const auto bound = [&](std::optional<int> operand, Value* otherwise) -> absl::StatusOr<Value*> {
    if (!operand.has_value()) return otherwise;
    ASSIGN_OR_RETURN(Value * v, shapes.Element(c.input(*operand), 0));
    ASSIGN_OR_RETURN(v, Wrapped(c, v, size));
    ASSIGN_OR_RETURN(v, c.Add("max", {v, lowest}));
    return c.Add("min", {v, highest});
  };
  ASSIGN_OR_RETURN(Value * first, bound(a.begin, step > 0 ? lowest : highest));
  ASSIGN_OR_RETURN(Value * past, bound(a.end, step > 0 ? highest : lowest));
  const int64_t pace = std::abs(step);
  ASSIGN_OR_RETURN(Value * span, step > 0 ? c.Add("sub", {past, first}) : c.Add("sub", {first, past}));
  ASSIGN_OR_RETURN(span, c.Add("add", {span, OneInt(c, pace - 1)}));
  ASSIGN_OR_RETURN(span, c.Add("max", {span, OneInt(c, 0)}));
  ASSIGN_OR_RETURN(Value * count, c.Add("floor_div", {span, OneInt(c, pace)}));
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
  const Extent result = shapes.Count(count, room);
  if (from_start) return prefix(result);
  std::vector<int64_t> numbers(room);
  for (int64_t i = 0; i < room; ++i) numbers[i] = i * step;
  ASSIGN_OR_RETURN(Value * index, c.Add("add", {c.graph().AddInts(numbers), first}));
  ASSIGN_OR_RETURN(Value * part, c.Add("gather", {y, index}, {{"axis", axis}}));
  extents[axis] = result;
  shapes.Set(part, extents);
  return part;
}

// One element of the axis, which keeps extent 1.
absl::StatusOr<Value*> PickAt(ImportContext& c, Value* y, const AxisIndex& a) {
  DynamicShapes& shapes = c.shapes();
  Extents extents = shapes.Of(y);
  ASSIGN_OR_RETURN(Value * index, shapes.Element(c.input(*a.index), 0));
  ASSIGN_OR_RETURN(Value * size, shapes.AsValue(extents[a.axis]));
  ASSIGN_OR_RETURN(index, Wrapped(c, index, size));
  ASSIGN_OR_RETURN(Value * part, c.Add("gather", {y, index}, {{"axis", a.axis}}));
  extents[a.axis] = Extent(1);
  shapes.Set(part, extents);
  return part;
}

absl::StatusOr<Values> ImportSubtensor(ImportContext& c) {
  ASSIGN_OR_RETURN(const std::vector<AxisIndex> items, ReadItems(c));
  Value* y = c.input(0);
  std::vector<bool> dropped(c.shape(0).size(), false);
  for (const AxisIndex& a : items) {
    if (a.index.has_value()) {
      ASSIGN_OR_RETURN(y, PickAt(c, y, a));
      dropped[a.axis] = true;
    } else {
      ASSIGN_OR_RETURN(y, CutAxis(c, y, a));
    }
  }
  Extents kept;
  for (size_t i = 0; i < dropped.size(); ++i) {
    if (!dropped[i]) kept.push_back(c.shapes().Of(y)[i]);
  }
  if (kept.empty()) kept.emplace_back(1);
  Shape shape;
  for (size_t i = 0; i < dropped.size(); ++i) {
    if (!dropped[i]) shape.push_back(y->type.shape[i]);
  }
  if (shape.empty()) shape.push_back(1);
  if (shape == y->type.shape) return Values{y};
  ASSIGN_OR_RETURN(y, c.Add("reshape", {y}, {{"shape", shape}}));
  c.shapes().Set(y, kept);
  return Values{y};
}

// Ranges first; then index tensors, where negative ones count from the end of what counts.
absl::StatusOr<Values> ImportIndexing(ImportContext& c) {
  ASSIGN_OR_RETURN(const std::vector<AxisIndex> items, ReadItems(c));
  IndexTensors index = IndexTensorsOf(c, items);
  if (index.axes.empty()) return absl::InvalidArgumentError("has no index");
  Value* x = c.input(0);
  for (const AxisIndex& a : items) {
    if (a.index.has_value()) continue;
    ASSIGN_OR_RETURN(x, CutAxis(c, x, a));
  }
  Values inputs = {x};
  const Extents extents = c.shapes().Of(x);
  for (size_t k = 0; k < index.axes.size(); ++k) {
    const Extent& e = extents[index.axes[k]];
    if (!e.fixed()) {
      ASSIGN_OR_RETURN(Value * size, c.shapes().AsValue(e));
      ASSIGN_OR_RETURN(index.values[k], Wrapped(c, index.values[k], size));
    }
    inputs.push_back(index.values[k]);
  }
  absl::StatusOr<Value*> y = index.axes.size() == 1
                                 ? AddFollowed(c, "gather", inputs, {{"axis", index.axes[0]}})
                                 : AddFollowed(c, "gather_nd", inputs, {{"axes", index.axes}});
  RETURN_IF_ERROR(y.status());
  return Values{*y};
}

// One element along an axis for each element of the index.
absl::StatusOr<Values> ImportOneHot(ImportContext& c) {
  ASSIGN_OR_RETURN(const int64_t axis, NormalizeAxis(c.Param<param::Axis>().axis(), c.shape(0).size()));
  Extents extents = c.shapes().Of(c.input(0));
  Extents without = extents;
  without.erase(without.begin() + axis);
  if (without.empty()) without.emplace_back(1);
  if (c.shapes().Of(c.input(1)) != without) {
    return Unsupported("operands whose sizes depend on different values", "operands that were selected alike");
  }
  Shape shape = c.shape(0);
  shape[axis] = 1;
  extents[axis] = Extent(1);
  ASSIGN_OR_RETURN(Value * index, c.Reshape(c.input(1), shape));
  c.shapes().Set(index, extents);
  ASSIGN_OR_RETURN(Value * y, c.Add("take_along", {c.input(0), index}, {{"axis", axis}}));
  c.shapes().Set(y, extents);
  return Values{y};
}

// Writes at index tensors whose size depends on values: those that do not count point outside, where nothing is written.
absl::StatusOr<Values> WriteAt(ImportContext& c, const char* mode) {
  if (c.num_inputs() < 3) return absl::InvalidArgumentError("has no values or no index");
  ASSIGN_OR_RETURN(const std::vector<AxisIndex> items, ReadItems(c, 2));
  const IndexTensors index = IndexTensorsOf(c, items);
  DynamicShapes& shapes = c.shapes();
  if (index.axes.size() != items.size() || shapes.IsDynamic(c.input(0))) {
    return Unsupported("writing to ranges, or to operands, whose size depends on values", "writing at index tensors");
  }
  Values inputs = {c.input(0), nullptr};
  for (Value* v : index.values) {
    const Extents extents = shapes.Of(v);
    for (size_t axis = 0; axis < extents.size(); ++axis) {
      ASSIGN_OR_RETURN(v, MaskTail(c, v, static_cast<int64_t>(axis), "highest"));
    }
    inputs.push_back(v);
  }
  // What reading there would give has the shape and the sizes of the values.
  Values reads = inputs;
  reads.erase(reads.begin() + 1);
  ASSIGN_OR_RETURN(Value * read, AddFollowed(c, "gather_nd", reads, {{"axes", index.axes}}));
  Value* values = c.input(1);
  const Extents wanted = shapes.Of(read), given = shapes.Of(values);
  if (given.size() > wanted.size()) return absl::InvalidArgumentError("the values have too many dimensions");
  for (size_t i = 0; i < given.size(); ++i) {
    if (given[i] != Extent(1) && given[i] != wanted[i + wanted.size() - given.size()]) {
      return Unsupported("operands whose sizes depend on different values", "operands that were selected alike");
    }
  }
  if (values->type.shape != read->type.shape) {
    ASSIGN_OR_RETURN(values, c.Add("broadcast", {values}, {{"shape", read->type.shape}}));
  }
  inputs[1] = values;
  ASSIGN_OR_RETURN(Value * y, c.Add("scatter_nd", inputs, {{"axes", index.axes}, {"mode", std::string(mode)}}));
  return Values{y};
}

absl::StatusOr<Values> ImportSetIndexing(ImportContext& c) { return WriteAt(c, "set"); }
absl::StatusOr<Values> ImportIncrIndexing(ImportContext& c) { return WriteAt(c, "add"); }

}  // namespace

void RegisterDynamicIndex(Registry& r) {
  r.AddDynamic("IndexingIncrMultiAxisVec", ImportIncrIndexing);
  r.AddDynamic("IndexingMultiAxisVec", ImportIndexing);
  r.AddDynamic("IndexingOneHot", ImportOneHot);
  r.AddDynamic("IndexingSetMultiAxisVec", ImportSetIndexing);
  r.AddDynamic("Subtensor", ImportSubtensor);
}

}  // namespace mgec::mge
