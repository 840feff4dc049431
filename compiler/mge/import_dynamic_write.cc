// SetSubtensor and its relatives where the size of an axis, a bound or an index depends on values.
#include <algorithm>
#include <numeric>

#include "compiler/mge/computed_range.h"
#include "compiler/mge/dynamic_rules.h"

namespace mgec::mge {
namespace {

using Import = std::function<absl::StatusOr<Values>(ImportContext&)>;

absl::Status Unequal() {
  return Unsupported("operands whose sizes depend on different values", "operands that were selected alike");
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
      return Unequal();
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

// The values in the dimensions of x: those with a number have extent 1.
absl::StatusOr<Value*> AlignedValues(ImportContext& c, const std::vector<AxisIndex>& items) {
  const size_t rank = c.shape(0).size();
  std::vector<bool> dropped(rank, false);
  for (const AxisIndex& a : items) dropped[a.axis] = a.index.has_value();
  Value* const values = c.input(1);
  const Extents given = c.shapes().Of(values);
  Extents extents(rank, Extent(1));
  Shape shape(rank, 1);
  size_t left = given.size();
  for (size_t i = rank; i-- > 0 && left > 0;) {
    if (dropped[i]) continue;
    --left;
    extents[i] = given[left];
    shape[i] = c.shape(1)[left];
  }
  for (; left > 0; --left) {
    if (given[left - 1] != Extent(1)) return absl::InvalidArgumentError("the values have too many dimensions");
  }
  ASSIGN_OR_RETURN(Value * v, c.Reshape(values, shape));
  c.shapes().Set(v, extents);
  return v;
}

// One axis of what is written: which elements of x are (bool, in the dimensions of x), and the values at their places.
struct Written {
  Value* mask = nullptr;
  Value* values = nullptr;
};

absl::StatusOr<Written> WriteAlong(ImportContext& c, const AxisIndex& a, Value* values) {
  DynamicShapes& shapes = c.shapes();
  Value* const x = c.input(0);
  const auto one = [&](int64_t v) { return c.graph().AddInts({v}); };
  std::vector<int64_t> numbers(x->type.shape[a.axis]);
  std::iota(numbers.begin(), numbers.end(), 0);
  Value* const place = c.graph().AddInts(numbers);
  const Extent size = shapes.Of(x)[a.axis];
  Value* mask = nullptr;
  if (a.index.has_value()) {
    ASSIGN_OR_RETURN(Value * index, shapes.Element(c.input(*a.index), 0));
    ASSIGN_OR_RETURN(Value * end, shapes.AsValue(size));
    ASSIGN_OR_RETURN(index, FromStart(c, index, end));
    ASSIGN_OR_RETURN(mask, c.Add("eq", {place, index}));
  } else {
    ASSIGN_OR_RETURN(const int64_t step, StepOf(c, a));
    ASSIGN_OR_RETURN(const ComputedRange range, ComputedRangeOf(c, x, a));
    ASSIGN_OR_RETURN(Value * way, step > 0 ? c.Add("sub", {place, range.first}) : c.Add("sub", {range.first, place}));
    ASSIGN_OR_RETURN(Value * k, c.Add("floor_div", {way, one(std::abs(step))}));
    // Element k of the range: a whole number of steps, not before the first, not past the last.
    ASSIGN_OR_RETURN(Value * back, c.Add("mul", {k, one(std::abs(step))}));
    ASSIGN_OR_RETURN(mask, c.Add("eq", {back, way}));
    ASSIGN_OR_RETURN(Value * count, shapes.AsValue(range.count));
    for (const auto& [low, high] : {std::pair(one(-1), k), std::pair(k, count)}) {
      ASSIGN_OR_RETURN(Value * inside, c.Add("lt", {low, high}));
      ASSIGN_OR_RETURN(mask, c.Add("mul", {mask, inside}));
    }
    Extents extents = shapes.Of(values);
    Extent& given = extents[a.axis];
    if (!given.fixed() && given != range.count) return Unequal();
    if (given != Extent(1) && range.count.fixed() && given != range.count) {
      return absl::InvalidArgumentError(absl::StrCat("writes ", given.factor, " values at ", range.count.factor, " places"));
    }
    if (given != Extent(1)) {
      // How many there are is taken to be right, as it is where values are read at computed places.
      ASSIGN_OR_RETURN(Value * from, c.Add("max", {k, one(0)}));
      ASSIGN_OR_RETURN(from, c.Add("min", {from, one(std::max<int64_t>(values->type.shape[a.axis], 1) - 1)}));
      ASSIGN_OR_RETURN(values, c.Add("gather", {values, from}, {{"axis", a.axis}}));
      given = size;
      shapes.Set(values, extents);
    }
  }
  ASSIGN_OR_RETURN(mask, c.Cast(mask, graph::DTypeKind::kBool));
  Shape along(x->type.shape.size(), 1);
  along[a.axis] = x->type.shape[a.axis];
  ASSIGN_OR_RETURN(mask, c.Reshape(mask, along));
  Extents extents(along.size(), Extent(1));
  extents[a.axis] = size;
  shapes.Set(mask, extents);
  return Written{mask, values};
}

// Everywhere, x or what is written there.
absl::StatusOr<Values> WriteRanges(ImportContext& c, const char* op) {
  if (c.num_inputs() < 2) return absl::InvalidArgumentError("has no values");
  Value* const x = c.input(0);
  if (IsQuantized(x->type.dtype)) return Unsupported("operands of type quantized", "float32, float16");
  ASSIGN_OR_RETURN(const std::vector<AxisIndex> items, ReadItems(c, 2));
  ASSIGN_OR_RETURN(Value * values, AlignedValues(c, items));
  Values masks;
  for (const AxisIndex& a : items) {
    if (!a.index.has_value() && !a.begin.has_value() && !a.end.has_value() && !a.step.has_value()) continue;  // all of them
    ASSIGN_OR_RETURN(const Written written, WriteAlong(c, a, values));
    masks.push_back(written.mask);
    values = written.values;
  }
  if (masks.empty()) return Unequal();
  Value* y = values;
  if (op != nullptr) {
    ASSIGN_OR_RETURN(y, AddFollowed(c, op, {x, values}));
  }
  for (Value* mask : masks) {
    ASSIGN_OR_RETURN(y, AddFollowed(c, "where", {mask, y, x}));
  }
  if (y->type.shape != x->type.shape) return absl::InvalidArgumentError("the values do not fit");
  return Values{y};
}

// What writes all along the axes of unknown size, or at known places, is imported as ever.
Import OrElseRanges(const Import& import, const char* op) {
  return [import, op](ImportContext& c) -> absl::StatusOr<Values> {
    absl::StatusOr<Values> outputs = ImportAndFollow(c, import);
    return outputs.ok() ? outputs : WriteRanges(c, op);
  };
}

}  // namespace

void RegisterDynamicWrite(Registry& r) {
  r.AddDynamic("IncrSubtensor", OrElseRanges(r.Find("IncrSubtensor")->import, "add"));
  r.AddDynamic("IndexingIncrMultiAxisVec", ImportIncrIndexing);
  r.AddDynamic("IndexingSetMultiAxisVec", ImportSetIndexing);
  r.AddDynamic("SetSubtensor", OrElseRanges(r.Find("SetSubtensor")->import, nullptr));
}

}  // namespace mgec::mge
