#include "compiler/schedule/cuda/few_channels.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "compiler/base/status_macros.h"
#include "compiler/graph/clone.h"
#include "compiler/kernel/work.h"
#include "compiler/ops/conv.h"
#include "compiler/schedule/cuda/gpu_definition.h"
#include "compiler/schedule/cuda/layout_cost.h"
#include "compiler/schedule/cuda/product.h"

namespace mgec::schedule {
namespace {

using graph::Attributes;
using graph::Graph;
using graph::Node;
using graph::Shape;
using graph::Value;

using Ints = std::vector<int64_t>;

constexpr int64_t kFew = 8;
// To find and store an element of the copy, as counted in PTX.
constexpr int64_t kCopyCost = 11;

// What is to be done for a node.
struct Plan {
  const Node* conv = nullptr;       // the node, or in its body
  const Value *x = nullptr, *w = nullptr;  // outside
  ops::ConvParams params;
  Shape image, weights;  // of the copies
  int64_t after = 0;     // columns of zeros behind the image's
  bool half = false;     // the image's copy holds the float16 numbers that tensor cores multiply in place of float32
  int64_t channels() const { return image[1]; }
};

// The kernel's width with columns of zeros, so that a row of it fills words that tensor cores multiply at a time: a tile's terms are
// then in the same place of every window (FindTensorBox). As it is where that would be many more terms.
int64_t WidthOfWeights(const Shape& w, int64_t channels, int elements) {
  const int64_t together = std::max<int64_t>(1, kTileDepth * elements / channels), width = CeilDiv(w[3], together) * together;
  const int64_t products = CeilDiv(channels * w[2] * w[3], kTileDepth * elements);
  return 4 * (channels * w[2] * width) <= 5 * products * kTileDepth * elements ? width : w[3];
}

// Shapes of copies that leave the result as it is.
void ChooseShapes(const Shape& x, const Shape& w, int elements, Plan* plan) {
  const ops::ConvParams& p = plan->params;
  const int64_t channels = w[1] <= kFew / 2 ? kFew / 2 : kFew;
  plan->weights = {w[0], channels, w[2], WidthOfWeights(w, channels, elements)};
  const int64_t least = (p.out_w - 1) * p.stride[1] + (plan->weights[3] - 1) * p.dilation[1] + 1, most = least + p.stride[1] - 1;
  int64_t width = std::max(least, x[3] + p.pad[1] + p.pad_after[1]);
  // Rows of whole accesses.
  const int64_t pixels = std::max<int64_t>(1, kernel::kGpuAccessBytes * elements / (4 * channels));
  if (CeilDiv(width, pixels) * pixels <= most) width = CeilDiv(width, pixels) * pixels;
  plan->after = width - x[3] - p.pad[1];
  plan->image = {x[0], channels, x[2] + p.pad[0] + p.pad_after[0], width};
}

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

  ASSIGN_OR_RETURN(const kernel::Definition d, GpuDefinition(s, node));
  Product product;
  if (d.stages().size() != 1 || !FindProduct(d.stages()[0], &product) || !OnTensorCores(product.words)) return false;
  ChooseShapes(plan->x->type.shape, w, ElementsOf(product.words), plan);
  // Columns are pixels, along which plain results lie in memory; rows are weights, which are gathered as well where those of one
  // output fill no words.
  const int64_t numbers = NumbersBrought(product, /*rows=*/false), copied = numbers / (w[1] * w[3]) * plan->channels() * plan->weights[3];
  const int64_t weights = product.depth % ElementsOf(product.words) == 0 ? 0 : NumbersBrought(product, /*rows=*/true);
  plan->half = node.body != nullptr && product.words == WordKind::kFloat16 && plan->x->type.dtype.kind == graph::DTypeKind::kFloat32;
  const int64_t elements = graph::NumElements(plan->image), bytes = elements * (plan->half ? 2 : graph::ByteSize(plan->x->type.dtype));
  const int64_t prepare = kLaunchCost + kCostPerByte * (graph::ByteSize(plan->x->type) + bytes) + elements * kCopyCost;
  const bool boxes = plan->channels() * plan->weights[3] % (kTileDepth * ElementsOf(product.words)) == 0;
  const BringingCost& cost = boxes ? kBoxes : kManyAxes;
  return prepare + copied / plan->channels() * cost.several < (numbers + weights) * kManyAxes.one;
}

// [OC, C, KH, KW] with zeros for channels and columns that there are not: those come last in a window, which may read them mirrored.
std::string PaddedWeights(const Value* w, const Shape& padded, bool mirrored) {
  const std::string& data = *Scheduler::ConstantData(w);
  const Shape& shape = w->type.shape;
  const size_t size = graph::ByteSize(w->type.dtype), row = static_cast<size_t>(shape[3]) * size;
  std::string result(static_cast<size_t>(graph::NumElements(padded)) * size, '\0');
  const int64_t first = mirrored ? padded[3] - shape[3] : 0;
  const char* from = data.data();
  for (int64_t o = 0; o < shape[0]; ++o) {
    for (int64_t c = 0; c < shape[1]; ++c) {
      for (int64_t y = 0; y < shape[2]; ++y, from += row) {
        std::memcpy(&result[static_cast<size_t>(((o * padded[1] + c) * padded[2] + y) * padded[3] + first) * size], from, row);
      }
    }
  }
  return result;
}

std::vector<graph::TensorType> TypesOf(const Node& n) {
  std::vector<graph::TensorType> types;
  for (const auto& v : n.outputs) types.push_back(v->type);
  return types;
}

// Lets the convolution of `copy`, which is or has a copy of the plan's, read the copies of its image and weights.
absl::Status ReadCopies(Node& copy, const Plan& plan) {
  if (copy.body == nullptr) {
    copy.attributes.Set("pad", Ints{0, 0});
    return absl::OkStatus();
  }
  const auto& nodes = copy.body->nodes();
  Node& conv = **std::find_if(nodes.begin(), nodes.end(), [&](const auto& n) { return n.get() == Anchor(copy); });
  conv.attributes.Set("pad", Ints{0, 0});
  // Before and after conversions.
  for (int i : {0, 1}) {
    Value* inner = conv.inputs[i];
    Value* outer = inner->producer->op == "cast" ? inner->producer->inputs[0] : inner;
    inner->type.shape = outer->type.shape = i == 0 ? plan.image : plan.weights;
  }
  if (!plan.half) return absl::OkStatus();
  Value* image = conv.inputs[0];
  const std::string dtype = ToString(image->type.dtype);
  image->type.dtype = graph::DType(graph::DTypeKind::kFloat16);
  copy.body->SetInsertionPoint(&conv);
  ASSIGN_OR_RETURN(conv.inputs[0], copy.body->Add("cast", {image}, {{"dtype", dtype}}, image->producer->name));
  copy.body->SetInsertionPoint(nullptr);
  return absl::OkStatus();
}

// The image's copy, in one step.
absl::StatusOr<Value*> AddPadded(Graph& g, Value* x, const Plan& plan, const std::string& name) {
  const ops::ConvParams& p = plan.params;
  const Attributes padding = {{"before", Ints{0, 0, p.pad[0], p.pad[1]}},
                              {"after", Ints{0, plan.channels() - x->type.shape[1], p.pad_after[0], plan.after}},
                              {"value", static_cast<double>(ZeroPoint(plan.x))}};
  if (!plan.half) return g.Add("pad", {x}, padding, name);
  auto fused = std::make_unique<Node>();
  fused->op = "fused";
  fused->name = name;
  fused->inputs = {x};
  fused->body = std::make_unique<Graph>();
  Value* inner = fused->body->AddInput("x", x->type);
  ASSIGN_OR_RETURN(inner, fused->body->Add("cast", {inner}, {{"dtype", ToString(graph::DType(graph::DTypeKind::kFloat16))}}, name));
  ASSIGN_OR_RETURN(inner, fused->body->Add("pad", {inner}, padding, name));
  fused->body->AddOutput(inner, "out");
  return g.Insert(std::move(fused), {inner->type})->output();
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
      ASSIGN_OR_RETURN(Value * copy, AddPadded(g, x, plan, node.name));
      s.WantChannelsLast(copy);
      inputs.push_back(copy);
    } else if (v == plan.w) {
      inputs.push_back(g.AddConstant({v->type.dtype, plan.weights}, PaddedWeights(v, plan.weights, p.flip), v->producer->name));
      s.PlaceConstant(inputs.back());
    } else {
      const Node& producer = *v->producer;
      inputs.push_back(producer.op == "constant" ? g.AddConstant(v->type, producer.data, producer.name) : g.AddInput(producer.name, v->type));
      s.Place(inputs.back(), s.placement(v));
    }
  }
  auto copy = std::make_unique<Node>();
  copy->op = node.op;
  copy->name = node.name;
  copy->attributes = node.attributes;
  copy->inputs = std::move(inputs);
  if (node.body != nullptr) copy->body = std::make_unique<Graph>(graph::Clone(*node.body));
  Node* placed = g.Insert(std::move(copy), TypesOf(node));
  RETURN_IF_ERROR(ReadCopies(*placed, plan));
  g.AddOutput(placed->output(), "out");
  RETURN_IF_ERROR(s.ScheduleInstead(g, node));
  return true;
}

}  // namespace mgec::schedule
