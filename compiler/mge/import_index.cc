// Operators that select elements: Subtensor, IndexingMultiAxisVec; and constants made of indices: Linspace, Eye.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

#include "compiler/mge/importer.h"

namespace mgec::mge {
namespace {

// What a Subtensor or its relatives do with one axis. The numbers are operands.
struct AxisIndex {
  int64_t axis = 0;
  std::optional<int> begin, end, step, index;
};

// The operands follow each other in the order of the items, and in an item in the order begin, end, step, index.
absl::StatusOr<std::vector<AxisIndex>> ReadItems(const ImportContext& c) {
  const auto* items = c.Param<param::IndexDescMaskDump>().items();
  const size_t rank = c.shape(0).size();
  std::vector<AxisIndex> result;
  std::vector<bool> seen(rank, false);
  int operand = 1;
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

// A slice of all axes: everything, until ranges are set.
struct Ranges {
  Shape begin, end, step;

  explicit Ranges(const Shape& shape) : begin(shape.size(), 0), end(shape), step(shape.size(), 1) {}

  graph::Attributes attributes() const { return {{"begin", begin}, {"end", end}, {"step", step}}; }
  bool IsWhole(const Shape& shape) const { return *this == Ranges(shape); }
  bool operator==(const Ranges& o) const { return begin == o.begin && end == o.end && step == o.step; }
};

// Python's rules: negative numbers count from the end, what lies outside is cut.
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

absl::StatusOr<Value*> ImportSubtensor(ImportContext& c) {
  ASSIGN_OR_RETURN(const std::vector<AxisIndex> items, ReadItems(c));
  const Shape& shape = c.shape(0);
  Ranges ranges(shape);
  std::vector<bool> dropped(shape.size(), false);
  for (const AxisIndex& a : items) {
    if (!a.index.has_value()) {
      RETURN_IF_ERROR(SetRange(c, a, ranges));
      continue;
    }
    ASSIGN_OR_RETURN(int64_t index, c.Int(*a.index));
    if (index < 0) index += shape[a.axis];
    if (index < 0 || index >= shape[a.axis]) {
      return absl::InvalidArgumentError(
          absl::StrCat("index ", index, " is outside of axis ", a.axis, " of ", graph::ToString(shape)));
    }
    ranges.begin[a.axis] = index;
    ranges.end[a.axis] = index + 1;
    dropped[a.axis] = true;
  }
  Value* y = c.input(0);
  if (!ranges.IsWhole(shape)) {
    ASSIGN_OR_RETURN(y, c.Add("slice", {y}, ranges.attributes()));
  }
  Shape kept;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (!dropped[i]) kept.push_back(y->type.shape[i]);
  }
  if (kept.empty()) kept.push_back(1);
  return c.Reshape(y, kept);
}

// Ranges on some axes, a tensor of indices on one.
absl::StatusOr<Value*> ImportIndexing(ImportContext& c) {
  ASSIGN_OR_RETURN(const std::vector<AxisIndex> items, ReadItems(c));
  Ranges ranges(c.shape(0));
  const AxisIndex* gathered = nullptr;
  int count = 0;
  for (const AxisIndex& a : items) {
    if (a.index.has_value()) {
      gathered = &a;
      ++count;
    } else {
      RETURN_IF_ERROR(SetRange(c, a, ranges));
    }
  }
  if (count != 1) return Unsupported(absl::StrCat("index tensors on ", count, " axes"), "on 1 axis");
  Value* x = c.input(0);
  if (!ranges.IsWhole(c.shape(0))) {
    ASSIGN_OR_RETURN(x, c.Add("slice", {x}, ranges.attributes()));
  }
  return c.Add("gather", {x, c.input(*gathered->index)}, {{"axis", gathered->axis}});
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

}  // namespace

void RegisterIndex(Registry& r) {
  r.Add("Eye", ImportEye);
  r.Add("IndexingMultiAxisVec", ImportIndexing);
  r.Add("Linspace", ImportLinspace);
  r.Add("Subtensor", ImportSubtensor);
}

}  // namespace mgec::mge
