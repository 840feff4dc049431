#include "compiler/schedule/cuda/few_channels.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>
#include <utility>

#include "compiler/base/status_macros.h"
#include "compiler/ops/conv.h"
#include "compiler/schedule/cuda/gpu_definition.h"
#include "compiler/schedule/cuda/layout_cost.h"
#include "compiler/schedule/cuda/product.h"

namespace mgec::schedule {
namespace {

using graph::Graph;
using graph::Node;
using graph::Shape;
using graph::Value;

using Ints = std::vector<int64_t>;

constexpr int64_t kFew = 8;

// What is to be done for a node.
struct Plan {
  const Node* conv = nullptr;       // the node, or in its body
  const Value *x = nullptr, *w = nullptr;  // outside
  ops::ConvParams params;
  int64_t channels = 0;  // of the copy
  Shape image, weights;  // of the copies
};

int64_t ZeroPoint(const Value* v) { return v->type.dtype.kind == graph::DTypeKind::kQuantized8Asymm ? v->type.dtype.zero_point : 0; }

// Nodes of the body that read the value; none where there is no body.
int Readers(const Node& node, const Value* inner) {
  int readers = 0;
  if (node.body == nullptr) return 1;
  for (const auto& n : node.body->nodes()) readers += static_cast<int>(std::count(n->inputs.begin(), n->inputs.end(), inner));
  return readers;
}

// The value inside that is the same as a value of the body but for a conversion.
const Value* BeforeCast(const Node& node, const Value* inner) {
  return node.body != nullptr && inner->producer->op == "cast" ? inner->producer->inputs[0] : inner;
}

absl::StatusOr<bool> MakePlan(Scheduler& s, const Node& node, Plan* plan) {
  plan->conv = Anchor(node);
  if (plan->conv == nullptr || node.outputs.size() != 1 || (plan->conv->op != "conv2d" && plan->conv->op != "int_conv2d")) return false;
  plan->x = Outer(node, plan->conv->inputs[0]);
  plan->w = Outer(node, plan->conv->inputs[1]);
  const Shape& w = plan->w->type.shape;
  if (w.size() != 4 || w[1] > kFew || w[2] * w[3] == 1 || Scheduler::ConstantData(plan->w) == nullptr || ZeroPoint(plan->w) != 0) return false;
  if (Scheduler::ConstantData(plan->x) != nullptr || s.placement(plan->x).channels_last) return false;
  // Nobody else looks at what is replaced.
  for (int i : {0, 1}) {
    const Value* inner = plan->conv->inputs[i];
    if (Readers(node, inner) != 1 || Readers(node, BeforeCast(node, inner)) != 1) return false;
    if (node.body != nullptr && BeforeCast(node, inner)->producer->op != "input") return false;
    if (std::count(node.inputs.begin(), node.inputs.end(), i == 0 ? plan->x : plan->w) != 1) return false;
  }
  ASSIGN_OR_RETURN(plan->params, ops::ConvParamsOf(ops::ContextOf(*plan->conv)));
  const ops::ConvParams& p = plan->params;
  plan->channels = w[1] <= kFew / 2 ? kFew / 2 : kFew;
  const Shape& x = plan->x->type.shape;
  plan->image = {x[0], plan->channels, x[2] + p.pad[0] + p.pad_after[0], x[3] + p.pad[1] + p.pad_after[1]};
  plan->weights = {w[0], plan->channels, w[2], w[3]};

  ASSIGN_OR_RETURN(const kernel::Definition d, GpuDefinition(s, node));
  Product product;
  if (d.stages().size() != 1 || !FindProduct(d.stages()[0], &product) || !OnTensorCores(product.words)) return false;
  // Columns are pixels, along which plain results lie in memory; rows are weights, which are gathered as well where those of one
  // output fill no words.
  const int64_t numbers = NumbersBrought(product, /*rows=*/false), copied = numbers / w[1] * plan->channels;
  const int64_t weights = product.depth % ElementsOf(product.words) == 0 ? 0 : NumbersBrought(product, /*rows=*/true);
  const int64_t bytes = graph::NumElements(plan->image) * graph::ByteSize(plan->x->type.dtype);
  const int64_t prepare = kLaunchCost + 2 * kCostPerByte * bytes + bytes / graph::ByteSize(plan->x->type.dtype) * kManyAxes.one;
  return prepare + copied / plan->channels * kManyAxes.several < (numbers + weights) * kManyAxes.one;
}

// [OC, C, KH, KW] with zeros for channels that there are not.
std::string PaddedWeights(const Value* w, int64_t channels) {
  const std::string& data = *Scheduler::ConstantData(w);
  const Shape& shape = w->type.shape;
  const size_t row = static_cast<size_t>(shape[1] * shape[2] * shape[3]) * graph::ByteSize(w->type.dtype);
  const size_t padded = row / static_cast<size_t>(shape[1]) * static_cast<size_t>(channels);
  std::string result(padded * static_cast<size_t>(shape[0]), '\0');
  for (int64_t o = 0; o < shape[0]; ++o) std::memcpy(&result[o * padded], &data[o * row], row);
  return result;
}

// A copy of the node, `inputs` its operands, whose convolution reads the copies.
std::unique_ptr<Node> WithoutPadding(const Node& n, const Plan& plan, std::vector<Value*> inputs) {
  auto copy = std::make_unique<Node>();
  copy->op = n.op;
  copy->name = n.name;
  copy->attributes = n.attributes;
  copy->inputs = std::move(inputs);
  if (&n == plan.conv) copy->attributes.Set("pad", Ints{0, 0});
  return copy;
}

std::vector<graph::TensorType> TypesOf(const Node& n) {
  std::vector<graph::TensorType> types;
  for (const auto& v : n.outputs) types.push_back(v->type);
  return types;
}

std::unique_ptr<Graph> BodyWithoutPadding(const Node& node, const Plan& plan) {
  auto body = std::make_unique<Graph>();
  std::unordered_map<const Value*, Value*> copies;
  // What the image and the weights are called inside, before and after conversions, have new shapes.
  std::unordered_map<const Value*, Shape> shapes;
  for (int i : {0, 1}) {
    const Value* inner = plan.conv->inputs[i];
    shapes[inner] = shapes[BeforeCast(node, inner)] = i == 0 ? plan.image : plan.weights;
  }
  for (const auto& n : node.body->nodes()) {
    std::vector<graph::TensorType> types = TypesOf(*n);
    if (const auto it = shapes.find(n->output()); it != shapes.end()) types[0].shape = it->second;
    if (n->op == "input") {
      copies[n->output()] = body->AddInput(n->name, types[0]);
      copies[n->output()]->origin = n->output()->origin;
      continue;
    }
    std::vector<Value*> inputs;
    for (const Value* v : n->inputs) inputs.push_back(copies.at(v));
    Node* placed = body->Insert(WithoutPadding(*n, plan, std::move(inputs)), types);
    placed->data = n->data;
    for (size_t i = 0; i < n->outputs.size(); ++i) {
      copies[n->output(static_cast<int>(i))] = placed->output(static_cast<int>(i));
      placed->output(static_cast<int>(i))->origin = n->output(static_cast<int>(i))->origin;
    }
  }
  for (const graph::GraphOutput& o : node.body->outputs()) body->AddOutput(copies.at(o.value), o.name);
  return body;
}

}  // namespace

absl::StatusOr<bool> ScheduleFewChannels(Scheduler& s, const Node& node) {
  Plan plan;
  ASSIGN_OR_RETURN(const bool wanted, MakePlan(s, node, &plan));
  if (!wanted) return false;
  const ops::ConvParams& p = plan.params;
  Graph& g = s.NewGraph();
  std::vector<Value*> inputs;
  for (const Value* v : node.inputs) {
    if (v == plan.x) {
      Value* x = g.AddInput("x", v->type);
      s.Place(x, s.placement(v));
      const int64_t more = plan.channels - v->type.shape[1];
      ASSIGN_OR_RETURN(Value * copy, g.Add("pad", {x}, {{"before", Ints{0, 0, p.pad[0], p.pad[1]}},
                                                       {"after", Ints{0, more, p.pad_after[0], p.pad_after[1]}},
                                                       {"value", static_cast<double>(ZeroPoint(v))}}, node.name));
      s.WantChannelsLast(copy);
      inputs.push_back(copy);
    } else if (v == plan.w) {
      inputs.push_back(g.AddConstant({v->type.dtype, plan.weights}, PaddedWeights(v, plan.channels), v->producer->name));
      s.PlaceConstant(inputs.back());
    } else {
      const Node& producer = *v->producer;
      inputs.push_back(producer.op == "constant" ? g.AddConstant(v->type, producer.data, producer.name) : g.AddInput(producer.name, v->type));
      s.Place(inputs.back(), s.placement(v));
    }
  }
  std::unique_ptr<Node> copy = WithoutPadding(node, plan, std::move(inputs));
  if (node.body != nullptr) copy->body = BodyWithoutPadding(node, plan);
  g.AddOutput(g.Insert(std::move(copy), TypesOf(node))->output(), "out");
  RETURN_IF_ERROR(s.ScheduleInstead(g, node));
  return true;
}

}  // namespace mgec::schedule
