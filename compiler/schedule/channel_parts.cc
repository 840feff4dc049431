#include "compiler/schedule/channel_parts.h"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "compiler/base/status_macros.h"
#include "compiler/ops/conv.h"
#include "compiler/passes/passes.h"
#include "compiler/schedule/contraction.h"
#include "compiler/schedule/pixel_sums.h"

namespace mgec::schedule {
namespace {

using graph::Graph;
using graph::Node;
using graph::Shape;
using graph::Value;

constexpr int64_t kLarge = 3 << 19;  // bytes of a tensor that no core's own cache holds beside others
constexpr int64_t kPart = 4 * kBlock;  // channels: a whole panel of weights, so that the input is read no more often than otherwise

// Of dimension 1 of a tensor of rank 4, the size that a constant broadcast to it has.
int64_t ChannelsOf(const Value* c) {
  const Shape& shape = c->type.shape;
  return shape.size() < 3 ? 1 : shape[shape.size() - 3];
}

// Whether `node` is a convolution, with what follows, of one tensor and constants for all channels or for each.
bool IsConvOfConstants(const Node& node, bool depthwise) {
  const Node* anchor = Anchor(node);
  if (anchor == nullptr || anchor->op != "conv2d" || anchor->inputs.size() != 2 || node.outputs.size() != 1) return false;
  const graph::TensorType& type = node.output()->type;
  if (type != anchor->output()->type || type.dtype != graph::DTypeKind::kFloat32) return false;
  const Value *x = Outer(node, anchor->inputs[0]), *w = Outer(node, anchor->inputs[1]);
  const Shape& weights = w->type.shape;
  const size_t rank = depthwise ? 5 : 4;
  if (x->type != anchor->inputs[0]->type || weights.size() != rank || weights[0] != type.shape[1]) return false;
  if (depthwise && (weights[1] != 1 || weights[2] != 1)) return false;
  return std::all_of(node.inputs.begin(), node.inputs.end(), [&](const Value* v) {
    if (v == x) return std::count(node.inputs.begin(), node.inputs.end(), x) == 1;
    if (Scheduler::ConstantData(v) == nullptr || v->type.dtype != graph::DTypeKind::kFloat32) return false;
    const int64_t elements = graph::NumElements(v->type.shape);
    return v == w || elements == 1 || (elements == type.shape[1] && ChannelsOf(v) == elements);
  });
}

class Parts {
 public:
  explicit Parts(Scheduler& s) : s_(s), g_(s.NewGraph()) {}

  Graph& graph() { return g_; }

  // Channels [begin, end) of what `node` makes of x.
  absl::StatusOr<Value*> Add(const Node& node, Value* x, int64_t begin, int64_t end) {
    const Node& anchor = *Anchor(node);
    const Value* whole_x = Outer(node, anchor.inputs[0]);
    const int64_t channels = node.output()->type.shape[1];
    std::unordered_map<const Value*, Value*> parts;
    const auto part_of = [&](const Value* inner) -> Value* {
      const auto it = parts.find(inner);
      if (it != parts.end()) return it->second;
      const Value* v = Outer(node, inner);
      if (v == whole_x) return parts[inner] = x;
      const bool has_channels = inner == anchor.inputs[1] || graph::NumElements(v->type.shape) == channels;
      return parts[inner] = Constant(v, has_channels ? channels : 1, begin, end);
    };
    const auto add = [&](const Node& n) -> absl::Status {
      std::vector<Value*> inputs;
      for (const Value* v : n.inputs) inputs.push_back(part_of(v));
      graph::Attributes attributes = n.attributes;
      if (&n == &anchor && anchor.inputs[1]->type.shape.size() == 5) attributes.Set("group", end - begin);
      ASSIGN_OR_RETURN(parts[n.output()], g_.Add(n.op, std::move(inputs), std::move(attributes), node.name));
      return absl::OkStatus();
    };
    if (node.body == nullptr) {
      RETURN_IF_ERROR(add(node));
      return parts.at(node.output());
    }
    for (const auto& n : node.body->nodes()) {
      if (n->op != "input") RETURN_IF_ERROR(add(*n));
    }
    return parts.at(node.body->outputs()[0].value);
  }

 private:
  // Channels [begin, end) of a constant that has so many, or the one for all.
  Value* Constant(const Value* v, int64_t channels, int64_t begin, int64_t end) {
    graph::TensorType type = v->type;
    std::string data = *Scheduler::ConstantData(v);
    if (channels > 1) {
      // Channels are the slowest dimension, as others before them have one element.
      const int64_t bytes = static_cast<int64_t>(data.size()) / channels;
      data = data.substr(begin * bytes, (end - begin) * bytes);
      *std::find(type.shape.begin(), type.shape.end(), channels) = end - begin;
    }
    Value* part = g_.AddConstant(type, std::move(data), v->producer->name);
    s_.PlaceConstant(part);
    return part;
  }

  Scheduler& s_;
  Graph& g_;
};

}  // namespace

absl::StatusOr<bool> ScheduleInChannelParts(Scheduler& s, const Node& node) {
  if (s.target().cuda || !IsConvOfConstants(node, /*depthwise=*/false)) return false;
  const Value* between = node.output();
  const std::vector<Node*>& users = s.users(between);
  if (s.IsOutput(between) || users.size() != 1 || graph::ByteSize(between->type) < kLarge) return false;
  const Node& depthwise = *users[0];
  if (!IsConvOfConstants(depthwise, /*depthwise=*/true) || Outer(depthwise, Anchor(depthwise)->inputs[0]) != between) return false;
  const int64_t channels = between->type.shape[1];
  const Value* x = Outer(node, Anchor(node)->inputs[0]);
  // Sums of pixels come in one piece, and gates are known by the value that they multiply.
  if (channels <= kPart || WantsPixelSums(s, depthwise.output()) || s.gate(x) != nullptr) return false;

  Parts parts(s);
  Value* in = parts.graph().AddInput("x", x->type);
  s.Place(in, s.placement(x));
  std::vector<Value*> results;
  for (int64_t begin = 0; begin < channels; begin += kPart) {
    const int64_t end = std::min(channels, begin + kPart);
    ASSIGN_OR_RETURN(Value * part, parts.Add(node, in, begin, end));
    ASSIGN_OR_RETURN(part, parts.Add(depthwise, part, begin, end));
    results.push_back(part);
  }
  ASSIGN_OR_RETURN(Value * y, parts.graph().Add("concat", std::move(results), {{"axis", int64_t{1}}}, depthwise.name));
  parts.graph().AddOutput(y, "y");
  RETURN_IF_ERROR(passes::Fuse(parts.graph()).status());
  RETURN_IF_ERROR(s.ScheduleInstead(parts.graph(), depthwise));
  return true;
}

}  // namespace mgec::schedule
