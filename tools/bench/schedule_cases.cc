#include "tools/bench/schedule_cases.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "compiler/base/status_macros.h"
#include "tools/bench/operator_cases.h"

namespace mgec::bench {
namespace {

using graph::Attributes;
using graph::Graph;
using graph::Shape;
using graph::Value;
using Ints = std::vector<int64_t>;

// Quantized values, and the exact sums of their products.
constexpr char kQuantized[] = "qs8(0.05)", kSums[] = "qs32(0.0025)";

absl::StatusOr<Value*> Random(Graph& g, const std::string& dtype, const Shape& shape) {
  ASSIGN_OR_RETURN(const graph::DType d, graph::ParseDType(dtype));
  graph::TensorType type;
  type.dtype = d;
  type.shape = shape;
  Operand operand{graph::ToString(type)};
  ASSIGN_OR_RETURN(std::string data, RandomData(operand));
  return g.AddConstant(type, std::move(data));
}

absl::StatusOr<Value*> Add(Graph& g, const std::string& op, std::vector<Value*> operands, Attributes attributes = {},
                           const std::string& name = "") {
  ASSIGN_OR_RETURN(graph::Node * node, g.AddNode(op, std::move(operands), std::move(attributes), name));
  return node->output();
}

Value* Input(Graph& g, const std::string& dtype, const Shape& shape) {
  graph::TensorType type;
  type.dtype = *graph::ParseDType(dtype);
  type.shape = shape;
  return g.AddInput(absl::StrCat("x", g.inputs().size()), type);
}

absl::StatusOr<Value*> Convolve(Graph& g, Value* x, const Shape& weights, Attributes attributes, const std::string& name) {
  const bool integers = x->type.dtype.kind != graph::DTypeKind::kFloat32;
  ASSIGN_OR_RETURN(Value * w, Random(g, integers ? kQuantized : "f32", weights));
  if (!integers) return Add(g, "conv2d", {x, w}, std::move(attributes), name);
  attributes.Set("dtype", std::string(kSums));
  ASSIGN_OR_RETURN(Value * sums, Add(g, "int_conv2d", {x, w}, std::move(attributes), name));
  return Add(g, "cast", {sums}, {{"dtype", std::string(kQuantized)}}, name);
}

using Body = std::function<absl::StatusOr<Value*>(Graph&, Value*)>;

// input -> 1x1 convolution -> body -> 1x1 convolution -> output. Nothing of this fuses with the body.
absl::StatusOr<Graph> BetweenConvolutions(const std::string& dtype, int64_t channels, int64_t height, int64_t width,
                                          const Body& body) {
  Graph g;
  Value* x = Input(g, dtype, {1, 8, height, width});
  ASSIGN_OR_RETURN(x, Convolve(g, x, {channels, 8, 1, 1}, {}, "before"));
  ASSIGN_OR_RETURN(x, body(g, x));
  ASSIGN_OR_RETURN(x, Convolve(g, x, {8, x->type.shape[1], 1, 1}, {}, "after"));
  g.AddOutput(x, "y");
  return g;
}

struct Conv {
  std::string variant;
  int64_t in_channels, extent, out_channels, kernel;
  int64_t stride = 1, group = 1;
  bool winograd = false, integers = false;
};

ScheduleCase CaseOf(const Conv& c) {
  ScheduleCase result;
  const int64_t out_extent = (c.extent + c.stride - 1) / c.stride;
  result.name = absl::StrCat(c.integers ? "int_conv2d/" : "conv2d/", c.variant, "/", c.in_channels, "x", c.extent, "x", c.extent,
                             "_", c.out_channels, "x", out_extent, "x", out_extent);
  result.winograd = c.winograd;
  result.integers = c.integers;
  Shape weights = {c.out_channels / c.group, c.in_channels / c.group, c.kernel, c.kernel};
  if (c.group > 1) weights.insert(weights.begin(), c.group);
  const Attributes attributes = {{"stride", Ints{c.stride, c.stride}},
                                 {"pad", Ints{c.kernel / 2, c.kernel / 2}},
                                 {"group", c.group}};
  const std::string dtype = c.integers ? kQuantized : "f32";
  result.graph = [=]() -> absl::StatusOr<Graph> {
    if (c.in_channels > 4) {
      return BetweenConvolutions(dtype, c.in_channels, c.extent, c.extent, [=](Graph& g, Value* x) {
        return Convolve(g, x, weights, attributes, kMeasured);
      });
    }
    Graph g;  // a network's first layer
    ASSIGN_OR_RETURN(Value * x, Convolve(g, Input(g, dtype, {1, c.in_channels, c.extent, c.extent}), weights, attributes, kMeasured));
    ASSIGN_OR_RETURN(x, Convolve(g, x, {8, c.out_channels, 1, 1}, {}, "after"));
    g.AddOutput(x, "y");
    return g;
  };
  return result;
}

// An operator on blocked tensors.
ScheduleCase Blocked(const std::string& name, const std::string& op, int64_t channels, int64_t extent, Attributes attributes) {
  return {absl::StrCat(name, "/", channels, "x", extent, "x", extent), [=] {
            return BetweenConvolutions("f32", channels, extent, extent,
                                       [=](Graph& g, Value* x) { return Add(g, op, {x}, attributes, kMeasured); });
          }};
}

// An operator on tensors as they come, some of them constants.
ScheduleCase Plain(const std::string& name, const std::string& op, const std::vector<Shape>& inputs,
                   const std::vector<Shape>& constants, Attributes attributes = {}) {
  return {name, [=]() -> absl::StatusOr<Graph> {
            Graph g;
            std::vector<Value*> operands;
            for (const Shape& shape : inputs) operands.push_back(Input(g, "f32", shape));
            for (const Shape& shape : constants) {
              ASSIGN_OR_RETURN(Value * c, Random(g, "f32", shape));
              operands.push_back(c);
            }
            ASSIGN_OR_RETURN(Value * y, Add(g, op, operands, attributes, kMeasured));
            g.AddOutput(y, "y");
            return g;
          }};
}

// Attention with the movements around it: q, k and v are [1, tokens, heads * depth], the result is, too. All nodes are measured.
ScheduleCase Attention(const std::string& variant, int64_t heads, int64_t tokens, int64_t depth, bool causal = false) {
  return {absl::StrCat("attention/", variant, "/", heads, "x", tokens, "x", depth), [=]() -> absl::StatusOr<Graph> {
            Graph g;
            auto add = [&](const std::string& op, std::vector<Value*> operands, Attributes attributes) {
              return Add(g, op, std::move(operands), std::move(attributes), kMeasured);
            };
            std::vector<Value*> parts;
            for (int i = 0; i < 3; ++i) {
              Value* x = Input(g, "f32", {1, tokens, heads * depth});
              ASSIGN_OR_RETURN(x, add("reshape", {x}, {{"shape", Shape{tokens, heads, depth}}}));
              ASSIGN_OR_RETURN(x, add("transpose", {x}, {{"perm", Ints{1, 0, 2}}}));
              parts.push_back(x);
            }
            ASSIGN_OR_RETURN(Value * scores, add("matmul", {parts[0], parts[1]}, {{"transpose_b", int64_t{1}}}));
            ASSIGN_OR_RETURN(scores, add("true_div", {scores, g.AddScalar(8)}, {}));
            if (causal) {
              std::vector<float> mask(tokens * tokens);
              for (int64_t i = 0; i < tokens * tokens; ++i) mask[i] = i % tokens > i / tokens ? -1e9f : 0.0f;
              Value* constant = g.AddConstant({graph::DTypeKind::kFloat32, {tokens, tokens}},
                                              std::string(reinterpret_cast<const char*>(mask.data()), mask.size() * 4));
              ASSIGN_OR_RETURN(scores, add("add", {scores, constant}, {}));
            }
            ASSIGN_OR_RETURN(Value * weights, add("softmax", {scores}, {{"axis", int64_t{2}}}));
            ASSIGN_OR_RETURN(Value * y, add("matmul", {weights, parts[2]}, {}));
            ASSIGN_OR_RETURN(y, add("transpose", {y}, {{"perm", Ints{1, 0, 2}}}));
            ASSIGN_OR_RETURN(y, add("reshape", {y}, {{"shape", Shape{1, tokens, heads * depth}}}));
            g.AddOutput(y, "y");
            return g;
          }};
}

std::vector<ScheduleCase> AllCases() {
  std::vector<ScheduleCase> cases;
  for (const Conv& c : std::vector<Conv>{
           {"1x1", 116, 14, 116, 1},
           {"1x1", 256, 56, 64, 1},
           {"1x1_stride2", 256, 56, 512, 1, 2},
           {"3x3", 64, 56, 64, 3},
           {"3x3_winograd", 64, 56, 64, 3, 1, 1, true},
           {"3x3", 256, 14, 256, 3},
           {"3x3_winograd", 256, 14, 256, 3, 1, 1, true},
           {"3x3_stride2", 64, 56, 128, 3, 2},
           {"3x3_4groups", 128, 28, 128, 3, 1, 4},
           {"5x5", 64, 28, 64, 5},
           {"few_channels_3x3_stride2", 3, 224, 24, 3, 2},
           {"few_channels_6x6_stride2", 3, 416, 16, 6, 2},
           {"few_channels_6x6_stride2_winograd", 3, 416, 16, 6, 2, 1, true},
           {"few_channels_7x7_stride2", 3, 224, 64, 7, 2},
           {"few_channels_7x7_stride2_winograd", 3, 224, 64, 7, 2, 1, true},
           {"depthwise_3x3", 116, 14, 116, 3, 1, 116},
           {"depthwise_3x3", 144, 56, 144, 3, 1, 144},
           {"depthwise_3x3_stride2", 96, 112, 96, 3, 2, 96},
           {"depthwise_5x5", 240, 28, 240, 5, 1, 240},
           {"1x1", 128, 28, 128, 1, 1, 1, false, true},
           {"3x3", 64, 56, 64, 3, 1, 1, false, true},
           {"depthwise_3x3", 144, 56, 144, 3, 1, 144, false, true},
       }) {
    cases.push_back(CaseOf(c));
  }
  const auto mode = [](const char* m) { return std::string(m); };
  for (ScheduleCase& c : std::vector<ScheduleCase>{
           Plain("matmul/197x192x768", "matmul", {{197, 192}}, {{192, 768}}),
           Plain("matmul/1x1024x1000", "matmul", {{1, 1024}}, {{1024, 1000}}),
           Plain("batched_matmul/3x197x64x197", "matmul", {{3, 197, 64}, {3, 197, 64}}, {}, {{"transpose_b", int64_t{1}}}),
           Plain("batched_matmul/3x197x197x64", "matmul", {{3, 197, 197}, {3, 197, 64}}, {}),
           Attention("vit_tiny", 3, 197, 64),
           Attention("bert", 12, 128, 64),
           Attention("bert", 12, 512, 64),
           Attention("causal", 12, 256, 64, /*causal=*/true),
           Attention("long", 4, 2048, 64),
           Plain("softmax/591x197", "softmax", {{591, 197}}, {}, {{"axis", int64_t{1}}}),
           Plain("layer_norm/197x192", "layer_norm", {{197, 192}}, {{192}, {192}}, {{"axes", Ints{1}}}),
           Plain("gelu/197x768", "gelu", {{197, 768}}, {}),
           Blocked("pool2d/max_3x3_stride2", "pool2d", 64, 112,
                   {{"mode", mode("max")}, {"window", Ints{3, 3}}, {"stride", Ints{2, 2}}, {"pad", Ints{1, 1}}}),
           Blocked("pool2d/average_global", "pool2d", 1024, 7,
                   {{"mode", mode("average")}, {"window", Ints{7, 7}}, {"stride", Ints{1, 1}}}),
           Blocked("resize/nearest_2x", "resize", 64, 52, {{"mode", mode("nearest")}, {"size", Ints{104, 104}}}),
           Blocked("resize/linear_2x", "resize", 64, 52, {{"mode", mode("linear")}, {"size", Ints{104, 104}}}),
       }) {
    cases.push_back(std::move(c));
  }
  return cases;
}

}  // namespace

const std::vector<ScheduleCase>& ScheduleCases() {
  static const auto* cases = new std::vector<ScheduleCase>(AllCases());
  return *cases;
}

}  // namespace mgec::bench
