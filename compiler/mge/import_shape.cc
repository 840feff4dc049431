// Operators that change the shape: GetVarShape, Reshape, Broadcast, Dimshuffle, AxisAddRemove, Concat, Split.
#include <algorithm>

#include "compiler/mge/importer.h"

namespace mgec::mge {
namespace {

constexpr int kNoAxis = 7;  // of OptionalAxisV1

// Shapes are known, so that this is a constant: of several inputs, the shape to which they broadcast.
absl::StatusOr<Value*> ImportGetVarShape(ImportContext& c) {
  Shape shape = c.shape(0);
  for (int i = 1; i < c.num_inputs(); ++i) {
    ASSIGN_OR_RETURN(shape, graph::BroadcastShapes(shape, c.shape(i)));
  }
  const int axis = c.Param<param::OptionalAxisV1>().axis();
  if (axis == kNoAxis) return c.graph().AddInts(shape);
  ASSIGN_OR_RETURN(const int64_t i, NormalizeAxis(axis, shape.size()));
  return c.graph().AddInts({shape[i]});
}

absl::StatusOr<Value*> ImportReshape(ImportContext& c) {
  ASSIGN_OR_RETURN(Shape shape, c.Ints(1));
  const int axis = c.Param<param::OptionalAxisV1>().axis();
  if (axis == kNoAxis) return c.Reshape(c.input(0), shape);
  // The extent of this axis is whatever the others leave.
  ASSIGN_OR_RETURN(const int64_t free, NormalizeAxis(axis, shape.size()));
  shape[free] = 1;
  int64_t others = 1;
  const int64_t total = graph::NumElements(c.shape(0));
  for (int64_t extent : shape) {
    if (extent <= 0 || extent > total / others) {
      return absl::InvalidArgumentError(absl::StrCat("cannot reshape ", graph::ToString(c.shape(0)), " to ",
                                                     graph::ToString(shape), " with axis ", free, " free"));
    }
    others *= extent;
  }
  shape[free] = total / others;
  return c.Reshape(c.input(0), shape);
}

absl::StatusOr<Value*> ImportBroadcast(ImportContext& c) {
  ASSIGN_OR_RETURN(const Shape shape, c.Ints(1));
  if (shape == c.shape(0)) return c.input(0);
  return c.Add("broadcast", {c.input(0)}, {{"shape", shape}});
}

// Output axis i is input axis pattern[i], or a new axis of size 1 for -1. Input axes that are not mentioned have
// size 1.
absl::StatusOr<Value*> ImportDimshuffle(ImportContext& c) {
  const auto* pattern = c.Param<param::Dimshuffle>().pattern();
  const Shape& in = c.shape(0);
  if (pattern == nullptr || pattern->size() == 0 || pattern->size() > kMaxRank) {
    return absl::InvalidArgumentError("has no pattern, or one of more than 7 axes");
  }
  std::vector<int64_t> kept;  // input axes in the order of the output
  Shape out;
  for (int axis : *pattern) {
    if (axis >= static_cast<int>(in.size()) || axis < -1) {
      return absl::InvalidArgumentError(absl::StrCat("pattern names axis ", axis, " of ", graph::ToString(in)));
    }
    if (axis >= 0 && std::count(kept.begin(), kept.end(), axis) != 0) {
      return absl::InvalidArgumentError(absl::StrCat("pattern names axis ", axis, " twice"));
    }
    if (axis >= 0) kept.push_back(axis);
    out.push_back(axis < 0 ? 1 : in[axis]);
  }
  // Drop the axes that are not mentioned, permute the others, add new ones.
  Shape dropped;
  std::vector<int64_t> new_number(in.size());
  for (size_t i = 0; i < in.size(); ++i) {
    if (std::count(kept.begin(), kept.end(), static_cast<int64_t>(i)) == 0) continue;
    new_number[i] = static_cast<int64_t>(dropped.size());
    dropped.push_back(in[i]);
  }
  for (int64_t& axis : kept) axis = new_number[axis];
  if (dropped.empty()) return c.Reshape(c.input(0), out);
  ASSIGN_OR_RETURN(Value * y, c.Reshape(c.input(0), dropped));
  ASSIGN_OR_RETURN(y, c.Transpose(y, kept));
  return c.Reshape(y, out);
}

// A list of insertions and removals of axes of size 1, each of which counts axes as the one before it left them.
absl::StatusOr<Value*> ImportAxisAddRemove(ImportContext& c) {
  Shape shape = c.shape(0);
  const auto* steps = c.Param<param::AxisAddRemove>().desc();
  for (uint32_t i = 0; steps != nullptr && i < steps->size(); ++i) {
    const param::AxisDesc& step = *steps->Get(i);
    if (step.method() == param::AxisDescMethod::ADD_1) {
      ASSIGN_OR_RETURN(const int64_t axis, NormalizeAxis(step.axis(), shape.size() + 1));
      if (shape.size() == kMaxRank) return absl::InvalidArgumentError("more than 7 axes");
      shape.insert(shape.begin() + axis, 1);
    } else if (step.method() == param::AxisDescMethod::REMOVE) {
      ASSIGN_OR_RETURN(const int64_t axis, NormalizeAxis(step.axis(), shape.size()));
      if (shape[axis] != 1) {
        return absl::InvalidArgumentError(absl::StrCat("cannot remove axis ", axis, " of ", graph::ToString(shape)));
      }
      // The last axis stays: MegEngine has no tensors without dimensions.
      if (shape.size() > 1) shape.erase(shape.begin() + axis);
    } else {
      return absl::InvalidArgumentError(absl::StrCat("method ", static_cast<int>(step.method()), " does not exist"));
    }
  }
  return c.Reshape(c.input(0), shape);
}

absl::StatusOr<Value*> ImportConcat(ImportContext& c) {
  ASSIGN_OR_RETURN(const int64_t axis, NormalizeAxis(c.Param<param::Axis>().axis(), c.shape(0).size()));
  if (c.num_inputs() == 1) return c.input(0);
  return c.Add("concat", c.inputs(), {{"axis", axis}});
}

// The operands after the first are the extents of the parts.
absl::StatusOr<Values> ImportSplit(ImportContext& c) {
  const Shape& shape = c.shape(0);
  ASSIGN_OR_RETURN(const int64_t axis, NormalizeAxis(c.Param<param::Axis>().axis(), shape.size()));
  Values parts;
  int64_t begin = 0;
  for (int i = 1; i < c.num_inputs(); ++i) {
    ASSIGN_OR_RETURN(const int64_t extent, c.Int(i));
    if (extent < 0 || extent > shape[axis] - begin) {
      return absl::InvalidArgumentError(
          absl::StrCat("part ", i - 1, " of ", extent, " does not fit axis ", axis, " of ", graph::ToString(shape)));
    }
    Shape first(shape.size(), 0), last = shape;
    first[axis] = begin;
    last[axis] = begin += extent;
    ASSIGN_OR_RETURN(Value * part,
                     c.Add("slice", {c.input(0)},
                           {{"begin", first}, {"end", last}, {"step", Shape(shape.size(), 1)}}));
    parts.push_back(part);
  }
  if (begin != shape[axis]) return absl::InvalidArgumentError("the parts do not cover the axis");
  return parts;
}

}  // namespace

void RegisterShape(Registry& r) {
  r.Add("AxisAddRemove", ImportAxisAddRemove);
  r.Add("Broadcast", ImportBroadcast);
  r.Add("Concat", ImportConcat);
  r.Add("Dimshuffle", ImportDimshuffle);
  r.Add("GetVarShape", ImportGetVarShape);
  r.Add("Reshape", ImportReshape);
  r.AddMany("Split", ImportSplit);
  RegisterPadding(r);
}

}  // namespace mgec::mge
