// Nodes that move no data: they only say where their elements already are.
#include <algorithm>

#include "compiler/base/status_macros.h"
#include "compiler/ops/evaluate.h"
#include "compiler/schedule/contraction.h"
#include "compiler/schedule/cuda/planes.h"
#include "compiler/schedule/scheduler.h"

namespace mgec::schedule {
namespace {

using graph::Node;
using graph::Shape;
using graph::Value;

// Two shapes whose elements lie the same way in blocks: equal N, C and number of pixels.
bool SameBlocks(const Shape& a, const Shape& b) {
  return a.size() >= 2 && b.size() >= 2 && a[0] == b[0] && a[1] == b[1] &&
         graph::NumElements(a) == graph::NumElements(b);
}

bool Reshape(Scheduler& s, const Node& node) {
  const Value* x = node.inputs[0];
  const Placement& in = s.placement(x);
  if ((in.blocked || !in.planes.empty()) && SameBlocks(x->type.shape, node.output()->type.shape)) {
    s.Place(node.output(), in);
    return true;
  }
  if (in.blocked && !(IsNatural(in) && BlockElements(x->type.shape) == kBlock)) return false;
  s.Place(node.output(), s.Plain(x));  // mostly no copy: dense, or one pixel's channels in order
  return true;
}

bool Concat(Scheduler& s, const Node& node) {
  if (s.target().cuda) return ConcatPlanes(s, node);
  if (node.attributes.Int("axis") != 1 || !CanBeBlocked(node.output())) return false;
  const bool any = std::any_of(node.inputs.begin(), node.inputs.end(),
                               [&](const Value* v) { return s.placement(v).blocked; });
  if (!any || node.output()->type.shape[1] == 0) return false;
  Placement p;
  p.blocked = true;
  for (const Value* v : node.inputs) {
    if (v->type.shape[1] == 0) continue;
    const Placement part = s.Blocked(v);
    p.channels.insert(p.channels.end(), part.channels.begin(), part.channels.end());
  }
  s.Place(node.output(), std::move(p));
  return true;
}

// Keeps the listed channels of a blocked tensor.
void Select(Scheduler& s, const Node& node, const std::vector<int64_t>& channels) {
  if (channels.empty()) {  // blocked tensors have channels
    s.Place(node.output(), s.NewPlain(node.output()));
    return;
  }
  const Placement& in = s.placement(node.inputs[0]);
  Placement p;
  p.blocked = true;
  for (int64_t c : channels) p.channels.push_back(in.channels[c]);
  s.Place(node.output(), std::move(p));
}

bool Slice(Scheduler& s, const Node& node) {
  const Value* x = node.inputs[0];
  const Shape& shape = x->type.shape;
  const std::vector<int64_t> begin = node.attributes.Ints("begin"), step = node.attributes.Ints("step");
  const Shape& out = node.output()->type.shape;
  bool only_channels = shape.size() > 1;  // are selected
  for (size_t i = 0; i < shape.size(); ++i) only_channels = only_channels && (i == 1 || (out[i] == shape[i] && step[i] == 1));
  const auto channels = [&] {
    std::vector<int64_t> selected;
    for (int64_t c = 0; c < out[1]; ++c) selected.push_back(begin[1] + c * step[1]);
    return selected;
  };
  if (s.placement(x).blocked) {
    if (only_channels) Select(s, node, channels());
    return only_channels;
  }
  const auto select_planes = [&] { return only_channels && MayBePlanes(s, node.output()) && SelectPlanes(s, node, channels()); };
  if (!s.placement(x).planes.empty()) return select_planes();
  if (s.placement(x).channels_last) {  // whole images
    if (step[0] != 1 || !std::equal(shape.begin() + 1, shape.end(), out.begin() + 1)) return false;
    Placement p = s.placement(x);
    p.offset += begin[0] * graph::Strides(shape)[0] * graph::ByteSize(x->type.dtype);
    s.Place(node.output(), std::move(p));
    return true;
  }
  // A dense range of a dense tensor: whole trailing dimensions, one range, single elements before it.
  int64_t stride = 1, offset = 0;
  bool whole = true;
  for (size_t i = shape.size(); i-- > 0;) {
    if (step[i] != 1 && out[i] != 1) return select_planes();
    if (!whole && out[i] != 1) return select_planes();
    offset += begin[i] * stride;
    stride *= shape[i];
    whole = whole && out[i] == shape[i];
  }
  Placement p = s.Plain(x);
  p.offset += offset * graph::ByteSize(x->type.dtype);
  s.Place(node.output(), std::move(p));
  return true;
}

absl::StatusOr<bool> Gather(Scheduler& s, const Node& node) {
  const Value* x = node.inputs[0];
  const Value* index = node.inputs[1];
  if ((!s.placement(x).blocked && !s.target().cuda) || node.attributes.Int("axis") != 1 || index->type.shape.size() != 1 ||
      Scheduler::ConstantData(index) == nullptr) {
    return false;
  }
  ASSIGN_OR_RETURN(std::vector<int64_t> channels, ops::EvaluateInts(index));
  for (int64_t& c : channels) {
    if (c < 0) c += x->type.shape[1];
    if (c < 0 || c >= x->type.shape[1]) return false;
  }
  if (s.target().cuda) return MayBePlanes(s, node.output()) && SelectPlanes(s, node, channels);
  Select(s, node, channels);
  return true;
}

}  // namespace

absl::StatusOr<bool> ScheduleView(Scheduler& s, const Node& node) {
  if (node.op == "identity" || node.op == "retype") {
    s.Place(node.output(), s.placement(node.inputs[0]));
    return true;
  }
  if (node.op == "reshape") return Reshape(s, node);
  if (node.op == "concat") return Concat(s, node);
  if (node.op == "slice") return Slice(s, node);
  if (node.op == "gather") return Gather(s, node);
  return false;
}

}  // namespace mgec::schedule
