#include "compiler/mge/index_items.h"

#include <algorithm>
#include <numeric>

namespace mgec::mge {

// The operands follow each other in the order of the items, and in an item in the order begin, end, step, index.
absl::StatusOr<std::vector<AxisIndex>> ReadItems(const ImportContext& c, int first_operand) {
  const auto* items = c.Param<param::IndexDescMaskDump>().items();
  const size_t rank = c.shape(0).size();
  std::vector<AxisIndex> result;
  std::vector<bool> seen(rank, false);
  int operand = first_operand;
  for (uint32_t i = 0; items != nullptr && i < items->size(); ++i) {
    const param::IndexDescMaskItem& item = *items->Get(i);
    AxisIndex a;
    ASSIGN_OR_RETURN(a.axis, NormalizeAxis(item.axis(), rank));
    if (seen[a.axis]) return absl::InvalidArgumentError(absl::StrCat("axis ", a.axis, " is indexed twice"));
    seen[a.axis] = true;
    if (item.begin()) a.begin = operand++;
    if (item.end()) a.end = operand++;
    if (item.step()) a.step = operand++;
    if (item.idx()) a.index = operand++;
    if (a.index.has_value() && (a.begin || a.end || a.step)) {
      return absl::InvalidArgumentError(absl::StrCat("axis ", a.axis, " has an index and a range"));
    }
    result.push_back(a);
  }
  if (operand != c.num_inputs()) {
    return absl::InvalidArgumentError(absl::StrCat("has ", c.num_inputs(), " inputs, needs ", operand));
  }
  return result;
}

absl::Status SetRange(const ImportContext& c, const AxisIndex& a, Ranges& ranges) {
  const int64_t n = c.shape(0)[a.axis];
  int64_t step = 1;
  if (a.step.has_value()) {
    ASSIGN_OR_RETURN(step, c.Int(*a.step));
  }
  if (step == 0) return absl::InvalidArgumentError("the step of a range is 0");
  const int64_t lowest = step > 0 ? 0 : -1;
  const int64_t highest = step > 0 ? n : n - 1;
  const auto bound = [&](std::optional<int> operand, int64_t otherwise) -> absl::StatusOr<int64_t> {
    if (!operand.has_value()) return otherwise;
    ASSIGN_OR_RETURN(int64_t value, c.Int(*operand));
    if (value < 0) value += n;
    return std::clamp(value, lowest, highest);
  };
  ASSIGN_OR_RETURN(ranges.begin[a.axis], bound(a.begin, step > 0 ? lowest : highest));
  ASSIGN_OR_RETURN(ranges.end[a.axis], bound(a.end, step > 0 ? highest : lowest));
  ranges.step[a.axis] = step;
  return absl::OkStatus();
}

absl::StatusOr<Selection> SelectionOf(const ImportContext& c, const std::vector<AxisIndex>& items) {
  const Shape& shape = c.shape(0);
  Selection s{Ranges(shape), std::vector<bool>(shape.size(), false)};
  for (const AxisIndex& a : items) {
    if (!a.index.has_value()) {
      RETURN_IF_ERROR(SetRange(c, a, s.ranges));
      continue;
    }
    ASSIGN_OR_RETURN(int64_t index, c.Int(*a.index));
    if (index < 0) index += shape[a.axis];
    if (index < 0 || index >= shape[a.axis]) {
      return absl::InvalidArgumentError(
          absl::StrCat("index ", index, " is outside of axis ", a.axis, " of ", graph::ToString(shape)));
    }
    s.ranges.begin[a.axis] = index;
    s.ranges.end[a.axis] = index + 1;
    s.dropped[a.axis] = true;
  }
  return s;
}

IndexTensors IndexTensorsOf(const ImportContext& c, const std::vector<AxisIndex>& items) {
  std::vector<AxisIndex> sorted;
  for (const AxisIndex& a : items) {
    if (a.index.has_value()) sorted.push_back(a);
  }
  std::sort(sorted.begin(), sorted.end(), [](const AxisIndex& a, const AxisIndex& b) { return a.axis < b.axis; });
  IndexTensors result;
  for (const AxisIndex& a : sorted) {
    result.axes.push_back(a.axis);
    result.values.push_back(c.input(*a.index));
  }
  return result;
}

absl::StatusOr<IndexTensors> MeshOf(ImportContext& c, const std::vector<AxisIndex>& items, bool batched) {
  IndexTensors tensors = IndexTensorsOf(c, items);
  if (batched && !tensors.axes.empty()) {
    if (tensors.axes[0] == 0) return absl::InvalidArgumentError("the batch cannot be indexed");
    std::vector<int64_t> batch(c.shape(0)[0]);
    std::iota(batch.begin(), batch.end(), 0);
    tensors.axes.insert(tensors.axes.begin(), 0);
    tensors.values.insert(tensors.values.begin(), c.graph().AddInts(batch));
  }
  // Index tensor k varies along dimension k of the mesh, and with the batch.
  for (size_t k = 0; k < tensors.values.size(); ++k) {
    const bool per_image = batched && k > 0;
    const Shape& own = tensors.values[k]->type.shape;
    if (own.size() != (per_image ? 2 : 1) || (per_image && own[0] != c.shape(0)[0])) {
      return absl::InvalidArgumentError(absl::StrCat("index of shape ", graph::ToString(own), " for axis ",
                                                     tensors.axes[k], " does not fit"));
    }
    Shape shape(tensors.values.size(), 1);
    shape[k] = own.back();
    if (per_image) shape[0] = own[0];
    ASSIGN_OR_RETURN(tensors.values[k], c.Reshape(tensors.values[k], shape));
  }
  return tensors;
}

std::vector<int64_t> FromGathered(const std::vector<int64_t>& axes, size_t rank) {
  const int64_t count = static_cast<int64_t>(axes.size());
  const bool adjacent = axes.back() - axes.front() == count - 1;
  std::vector<int64_t> perm;
  int64_t mesh = adjacent ? axes.front() : 0, other = 0;
  for (int64_t i = 0; i < static_cast<int64_t>(rank); ++i) {
    if (std::binary_search(axes.begin(), axes.end(), i)) {
      perm.push_back(mesh++);
      continue;
    }
    // The other dimensions stand before and after those of the mesh.
    if (other == (adjacent ? axes.front() : 0)) other += count;
    perm.push_back(other++);
  }
  return perm;
}

}  // namespace mgec::mge
