// Operators that select elements: Subtensor, IndexingMultiAxisVec and its relatives; and constants made of indices:
// Linspace, Eye.
#include <cmath>
#include <cstring>

#include "compiler/mge/dynamic_rules.h"
#include "compiler/mge/index_items.h"

namespace mgec::mge {
namespace {

// The part of operand 0 in the ranges; operand 0 itself if that is all.
absl::StatusOr<Value*> Cut(ImportContext& c, const Ranges& ranges) {
  if (ranges.IsWhole(c.shape(0))) return c.input(0);
  return c.Add("slice", {c.input(0)}, ranges.attributes());
}

absl::StatusOr<Value*> ImportSubtensor(ImportContext& c) {
  ASSIGN_OR_RETURN(const std::vector<AxisIndex> items, ReadItems(c));
  ASSIGN_OR_RETURN(const Selection selection, SelectionOf(c, items));
  ASSIGN_OR_RETURN(Value * y, Cut(c, selection.ranges));
  Shape kept;
  for (size_t i = 0; i < selection.dropped.size(); ++i) {
    if (!selection.dropped[i]) kept.push_back(y->type.shape[i]);
  }
  if (kept.empty()) kept.push_back(1);
  return c.Reshape(y, kept);
}

// The ranges of the items that have one, applied to operand 0.
absl::StatusOr<Value*> CutRanges(ImportContext& c, const std::vector<AxisIndex>& items) {
  Ranges ranges(c.shape(0));
  for (const AxisIndex& a : items) {
    if (!a.index.has_value()) RETURN_IF_ERROR(SetRange(c, a, ranges));
  }
  return Cut(c, ranges);
}

absl::StatusOr<Value*> Gather(ImportContext& c, Value* x, const IndexTensors& index) {
  if (index.axes.size() == 1) return c.Add("gather", {x, index.values[0]}, {{"axis", index.axes[0]}});
  Values inputs = {x};
  inputs.insert(inputs.end(), index.values.begin(), index.values.end());
  return c.Add("gather_nd", inputs, {{"axes", index.axes}});
}

// Ranges on some axes, tensors of indices on others.
absl::StatusOr<Value*> ImportIndexing(ImportContext& c) {
  ASSIGN_OR_RETURN(const std::vector<AxisIndex> items, ReadItems(c));
  const IndexTensors index = IndexTensorsOf(c, items);
  if (index.axes.empty()) return absl::InvalidArgumentError("has no index");
  ASSIGN_OR_RETURN(Value * x, CutRanges(c, items));
  return Gather(c, x, index);
}

// The outer product of vectors of indices: each axis keeps its place.
absl::StatusOr<Value*> ImportMesh(ImportContext& c) {
  ASSIGN_OR_RETURN(const std::vector<AxisIndex> items, ReadItems(c));
  ASSIGN_OR_RETURN(Value * y, CutRanges(c, items));
  const IndexTensors index = IndexTensorsOf(c, items);
  for (size_t k = 0; k < index.axes.size(); ++k) {
    if (index.values[k]->type.shape.size() != 1) return absl::InvalidArgumentError("an index is not a vector");
    ASSIGN_OR_RETURN(y, Gather(c, y, {{index.axes[k]}, {index.values[k]}}));
  }
  return y;
}

// The same with vectors of its own for every element of axis 0.
absl::StatusOr<Value*> ImportBatchedMesh(ImportContext& c) {
  ASSIGN_OR_RETURN(const std::vector<AxisIndex> items, ReadItems(c));
  ASSIGN_OR_RETURN(const IndexTensors mesh, MeshOf(c, items, /*batched=*/true));
  ASSIGN_OR_RETURN(Value * y, CutRanges(c, items));
  if (mesh.axes.empty()) return y;
  ASSIGN_OR_RETURN(y, Gather(c, y, mesh));
  return c.Transpose(y, FromGathered(mesh.axes, y->type.shape.size()));
}

// One element along an axis, which keeps extent 1.
absl::StatusOr<Value*> ImportOneHot(ImportContext& c) {
  ASSIGN_OR_RETURN(const int64_t axis, NormalizeAxis(c.Param<param::Axis>().axis(), c.shape(0).size()));
  Shape shape = c.shape(0);
  shape[axis] = 1;
  ASSIGN_OR_RETURN(Value * index, c.Reshape(c.input(1), shape));
  return c.Add("take_along", {c.input(0), index}, {{"axis", axis}});
}

// The last axis of the map has a position in x for every element of the result.
absl::StatusOr<Value*> ImportIndexingRemap(ImportContext& c) {
  const Shape& map = c.shape(1);
  const int64_t rank = static_cast<int64_t>(c.shape(0).size());
  if (map.size() < 2 || map.back() != rank) {
    return absl::InvalidArgumentError(absl::StrCat("map of shape ", graph::ToString(map), " does not fit"));
  }
  IndexTensors index;
  for (int64_t k = 0; k < rank; ++k) {
    Ranges ranges(map);
    ranges.begin.back() = k;
    ranges.end.back() = k + 1;
    ASSIGN_OR_RETURN(Value * part, c.Add("slice", {c.input(1)}, ranges.attributes()));
    ASSIGN_OR_RETURN(part, c.Reshape(part, Shape(map.begin(), map.end() - 1)));
    index.axes.push_back(k);
    index.values.push_back(part);
  }
  return Gather(c, c.input(0), index);
}

absl::StatusOr<Value*> ImportDiag(ImportContext& c) {
  return c.Add("diag", {c.input(0)}, {{"k", int64_t{c.Param<param::Diag>().k()}}});
}

// Floats are exact for the integers up to 2^24 that indices are made of: each element is rounded once.
absl::StatusOr<Value*> ImportLinspace(ImportContext& c) {
  ASSIGN_OR_RETURN(const int64_t count, c.Int(2));
  constexpr int64_t kMost = int64_t{1} << 26;
  if (count < 0 || count > kMost) return absl::InvalidArgumentError(absl::StrCat("cannot have ", count, " elements"));
  ASSIGN_OR_RETURN(const double start, c.Number(0));
  ASSIGN_OR_RETURN(const double stop, c.Number(1));
  const int64_t steps = c.Param<param::Linspace>().endpoint() ? count - 1 : count;
  const double step = steps > 0 ? (stop - start) / static_cast<double>(steps) : 0;
  std::string data(count * sizeof(float), '\0');
  for (int64_t i = 0; i < count; ++i) {
    const float value = static_cast<float>(start + static_cast<double>(i) * step);
    std::memcpy(&data[i * sizeof(float)], &value, sizeof(float));
  }
  return c.graph().AddConstant({graph::DTypeKind::kFloat32, {count}}, std::move(data), c.name());
}

// A matrix with ones on diagonal k, which is above the main one for positive k.
absl::StatusOr<Value*> ImportEye(ImportContext& c) {
  const auto& p = c.Param<param::Eye>();
  ASSIGN_OR_RETURN(const std::vector<int64_t> size, c.Ints(0));
  if (size.empty() || size.size() > 2) return absl::InvalidArgumentError("the shape must have one or two elements");
  const int64_t rows = size[0], columns = size.back();
  constexpr int64_t kMost = 1 << 13;
  if (rows < 0 || columns < 0 || rows > kMost || columns > kMost) {
    return absl::InvalidArgumentError(absl::StrCat("cannot be ", rows, " by ", columns));
  }
  std::string data(rows * columns * sizeof(float), '\0');
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t column = row + p.k();
    const float one = 1;
    if (column >= 0 && column < columns) {
      std::memcpy(&data[(row * columns + column) * sizeof(float)], &one, sizeof(float));
    }
  }
  DType file_dtype;
  file_dtype.type = p.dtype();
  ASSIGN_OR_RETURN(const graph::DType dtype, ToGraphDType(file_dtype));
  return c.Cast(c.graph().AddConstant({graph::DTypeKind::kFloat32, {rows, columns}}, std::move(data), c.name()), dtype);
}

// A tensor of a given shape that nobody has written to yet: zeros. Deconvolutions with output_padding say by it how large
// their result is.
absl::StatusOr<Value*> ImportAlloc(ImportContext& c) {
  const fbs::DTypeEnum type = c.Param<fbs::param::DType>().dtype();
  if (IsQuantized(type)) return Unsupported("a quantized type, which has no scale here");
  ASSIGN_OR_RETURN(const graph::DType dtype, ToGraphDType(DType{type}));
  Extents extents;
  if (const absl::StatusOr<std::vector<int64_t>> known = c.Ints(0); known.ok()) {
    for (const int64_t extent : *known) extents.emplace_back(extent);
  } else if (NeedsComputedOperand(known.status())) {
    ASSIGN_OR_RETURN(extents, ExtentsOfOperand(c, 0));
  } else {
    return known.status();
  }
  ASSIGN_OR_RETURN(Value * zero, c.Cast(c.graph().AddScalar(0), dtype));
  ASSIGN_OR_RETURN(Value * y, c.Add("broadcast", {zero}, {{"shape", c.shapes().Most(extents)}}));
  c.shapes().Set(y, extents);
  return y;
}

}  // namespace

void RegisterIndex(Registry& r) {
  r.Add("Alloc", ImportAlloc);
  r.Add("BatchedMeshIndexing", ImportBatchedMesh);
  r.Add("Diag", ImportDiag);
  r.Add("Eye", ImportEye);
  r.Add("IndexingMultiAxisVec", ImportIndexing);
  r.Add("IndexingOneHot", ImportOneHot);
  r.Add("IndexingRemap", ImportIndexingRemap);
  r.Add("Linspace", ImportLinspace);
  r.Add("MeshIndexing", ImportMesh);
  r.Add("Subtensor", ImportSubtensor);
}

}  // namespace mgec::mge
