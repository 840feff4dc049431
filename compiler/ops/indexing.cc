// Reading and writing at computed positions: gather_nd, take_along, scatter_nd, slice_update, set_along.
//
// Writes are defined from the reader's side: each element of the result looks for the last value that was written to it.
// Negative indices count from the end.
#include <algorithm>

#include "compiler/ops/common.h"
#include "compiler/ops/routine.h"

namespace mgec::ops {
namespace {

using kernel::Cast;
using kernel::FloorDiv;
using kernel::FloorMod;
using kernel::Int;
using kernel::Select;
using kernel::Type;

// An element of an int32 tensor as an index along a dimension of the given extent.
Expr AsIndex(Expr e, int64_t extent) {
  Expr at = Cast(kernel::kIndexType, std::move(e));
  return Select(at < int64_t{0}, at + extent, at);
}

// The axes of gather_nd and scatter_nd, and what follows from them. Index tensors are the inputs from `first` on.
struct MultiIndex {
  std::vector<int64_t> axes;  // ascending
  Shape index_shape;          // to which the index tensors broadcast
  size_t at = 0;              // where the dimensions of the indices stand in the result
  Shape result;               // of reading
};

absl::StatusOr<MultiIndex> MultiIndexOf(const OpContext& c, size_t first) {
  const Shape& x = c.inputs[0].shape;
  MultiIndex m;
  m.axes = c.attributes.Ints("axes");
  if (m.axes.empty() || m.axes.size() + first != c.inputs.size()) {
    return absl::InvalidArgumentError("needs one index tensor for each axis");
  }
  bool adjacent = true;
  for (size_t k = 0; k < m.axes.size(); ++k) {
    RETURN_IF_ERROR(CheckAxis(m.axes[k], x.size()));
    if (k > 0 && m.axes[k] <= m.axes[k - 1]) return absl::InvalidArgumentError("the axes must ascend");
    adjacent = adjacent && (k == 0 || m.axes[k] == m.axes[k - 1] + 1);
    const TensorType& index = c.inputs[first + k];
    if (index.dtype.kind != DTypeKind::kInt32) return absl::InvalidArgumentError("an index must be int32");
    if (k == 0) {
      m.index_shape = index.shape;
    } else {
      ASSIGN_OR_RETURN(m.index_shape, graph::BroadcastShapes(m.index_shape, index.shape));
    }
  }
  for (int64_t axis : m.axes) {
    if (x[axis] == 0 && graph::NumElements(m.index_shape) > 0) {
      return absl::InvalidArgumentError("there is nothing to index along an empty axis");
    }
  }
  // NumPy's rule: in the place of the indexed axes if these are adjacent, else in front.
  m.at = adjacent ? static_cast<size_t>(m.axes[0]) : 0;
  for (size_t i = 0; i < x.size(); ++i) {
    if (!std::binary_search(m.axes.begin(), m.axes.end(), static_cast<int64_t>(i))) m.result.push_back(x[i]);
  }
  m.result.insert(m.result.begin() + m.at, m.index_shape.begin(), m.index_shape.end());
  return m;
}

// --- gather_nd ---
Types InferGatherNd(const OpContext& c) {
  ASSIGN_OR_RETURN(MultiIndex m, MultiIndexOf(c, 1));
  return std::vector<TensorType>{{c.inputs[0].dtype, m.result}};
}

absl::StatusOr<Definition> DefineGatherNd(const OpContext& c) {
  ASSIGN_OR_RETURN(MultiIndex m, MultiIndexOf(c, 1));
  Definition d = DefinitionFor(c);
  const Shape& x = c.inputs[0].shape;
  d.AddStage(m.result, StorageOf(c.inputs[0].dtype), [&](const Indices& i) {
    const Indices point(i.begin() + m.at, i.begin() + m.at + m.index_shape.size());
    Indices others = i;
    others.erase(others.begin() + m.at, others.begin() + m.at + m.index_shape.size());
    Indices index;
    for (size_t k = 0, other = 0; k < x.size(); ++k) {
      const auto it = std::find(m.axes.begin(), m.axes.end(), static_cast<int64_t>(k));
      if (it == m.axes.end()) index.push_back(others[other++]);
      else index.push_back(AsIndex(d.AtBroadcast(1 + static_cast<int>(it - m.axes.begin()), point), x[k]));
    }
    return d.At(0, index);
  });
  return d;
}

REGISTER_OP(gather_nd).Inputs(2, 8).Infer(InferGatherNd).Define(DefineGatherNd);

// --- scatter_nd(x, values, index...): x with the elements that gather_nd would read set, or increased ---
Types InferScatterNd(const OpContext& c) {
  ASSIGN_OR_RETURN(MultiIndex m, MultiIndexOf(c, 2));
  if (c.inputs[1].shape != m.result || c.inputs[1].dtype != c.inputs[0].dtype) {
    return absl::InvalidArgumentError(absl::StrCat("values are ", ToString(c.inputs[1]), ", need shape ",
                                                   ToString(m.result), " and the dtype of x"));
  }
  const std::string mode = c.attributes.String("mode");
  if (mode != "set" && mode != "add") return absl::InvalidArgumentError("the mode must be set or add");
  if (mode == "add" && c.inputs[0].dtype.kind == DTypeKind::kBool) return absl::InvalidArgumentError("cannot add bool");
  return std::vector<TensorType>{c.inputs[0]};
}

absl::StatusOr<Definition> DefineScatterNd(const OpContext& c) {
  ASSIGN_OR_RETURN(MultiIndex m, MultiIndexOf(c, 2));
  Definition d = DefinitionFor(c);
  const Shape& x = c.inputs[0].shape;
  const Scalar s = StorageOf(c.inputs[0].dtype);
  const int64_t points = graph::NumElements(m.index_shape);
  if (points == 0) {
    d.AddStage(x, s, [&](const Indices& i) { return d.At(0, i); });
    return d;
  }
  // Point number `flat` of the index tensors.
  auto point = [&](const Expr& flat) {
    const std::vector<int64_t> strides = graph::Strides(m.index_shape);
    Indices p;
    for (size_t k = 0; k < strides.size(); ++k) {
      p.push_back(FloorMod(FloorDiv(flat, Int(strides[k])), Int(m.index_shape[k])));
    }
    return p;
  };
  // Whether the point writes to the element with these indices along the axes.
  auto hits = [&](const Expr& flat, const Indices& along) {
    Expr hit = kernel::Bool(true);
    for (size_t k = 0; k < m.axes.size(); ++k) {
      const Expr at = AsIndex(d.AtBroadcast(2 + static_cast<int>(k), point(flat)), x[m.axes[k]]);
      hit = And(hit, kernel::Binary(Op::kEq, at, along[k]));
    }
    return hit;
  };
  auto along = [&](const Indices& i) {
    Indices v;
    for (int64_t axis : m.axes) v.push_back(i[axis]);
    return v;
  };
  auto value = [&](const Indices& i, const Expr& flat) {
    Indices index;
    for (size_t k = 0; k < x.size(); ++k) {
      if (!std::binary_search(m.axes.begin(), m.axes.end(), static_cast<int64_t>(k))) index.push_back(i[k]);
    }
    const Indices p = point(flat);
    index.insert(index.begin() + m.at, p.begin(), p.end());
    return d.At(1, index);
  };
  if (c.attributes.String("mode") == "add") {
    const bool is_float = IsFloating(c.inputs[0].dtype);
    d.AddStage(x, s, [&](const Indices& i) {
      const Indices at = along(i);
      auto widen = [&](Expr e) { return is_float ? ToFloat(e) : e; };
      const Expr sum = d.Reduce(Combiner::kSum, {points}, [&](const Indices& r) {
        const Expr v = widen(value(i, r[0]));
        return Select(hits(r[0], at), v, Cast(v->type, Int(0)));
      });
      return Cast(Type(s), widen(d.At(0, i)) + sum);
    });
    return d;
  }
  // The last point that writes to each position along the axes, or -1.
  Shape indexed;
  for (int64_t axis : m.axes) indexed.push_back(x[axis]);
  const int winner = d.AddStage(indexed, Scalar::kInt32, [&](const Indices& i) {
    const Type i32(Scalar::kInt32);
    return d.Reduce(Combiner::kMax, {points}, [&](const Indices& r) {
      return Select(hits(r[0], i), Cast(i32, r[0]), Int(-1, i32));
    });
  });
  d.AddStage(x, s, [&](const Indices& i) {
    const Expr w = Cast(kernel::kIndexType, d.At(winner, along(i)));
    return Select(w >= int64_t{0}, value(i, Max(w, Int(0))), d.At(0, i));
  });
  return d;
}

// A copy of x, into which the points are then written in order.
absl::StatusOr<std::optional<Routine>> ScatterNdRoutine(const OpContext& c, int lanes) {
  constexpr int64_t kChunk = 1 << 14;  // elements that a task copies
  ASSIGN_OR_RETURN(MultiIndex m, MultiIndexOf(c, 2));
  const Shape& x = c.inputs[0].shape;
  const int64_t elements = graph::NumElements(x), points = graph::NumElements(m.index_shape);
  if (elements == 0 || points == 0) return std::nullopt;
  const Scalar s = StorageOf(c.inputs[0].dtype);
  const bool add = c.attributes.String("mode") == "add";
  RoutineBuilder r(c, {c.inputs[0]});
  const int64_t chunks = (elements + kChunk - 1) / kChunk;
  r.AddKernel("scatter_copy", chunks, [&](kernel::Block& b, const Expr& task) {
    const Expr begin = b.Let("begin", task * kChunk);
    const Expr end = b.Let("end", Min(begin + kChunk, Int(elements)));
    ForVectors(b, begin, end, lanes, [&](kernel::Block& b, const Expr& i, int width) {
      b.Store(r.output(0), i, kernel::Load(r.input(0), i, width));
    });
  });
  const std::vector<int64_t> x_strides = graph::Strides(x), value_strides = graph::Strides(m.result);
  std::vector<size_t> others;  // dimensions of x without an index
  for (size_t k = 0; k < x.size(); ++k) {
    if (!std::binary_search(m.axes.begin(), m.axes.end(), static_cast<int64_t>(k))) others.push_back(k);
  }
  // Where dimension others[k] stands in the values.
  auto value_dim = [&](size_t k) { return k < m.at ? k : k + m.index_shape.size(); };
  auto write = [&](kernel::Block& b, const Expr& to, const Expr& from, int width) {
    Expr v = kernel::Load(r.input(1), from, width);
    if (add) {
      const Expr old = kernel::Load(r.output(0), to, width);
      const Type sum(IsFloating(c.inputs[0].dtype) ? Scalar::kFloat32 : s, width);
      v = Cast(Type(s, width), Cast(sum, old) + Cast(sum, v));
    }
    b.Store(r.output(0), to, v);
  };
  // Loops over the other dimensions from number k on.
  std::function<void(kernel::Block&, size_t, const Expr&, const Expr&)> loops =
      [&](kernel::Block& b, size_t k, const Expr& to, const Expr& from) {
        if (k == others.size()) return write(b, to, from, 1);
        const int64_t to_stride = x_strides[others[k]], from_stride = value_strides[value_dim(k)];
        if (k + 1 == others.size() && to_stride == 1 && from_stride == 1) {
          return ForVectors(b, Int(0), Int(x[others[k]]), lanes, [&](kernel::Block& b, const Expr& i, int width) {
            write(b, to + i, from + i, width);
          });
        }
        b.For("i", 0, x[others[k]], [&](kernel::Block& b, const Expr& i) {
          loops(b, k + 1, b.Let("to", to + i * to_stride), b.Let("from", from + i * from_stride));
        });
      };
  r.AddKernel("scatter_points", 1, [&](kernel::Block& b, const Expr&) {
    b.For("point", 0, points, [&](kernel::Block& b, const Expr& point) {
      Expr to = Int(0), inside = kernel::Bool(true);
      for (size_t k = 0; k < m.axes.size(); ++k) {
        // The index tensors broadcast against each other.
        const Shape& own = c.inputs[2 + k].shape;
        const std::vector<int64_t> strides = graph::Strides(m.index_shape), own_strides = graph::Strides(own);
        Expr flat = own == m.index_shape ? point : Int(0);
        for (size_t d = 0; d < own.size() && own != m.index_shape; ++d) {
          const size_t of = m.index_shape.size() - own.size() + d;
          if (own[d] != 1) flat = flat + FloorMod(FloorDiv(point, Int(strides[of])), Int(own[d])) * own_strides[d];
        }
        const int64_t extent = x[m.axes[k]];
        const Expr at = b.Let("at", AsIndex(kernel::Load(r.input(2 + static_cast<int>(k)), flat), extent));
        inside = And(inside, And(at >= int64_t{0}, at < extent));
        to = to + at * x_strides[m.axes[k]];
      }
      Expr from = Int(0);
      for (size_t d = 0; d < m.index_shape.size(); ++d) {
        const int64_t stride = graph::Strides(m.index_shape)[d];
        from = from + FloorMod(FloorDiv(point, Int(stride)), Int(m.index_shape[d])) * value_strides[m.at + d];
      }
      b.If(inside, [&](kernel::Block& b) { loops(b, 0, b.Let("to", to), b.Let("from", from)); });
    });
  });
  return r.Take(static_cast<double>(elements) + 4.0 * static_cast<double>(graph::NumElements(m.result)) + 10.0 * points);
}

REGISTER_OP(scatter_nd).Inputs(3, 9).Infer(InferScatterNd).Define(DefineScatterNd).AsRoutine(ScatterNdRoutine);

// --- slice_update(x, values): x with values in the region that starts at begin, in steps of step ---
Types InferSliceUpdate(const OpContext& c) {
  const Shape& x = c.inputs[0].shape;
  const Shape& v = c.inputs[1].shape;
  const std::vector<int64_t> begin = c.attributes.Ints("begin"), step = c.attributes.Ints("step");
  if (v.size() != x.size() || begin.size() != x.size() || step.size() != x.size()) {
    return absl::InvalidArgumentError("values, begin and step need the rank of x");
  }
  if (c.inputs[1].dtype != c.inputs[0].dtype) return absl::InvalidArgumentError("operands have different dtypes");
  if (c.attributes.String("mode") == "add" && c.inputs[0].dtype.kind == DTypeKind::kBool) {
    return absl::InvalidArgumentError("cannot add bool");
  }
  for (size_t i = 0; i < x.size(); ++i) {
    const int64_t last = begin[i] + (v[i] - 1) * step[i];
    if (step[i] == 0 || (v[i] > 0 && std::min(begin[i], last) < 0) || (v[i] > 0 && std::max(begin[i], last) >= x[i])) {
      return absl::InvalidArgumentError(absl::StrCat("the region does not fit dimension ", i, " of ", ToString(x)));
    }
  }
  return std::vector<TensorType>{c.inputs[0]};
}

absl::StatusOr<Definition> DefineSliceUpdate(const OpContext& c) {
  Definition d = DefinitionFor(c);
  const Shape& x = c.inputs[0].shape;
  const Shape& v = c.inputs[1].shape;
  const std::vector<int64_t> begin = c.attributes.Ints("begin"), step = c.attributes.Ints("step");
  const Scalar s = StorageOf(c.inputs[0].dtype);
  d.AddStage(x, s, [&](const Indices& i) {
    if (graph::NumElements(v) == 0) return d.At(0, i);
    Expr inside = kernel::Bool(true);
    Indices at;
    for (size_t k = 0; k < x.size(); ++k) {
      if (begin[k] == 0 && step[k] == 1 && v[k] == x[k]) {
        at.push_back(i[k]);
        continue;
      }
      const int64_t pace = std::abs(step[k]);
      const Expr distance = step[k] > 0 ? i[k] + (-begin[k]) : Int(begin[k]) - i[k];
      inside = And(inside, And(distance >= int64_t{0}, distance < (v[k] - 1) * pace + 1));
      if (pace > 1) inside = And(inside, kernel::Binary(Op::kEq, FloorMod(distance, Int(pace)), Int(0)));
      at.push_back(FloorDiv(distance, Int(pace)));
    }
    const Expr old = d.At(0, i), value = d.At(1, at);
    if (c.attributes.String("mode") != "add") return Select(inside, value, old);
    return Select(inside, IsFloating(c.inputs[0].dtype) ? FromFloat(s, ToFloat(old) + ToFloat(value)) : old + value,
                  old);
  });
  return d;
}

REGISTER_OP(slice_update).Inputs(2).Infer(InferSliceUpdate).Define(DefineSliceUpdate);

// --- take_along(x, index): along axis, element i of the result is element index[i] of x; index has x's rank ---
absl::Status CheckAlong(const OpContext& c, int64_t axis) {
  const Shape& x = c.inputs[0].shape;
  RETURN_IF_ERROR(CheckAxis(axis, x.size()));
  Shape expected = x;
  if (c.inputs[1].shape.size() == x.size()) expected[axis] = c.inputs[1].shape[axis];
  if (c.inputs[1].dtype.kind != DTypeKind::kInt32 || c.inputs[1].shape != expected || x[axis] == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("index ", ToString(c.inputs[1]), " does not fit axis ", axis, " of ", ToString(x)));
  }
  return absl::OkStatus();
}

Types InferTakeAlong(const OpContext& c) {
  RETURN_IF_ERROR(CheckAlong(c, c.attributes.Int("axis")));
  return std::vector<TensorType>{{c.inputs[0].dtype, c.inputs[1].shape}};
}

absl::StatusOr<Definition> DefineTakeAlong(const OpContext& c) {
  Definition d = DefinitionFor(c);
  const int64_t axis = c.attributes.Int("axis");
  d.AddStage(c.inputs[1].shape, StorageOf(c.inputs[0].dtype), [&](const Indices& i) {
    Indices index = i;
    index[axis] = AsIndex(d.At(1, i), c.inputs[0].shape[axis]);
    return d.At(0, index);
  });
  return d;
}

REGISTER_OP(take_along).Inputs(2).Infer(InferTakeAlong).Define(DefineTakeAlong);

// --- set_along(x, index, values): x with element `index` along axis replaced; index and values have extent 1 there ---
Types InferSetAlong(const OpContext& c) {
  const int64_t axis = c.attributes.Int("axis");
  RETURN_IF_ERROR(CheckAlong(c, axis));
  if (c.inputs[1].shape[axis] != 1 || c.inputs[2] != TensorType{c.inputs[0].dtype, c.inputs[1].shape}) {
    return absl::InvalidArgumentError(absl::StrCat("values ", ToString(c.inputs[2]), " and index ",
                                                   ToString(c.inputs[1]), " do not fit"));
  }
  return std::vector<TensorType>{c.inputs[0]};
}

absl::StatusOr<Definition> DefineSetAlong(const OpContext& c) {
  Definition d = DefinitionFor(c);
  const int64_t axis = c.attributes.Int("axis");
  const Shape& x = c.inputs[0].shape;
  d.AddStage(x, StorageOf(c.inputs[0].dtype), [&](const Indices& i) {
    Indices first = i;
    first[axis] = Int(0);
    return Select(kernel::Binary(Op::kEq, AsIndex(d.At(1, first), x[axis]), i[axis]), d.At(2, first), d.At(0, i));
  });
  return d;
}

REGISTER_OP(set_along).Inputs(3).Infer(InferSetAlong).Define(DefineSetAlong);

}  // namespace
}  // namespace mgec::ops
