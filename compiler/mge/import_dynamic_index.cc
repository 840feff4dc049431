// Subtensor and its relatives where the size of an axis, a bound or an index depends on values.
#include <algorithm>

#include "compiler/mge/computed_range.h"
#include "compiler/mge/dynamic_rules.h"
#include "compiler/mge/index_items.h"

namespace mgec::mge {
namespace {

using graph::DTypeKind;

// The elements begin, begin + step, .. of axis `a.axis` of y, up to end, by Python's rules.
absl::StatusOr<Value*> CutAxis(ImportContext& c, Value* y, const AxisIndex& a) {
  DynamicShapes& shapes = c.shapes();
  const int64_t axis = a.axis;
  Extents extents = shapes.Of(y);
  const Extent old = extents[axis];
  const int64_t most = y->type.shape[axis];
  ASSIGN_OR_RETURN(const int64_t step, StepOf(c, a));
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
  ASSIGN_OR_RETURN(const std::optional<Number> begin, BoundOf(c, a.begin));
  ASSIGN_OR_RETURN(const ComputedRange range, ComputedRangeOf(c, y, a));
  if (FromFirst(step, begin)) {
    if (range.count == old) return y;
    Shape last = y->type.shape;
    last[axis] = std::min(most, shapes.Most(range.count));
    Value* part = y;
    if (last[axis] < most) {
      ASSIGN_OR_RETURN(part, c.Add("slice", {y}, {{"begin", Shape(last.size(), 0)},
                                                  {"end", last},
                                                  {"step", Shape(last.size(), 1)}}));
    } else {  // another value, of another size
      ASSIGN_OR_RETURN(part, c.Add("identity", {y}));
    }
    extents[axis] = range.count;
    shapes.Set(part, extents);
    return part;
  }
  std::vector<int64_t> numbers(shapes.Most(range.count));
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<int64_t>(i) * step;
  ASSIGN_OR_RETURN(Value * index, c.Add("add", {c.graph().AddInts(numbers), range.first}));
  ASSIGN_OR_RETURN(Value * part, c.Add("gather", {y, index}, {{"axis", axis}}));
  extents[axis] = range.count;
  shapes.Set(part, extents);
  return part;
}

// One element of the axis, which keeps extent 1.
absl::StatusOr<Value*> PickAt(ImportContext& c, Value* y, const AxisIndex& a) {
  DynamicShapes& shapes = c.shapes();
  Extents extents = shapes.Of(y);
  ASSIGN_OR_RETURN(Value * index, shapes.Element(c.input(*a.index), 0));
  ASSIGN_OR_RETURN(Value * size, shapes.AsValue(extents[a.axis]));
  ASSIGN_OR_RETURN(index, FromStart(c, index, size));
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
      ASSIGN_OR_RETURN(index.values[k], FromStart(c, index.values[k], size));
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

}  // namespace

void RegisterDynamicIndex(Registry& r) {
  r.AddDynamic("IndexingMultiAxisVec", ImportIndexing);
  r.AddDynamic("IndexingOneHot", ImportOneHot);
  r.AddDynamic("Subtensor", ImportSubtensor);
}

}  // namespace mgec::mge
