// Operators that go along an axis: Cumsum, Argsort, TopK, Cross.
#include "compiler/mge/importer.h"

namespace mgec::mge {
namespace {

constexpr int kNoAxis = 2147483647;

absl::StatusOr<Value*> ImportCumsum(ImportContext& c) {
  const auto& p = c.Param<param::Cumsum>();
  ASSIGN_OR_RETURN(const int64_t axis, NormalizeAxis(p.axis() == kNoAxis ? 0 : p.axis(), c.shape(0).size()));
  return c.Add("cumsum", {c.input(0)},
               {{"axis", axis}, {"exclusive", int64_t{p.exclusive()}}, {"reverse", int64_t{p.reverse()}}});
}

// The elements of each row: values in ascending or descending order, and where they came from. Equal values keep the order of
// their indices, or have it reversed where the order is descending.
absl::StatusOr<Values> Sort(ImportContext& c, Value* x, bool descending, int64_t count) {
  const int64_t axis = static_cast<int64_t>(x->type.shape.size()) - 1;
  ASSIGN_OR_RETURN(Value * index, c.Add("argsort", {x}, {{"descending", int64_t{descending}}, {"count", count}}));
  ASSIGN_OR_RETURN(Value * values, c.Add("take_along", {x, index}, {{"axis", axis}}));
  return Values{values, index};
}

absl::Status CheckRows(const ImportContext& c) {
  if (c.shape(0).size() == 2) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("shape ", graph::ToString(c.shape(0)), " is not a matrix"));
}

absl::StatusOr<Values> ImportArgsort(ImportContext& c) {
  RETURN_IF_ERROR(CheckRows(c));
  return Sort(c, c.input(0), c.Param<param::Argsort>().order() == param::ArgsortOrder::DESCENDING, c.shape(0)[1]);
}

absl::Status CheckArgsort(const Operator& op) {
  const auto order = op.Param<param::Argsort>()->order();
  if (order <= param::ArgsortOrder::DESCENDING) return absl::OkStatus();
  return Unsupported(absl::StrCat("order=", static_cast<uint32_t>(order)), "ASCENDING, DESCENDING");
}

absl::Status CheckTopK(const Operator& op) {
  const auto mode = op.Param<param::TopK>()->mode();
  if (mode <= param::TopKMode::VALUE_IDX_SORTED) return absl::OkStatus();
  return Unsupported(absl::StrCat("mode=", static_cast<uint32_t>(mode)),
                     "KTH_ONLY, VALUE_IDX_NOSORT, VALUE_IDX_SORTED");
}

// The k smallest elements of each row, or for negative k the -k largest.
absl::StatusOr<Values> ImportTopK(ImportContext& c) {
  RETURN_IF_ERROR(CheckRows(c));
  ASSIGN_OR_RETURN(const int64_t k, c.Int(1));
  if (k == 0) return absl::InvalidArgumentError("k is 0");
  const int64_t count = std::min(std::abs(k), c.shape(0)[1]);
  ASSIGN_OR_RETURN(Values sorted, Sort(c, c.input(0), k < 0, count));
  if (c.Param<param::TopK>().mode() != param::TopKMode::KTH_ONLY) return sorted;
  const int64_t rows = c.shape(0)[0];
  ASSIGN_OR_RETURN(Value * last, c.Add("slice", {sorted[0]},
                                       {{"begin", Shape{0, count - 1}},
                                        {"end", Shape{rows, count}},
                                        {"step", Shape{1, 1}}}));
  ASSIGN_OR_RETURN(last, c.Reshape(last, {rows}));
  return Values{last};
}

// Vectors of three elements along an axis of each operand.
absl::StatusOr<Value*> ImportCross(ImportContext& c) {
  const auto& p = c.Param<param::Cross>();
  Values parts[2];
  const int axes[2] = {p.axisa(), p.axisb()};
  for (int k = 0; k < 2; ++k) {
    const Shape& shape = c.shape(k);
    ASSIGN_OR_RETURN(const int64_t axis, NormalizeAxis(axes[k], shape.size()));
    if (shape[axis] != 3) return absl::InvalidArgumentError(absl::StrCat("axis ", axis, " does not have 3 elements"));
    for (int64_t i = 0; i < 3; ++i) {
      Shape begin(shape.size(), 0), end = shape, others = shape;
      begin[axis] = i;
      end[axis] = i + 1;
      others.erase(others.begin() + axis);
      if (others.empty()) others.push_back(1);
      ASSIGN_OR_RETURN(Value * part, c.Add("slice", {c.input(k)},
                                           {{"begin", begin}, {"end", end}, {"step", Shape(shape.size(), 1)}}));
      ASSIGN_OR_RETURN(part, c.Reshape(part, others));
      parts[k].push_back(part);
    }
  }
  const size_t rank = c.shape(0).size();
  ASSIGN_OR_RETURN(const int64_t out_axis, NormalizeAxis(p.axisc(), rank));
  Values components;
  for (int i = 0; i < 3; ++i) {
    const int j = (i + 1) % 3, k = (i + 2) % 3;
    ASSIGN_OR_RETURN(Value * plus, c.Add("mul", {parts[0][j], parts[1][k]}));
    ASSIGN_OR_RETURN(Value * minus, c.Add("mul", {parts[0][k], parts[1][j]}));
    ASSIGN_OR_RETURN(Value * component, c.Add("sub", {plus, minus}));
    Shape shape = component->type.shape;
    if (rank == 1) shape.clear();
    shape.insert(shape.begin() + out_axis, 1);
    ASSIGN_OR_RETURN(component, c.Reshape(component, shape));
    components.push_back(component);
  }
  return c.Add("concat", components, {{"axis", out_axis}});
}

}  // namespace

void RegisterScan(Registry& r) {
  r.AddMany("Argsort", ImportArgsort, CheckArgsort);
  r.Add("Cross", ImportCross);
  r.Add("Cumsum", ImportCumsum);
  r.AddMany("TopK", ImportTopK, CheckTopK);
}

}  // namespace mgec::mge
