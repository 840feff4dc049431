// What operators do with operands whose size depends on values. Those that work element by element just go on, and the
// rest of this file is about those that see how many elements there are. Indexing is in import_dynamic_index.cc.
#include <algorithm>

#include "absl/strings/ascii.h"
#include "compiler/mge/dynamic_rules.h"

namespace mgec::mge {
namespace {

using graph::DTypeKind;

constexpr int kNoAxis = 7;  // of OptionalAxisV1
constexpr int kNoReduceAxis = 2147483647;

absl::StatusOr<Extents> BroadcastExtents(const DynamicShapes& shapes, const Values& values) {
  Extents out;
  for (const Value* v : values) {
    Extents e = shapes.Of(v);
    if (e.size() > out.size()) out.insert(out.begin(), e.size() - out.size(), Extent(1));
    for (size_t i = 0; i < e.size(); ++i) {
      Extent& joined = out[i + out.size() - e.size()];
      if (joined == Extent(1)) joined = e[i];
      else if (e[i] != Extent(1) && e[i] != joined) {
        return Unsupported("operands whose sizes depend on different values", "operands that were selected alike");
      }
    }
  }
  return out;
}

absl::StatusOr<Values> ImportGetVarShape(ImportContext& c) {
  ASSIGN_OR_RETURN(const Extents extents, BroadcastExtents(c.shapes(), c.inputs()));
  const int axis = c.Param<param::OptionalAxisV1>().axis();
  Values sizes;
  for (const Extent& e : extents) {
    ASSIGN_OR_RETURN(Value * size, c.shapes().AsValue(e));
    sizes.push_back(size);
  }
  if (axis != kNoAxis) {
    ASSIGN_OR_RETURN(const int64_t i, NormalizeAxis(axis, sizes.size()));
    return Values{sizes[i]};
  }
  if (sizes.size() == 1) return sizes;
  ASSIGN_OR_RETURN(Value * shape, c.Add("concat", sizes, {{"axis", int64_t{0}}}));
  return Values{shape};
}

// The elements of operand i, each a size that may depend on values. Element `free` is not looked at.
absl::StatusOr<Extents> ExtentsOfOperand(ImportContext& c, int i, int64_t free = -1) {
  const Shape& shape = c.shape(i);
  if (shape.size() != 1 || shape[0] > kMaxRank || c.shapes().IsDynamic(c.input(i))) {
    return absl::InvalidArgumentError(
        absl::StrCat("operand ", i, " of shape ", graph::ToString(shape), " cannot be a list of at most 7 numbers"));
  }
  Extents extents;
  for (int64_t k = 0; k < shape[0]; ++k) {
    if (k == free) {
      extents.emplace_back();
      continue;
    }
    ASSIGN_OR_RETURN(const Extent e, c.shapes().ExtentAt(c.input(i), k));
    if (e.factor < 0) return absl::InvalidArgumentError(absl::StrCat("element ", k, " of the shape is negative"));
    extents.push_back(e);
  }
  return extents;
}

absl::StatusOr<Values> ImportReshape(ImportContext& c) {
  const int axis = c.Param<param::OptionalAxisV1>().axis();
  int64_t free = -1;
  if (axis != kNoAxis && c.shape(1).size() == 1) {
    ASSIGN_OR_RETURN(free, NormalizeAxis(axis, c.shape(1)[0]));
  }
  ASSIGN_OR_RETURN(Extents to, ExtentsOfOperand(c, 1, free));
  Extent total, others;
  for (const Extent& e : c.shapes().Of(c.input(0))) total = total * e;
  for (const Extent& e : to) others = others * e;
  if (free < 0) {
    // A size that is computed is what is left for it, whatever it is.
    if (others.fixed() && total.fixed() && others != total) {
      return absl::InvalidArgumentError(absl::StrCat("cannot reshape ", total.factor, " elements to ", others.factor));
    }
  } else if (const std::optional<Extent> quotient = Divide(total, others); quotient.has_value()) {
    to[free] = *quotient;
  } else {
    ASSIGN_OR_RETURN(Value * elements, c.shapes().AsValue(total));
    ASSIGN_OR_RETURN(Value * divisor, c.shapes().AsValue(others));
    ASSIGN_OR_RETURN(Value * count, c.Add("floor_div", {elements, divisor}));
    to[free] = c.shapes().Count(count, c.shapes().Most(total) / std::max<int64_t>(others.factor, 1));
  }
  ASSIGN_OR_RETURN(Value * y, Repack(c.graph(), c.shapes(), c.input(0), to));
  return Values{y};
}

absl::StatusOr<Values> ImportBroadcast(ImportContext& c) {
  ASSIGN_OR_RETURN(const Extents to, ExtentsOfOperand(c, 1));
  const Extents from = c.shapes().Of(c.input(0));
  if (from.size() > to.size()) return absl::InvalidArgumentError("the result has fewer dimensions than x");
  for (size_t i = 0; i < from.size(); ++i) {
    const Extent& wanted = to[i + to.size() - from.size()];
    if (from[i] != Extent(1) && from[i] != wanted) {
      return Unsupported("a shape that depends on other values than x", "dimensions of size 1, or of the size of x");
    }
  }
  const Shape shape = c.shapes().Most(to);
  Value* y = c.input(0);
  if (y->type.shape != shape) {
    ASSIGN_OR_RETURN(y, c.Add("broadcast", {y}, {{"shape", shape}}));
    c.shapes().Set(y, to);
  }
  return Values{y};
}

// --- Along an axis whose size depends on values ---

// Replaces what does not count along the axis by elements that change nothing.
absl::Status Neutralize(ImportContext& c, int64_t axis, const char* fill) {
  if (!c.shapes().Of(c.input(0))[axis].fixed() && IsQuantized(c.input(0)->type.dtype)) {
    return Unsupported("quantized operands along an axis whose size depends on values", "float32, float16");
  }
  ASSIGN_OR_RETURN(Value * masked, MaskTail(c, c.input(0), axis, fill));
  c.set_input(0, masked);
  return absl::OkStatus();
}

// The node that computes `y` without a size along the axis: MaskTail() has taken care of it.
absl::StatusOr<Value*> AddAlong(ImportContext& c, absl::string_view op, Values inputs, graph::Attributes attributes,
                                const std::vector<int64_t>& axes, bool keep) {
  Extents extents = c.shapes().Of(inputs[0]);
  ASSIGN_OR_RETURN(Value * y, c.Add(op, std::move(inputs), std::move(attributes)));
  for (int64_t axis : axes) {
    if (!keep) extents[axis] = Extent(1);
  }
  c.shapes().Set(y, extents);
  return y;
}

// The axes of Reduce, from its parameter or the shape that it is to give.
absl::StatusOr<std::vector<int64_t>> ReducedAxes(ImportContext& c, Extents* target) {
  const Extents from = c.shapes().Of(c.input(0));
  if (c.num_inputs() == 1) {
    ASSIGN_OR_RETURN(const int64_t axis, NormalizeAxis(c.Param<param::Reduce>().axis(), from.size()));
    return std::vector<int64_t>{axis};
  }
  ASSIGN_OR_RETURN(*target, ExtentsOfOperand(c, 1));
  const bool to_scalar = *target == Extents{Extent(1)};
  if (!to_scalar && target->size() != from.size()) return absl::InvalidArgumentError("the target has another rank");
  std::vector<int64_t> axes;
  for (size_t i = 0; i < from.size(); ++i) {
    const Extent wanted = to_scalar ? Extent(1) : (*target)[i];
    if (wanted == from[i]) continue;
    if (wanted != Extent(1)) {
      return Unsupported("a target whose size depends on other values than x", "1, or the size of x");
    }
    axes.push_back(static_cast<int64_t>(i));
  }
  return axes;
}

// Of no elements: the sum is 0, the product 1, the mean NaN, the minimum and maximum the highest and lowest number.
absl::StatusOr<Values> ImportReduce(ImportContext& c) {
  using param::ReduceDataType;
  using param::ReduceMode;
  const auto& p = c.Param<param::Reduce>();
  Extents target;
  ASSIGN_OR_RETURN(const std::vector<int64_t> axes, ReducedAxes(c, &target));
  const ReduceMode mode = p.mode();
  const char* fill = mode == ReduceMode::PRODUCT ? "one"
                     : mode == ReduceMode::MIN_   ? "highest"
                     : mode == ReduceMode::MAX_   ? "lowest"
                                                 : "zero";
  if (IsQuantized(c.input(0)->type.dtype) || p.data_type() >= ReduceDataType::QUINT_I8xO32) {
    return Unsupported("quantized operands whose size depends on values", "float32, float16");
  }
  graph::DType result = c.input(0)->type.dtype;
  Extent count;
  for (int64_t axis : axes) {
    count = count * c.shapes().Of(c.input(0))[axis];
    RETURN_IF_ERROR(Neutralize(c, axis, fill));
  }
  if (p.data_type() == ReduceDataType::FLOAT_O32xC32) result = DTypeKind::kFloat32;
  if (p.data_type() == ReduceDataType::FLOAT_O16xC32) result = DTypeKind::kFloat16;
  Value* y = c.input(0);
  if (result.kind == DTypeKind::kFloat32 && y->type.dtype != result) {
    ASSIGN_OR_RETURN(y, AddFollowed(c, "cast", {y}, {{"dtype", graph::ToString(result)}}));
  }
  std::string name = absl::AsciiStrToLower(EnumText(EnumNameReduceMode(mode), static_cast<uint32_t>(mode)));
  const bool mean = mode == ReduceMode::MEAN && !count.fixed();
  const graph::DType sums = graph::IsFloating(y->type.dtype) ? DTypeKind::kFloat32 : y->type.dtype;
  if (mean) {
    name = "sum";
    if (y->type.dtype != sums) {
      ASSIGN_OR_RETURN(y, AddFollowed(c, "cast", {y}, {{"dtype", graph::ToString(sums)}}));
    }
  }
  if (!axes.empty()) {
    ASSIGN_OR_RETURN(y, AddAlong(c, "reduce", {y}, {{"mode", name}, {"axes", axes}}, axes, /*keep=*/false));
  } else if (mode == ReduceMode::SUM_SQR) {
    ASSIGN_OR_RETURN(y, AddFollowed(c, "square", {y}));
  }
  if (mean) {
    if (!graph::IsFloating(sums)) {
      return Unsupported("mode=MEAN of integers along an axis whose size depends on values", "float32, float16");
    }
    ASSIGN_OR_RETURN(Value * n, c.shapes().AsValue(count));
    ASSIGN_OR_RETURN(n, c.Cast(n, sums));
    ASSIGN_OR_RETURN(y, AddFollowed(c, "true_div", {y, n}));
  }
  if (y->type.dtype != result) {
    ASSIGN_OR_RETURN(y, AddFollowed(c, "cast", {y}, {{"dtype", graph::ToString(result)}}));
  }
  if (c.num_inputs() == 2) {
    ASSIGN_OR_RETURN(y, Repack(c.graph(), c.shapes(), y, target));
  }
  return Values{y};
}

// Of no elements: 0.
absl::StatusOr<Values> ImportArg(ImportContext& c, const char* op, const char* fill) {
  ASSIGN_OR_RETURN(const int64_t axis, NormalizeAxis(c.Param<param::Axis>().axis(), c.shape(0).size()));
  RETURN_IF_ERROR(Neutralize(c, axis, fill));
  ASSIGN_OR_RETURN(Value * y, AddAlong(c, op, {c.input(0)}, {{"axis", axis}}, {axis}, /*keep=*/false));
  return Values{y};
}
absl::StatusOr<Values> ImportArgmax(ImportContext& c) { return ImportArg(c, "argmax", "lowest"); }
absl::StatusOr<Values> ImportArgmin(ImportContext& c) { return ImportArg(c, "argmin", "highest"); }

absl::StatusOr<Values> ImportSoftmax(ImportContext& c) {
  RETURN_IF_ERROR(c.RequireFloat(0));
  ASSIGN_OR_RETURN(const int64_t axis, NormalizeAxis(c.Param<param::Softmax>().axis(), c.shape(0).size()));
  RETURN_IF_ERROR(Neutralize(c, axis, "lowest"));
  ASSIGN_OR_RETURN(Value * y, AddAlong(c, "softmax", {c.input(0)}, {{"axis", axis}}, {axis}, /*keep=*/true));
  return Values{y};
}

absl::StatusOr<Values> ImportCumsum(ImportContext& c) {
  const auto& p = c.Param<param::Cumsum>();
  ASSIGN_OR_RETURN(const int64_t axis, NormalizeAxis(p.axis() == kNoReduceAxis ? 0 : p.axis(), c.shape(0).size()));
  RETURN_IF_ERROR(Neutralize(c, axis, "zero"));
  ASSIGN_OR_RETURN(Value * y, AddAlong(c, "cumsum", {c.input(0)},
                                       {{"axis", axis},
                                        {"exclusive", int64_t{p.exclusive()}},
                                        {"reverse", int64_t{p.reverse()}}},
                                       {axis}, /*keep=*/true));
  return Values{y};
}

// The first `count` elements of each sorted row and where they were.
absl::StatusOr<Values> Sort(ImportContext& c, bool descending, const Extent& count) {
  Extents extents = c.shapes().Of(c.input(0));
  if (extents.size() != 2) {
    return absl::InvalidArgumentError(absl::StrCat("shape ", graph::ToString(c.shape(0)), " is not a matrix"));
  }
  if (c.shape(0)[1] == 0) return absl::InvalidArgumentError("the rows are empty");
  Values inputs = {c.input(0)};
  if (!extents[1].fixed()) {
    ASSIGN_OR_RETURN(Value * size, c.shapes().AsValue(extents[1]));
    inputs.push_back(size);
  }
  const int64_t most = std::clamp<int64_t>(c.shapes().Most(count), 1, c.shape(0)[1]);
  ASSIGN_OR_RETURN(Value * index, c.Add("argsort", inputs, {{"descending", int64_t{descending}}, {"count", most}}));
  ASSIGN_OR_RETURN(Value * values, c.Add("take_along", {c.input(0), index}, {{"axis", int64_t{1}}}));
  extents[1] = count;
  c.shapes().Set(index, extents);
  c.shapes().Set(values, extents);
  return Values{values, index};
}

absl::StatusOr<Values> ImportArgsort(ImportContext& c) {
  const bool descending = c.Param<param::Argsort>().order() == param::ArgsortOrder::DESCENDING;
  const Extents extents = c.shapes().Of(c.input(0));
  return Sort(c, descending, extents.back());
}

// k and the number of columns, or only one of them, may depend on values.
absl::StatusOr<Values> ImportTopK(ImportContext& c) {
  const Extents extents = c.shapes().Of(c.input(0));
  const std::vector<Number> numbers = c.shapes().NumbersOf(c.input(1));
  if (numbers.size() != 1) return absl::InvalidArgumentError("k is not one number");
  if (c.Param<param::TopK>().mode() == param::TopKMode::KTH_ONLY) {
    return Unsupported("mode=KTH_ONLY with sizes that depend on values", "VALUE_IDX_NOSORT, VALUE_IDX_SORTED");
  }
  const Number k = numbers[0];
  if (k.least < 0 && k.most > 0) return Unsupported("a k that may be positive or negative", "k of known sign");
  const bool descending = k.most <= 0;
  if (k.constant() && k.least == 0) return absl::InvalidArgumentError("k is 0");
  // The smaller of |k| and the number of columns.
  const Extent& columns = extents.back();
  if (columns.fixed() && k.constant()) {
    return Sort(c, descending, Extent(std::min(columns.factor, static_cast<int64_t>(std::abs(k.least)))));
  }
  ASSIGN_OR_RETURN(Value * wanted, c.shapes().Element(c.input(1), 0));
  if (descending) {
    ASSIGN_OR_RETURN(wanted, c.Add("negate", {wanted}));
  }
  ASSIGN_OR_RETURN(Value * size, c.shapes().AsValue(columns));
  ASSIGN_OR_RETURN(Value * count, c.Add("min", {wanted, size}));
  ASSIGN_OR_RETURN(const Extent result, c.shapes().ExtentAt(count, 0));
  return Sort(c, descending, result);
}

// --- Several operands ---

// Parts along the axis follow each other without what does not count in between.
absl::StatusOr<Values> ImportConcat(ImportContext& c) {
  ASSIGN_OR_RETURN(const int64_t axis, NormalizeAxis(c.Param<param::Axis>().axis(), c.shape(0).size()));
  DynamicShapes& shapes = c.shapes();
  Extents extents = shapes.Of(c.input(0));
  bool along = false;
  for (const Value* v : c.inputs()) {
    const Extents other = shapes.Of(v);
    for (size_t i = 0; i < other.size() && other.size() == extents.size(); ++i) {
      if (static_cast<int64_t>(i) == axis) along = along || !other[i].fixed();
      else if (other[i] != extents[i]) {
        return Unsupported("operands whose sizes depend on different values", "operands that were selected alike");
      }
    }
  }
  ASSIGN_OR_RETURN(Value * all, c.Add("concat", c.inputs(), {{"axis", axis}}));
  const int64_t most = all->type.shape[axis];
  if (!along) {
    extents[axis] = Extent(most);
    shapes.Set(all, extents);
    return Values{all};
  }
  // Element p of the result is element `at` of what has all parts with all their elements.
  std::vector<int64_t> numbers(most);
  for (int64_t i = 0; i < most; ++i) numbers[i] = i;
  Value* const p = c.graph().AddInts(numbers);
  Value* at = p;
  Value* begin = nullptr;  // of the part, in the result
  int64_t padded = 0;      // the same in `all`
  Extent sum;
  for (int i = 0; i < c.num_inputs(); ++i) {
    const Extent size = shapes.Of(c.input(i))[axis];
    if (begin != nullptr) {
      ASSIGN_OR_RETURN(Value * here, c.Add("leq", {begin, p}));
      ASSIGN_OR_RETURN(here, c.Cast(here, DTypeKind::kBool));
      ASSIGN_OR_RETURN(Value * moved, c.Add("sub", {p, begin}));
      ASSIGN_OR_RETURN(moved, c.Add("add", {moved, c.graph().AddInts({padded})}));
      ASSIGN_OR_RETURN(at, c.Add("where", {here, moved, at}));
    }
    padded += c.shape(i)[axis];
    ASSIGN_OR_RETURN(Value * own, shapes.AsValue(size));
    if (begin != nullptr) {
      ASSIGN_OR_RETURN(own, c.Add("add", {begin, own}));
    }
    begin = own;
  }
  ASSIGN_OR_RETURN(extents[axis], shapes.ExtentAt(begin, 0));
  ASSIGN_OR_RETURN(Value * y, c.Add("gather", {all, at}, {{"axis", axis}}));
  // The sum is bounded by the extents, which the bounds of its parts say again.
  shapes.Set(y, extents);
  return Values{y};
}

absl::StatusOr<Values> ImportMatrixProduct(ImportContext& c,
                                           const std::function<absl::StatusOr<Values>(ImportContext&)>& import) {
  const auto& p = c.Param<param::MatrixMul>();
  const int64_t rank = static_cast<int64_t>(c.shape(0).size());
  if (rank < 2 || static_cast<int64_t>(c.shape(1).size()) != rank) {
    return absl::InvalidArgumentError("the operands are not matrices");
  }
  // Zeros beyond the end of the rows and columns that are multiplied. Both: zero times NaN is NaN.
  const int64_t axes[2] = {p.transpose_a() ? rank - 2 : rank - 1, p.transpose_b() ? rank - 1 : rank - 2};
  for (int i = 0; i < 2; ++i) {
    const bool dynamic = !c.shapes().Of(c.input(i))[axes[i]].fixed();
    if (dynamic && IsQuantized(c.input(i)->type.dtype)) {
      return Unsupported("quantized operands with an inner dimension whose size depends on values", "float32, float16");
    }
    ASSIGN_OR_RETURN(Value * masked, MaskTail(c, c.input(i), axes[i], "zero"));
    c.set_input(i, masked);
  }
  return ImportAndFollow(c, import);
}

absl::StatusOr<Values> ImportNms(ImportContext& c) {
  const auto& p = c.Param<param::NMSKeep>();
  const Extents extents = c.shapes().Of(c.input(0));
  Values inputs = {c.input(0)};
  for (size_t i = 0; i < extents.size(); ++i) {
    if (extents[i].fixed()) continue;
    if (i != 1) return Unsupported("a batch whose size depends on values", "a fixed batch");
    ASSIGN_OR_RETURN(Value * size, c.shapes().AsValue(extents[i]));
    inputs.push_back(size);
  }
  ASSIGN_OR_RETURN(const graph::Node* node,
                   c.graph().AddNode("nms_keep", inputs,
                                     {{"iou_threshold", static_cast<double>(p.iou_thresh())},
                                      {"max_output", int64_t{p.max_output()}}},
                                     c.name()));
  return Values{node->output(0), node->output(1)};
}

// start + i * (stop - start) / (n - 1), or / n without the end point.
absl::StatusOr<Values> ImportLinspace(ImportContext& c) {
  if (c.num_inputs() != 3) return absl::InvalidArgumentError("needs 3 inputs");
  ASSIGN_OR_RETURN(const Extent count, c.shapes().ExtentAt(c.input(2), 0));
  const int64_t most = c.shapes().Most(count);
  constexpr int64_t kMost = int64_t{1} << 26;
  if (most < 0 || most > kMost) return absl::InvalidArgumentError(absl::StrCat("cannot have ", most, " elements"));
  std::vector<int64_t> numbers(most);
  for (int64_t i = 0; i < most; ++i) numbers[i] = i;
  const auto as_float = [&](Value* v) -> absl::StatusOr<Value*> {
    if (graph::NumElements(v->type.shape) != 1) return absl::InvalidArgumentError("an operand is not one number");
    ASSIGN_OR_RETURN(v, c.Reshape(v, {1}));
    return c.Cast(v, DTypeKind::kFloat32);
  };
  ASSIGN_OR_RETURN(Value * start, as_float(c.input(0)));
  ASSIGN_OR_RETURN(Value * stop, as_float(c.input(1)));
  ASSIGN_OR_RETURN(Value * steps, c.shapes().AsValue(count));
  if (c.Param<param::Linspace>().endpoint()) {
    ASSIGN_OR_RETURN(steps, c.Add("sub", {steps, c.graph().AddInts({1})}));
  }
  ASSIGN_OR_RETURN(steps, c.Add("max", {steps, c.graph().AddInts({1})}));
  ASSIGN_OR_RETURN(steps, c.Cast(steps, DTypeKind::kFloat32));
  ASSIGN_OR_RETURN(Value * step, c.Add("sub", {stop, start}));
  ASSIGN_OR_RETURN(step, c.Add("true_div", {step, steps}));
  ASSIGN_OR_RETURN(Value * i, c.Cast(c.graph().AddInts(numbers), DTypeKind::kFloat32));
  ASSIGN_OR_RETURN(Value * y, c.Add("mul", {i, step}));
  ASSIGN_OR_RETURN(y, c.Add("add", {y, start}));
  c.shapes().Set(y, {count});
  return Values{y};
}

}  // namespace

void RegisterDynamic(Registry& r) {
  for (const char* type :
       {"Elemwise", "ElemwiseMultiType", "PowC", "TypeCvt", "Where", "MaskedFill", "FakeQuant", "TQT", "Identity",
        "Copy", "MarkDynamicVar", "MarkNoBroadcastElemwise", "PersistentOutputStorage", "VirtualDep", "AssertEqual",
        "Dimshuffle", "AxisAddRemove", "Split", "Convolution", "ConvBiasForward", "Pooling", "AdaptivePooling",
        "BatchNorm", "LayerNorm", "GeneralNorm", "ROIAlign", "ROIPooling", "Resize",
        "ConvolutionBackwardData", "Flip", "GroupNorm", "Images2Neibs", "IncrSubtensor", "IndexingSetOneHot",
        "InstanceNorm", "LRN", "Padding", "Remap", "SetSubtensor", "WarpAffine", "WarpPerspective"}) {
    if (r.Find(type) != nullptr) r.AddFollowing(type);
  }
  r.AddDynamic("GetVarShape", ImportGetVarShape);
  r.AddDynamic("Reshape", ImportReshape);
  r.AddDynamic("Broadcast", ImportBroadcast);
  r.AddDynamic("Reduce", ImportReduce);
  r.AddDynamic("Argmax", ImportArgmax);
  r.AddDynamic("Argmin", ImportArgmin);
  r.AddDynamic("Softmax", ImportSoftmax);
  r.AddDynamic("Cumsum", ImportCumsum);
  r.AddDynamic("Argsort", ImportArgsort);
  r.AddDynamic("TopK", ImportTopK);
  r.AddDynamic("Concat", ImportConcat);
  r.AddDynamic("NMSKeepMGB", ImportNms);
  r.AddDynamic("Linspace", ImportLinspace);
  for (const char* type : {"MatrixMul", "BatchedMatrixMul"}) {
    r.AddDynamic(type, [import = r.Find(type)->import](ImportContext& c) { return ImportMatrixProduct(c, import); });
  }
}

}  // namespace mgec::mge
