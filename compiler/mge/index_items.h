// The operands of Subtensor and its relatives: a range or an index for each of some axes.
#ifndef MGEC_COMPILER_MGE_INDEX_ITEMS_H_
#define MGEC_COMPILER_MGE_INDEX_ITEMS_H_

#include <optional>
#include <vector>

#include "compiler/mge/importer.h"

namespace mgec::mge {

// What one of them does with one axis. The numbers are operands.
struct AxisIndex {
  int64_t axis = 0;
  std::optional<int> begin, end, step, index;
};

// The items of the operator, whose operands start with number `first_operand`.
absl::StatusOr<std::vector<AxisIndex>> ReadItems(const ImportContext& c, int first_operand = 1);

// A slice of all axes: everything, until ranges are set.
struct Ranges {
  Shape begin, end, step;

  explicit Ranges(const Shape& shape) : begin(shape.size(), 0), end(shape), step(shape.size(), 1) {}

  graph::Attributes attributes() const { return {{"begin", begin}, {"end", end}, {"step", step}}; }
  bool IsWhole(const Shape& shape) const { return *this == Ranges(shape); }
  bool operator==(const Ranges& o) const { return begin == o.begin && end == o.end && step == o.step; }
};

// Sets the axis of a range. Python's rules: negative numbers count from the end, what lies outside is cut.
absl::Status SetRange(const ImportContext& c, const AxisIndex& a, Ranges& ranges);

// The part of operand 0 that the items without index tensors select; an index that is a number selects one element.
// `dropped` tells which axes have a number.
struct Selection {
  Ranges ranges;
  std::vector<bool> dropped;
};
absl::StatusOr<Selection> SelectionOf(const ImportContext& c, const std::vector<AxisIndex>& items);

// Index tensors, with their axes in ascending order.
struct IndexTensors {
  std::vector<int64_t> axes;
  Values values;
};
IndexTensors IndexTensorsOf(const ImportContext& c, const std::vector<AxisIndex>& items);

// One index tensor for each axis of MeshIndexing (or, if batched, of BatchedMeshIndexing, with axis 0 for the batch):
// they broadcast to the mesh.
absl::StatusOr<IndexTensors> MeshOf(ImportContext& c, const std::vector<AxisIndex>& items, bool batched);

// The order of axes that puts the dimensions of a mesh, which gathering leaves adjacent or in front, back in their
// places: the permutation for a transpose of the gathered tensor.
std::vector<int64_t> FromGathered(const std::vector<int64_t>& axes, size_t rank);

}  // namespace mgec::mge

#endif  // MGEC_COMPILER_MGE_INDEX_ITEMS_H_
