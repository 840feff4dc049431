// Operators that give a copy of a tensor with some elements changed: SetSubtensor, IndexingSetMultiAxisVec,
// SetMeshIndexing, IndexingSetOneHot, and those that add to elements instead.
#include "compiler/mge/index_items.h"

namespace mgec::mge {
namespace {

// `v` broadcast to `shape`.
absl::StatusOr<Value*> BroadcastTo(ImportContext& c, Value* v, const Shape& shape) {
  if (v->type.shape == shape) return v;
  return c.Add("broadcast", {v}, {{"shape", shape}});
}

Shape ExtentsOf(const Ranges& r) {
  Shape extents;
  for (size_t i = 0; i < r.begin.size(); ++i) {
    const int64_t span = r.step[i] > 0 ? r.end[i] - r.begin[i] : r.begin[i] - r.end[i];
    extents.push_back(span <= 0 ? 0 : (span - 1) / std::abs(r.step[i]) + 1);
  }
  return extents;
}

// x with the elements in the ranges set to, or increased by, `values`, which has their shape.
absl::StatusOr<Value*> Update(ImportContext& c, Value* values, const Ranges& ranges, const std::string& mode) {
  return c.Add("slice_update", {c.input(0), values},
               {{"begin", ranges.begin}, {"step", ranges.step}, {"mode", mode}});
}

absl::StatusOr<Value*> WriteSubtensor(ImportContext& c, const std::string& mode) {
  if (c.num_inputs() < 2) return absl::InvalidArgumentError("has no values");
  ASSIGN_OR_RETURN(const std::vector<AxisIndex> items, ReadItems(c, 2));
  ASSIGN_OR_RETURN(const Selection selection, SelectionOf(c, items));
  const Shape region = ExtentsOf(selection.ranges);
  Shape kept;  // the values lack the axes with a number
  for (size_t i = 0; i < region.size(); ++i) {
    if (!selection.dropped[i]) kept.push_back(region[i]);
  }
  if (kept.empty()) kept.push_back(1);
  ASSIGN_OR_RETURN(Value * values, BroadcastTo(c, c.input(1), kept));
  ASSIGN_OR_RETURN(values, c.Reshape(values, region));
  return Update(c, values, selection.ranges, mode);
}

// Writes the values at the positions of the index tensors, in the part of x that the ranges of the items select.
// With a mesh, the values have its dimensions in the places of the axes; scatter_nd wants them where gather_nd puts them.
absl::StatusOr<Value*> Scatter(ImportContext& c, const std::vector<AxisIndex>& items, const IndexTensors& index,
                               bool mesh, const std::string& mode) {
  if (index.axes.empty()) return absl::InvalidArgumentError("has no index");
  Ranges ranges(c.shape(0));
  for (const AxisIndex& a : items) {
    if (!a.index.has_value()) RETURN_IF_ERROR(SetRange(c, a, ranges));
  }
  const bool whole = ranges.IsWhole(c.shape(0));
  Value* part = c.input(0);
  if (!whole) {
    ASSIGN_OR_RETURN(part, c.Add("slice", {part}, ranges.attributes()));
  }
  Values inputs = {part};
  inputs.insert(inputs.end(), index.values.begin(), index.values.end());
  // What reading would give is what is written.
  ASSIGN_OR_RETURN(const Value* read, c.Add("gather_nd", inputs, {{"axes", index.axes}}));
  Value* values = c.input(1);
  if (mesh) {
    const std::vector<int64_t> back = FromGathered(index.axes, read->type.shape.size());
    Shape in_place;
    std::vector<int64_t> perm(back.size());
    for (size_t i = 0; i < back.size(); ++i) {
      in_place.push_back(read->type.shape[back[i]]);
      perm[back[i]] = static_cast<int64_t>(i);
    }
    ASSIGN_OR_RETURN(values, BroadcastTo(c, values, in_place));
    ASSIGN_OR_RETURN(values, c.Transpose(values, perm));
  } else {
    ASSIGN_OR_RETURN(values, BroadcastTo(c, values, read->type.shape));
  }
  inputs.insert(inputs.begin() + 1, values);
  ASSIGN_OR_RETURN(Value * y, c.Add("scatter_nd", inputs, {{"axes", index.axes}, {"mode", mode}}));
  return whole ? y : Update(c, y, ranges, "set");
}

absl::StatusOr<Value*> WriteIndexing(ImportContext& c, const std::string& mode) {
  if (c.num_inputs() < 2) return absl::InvalidArgumentError("has no values");
  ASSIGN_OR_RETURN(const std::vector<AxisIndex> items, ReadItems(c, 2));
  return Scatter(c, items, IndexTensorsOf(c, items), /*mesh=*/false, mode);
}

absl::StatusOr<Value*> WriteMesh(ImportContext& c, bool batched, const std::string& mode) {
  if (c.num_inputs() < 2) return absl::InvalidArgumentError("has no values");
  ASSIGN_OR_RETURN(const std::vector<AxisIndex> items, ReadItems(c, 2));
  ASSIGN_OR_RETURN(const IndexTensors mesh, MeshOf(c, items, batched));
  return Scatter(c, items, mesh, /*mesh=*/true, mode);
}

absl::StatusOr<Value*> ImportSetOneHot(ImportContext& c) {
  ASSIGN_OR_RETURN(const int64_t axis, NormalizeAxis(c.Param<param::Axis>().axis(), c.shape(0).size()));
  Shape shape = c.shape(0);
  shape[axis] = 1;
  ASSIGN_OR_RETURN(Value * index, c.Reshape(c.input(1), shape));
  ASSIGN_OR_RETURN(Value * values, BroadcastTo(c, c.input(2), shape));
  return c.Add("set_along", {c.input(0), index, values}, {{"axis", axis}});
}

using C = ImportContext;

}  // namespace

void RegisterScatter(Registry& r) {
  r.Add("BatchedIncrMeshIndexing", [](C& c) { return WriteMesh(c, true, "add"); });
  r.Add("BatchedSetMeshIndexing", [](C& c) { return WriteMesh(c, true, "set"); });
  r.Add("IncrMeshIndexing", [](C& c) { return WriteMesh(c, false, "add"); });
  r.Add("IncrSubtensor", [](C& c) { return WriteSubtensor(c, "add"); });
  r.Add("IndexingIncrMultiAxisVec", [](C& c) { return WriteIndexing(c, "add"); });
  r.Add("IndexingSetMultiAxisVec", [](C& c) { return WriteIndexing(c, "set"); });
  r.Add("IndexingSetOneHot", ImportSetOneHot);
  r.Add("SetMeshIndexing", [](C& c) { return WriteMesh(c, false, "set"); });
  r.Add("SetSubtensor", [](C& c) { return WriteSubtensor(c, "set"); });
}

}  // namespace mgec::mge
