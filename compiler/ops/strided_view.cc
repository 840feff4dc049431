#include "compiler/ops/strided_view.h"

#include <algorithm>

namespace mgec::ops {
namespace {

using graph::Shape;

// Neighbours that one span can stand for.
Axis Joined(const Axis& spans) {
  Axis joined;
  for (const Span& s : spans) {
    if (s.extent == 1) continue;
    if (!joined.empty() && joined.back().stride == s.stride * s.extent) {
      joined.back() = {joined.back().extent * s.extent, s.stride};
    } else {
      joined.push_back(s);
    }
  }
  return joined;
}

int64_t Extent(const Axis& axis) {
  int64_t n = 1;
  for (const Span& s : axis) n *= s.extent;
  return n;
}

Shape ShapeOf(const StridedView& v) {
  Shape shape;
  for (const Axis& a : v.axes) shape.push_back(Extent(a));
  return shape;
}

}  // namespace

bool IsSeenThrough(const graph::Node& n) {
  if (n.op != "cast") return n.op == "reshape" || n.op == "transpose" || n.op == "slice" || n.op == "broadcast";
  return IsHalf(n.inputs[0]->type.dtype) && n.output()->type.dtype.kind == graph::DTypeKind::kFloat32;
}

StridedView WholeOf(const graph::Value* v) {
  const Shape& shape = v->type.shape;
  const std::vector<int64_t> strides = graph::Strides(shape);
  StridedView view{v, 0, {}};
  for (size_t i = 0; i < shape.size(); ++i) view.axes.push_back(Joined({{shape[i], strides[i]}}));
  return view;
}

std::optional<StridedView> ReshapedView(const StridedView& view, const Shape& shape) {
  if (graph::NumElements(shape) != graph::NumElements(ShapeOf(view))) return std::nullopt;
  Axis spans;
  for (const Axis& a : view.axes) spans.insert(spans.end(), a.begin(), a.end());
  spans = Joined(spans);
  std::reverse(spans.begin(), spans.end());  // the slowest is last: taken from there
  StridedView result{view.source, view.offset, {}};
  for (const int64_t extent : shape) {
    Axis axis;
    for (int64_t left = extent; left > 1;) {
      Span& s = spans.back();
      if (s.extent <= left) {
        if (left % s.extent != 0) return std::nullopt;
        left /= s.extent;
        axis.push_back(s);
        spans.pop_back();
      } else {
        if (s.extent % left != 0) return std::nullopt;
        s.extent /= left;
        axis.push_back({left, s.stride * s.extent});
        left = 1;
      }
    }
    result.axes.push_back(Joined(axis));
  }
  return result;
}

std::optional<StridedView> BroadcastView(const StridedView& view, const Shape& shape) {
  const Shape from = ShapeOf(view);
  const bool one = graph::NumElements(from) == 1;  // joins any rank
  if (from.size() > shape.size() && !one) return std::nullopt;
  StridedView result{view.source, view.offset, {}};
  for (size_t i = 0; i < shape.size(); ++i) {
    const size_t skipped = one ? shape.size() : shape.size() - from.size();
    if (i >= skipped && from[i - skipped] != 1) {
      if (from[i - skipped] != shape[i]) return std::nullopt;
      result.axes.push_back(view.axes[i - skipped]);
    } else {
      result.axes.push_back(Joined({{shape[i], 0}}));
    }
  }
  return result;
}

std::optional<StridedView> Moved(const StridedView& view, const graph::Node& movement) {
  const graph::Attributes& attributes = movement.attributes;
  if (movement.op == "cast") return view;
  if (movement.op == "reshape") return ReshapedView(view, attributes.Ints("shape"));
  if (movement.op == "broadcast") return BroadcastView(view, attributes.Ints("shape"));
  StridedView result{view.source, view.offset, {}};
  if (movement.op == "transpose") {
    for (const int64_t i : attributes.Ints("perm")) result.axes.push_back(view.axes[i]);
    return result;
  }
  if (movement.op != "slice") return std::nullopt;
  const std::vector<int64_t> begin = attributes.Ints("begin"), step = attributes.Ints("step");
  for (size_t i = 0; i < view.axes.size(); ++i) {
    const Axis& axis = view.axes[i];
    const int64_t extent = movement.output()->type.shape[i];
    if (extent == Extent(axis) && begin[i] == 0) {
      result.axes.push_back(axis);
      continue;
    }
    if (axis.size() > 1) return std::nullopt;
    const int64_t stride = axis.empty() ? 0 : axis[0].stride;
    result.offset += begin[i] * stride;
    result.axes.push_back(Joined({{extent, stride * step[i]}}));
  }
  return result;
}

StridedView ViewOf(const graph::Value* v, std::vector<const graph::Node*>* through) {
  const graph::Node& n = *v->producer;
  if (IsSeenThrough(n)) {
    const size_t before = through->size();
    if (std::optional<StridedView> view = Moved(ViewOf(n.inputs[0], through), n)) {
      through->push_back(&n);
      return *view;
    }
    through->resize(before);
  }
  return WholeOf(v);
}

bool DivideAlike(const std::vector<Axis*>& axes) {
  std::vector<Axis> divided(axes.size()), left;
  for (const Axis* a : axes) left.push_back(*a);
  while (std::any_of(left.begin(), left.end(), [](const Axis& a) { return !a.empty(); })) {
    int64_t extent = 0;  // of the fastest span
    for (const Axis& a : left) {
      if (a.empty()) return false;
      extent = extent == 0 ? a.back().extent : std::min(extent, a.back().extent);
    }
    for (size_t i = 0; i < axes.size(); ++i) {
      Span& s = left[i].back();
      if (s.extent % extent != 0) return false;
      divided[i].insert(divided[i].begin(), {extent, s.stride});
      s = {s.extent / extent, s.stride * extent};
      if (s.extent == 1) left[i].pop_back();
    }
  }
  for (size_t i = 0; i < axes.size(); ++i) *axes[i] = divided[i];
  return true;
}

}  // namespace mgec::ops
