#include "compiler/mge/dynamic_rules.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <set>

#include "compiler/ops/op.h"

namespace mgec::mge {
namespace {

using graph::Node;
using ExtentsOr = absl::StatusOr<Extents>;

absl::Status Mixed(const Node& n) {
  return Unsupported(absl::StrCat(n.op, " of operands whose size depends on values"), "operands of fixed size");
}

absl::Status Unequal() {
  return Unsupported("operands whose sizes depend on different values", "operands that were selected alike");
}

bool AllFixed(const Extents& extents) {
  return std::all_of(extents.begin(), extents.end(), [](const Extent& e) { return e.fixed(); });
}

// The sizes of each operand, and where they must be fixed.
struct Rule {
  const DynamicShapes& shapes;
  const Node& node;

  Extents of(int i) const { return shapes.Of(node.inputs[i]); }
  const Shape& shape(int i) const { return node.inputs[i]->type.shape; }
  const Shape& out() const { return node.output()->type.shape; }
  int64_t axis() const { return node.attributes.Int("axis"); }

  absl::Status NeedFixed(const Extent& e) const { return e.fixed() ? absl::OkStatus() : Mixed(node); }
  // All operands but number i are of fixed size.
  absl::Status NeedOnly(int i) const {
    for (size_t k = 0; k < node.inputs.size(); ++k) {
      if (static_cast<int>(k) != i && shapes.IsDynamic(node.inputs[k])) return Mixed(node);
    }
    return absl::OkStatus();
  }
};

// NumPy's rule.
ExtentsOr Broadcasting(const Rule& r) {
  Extents out;
  for (int64_t n : r.out()) out.emplace_back(n);
  const size_t rank = out.size();
  for (size_t axis = 0; axis < rank; ++axis) {
    bool dynamic = false, other = false;
    Extent size;
    for (size_t i = 0; i < r.node.inputs.size(); ++i) {
      const Extents in = r.of(static_cast<int>(i));
      if (in.size() + axis < rank) continue;
      const Extent& e = in[axis + in.size() - rank];
      if (e == Extent(1)) continue;
      if (e.fixed()) other = true;
      else if (dynamic && e != size) return Unequal();
      else dynamic = true, size = e;
    }
    if (dynamic && other) return Unequal();
    if (dynamic) out[axis] = size;
  }
  return out;
}

// Dimensions that depend on values must stay whole: as many elements before and after them as there were.
ExtentsOr Reshaping(const Rule& r) {
  const Extents in = r.of(0);
  const Shape& from = r.shape(0);
  const Shape& to = r.out();
  Extents out;
  for (int64_t n : to) out.emplace_back(n);
  size_t q = 0;
  for (size_t p = 0; p < in.size(); ++p) {
    if (in[p].fixed()) continue;
    const auto before = [](const Shape& s, size_t n) {
      return std::accumulate(s.begin(), s.begin() + static_cast<int64_t>(n), int64_t{1}, std::multiplies<>());
    };
    while (q < to.size() && !(to[q] == from[p] && before(to, q) == before(from, p))) ++q;
    if (q == to.size()) return Mixed(r.node);
    out[q++] = in[p];
  }
  return out;
}

ExtentsOr Slicing(const Rule& r) {
  const Extents in = r.of(0);
  Extents out;
  for (size_t i = 0; i < in.size(); ++i) {
    const bool whole = r.out()[i] == r.shape(0)[i] && r.node.attributes.Ints("step")[i] == 1;
    if (!in[i].fixed() && !whole) return Mixed(r.node);
    out.push_back(in[i].fixed() ? Extent(r.out()[i]) : in[i]);
  }
  return out;
}

ExtentsOr Concatenating(const Rule& r) {
  Extents out = r.of(0);
  for (size_t i = 0; i < r.node.inputs.size(); ++i) {
    const Extents in = r.of(static_cast<int>(i));
    for (size_t axis = 0; axis < in.size(); ++axis) {
      if (static_cast<int64_t>(axis) == r.axis()) RETURN_IF_ERROR(r.NeedFixed(in[axis]));
      else if (in[axis] != out[axis]) return Unequal();
    }
  }
  out[r.axis()] = Extent(r.out()[r.axis()]);
  return out;
}

ExtentsOr Padding(const Rule& r) {
  Extents out = r.of(0);
  for (size_t i = 0; i < out.size(); ++i) {
    const bool same = r.node.attributes.Ints("before")[i] == 0 && r.out()[i] == r.shape(0)[i];
    if (!out[i].fixed() && !same) return Mixed(r.node);
    if (out[i].fixed()) out[i] = Extent(r.out()[i]);
  }
  return out;
}

// x, where the operands from number 1 on say what is written: `whole(axis)` tells whether that is all along the axis.
// What is fixed there has elements for those of x that do not count, too.
ExtentsOr Writing(const Rule& r, const std::function<bool(size_t)>& whole) {
  const Extents x = r.of(0);
  for (size_t i = 0; i < x.size(); ++i) {
    if (!x[i].fixed() && !whole(i)) return Mixed(r.node);
    for (size_t k = 1; k < r.node.inputs.size(); ++k) {
      const Extent written = r.of(static_cast<int>(k))[i];
      if (!written.fixed() && written != x[i]) return Unequal();
    }
  }
  return x;
}

// The dimensions of the index stand in the place of the axis. Indices are taken to be in range.
ExtentsOr Gathering(const Rule& r) {
  Extents out = r.of(0);
  const Extents index = r.of(1);
  out.erase(out.begin() + r.axis());
  out.insert(out.begin() + r.axis(), index.begin(), index.end());
  return out;
}

ExtentsOr GatheringMany(const Rule& r) {
  const std::vector<int64_t> axes = r.node.attributes.Ints("axes");
  Extents index;
  for (size_t k = 1; k < r.node.inputs.size(); ++k) {
    Extents e = r.of(static_cast<int>(k));
    if (e.size() > index.size()) index.insert(index.begin(), e.size() - index.size(), Extent(1));
    for (size_t i = 0; i < e.size(); ++i) {
      Extent& joined = index[i + index.size() - e.size()];
      if (joined == Extent(1)) joined = e[i];
      else if (e[i] != Extent(1) && e[i] != joined) return Unequal();
    }
  }
  Extents out;
  const Extents x = r.of(0);
  for (size_t i = 0; i < x.size(); ++i) {
    if (!std::binary_search(axes.begin(), axes.end(), static_cast<int64_t>(i))) out.push_back(x[i]);
  }
  const bool adjacent = axes.back() - axes.front() == static_cast<int64_t>(axes.size()) - 1;
  out.insert(out.begin() + (adjacent ? axes.front() : 0), index.begin(), index.end());
  return out;
}

ExtentsOr TakingAlong(const Rule& r) {
  const Extents x = r.of(0), index = r.of(1);
  for (size_t i = 0; i < x.size(); ++i) {
    if (static_cast<int64_t>(i) != r.axis() && x[i] != index[i]) return Unequal();
  }
  return index;
}

// Sums and the like: these axes must be fixed, the others are independent.
ExtentsOr Along(const Rule& r, const std::vector<int64_t>& axes) {
  RETURN_IF_ERROR(r.NeedOnly(0));
  Extents out = r.of(0);
  for (int64_t axis : axes) {
    RETURN_IF_ERROR(r.NeedFixed(out[axis]));
    out[axis] = Extent(r.out()[axis]);
  }
  return out;
}

ExtentsOr Multiplying(const Rule& r) {
  const Extents a = r.of(0), b = r.of(1);
  const auto part = [](const Extents& e, bool transpose, bool row) {
    return e[e.size() - (row != transpose ? 2 : 1)];
  };
  const bool ta = r.node.attributes.Int("transpose_a") != 0, tb = r.node.attributes.Int("transpose_b") != 0;
  // What is summed over must be fixed, or have zeros at the end: MaskTail() gives those, and this does not see them.
  if (part(a, ta, false) != part(b, tb, true)) return Unequal();
  Extents out;
  for (int64_t n : r.out()) out.emplace_back(n);
  for (size_t i = 0; i + 2 < out.size(); ++i) {
    const auto batch = [&](const Extents& e) {
      return e.size() + i < out.size() ? Extent(1) : e[i + e.size() - out.size()];
    };
    const Extent p = batch(a), q = batch(b);
    if (p != q && p != Extent(1) && q != Extent(1)) return Unequal();
    out[i] = p == Extent(1) ? q : p;
  }
  out[out.size() - 2] = part(a, ta, true);
  out[out.size() - 1] = part(b, tb, false);
  return out;
}

// Each element of axis 0 of operand i on its own.
ExtentsOr PerEntry(const Rule& r, int i) {
  RETURN_IF_ERROR(r.NeedOnly(i));
  const Extents in = r.of(i);
  if (!AllFixed(Extents(in.begin() + 1, in.end()))) return Mixed(r.node);
  Extents out;
  for (int64_t n : r.out()) out.emplace_back(n);
  out[0] = in[0];
  return out;
}

// Each grid samples the image of its own number, or of the number in operand 2.
ExtentsOr Sampling(const Rule& r) {
  const Extents grid = r.of(1);
  const bool numbered = r.node.inputs.size() == 3;
  if (!AllFixed(Extents(grid.begin() + 1, grid.end())) || (numbered && r.shapes.IsDynamic(r.node.inputs[0]))) {
    return Mixed(r.node);
  }
  const Extents images = r.of(numbered ? 2 : 0);
  if (!AllFixed(Extents(images.begin() + 1, images.end()))) return Mixed(r.node);
  if (images[0] != grid[0]) return Unequal();
  Extents out;
  for (int64_t n : r.out()) out.emplace_back(n);
  out[0] = grid[0];
  return out;
}

std::vector<int64_t> LastAxis(const Rule& r) { return {static_cast<int64_t>(r.shape(0).size()) - 1}; }

ExtentsOr ExtentsAfter(const Rule& r) {
  const std::string& op = r.node.op;
  const ops::OpDef* def = ops::FindOp(op);
  if (def != nullptr && def->pointwise) return Broadcasting(r);
  if (op == "broadcast") {
    ASSIGN_OR_RETURN(Extents out, Broadcasting(r));
    const Extents in = r.of(0);
    for (size_t i = 0; i < in.size(); ++i) {
      if (!in[i].fixed() && r.shape(0)[i] != r.out()[i + out.size() - in.size()]) return Mixed(r.node);
    }
    return out;
  }
  if (op == "reshape") return Reshaping(r);
  if (op == "transpose") {
    Extents out;
    for (int64_t axis : r.node.attributes.Ints("perm")) out.push_back(r.of(0)[axis]);
    return out;
  }
  if (op == "slice") return Slicing(r);
  if (op == "concat") return Concatenating(r);
  if (op == "gather") return Gathering(r);
  if (op == "gather_nd") return GatheringMany(r);
  if (op == "take_along") return TakingAlong(r);
  if (op == "mask_tail") return r.of(0);
  if (op == "pad") return Padding(r);
  if (op == "set_along") return Writing(r, [&](size_t axis) { return static_cast<int64_t>(axis) != r.axis(); });
  if (op == "slice_update") {
    return Writing(r, [&](size_t axis) {
      return r.node.attributes.Ints("begin")[axis] == 0 && r.node.attributes.Ints("step")[axis] == 1 && r.shape(1)[axis] == r.shape(0)[axis];
    });
  }
  if (op == "reduce" || op == "layer_norm") return Along(r, r.node.attributes.Ints("axes"));
  if (op == "argmax" || op == "argmin" || op == "softmax" || op == "cumsum") return Along(r, {r.axis()});
  if (op == "argsort") return Along(r, LastAxis(r));
  if (op == "matmul" || op == "int_matmul") return Multiplying(r);
  static const std::set<std::string> kPerEntry = {"conv2d",     "int_conv2d",        "pool2d",     "resize",      "lrn",
                                                  "group_norm", "images_to_windows", "batch_norm", "local_conv2d",
                                                  "perspective_grid", "affine_grid"};
  if (kPerEntry.count(op) != 0) return PerEntry(r, 0);
  if (op == "sample_image") return Sampling(r);
  if (op == "roi_align" || op == "roi_pooling") return PerEntry(r, 1);
  return Mixed(r.node);
}

}  // namespace

absl::Status Follow(DynamicShapes& shapes, const Node& node) {
  const bool dynamic = std::any_of(node.inputs.begin(), node.inputs.end(),
                                   [&](const Value* v) { return shapes.IsDynamic(v); });
  if (!dynamic || shapes.IsDynamic(node.output())) return absl::OkStatus();
  ASSIGN_OR_RETURN(const Extents extents, ExtentsAfter({shapes, node}));
  if (node.outputs.size() != 1) return Mixed(node);
  shapes.Set(node.output(), extents);
  return absl::OkStatus();
}

absl::StatusOr<Values> ImportAndFollow(ImportContext& c,
                                       const std::function<absl::StatusOr<Values>(ImportContext&)>& import) {
  const auto& nodes = c.graph().nodes();
  const Node* last = nodes.empty() ? nullptr : nodes.back().get();
  ASSIGN_OR_RETURN(Values outputs, import(c));
  auto first = nodes.end();
  while (first != nodes.begin() && std::prev(first)->get() != last) --first;
  for (; first != nodes.end(); ++first) RETURN_IF_ERROR(Follow(c.shapes(), **first));
  return outputs;
}

absl::StatusOr<Value*> AddFollowed(ImportContext& c, absl::string_view op, Values inputs, graph::Attributes attributes) {
  ASSIGN_OR_RETURN(Value * y, c.Add(op, std::move(inputs), std::move(attributes)));
  RETURN_IF_ERROR(Follow(c.shapes(), *y->producer));
  return y;
}

absl::StatusOr<Extents> ExtentsOfOperand(ImportContext& c, int i, int64_t free) {
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

absl::StatusOr<Value*> Repack(graph::Graph& g, DynamicShapes& shapes, Value* x, const Extents& to) {
  const Extents from = shapes.Of(x);
  if (from == to) return x;
  const Shape shape = shapes.Most(to);
  const auto only_outermost = [](const Extents& e) { return e.empty() || AllFixed(Extents(e.begin() + 1, e.end())); };
  Value* y = nullptr;
  if (only_outermost(from) && only_outermost(to) && graph::NumElements(shape) == graph::NumElements(x->type.shape)) {
    ASSIGN_OR_RETURN(y, g.Add("reshape", {x}, {{"shape", shape}}));
  } else {
    Values inputs = {x};
    const auto sizes = [&](const Extents& extents, const Shape& padded) -> absl::StatusOr<std::vector<int64_t>> {
      std::vector<int64_t> result;
      for (size_t i = 0; i < extents.size(); ++i) {
        result.push_back(extents[i].fixed() ? padded[i] : -1);
        if (extents[i].fixed()) continue;
        ASSIGN_OR_RETURN(Value * size, shapes.AsValue(extents[i]));
        inputs.push_back(size);
      }
      return result;
    };
    ASSIGN_OR_RETURN(const std::vector<int64_t> old_sizes, sizes(from, x->type.shape));
    ASSIGN_OR_RETURN(const std::vector<int64_t> new_sizes, sizes(to, shape));
    ASSIGN_OR_RETURN(y, g.Add("repack", inputs, {{"from", old_sizes}, {"to", new_sizes}, {"shape", shape}}));
  }
  shapes.Set(y, to);
  return y;
}

absl::StatusOr<Value*> Compact(graph::Graph& g, DynamicShapes& shapes, Value* x) {
  const Extents extents = shapes.Of(x);
  Extent total;
  for (const Extent& e : extents) total = total * e;
  ASSIGN_OR_RETURN(Value * flat, Repack(g, shapes, x, {total}));
  if (flat->type.shape == x->type.shape) return flat;
  return g.Add("reshape", {flat}, {{"shape", x->type.shape}});
}

absl::StatusOr<Value*> MaskTail(ImportContext& c, Value* x, int64_t axis, const char* fill) {
  const Extents extents = c.shapes().Of(x);
  if (extents[axis].fixed()) return x;
  ASSIGN_OR_RETURN(Value * size, c.shapes().AsValue(extents[axis]));
  ASSIGN_OR_RETURN(Value * y, c.Add("mask_tail", {x, size}, {{"axis", axis}, {"fill", std::string(fill)}}));
  c.shapes().Set(y, extents);
  return y;
}

}  // namespace mgec::mge
