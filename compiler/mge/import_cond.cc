// Conditional execution (conditions.h): CondExecPred, CondExecPredLogical, CondExecMark, CondExecMerge.
#include <algorithm>

#include "compiler/mge/conditions.h"
#include "compiler/mge/dynamic_rules.h"

namespace mgec::mge {
namespace {

using graph::DTypeKind;
using param::CondExecMergeMode;
using param::CondExecPredLogicalMode;
using param::CondExecPredMode;

absl::StatusOr<Value*> AsBool(ImportContext& c, Value* v) { return c.Cast(v, DTypeKind::kBool); }

absl::StatusOr<Value*> Compare(ImportContext& c, const char* op, Value* a, Value* b) {
  ASSIGN_OR_RETURN(Value * y, c.Add(op, {a, b}));
  return AsBool(c, y);
}

template <typename Mode>
absl::Status CheckMode(const char* name, Mode mode, const char* supported) {
  if (name[0] != '\0') return absl::OkStatus();
  return Unsupported(absl::StrCat("mode=", static_cast<uint32_t>(mode)), supported);
}

absl::Status CheckPred(const Operator& op) {
  const auto mode = op.Param<param::CondExecPred>()->mode();
  return CheckMode(EnumNameCondExecPredMode(mode), mode, "CASE, CASE_FALLBACK, PIECEWISE");
}
absl::Status CheckLogical(const Operator& op) {
  const auto mode = op.Param<param::CondExecPredLogical>()->mode();
  return CheckMode(EnumNameCondExecPredLogicalMode(mode), mode, "OR, AND, XOR, NOR, NAND, XNOR");
}
absl::Status CheckMerge(const Operator& op) {
  const auto mode = op.Param<param::CondExecMerge>()->mode();
  return CheckMode(EnumNameCondExecMergeMode(mode), mode, "EXACT_ONE, EXACT_ONE_SAME_SHAPE, SUM, SUM_COND_OUT");
}

// Predicate number i of the operator: where `condition`, bool[1], holds and the branch is taken in which this is.
absl::StatusOr<Value*> AddPredicate(ImportContext& c, Value* condition, Value* around, int i) {
  if (around != nullptr) {
    ASSIGN_OR_RETURN(Value * outer, AsBool(c, around));
    ASSIGN_OR_RETURN(condition, c.Add("and", {condition, outer}));
  }
  ASSIGN_OR_RETURN(Value * predicate, c.Add("cast", {condition}, {{"dtype", std::string("i32")}}));
  c.conditions().SetAround(predicate, around);
  c.conditions().Set(c.op().first_output + i, predicate);
  return predicate;
}

// The operands are keys and, at the end, the value that is compared with them. CASE: a predicate for each key, whether it is
// equal; CASE_FALLBACK: one more, whether none is; PIECEWISE: one for each interval between the ascending keys.
absl::StatusOr<Values> ImportPred(ImportContext& c) {
  const auto& p = c.Param<param::CondExecPred>();
  const int keys = c.num_inputs() - 1;
  Value* value = c.input(keys);
  const bool is_float = graph::IsFloating(value->type.dtype);
  if (IsQuantized(value->type.dtype)) return Unsupported("operands of type quantized", "float and integer");
  Values equal, below;  // bool[1] for each key
  for (int i = 0; i <= keys; ++i) {
    if (graph::NumElements(c.shape(i)) != 1 || c.input(i)->type.dtype != value->type.dtype || c.shapes().IsDynamic(c.input(i))) {
      return absl::InvalidArgumentError("keys and value must be single numbers of one type");
    }
  }
  ASSIGN_OR_RETURN(value, c.Reshape(value, {1}));
  ASSIGN_OR_RETURN(value, c.Cast(value, is_float ? DTypeKind::kFloat32 : DTypeKind::kInt32));
  for (int i = 0; i < keys; ++i) {
    ASSIGN_OR_RETURN(Value * key, c.Reshape(c.input(i), {1}));
    ASSIGN_OR_RETURN(key, c.Cast(key, value->type.dtype));
    Value* same = nullptr;
    if (is_float) {
      ASSIGN_OR_RETURN(Value * distance, c.Add("sub", {value, key}));
      ASSIGN_OR_RETURN(distance, c.Add("abs", {distance}));
      ASSIGN_OR_RETURN(same, Compare(c, "lt", distance, c.graph().AddScalar(p.eps())));
    } else {
      ASSIGN_OR_RETURN(same, Compare(c, "eq", value, key));
    }
    equal.push_back(same);
    ASSIGN_OR_RETURN(Value * less, Compare(c, "lt", value, key));
    ASSIGN_OR_RETURN(Value * other, c.Add("not", {same}));
    ASSIGN_OR_RETURN(less, c.Add("and", {less, other}));
    below.push_back(less);
  }
  Values conditions = equal;
  if (p.mode() == CondExecPredMode::CASE_FALLBACK) {
    Value* any = equal[0];
    for (int i = 1; i < keys; ++i) {
      ASSIGN_OR_RETURN(any, c.Add("or", {any, equal[i]}));
    }
    ASSIGN_OR_RETURN(Value * none, c.Add("not", {any}));
    conditions.push_back(none);
  } else if (p.mode() == CondExecPredMode::PIECEWISE) {
    conditions = {below[0]};
    for (int i = 0; i < keys; ++i) {
      ASSIGN_OR_RETURN(Value * here, c.Add("not", {below[i]}));
      if (i + 1 < keys) {
        ASSIGN_OR_RETURN(here, c.Add("and", {here, below[i + 1]}));
      }
      conditions.push_back(here);
    }
  }
  ASSIGN_OR_RETURN(Value * around, c.conditions().Of(c.op()));
  Values predicates;
  for (size_t i = 0; i < conditions.size(); ++i) {
    ASSIGN_OR_RETURN(Value * predicate, AddPredicate(c, conditions[i], around, static_cast<int>(i)));
    predicates.push_back(predicate);
  }
  return predicates;
}

// The predicate that controls operand i; InvalidArgument if there is none.
absl::StatusOr<Value*> ControlOf(ImportContext& c, int i) {
  Value* predicate = c.conditions().Of(c.op().inputs[i]);
  if (predicate != nullptr) return predicate;
  return absl::InvalidArgumentError(absl::StrCat("operand ", i, " depends on no condition"));
}

absl::StatusOr<Value*> ImportLogical(ImportContext& c) {
  const CondExecPredLogicalMode mode = c.Param<param::CondExecPredLogical>().mode();
  const bool negated = mode >= CondExecPredLogicalMode::NOR;
  const int base = static_cast<int>(mode) % 3;  // or, and, xor
  static const char* const kOps[] = {"or", "and", "xor"};
  Value* y = nullptr;
  Value* around = nullptr;
  for (int i = 0; i < c.num_inputs(); ++i) {
    ASSIGN_OR_RETURN(Value * control, ControlOf(c, i));
    if (c.conditions().Around(control) != nullptr) around = c.conditions().Around(control);
    ASSIGN_OR_RETURN(Value * operand, AsBool(c, c.input(i)));
    if (y == nullptr) {
      y = operand;
    } else {
      ASSIGN_OR_RETURN(y, c.Add(kOps[base], {y, operand}));
    }
  }
  if (negated) {
    ASSIGN_OR_RETURN(y, c.Add("not", {y}));
  }
  return AddPredicate(c, y, around, 0);
}

// Values that exist only if the predicate, the last operand, holds.
absl::StatusOr<Values> ImportMark(ImportContext& c) {
  const int count = c.num_inputs() - 1;
  ASSIGN_OR_RETURN(Value * predicate, ControlOf(c, count));
  for (int i = 0; i < count; ++i) c.conditions().Set(c.op().first_output + i, predicate);
  return Values(c.inputs().begin(), c.inputs().begin() + count);
}

// The second operand, where the first exists.
absl::StatusOr<Value*> ImportMarkIfNeed(ImportContext& c) {
  if (c.num_inputs() != 2) return absl::InvalidArgumentError("needs 2 inputs");
  c.conditions().Set(c.op().first_output, c.conditions().Of(c.op().inputs[0]));
  return c.input(1);
}

// The branches with equal shapes: where sizes differ, the largest ones, of which as much counts as the taken branch has.
absl::StatusOr<Extents> Align(ImportContext& c, const Values& predicates, Values& branches) {
  DynamicShapes& shapes = c.shapes();
  Extents result = shapes.Of(branches[0]);
  for (const Value* v : branches) {
    if (v->type.shape.size() != result.size()) {
      return Unsupported("branches of different numbers of dimensions", "branches of equal rank");
    }
  }
  for (size_t axis = 0; axis < result.size(); ++axis) {
    const bool same = std::all_of(branches.begin(), branches.end(), [&](const Value* v) {
      return shapes.Of(v)[axis] == result[axis];
    });
    if (same) continue;
    Value* size = nullptr;
    int64_t most = 0;
    for (size_t i = branches.size(); i-- > 0;) {
      most = std::max(most, branches[i]->type.shape[axis]);
      ASSIGN_OR_RETURN(Value * own, shapes.AsValue(shapes.Of(branches[i])[axis]));
      if (size == nullptr) {
        size = own;
      } else {
        ASSIGN_OR_RETURN(size, c.Add("where", {predicates[i], own, size}));
      }
    }
    for (Value*& v : branches) {
      Shape after(result.size(), 0);
      after[axis] = most - v->type.shape[axis];
      if (after[axis] == 0) continue;
      Extents extents = shapes.Of(v);
      ASSIGN_OR_RETURN(v, c.Add("pad", {v}, {{"before", Shape(result.size(), 0)}, {"after", after}, {"value", 0.0}}));
      extents[axis] = Extent(most);
      shapes.Set(v, extents);
    }
    result[axis] = shapes.Count(size, most);
  }
  return result;
}

// The value of the branch whose predicate holds. It is the model's promise that this is exactly one (MegEngine stops if
// not): where none is, the last one is taken, and of several the first.
absl::StatusOr<Value*> SelectOne(ImportContext& c, const Values& predicates, Values branches) {
  ASSIGN_OR_RETURN(const Extents extents, Align(c, predicates, branches));
  Value* y = branches.back();
  for (size_t i = branches.size() - 1; i-- > 0;) {
    ASSIGN_OR_RETURN(y, c.Add("where", {predicates[i], branches[i], y}));
  }
  if (y == branches.back()) return y;
  c.shapes().Set(y, extents);
  return y;
}

// The sum of the branches whose predicates hold.
absl::StatusOr<Value*> SumTaken(ImportContext& c, const Values& predicates, const Values& branches) {
  Value* sum = nullptr;
  for (size_t i = 0; i < branches.size(); ++i) {
    const TensorType& type = branches[i]->type;
    if (c.shapes().Of(branches[i]) != c.shapes().Of(branches[0])) return absl::InvalidArgumentError("branches have different shapes");
    Value* zero = c.graph().AddConstant({type.dtype, {1}}, std::string(graph::ByteSize(type.dtype), '\0'));
    ASSIGN_OR_RETURN(Value * term, AddFollowed(c, "where", {predicates[i], branches[i], zero}));
    if (sum == nullptr) {
      sum = term;
    } else {
      ASSIGN_OR_RETURN(sum, AddFollowed(c, "add", {sum, term}));
    }
  }
  return sum;
}

// Operands: for each branch a value for each output; with SUM, the shape of each output; with SUM_COND_OUT, the predicate
// that is 1 if any branch is taken.
absl::StatusOr<Values> ImportMerge(ImportContext& c) {
  const auto& p = c.Param<param::CondExecMerge>();
  const CondExecMergeMode mode = p.mode();
  const int outputs = static_cast<int>(p.nr_output());
  int values = c.num_inputs();
  if (mode == CondExecMergeMode::SUM) values -= outputs;
  if (mode == CondExecMergeMode::SUM_COND_OUT) values -= 1;
  if (outputs < 1 || values < outputs || values % outputs != 0) {
    return absl::InvalidArgumentError(absl::StrCat(c.num_inputs(), " inputs cannot be merged to ", outputs, " outputs"));
  }
  Values predicates;
  Value* around = nullptr;
  for (int branch = 0; branch < values / outputs; ++branch) {
    ASSIGN_OR_RETURN(Value * predicate, ControlOf(c, branch * outputs));
    for (int k = 1; k < outputs; ++k) {
      if (c.conditions().Of(c.op().inputs[branch * outputs + k]) != predicate) {
        return absl::InvalidArgumentError(absl::StrCat("the values of branch ", branch, " have different conditions"));
      }
    }
    if (c.conditions().Around(predicate) != nullptr) around = c.conditions().Around(predicate);
    ASSIGN_OR_RETURN(predicate, AsBool(c, predicate));
    predicates.push_back(predicate);
  }
  if (mode == CondExecMergeMode::SUM_COND_OUT) {
    ASSIGN_OR_RETURN(around, ControlOf(c, values));
  }
  Values results;
  for (int k = 0; k < outputs; ++k) {
    Values branches;
    for (int i = k; i < values; i += outputs) branches.push_back(c.input(i));
    for (const Value* v : branches) {
      if (v->type.dtype != branches[0]->type.dtype) return absl::InvalidArgumentError("branches have different types");
    }
    const bool one = mode == CondExecMergeMode::EXACT_ONE || mode == CondExecMergeMode::EXACT_ONE_SAME_SHAPE;
    if (mode == CondExecMergeMode::SUM) {
      ASSIGN_OR_RETURN(const Shape shape, c.Ints(values + k));
      if (shape != branches[0]->type.shape || c.shapes().IsDynamic(branches[0])) {
        return absl::InvalidArgumentError("the branches do not have the shape of the sum");
      }
    }
    ASSIGN_OR_RETURN(Value * y, one ? SelectOne(c, predicates, branches) : SumTaken(c, predicates, branches));
    c.conditions().Set(c.op().first_output + k, around);
    results.push_back(y);
  }
  return results;
}

}  // namespace

void RegisterCond(Registry& r) {
  r.AddMany("CondExecMark", ImportMark);
  r.Add("CondExecMarkIfNeed", ImportMarkIfNeed);
  r.AddMany("CondExecMerge", ImportMerge, CheckMerge);
  r.AddMany("CondExecPred", ImportPred, CheckPred);
  r.Add("CondExecPredLogical", ImportLogical, CheckLogical);
  r.AddDynamic("CondExecMark", ImportMark);
  r.AddDynamic("CondExecMerge", ImportMerge);
}

}  // namespace mgec::mge
