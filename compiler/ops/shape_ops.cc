// Operators that move elements or look at shapes only: concat, slice, reshape, transpose, broadcast, pad, shape_of,
// gather.
#include <algorithm>

#include "compiler/ops/common.h"

namespace mgec::ops {
namespace {

using kernel::Cast;
using kernel::FloorDiv;
using kernel::FloorMod;
using kernel::Int;
using kernel::Select;
using kernel::Type;

// --- concat ---
Types InferConcat(const OpContext& c) {
  const int64_t axis = c.attributes.Int("axis");
  RETURN_IF_ERROR(CheckAxis(axis, c.inputs[0].shape.size()));
  TensorType out = c.inputs[0];
  for (size_t k = 1; k < c.inputs.size(); ++k) {
    const TensorType& t = c.inputs[k];
    Shape same = t.shape;
    if (same.size() == out.shape.size()) same[axis] = out.shape[axis];
    if (t.dtype != out.dtype || same != out.shape) {
      return absl::InvalidArgumentError(
          absl::StrCat("cannot concatenate ", ToString(out), " and ", ToString(t), " along axis ", axis));
    }
    out.shape[axis] += t.shape[axis];
  }
  return std::vector<TensorType>{out};
}

absl::StatusOr<Definition> DefineConcat(const OpContext& c) {
  Definition d = DefinitionFor(c);
  ASSIGN_OR_RETURN(std::vector<TensorType> out, InferConcat(c));
  const int64_t axis = c.attributes.Int("axis");
  d.AddStage(out[0].shape, StorageOf(out[0].dtype), [&](const Indices& i) {
    int64_t begin = out[0].shape[axis];
    Expr y;
    for (size_t k = c.inputs.size(); k-- > 0;) {
      begin -= c.inputs[k].shape[axis];
      if (c.inputs[k].shape[axis] == 0) continue;
      Indices index = i;
      index[axis] = i[axis] + (-begin);
      Expr part = d.At(static_cast<int>(k), index);
      y = y == nullptr ? part : Select(i[axis] < begin + c.inputs[k].shape[axis], part, y);
    }
    return y == nullptr ? Cast(Type(StorageOf(out[0].dtype)), Int(0)) : y;
  });
  return d;
}

REGISTER_OP(concat).Inputs(1, -1).Infer(InferConcat).Define(DefineConcat).View();

// --- slice: begin and end are normalised per dimension; a negative step counts down from begin to above end ---
Types InferSlice(const OpContext& c) {
  const Shape& in = c.inputs[0].shape;
  const std::vector<int64_t> begin = c.attributes.Ints("begin"), end = c.attributes.Ints("end"),
                             step = c.attributes.Ints("step");
  if (begin.size() != in.size() || end.size() != in.size() || step.size() != in.size()) {
    return absl::InvalidArgumentError("begin, end and step need one element per dimension");
  }
  TensorType out = c.inputs[0];
  for (size_t i = 0; i < in.size(); ++i) {
    const int64_t s = step[i];
    const bool up = s > 0 && begin[i] >= 0 && begin[i] <= in[i] && end[i] >= 0 && end[i] <= in[i];
    const bool down = s < 0 && begin[i] >= -1 && begin[i] < in[i] && end[i] >= -1 && end[i] < in[i];
    if (!up && !down) {
      return absl::InvalidArgumentError(absl::StrCat("range ", begin[i], ":", end[i], ":", s,
                                                     " does not fit dimension ", i, " of ", ToString(in)));
    }
    const int64_t span = up ? end[i] - begin[i] : begin[i] - end[i];
    out.shape[i] = span <= 0 ? 0 : (span - 1) / std::abs(s) + 1;
  }
  return std::vector<TensorType>{out};
}

absl::StatusOr<Definition> DefineSlice(const OpContext& c) {
  Definition d = DefinitionFor(c);
  ASSIGN_OR_RETURN(std::vector<TensorType> out, InferSlice(c));
  const std::vector<int64_t> begin = c.attributes.Ints("begin"), step = c.attributes.Ints("step");
  d.AddStage(out[0].shape, StorageOf(out[0].dtype), [&](const Indices& i) {
    Indices index;
    for (size_t k = 0; k < i.size(); ++k) index.push_back(i[k] * step[k] + begin[k]);
    return d.At(0, index);
  });
  return d;
}

REGISTER_OP(slice).Inputs(1).Infer(InferSlice).Define(DefineSlice).View();

// --- reshape ---
Types InferReshape(const OpContext& c) {
  const Shape out = c.attributes.Ints("shape");
  RETURN_IF_ERROR(CheckSize(out));
  if (graph::NumElements(out) != graph::NumElements(c.inputs[0].shape)) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot reshape ", ToString(c.inputs[0].shape), " to ", ToString(out)));
  }
  return std::vector<TensorType>{{c.inputs[0].dtype, out}};
}

absl::StatusOr<Definition> DefineReshape(const OpContext& c) {
  Definition d = DefinitionFor(c);
  const Shape out = c.attributes.Ints("shape");
  const Shape& in = c.inputs[0].shape;
  const std::vector<int64_t> os = graph::Strides(out), is = graph::Strides(in);
  d.AddStage(out, StorageOf(c.inputs[0].dtype), [&](const Indices& i) {
    Expr flat = Int(0);
    for (size_t k = 0; k < i.size(); ++k) flat = flat + i[k] * os[k];
    Indices index;
    for (size_t k = 0; k < in.size(); ++k) {
      Expr e = is[k] > 0 ? FloorDiv(flat, Int(is[k])) : Int(0);
      index.push_back(k == 0 ? e : FloorMod(e, Int(std::max<int64_t>(in[k], 1))));
    }
    return d.At(0, index);
  });
  return d;
}

REGISTER_OP(reshape).Inputs(1).Infer(InferReshape).Define(DefineReshape).View();

// --- transpose ---
Types InferTranspose(const OpContext& c) {
  const std::vector<int64_t> perm = c.attributes.Ints("perm");
  const Shape& in = c.inputs[0].shape;
  std::vector<int64_t> sorted = perm;
  std::sort(sorted.begin(), sorted.end());
  bool valid = perm.size() == in.size();
  for (size_t i = 0; i < sorted.size(); ++i) valid = valid && sorted[i] == static_cast<int64_t>(i);
  if (!valid) {
    return absl::InvalidArgumentError(absl::StrCat(ToString(perm), " does not permute ", ToString(in)));
  }
  TensorType out = c.inputs[0];
  for (size_t i = 0; i < in.size(); ++i) out.shape[i] = in[perm[i]];
  return std::vector<TensorType>{out};
}

absl::StatusOr<Definition> DefineTranspose(const OpContext& c) {
  Definition d = DefinitionFor(c);
  ASSIGN_OR_RETURN(std::vector<TensorType> out, InferTranspose(c));
  const std::vector<int64_t> perm = c.attributes.Ints("perm");
  d.AddStage(out[0].shape, StorageOf(out[0].dtype), [&](const Indices& i) {
    Indices index(i.size());
    for (size_t k = 0; k < i.size(); ++k) index[perm[k]] = i[k];
    return d.At(0, index);
  });
  return d;
}

REGISTER_OP(transpose).Inputs(1).Infer(InferTranspose).Define(DefineTranspose).View();

// --- broadcast ---
Types InferBroadcast(const OpContext& c) {
  const Shape out = c.attributes.Ints("shape");
  RETURN_IF_ERROR(CheckSize(out));
  ASSIGN_OR_RETURN(Shape together, graph::BroadcastShapes(c.inputs[0].shape, out));
  if (together != out) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot broadcast ", ToString(c.inputs[0].shape), " to ", ToString(out)));
  }
  return std::vector<TensorType>{{c.inputs[0].dtype, out}};
}

absl::StatusOr<Definition> DefineBroadcast(const OpContext& c) {
  Definition d = DefinitionFor(c);
  d.AddStage(c.attributes.Ints("shape"), StorageOf(c.inputs[0].dtype),
             [&](const Indices& i) { return d.AtBroadcast(0, i); });
  return d;
}

REGISTER_OP(broadcast).Inputs(1).Infer(InferBroadcast).Define(DefineBroadcast).View();

// --- pad ---
Types InferPad(const OpContext& c) {
  const std::vector<int64_t> before = c.attributes.Ints("before"), after = c.attributes.Ints("after");
  const std::string mode = c.attributes.String("mode", "constant");
  TensorType out = c.inputs[0];
  if (before.size() != out.shape.size() || after.size() != out.shape.size()) {
    return absl::InvalidArgumentError("before and after need one element per dimension");
  }
  if (mode != "constant" && mode != "replicate" && mode != "reflect") {
    return absl::InvalidArgumentError(absl::StrCat("there is no padding mode '", mode, "'"));
  }
  for (size_t i = 0; i < before.size(); ++i) {
    const int64_t n = out.shape[i], most = std::max(before[i], after[i]);
    if (before[i] < 0 || after[i] < 0 || most > (int64_t{1} << 31) || (mode == "reflect" && most >= n && most > 0) ||
        (mode == "replicate" && n == 0 && most > 0)) {
      return absl::InvalidArgumentError(absl::StrCat("cannot pad dimension ", i, " of ", ToString(out.shape), " by ",
                                                     before[i], " and ", after[i], " in mode ", mode));
    }
    out.shape[i] += before[i] + after[i];
  }
  return std::vector<TensorType>{out};
}

absl::StatusOr<Definition> DefinePad(const OpContext& c) {
  Definition d = DefinitionFor(c);
  ASSIGN_OR_RETURN(std::vector<TensorType> out, InferPad(c));
  const std::vector<int64_t> before = c.attributes.Ints("before"), after = c.attributes.Ints("after");
  const std::string mode = c.attributes.String("mode", "constant");
  const Scalar s = StorageOf(out[0].dtype);
  const Shape& in = c.inputs[0].shape;
  d.AddStage(out[0].shape, s, [&](const Indices& i) {
    Indices index;
    for (size_t k = 0; k < i.size(); ++k) {
      if (before[k] == 0 && after[k] == 0) {
        index.push_back(i[k]);
        continue;
      }
      Expr at = i[k] + (-before[k]);
      if (mode == "replicate") at = Min(Max(at, Int(0)), Int(in[k] - 1));
      if (mode == "reflect") {
        // Below 0, or above the last. Each compares the index itself, so that loops can be divided where that is decided.
        at = Select(at < Int(0), Int(0) - at, Min(at, Int(2 * (in[k] - 1)) - at));
      }
      index.push_back(at);
    }
    if (mode != "constant") return d.At(0, index);
    const double value = c.attributes.Float("value");
    Expr outside = IsFloating(out[0].dtype) ? Cast(Type(s), kernel::Float(value))
                                            : Int(static_cast<int64_t>(value), Type(s));
    return d.AtOr(0, index, outside);
  });
  return d;
}

REGISTER_OP(pad).Inputs(1).Infer(InferPad).Define(DefinePad);

// --- shape_of ---
Types InferShapeOf(const OpContext& c) {
  return std::vector<TensorType>{{DTypeKind::kInt32, {static_cast<int64_t>(c.inputs[0].shape.size())}}};
}

absl::StatusOr<Definition> DefineShapeOf(const OpContext& c) {
  Definition d = DefinitionFor(c);
  const Shape& in = c.inputs[0].shape;
  d.AddStage({static_cast<int64_t>(in.size())}, Scalar::kInt32, [&](const Indices& i) {
    const Type i32(Scalar::kInt32);
    Expr y = Int(in.empty() ? 0 : in.back(), i32);
    for (size_t k = in.size(); k-- > 1;) y = Select(i[0] < static_cast<int64_t>(k), Int(in[k - 1], i32), y);
    return y;
  });
  return d;
}

REGISTER_OP(shape_of).Inputs(1).Infer(InferShapeOf).Define(DefineShapeOf);

// --- gather along one axis; negative indices count from the end ---
Types InferGather(const OpContext& c) {
  const TensorType& x = c.inputs[0];
  const TensorType& index = c.inputs[1];
  const int64_t axis = c.attributes.Int("axis");
  RETURN_IF_ERROR(CheckAxis(axis, x.shape.size()));
  if (index.dtype.kind != DTypeKind::kInt32) return absl::InvalidArgumentError("the index must be int32");
  if (x.shape[axis] == 0 && graph::NumElements(index.shape) > 0) {
    return absl::InvalidArgumentError("there is nothing to gather along an empty axis");
  }
  TensorType out{x.dtype, {}};
  out.shape.insert(out.shape.end(), x.shape.begin(), x.shape.begin() + axis);
  out.shape.insert(out.shape.end(), index.shape.begin(), index.shape.end());
  out.shape.insert(out.shape.end(), x.shape.begin() + axis + 1, x.shape.end());
  return std::vector<TensorType>{out};
}

absl::StatusOr<Definition> DefineGather(const OpContext& c) {
  Definition d = DefinitionFor(c);
  ASSIGN_OR_RETURN(std::vector<TensorType> out, InferGather(c));
  const int64_t axis = c.attributes.Int("axis");
  const size_t index_rank = c.inputs[1].shape.size();
  const int64_t extent = c.inputs[0].shape[axis];
  d.AddStage(out[0].shape, StorageOf(out[0].dtype), [&](const Indices& i) {
    Expr at = Cast(kernel::kIndexType, d.At(1, Indices(i.begin() + axis, i.begin() + axis + index_rank)));
    at = Select(at < int64_t{0}, at + extent, at);
    Indices index(i.begin(), i.begin() + axis);
    index.push_back(at);
    index.insert(index.end(), i.begin() + axis + index_rank, i.end());
    return d.At(0, index);
  });
  return d;
}

REGISTER_OP(gather).Inputs(2).Infer(InferGather).Define(DefineGather);

}  // namespace
}  // namespace mgec::ops
