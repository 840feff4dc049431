// Operators that select elements by their values, so that the size of the result depends on values: CondTake, NonZero.
#include <cmath>

#include "compiler/mge/dynamic_rules.h"
#include "compiler/ops/evaluate.h"

namespace mgec::mge {
namespace {

using param::CondTakeMode;
using graph::DTypeKind;

std::string ModeText(CondTakeMode mode) { return EnumText(EnumNameCondTakeMode(mode), static_cast<uint32_t>(mode)); }

absl::Status CheckCondTake(const Operator& op) {
  const CondTakeMode mode = op.Param<param::CondTake>()->mode();
  if (EnumNameCondTakeMode(mode)[0] != '\0') return absl::OkStatus();
  return Unsupported(absl::StrCat("mode=", ModeText(mode)), "EQ, NEQ, LT, LEQ, GT, GEQ");
}

// Whether x is in the relation to `value`, as bool. Floats within less than `eps` of each other are equal.
absl::StatusOr<Value*> Compare(ImportContext& c, Value* x, CondTakeMode mode, float value, float eps) {
  const graph::DType dtype = x->type.dtype;
  if (IsQuantized(dtype)) return Unsupported("a mask of type quantized", "float, integer and bool masks");
  const bool is_float = graph::IsFloating(dtype);
  if (!is_float && !(std::abs(value) < 0x1p31f)) return Unsupported(absl::StrCat("val=", value, " for integers"));
  if (dtype.kind == DTypeKind::kBool && mode == CondTakeMode::EQ && value == 1) return x;
  Value* number = x;
  if (IsHalf(dtype)) {
    ASSIGN_OR_RETURN(number, c.Cast(x, DTypeKind::kFloat32));
  } else if (!is_float) {
    ASSIGN_OR_RETURN(number, c.Cast(x, DTypeKind::kInt32));
  }
  // Integers are compared with what a conversion to their type makes of the value.
  const int64_t integer = dtype.kind == DTypeKind::kBool ? value != 0 : static_cast<int64_t>(value);
  Value* other = is_float ? c.graph().AddScalar(value) : c.graph().AddInts({integer});
  const auto bool_of = [&](const char* op, Value* a, Value* b) -> absl::StatusOr<Value*> {
    ASSIGN_OR_RETURN(Value * y, AddFollowed(c, op, {a, b}));
    if (y->type.dtype.kind == DTypeKind::kBool) return y;
    return AddFollowed(c, "cast", {y}, {{"dtype", std::string("bool")}});
  };
  const auto negate = [&](Value* v) { return AddFollowed(c, "not", {v}); };
  switch (mode) {
    case CondTakeMode::LT: return bool_of("lt", number, other);
    case CondTakeMode::LEQ: return bool_of("leq", number, other);
    case CondTakeMode::GT: return bool_of("lt", other, number);
    case CondTakeMode::GEQ: return bool_of("leq", other, number);
    default: break;
  }
  Value* equal = nullptr;
  if (is_float) {
    ASSIGN_OR_RETURN(Value * distance, AddFollowed(c, "sub", {other, number}));
    ASSIGN_OR_RETURN(distance, AddFollowed(c, "abs", {distance}));
    ASSIGN_OR_RETURN(equal, bool_of("lt", distance, c.graph().AddScalar(eps)));
  } else {
    ASSIGN_OR_RETURN(equal, bool_of("eq", number, other));
  }
  return mode == CondTakeMode::EQ ? equal : negate(equal);
}

struct Found {
  Value* indices;  // int32, one-dimensional
  Extent count;
};

// The positions of the true elements of `mask` among those that count, in order.
absl::StatusOr<Found> Find(ImportContext& c, Value* mask) {
  Extent total;
  for (const Extent& e : c.shapes().Of(mask)) total = total * e;
  ASSIGN_OR_RETURN(Value * flat, Repack(c.graph(), c.shapes(), mask, {total}));
  ASSIGN_OR_RETURN(flat, MaskTail(c, flat, 0, "zero"));
  ASSIGN_OR_RETURN(const graph::Node* node, c.graph().AddNode("nonzero", {flat}, {}, c.name()));
  Found found{node->output(0), Extent(0)};
  // Where the mask is a constant, so is the size.
  if (const absl::StatusOr<std::vector<int64_t>> count = ops::EvaluateInts(node->output(1)); count.ok()) {
    found.count = Extent((*count)[0]);
    ASSIGN_OR_RETURN(found.indices, c.Add("slice", {found.indices},
                                          {{"begin", Shape{0}}, {"end", Shape{(*count)[0]}}, {"step", Shape{1}}}));
  } else {
    found.count = c.shapes().Count(node->output(1), flat->type.shape[0]);
    c.shapes().Set(found.indices, {found.count});
  }
  return found;
}

// Two results: the elements of operand 0 where operand 1 fulfils the condition, and their positions.
absl::StatusOr<Values> ImportCondTake(ImportContext& c) {
  const auto& p = c.Param<param::CondTake>();
  DynamicShapes& shapes = c.shapes();
  if (c.shape(0) != c.shape(1) || shapes.Of(c.input(0)) != shapes.Of(c.input(1))) {
    return absl::InvalidArgumentError(absl::StrCat("data of shape ", graph::ToString(c.shape(0)), " and mask of shape ",
                                                   graph::ToString(c.shape(1)), " differ"));
  }
  ASSIGN_OR_RETURN(Value * mask, Compare(c, c.input(1), p.mode(), p.val(), p.eps()));
  ASSIGN_OR_RETURN(const Found found, Find(c, mask));
  Extent total;
  for (const Extent& e : shapes.Of(c.input(0))) total = total * e;
  ASSIGN_OR_RETURN(Value * flat, Repack(c.graph(), shapes, c.input(0), {total}));
  ASSIGN_OR_RETURN(Value * values, AddFollowed(c, "gather", {flat, found.indices}, {{"axis", int64_t{0}}}));
  return Values{values, found.indices};
}

// The positions of the elements that are not zero, as a matrix: a row for each dimension.
absl::StatusOr<Values> ImportNonZero(ImportContext& c) {
  if (IsQuantized(c.input(0)->type.dtype)) return Unsupported("operands of type quantized", "float, integer and bool");
  Value* mask = c.input(0);
  if (mask->type.dtype.kind != DTypeKind::kBool) {
    ASSIGN_OR_RETURN(mask, AddFollowed(c, "cast", {mask}, {{"dtype", std::string("bool")}}));
  }
  ASSIGN_OR_RETURN(const Found found, Find(c, mask));
  const Extents extents = c.shapes().Of(c.input(0));
  Values rows(extents.size());
  Value* rest = found.indices;
  for (size_t k = extents.size(); k-- > 0;) {
    rows[k] = rest;
    if (k > 0) {
      ASSIGN_OR_RETURN(Value * size, c.shapes().AsValue(extents[k]));
      ASSIGN_OR_RETURN(rows[k], AddFollowed(c, "mod", {rest, size}));
      ASSIGN_OR_RETURN(rest, AddFollowed(c, "floor_div", {rest, size}));
    }
    ASSIGN_OR_RETURN(rows[k], AddFollowed(c, "reshape", {rows[k]}, {{"shape", Shape{1, rows[k]->type.shape[0]}}}));
  }
  if (rows.size() == 1) return rows;
  ASSIGN_OR_RETURN(Value * matrix, AddFollowed(c, "concat", rows, {{"axis", int64_t{0}}}));
  return Values{matrix};
}

}  // namespace

void RegisterSelect(Registry& r) {
  r.AddMany("CondTake", ImportCondTake, CheckCondTake);
  r.AddDynamic("CondTake", ImportCondTake);
  r.AddMany("NonZero", ImportNonZero);
  r.AddDynamic("NonZero", ImportNonZero);
}

}  // namespace mgec::mge
