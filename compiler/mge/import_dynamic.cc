// What operators do with operands whose size depends on values. Those that work element by element just go on, and the
// rest of this file is about those that see how many elements there are. Indexing is in import_dynamic_index.cc, what goes
// along one axis in import_dynamic_along.cc.
#include <algorithm>

#include "compiler/mge/dynamic_rules.h"

namespace mgec::mge {
namespace {

using graph::DTypeKind;

constexpr int kNoAxis = 7;  // of OptionalAxisV1

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
  ASSIGN_OR_RETURN(Extents to, ExtentsOfOperand(c, 1));
  const Extents from = c.shapes().Of(c.input(0));
  if (from.size() > to.size()) return absl::InvalidArgumentError("the result has fewer dimensions than x");
  for (size_t i = 0; i < from.size(); ++i) {
    Extent& wanted = to[i + to.size() - from.size()];
    if (from[i] == Extent(1) || from[i] == wanted) continue;
    if (!from[i].fixed() || wanted.fixed()) {
      return Unsupported("a shape that depends on other values than x", "dimensions of size 1, or of the size of x");
    }
    wanted = from[i];  // nothing else is possible, whatever is computed
  }
  const Shape shape = c.shapes().Most(to);
  Value* y = c.input(0);
  if (y->type.shape != shape) {
    ASSIGN_OR_RETURN(y, c.Add("broadcast", {y}, {{"shape", shape}}));
    c.shapes().Set(y, to);
  }
  return Values{y};
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
        "Dimshuffle", "AxisAddRemove", "Split", "Convolution", "Convolution3D", "ConvBiasForward", "Pooling",
        "AdaptivePooling", "BatchNorm", "LayerNorm", "GeneralNorm", "ROIAlign", "ROIPooling", "Resize",
        "ConvolutionBackwardData", "Convolution3DBackwardData", "Flip", "GroupNorm", "Images2Neibs",
        "IndexingSetOneHot", "InstanceNorm", "LRN", "Remap", "WarpAffine", "WarpPerspective"}) {
    if (r.Find(type) != nullptr) r.AddFollowing(type);
  }
  r.AddDynamic("GetVarShape", ImportGetVarShape);
  r.AddDynamic("Reshape", ImportReshape);
  r.AddDynamic("Broadcast", ImportBroadcast);
  r.AddDynamic("Concat", ImportConcat);
  r.AddDynamic("NMSKeepMGB", ImportNms);
  r.AddDynamic("Linspace", ImportLinspace);
  RegisterDynamicAlong(r);
  for (const char* type : {"MatrixMul", "BatchedMatrixMul"}) {
    r.AddDynamic(type, [import = r.Find(type)->import](ImportContext& c) { return ImportMatrixProduct(c, import); });
  }
}

}  // namespace mgec::mge
