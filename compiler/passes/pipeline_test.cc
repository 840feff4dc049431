// All passes together: random small networks keep their results.
#include <set>

#include "compiler/passes/testing.h"

namespace mgec::passes {
namespace {

using graph::Graph;
using graph::Node;
using graph::Value;
using Ints = std::vector<int64_t>;

TEST(PipelineTest, NamesThePassThatFails) {
  const char* const kGraph = R"(graph {
    %x = input() "x" : f32[2]
    %y = relu(%x) "y" : f32[2]
    return %y "y"
  })";
  const Pass fails = {"fails", [](Graph&) -> PassResult { return absl::InvalidArgumentError("\"y\" is odd"); }};
  const Pass breaks = {"breaks", [](Graph& g) -> PassResult {
    g.outputs()[0].value->type.shape = {3};
    return true;
  }};
  Graph g = Parsed(kGraph);
  const absl::Status failed = RunPasses(g, {{"eliminate-dead-nodes", EliminateDeadNodes}, fails});
  EXPECT_EQ(failed.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(failed.message(), "pass fails: \"y\" is odd");
  const absl::Status broken = RunPasses(g, {breaks});
  EXPECT_EQ(broken.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(broken.message().find("pass breaks: "), 0u) << broken;
}

// A block of a residual network.
TEST(PipelineTest, ConvolutionAndBatchNormAreOneKernel) {
  Graph g = Parsed(R"(graph {
    %x = input() "x" : f32[1,1,2,2]
    %w = constant() {data=0x00000040} : f32[1,1,1,1]
    %p = constant() {data=0x0000803f} : f32[1,1,1,1]
    %1 = conv2d(%x, %w, %p) {activation="identity"} "conv" : f32[1,1,2,2]
    %2 = batch_norm(%1, %p, %p, %p, %p) {epsilon=3.0} "bn" : f32[1,1,2,2]
    %3 = fuse_add_relu(%2, %x) "out" : f32[1,1,2,2]
    return %3 "y"
  })");
  ASSERT_TRUE(RunPasses(g).ok());
  // 1 * (2 x + 1 - 1) / sqrt(1 + 3) + 1
  EXPECT_EQ(ToText(g), R"(graph {
  %0 = input() "x" : f32[1,1,2,2]
  %1 = constant() {data=0x0000803f} : f32[1,1,1,1]
  %2 = fused(%0, %1) "conv" : f32[1,1,2,2] {
    %0 = input() "in0" : f32[1,1,2,2]
    %1 = input() "in1" : f32[1,1,1,1]
    %2 = conv2d(%0, %1) "conv" : f32[1,1,2,2]
    %3 = add(%2, %1) "bn" : f32[1,1,2,2]
    %4 = add(%3, %0) "out" : f32[1,1,2,2]
    %5 = relu(%4) "out" : f32[1,1,2,2]
    return %5 "out"
  }
  return %2 "y"
}
)");
}

// Appends random nodes over values of shape [N, 4, 4, 4] and whatever comes of them.
class RandomNetwork {
 public:
  explicit RandomNetwork(uint32_t seed) : random_(seed) {
    half_ = Number(0, 9) == 0;
    const graph::DType dtype = half_ ? graph::DTypeKind::kFloat16 : graph::DTypeKind::kFloat32;
    for (int i = 0; i < 2; ++i) values_.push_back(g.AddInput("x" + std::to_string(i), {dtype, {2, 4, 4, 4}}));
    if (half_) {
      for (Value*& v : values_) v = Add("cast", {v}, {{"dtype", std::string("f32")}});
    }
    const int64_t nodes = Number(3, 14);
    for (int64_t i = 0; i < nodes; ++i) Step();
    std::set<Value*> outputs = {values_.back()};
    for (int64_t i = Number(0, 2); i > 0; --i) outputs.insert(Any());
    int k = 0;
    for (Value* v : values_) {
      if (outputs.count(v) != 0 && v->producer->op != "input") g.AddOutput(v, "y" + std::to_string(k++));
    }
  }

  Graph g;

 private:
  int64_t Number(int64_t lo, int64_t hi) {
    return lo + static_cast<int64_t>(random_() % static_cast<uint64_t>(hi - lo + 1));
  }
  Value* Any() { return values_[Number(0, static_cast<int64_t>(values_.size()) - 1)]; }
  Value* Constant(graph::Shape shape, bool positive = false) {
    std::string bytes;
    for (int64_t i = graph::NumElements(shape); i > 0; --i) {
      const float f = static_cast<float>(positive ? Number(2, 16) : Number(-8, 8)) / 8;
      bytes.append(reinterpret_cast<const char*>(&f), 4);
    }
    return g.AddConstant({graph::DTypeKind::kFloat32, std::move(shape)}, std::move(bytes));
  }
  Value* Add(const std::string& op, std::vector<Value*> in, graph::Attributes a = {}) {
    auto y = g.Add(op, std::move(in), std::move(a), op + std::to_string(count_++));
    EXPECT_TRUE(y.ok()) << y.status();
    return y.ok() ? *y : values_[0];
  }
  void Keep(Value* v) { values_.push_back(v); }

  Value* Conv(Value* x) {
    const int64_t c = x->type.shape[1], k = Number(0, 1) ? 3 : 1;
    graph::Attributes a = {{"pad", Ints{k / 2, k / 2}}};
    Value* w;
    switch (Number(0, 3)) {
      case 0:  // depthwise
        w = Constant({c, 1, 1, k, k});
        a.Set("group", c);
        break;
      case 1: {  // grouped
        const int64_t groups = c % 2 == 0 ? 2 : 1;
        w = Constant({groups, 2, c / groups, k, k});
        a.Set("group", groups);
        break;
      }
      default: w = Constant({4, c, k, k});
    }
    const int64_t oc = w->type.shape.size() == 5 ? w->type.shape[0] * w->type.shape[1] : w->type.shape[0];
    if (Number(0, 2) == 0) {
      static const char* const kActivations[] = {"identity", "relu", "h_swish", "sigmoid"};
      a.Set("activation", std::string(kActivations[Number(0, 3)]));
    }
    if (Number(0, 2) == 0) {  // a padding of its own
      Value* padded = Add("pad", {x}, {{"before", Ints{0, 0, 1, 0}}, {"after", Ints{0, 0, 0, 1}}});
      if (Number(0, 1)) return Add("conv2d", {padded, w}, a);
      return Add("conv2d", {padded, w, Constant({1, oc, 1, 1})}, a);
    }
    if (Number(0, 1)) return Add("conv2d", {x, w}, a);
    return Add("conv2d", {x, w, Constant({1, oc, 1, 1})}, a);
  }

  void Step() {
    Value* x = Any();
    const graph::Shape& s = x->type.shape;
    static const char* const kUnary[] = {"relu", "sigmoid", "tanh", "h_swish", "abs", "negate", "identity", "relu6"};
    static const char* const kBinary[] = {"add", "mul",           "sub",           "max",
                                          "min", "fuse_add_relu", "fuse_add_tanh", "switch_gt0"};
    const bool image = s.size() == 4;
    switch (Number(0, 13)) {
      case 0:
      case 1: return Keep(Add(kUnary[Number(0, 7)], {x}));
      case 2: {  // with another value of the same shape
        std::vector<Value*> same;
        for (Value* v : values_) {
          if (v->type == x->type) same.push_back(v);
        }
        return Keep(Add(kBinary[Number(0, 7)], {x, same[Number(0, static_cast<int64_t>(same.size()) - 1)]}));
      }
      case 3: {  // with a constant, on either side
        graph::Shape c(s.size(), 1);
        if (s.size() > 1 && Number(0, 2) != 0) c[1] = s[1];
        Value* k = Constant(Number(0, 3) == 0 ? graph::Shape{1} : c);
        const char* op = kBinary[Number(0, 4)];
        return Keep(Number(0, 1) ? Add(op, {x, k}) : Add(op, {k, x}));
      }
      case 4:
      case 5:
      case 6: return image ? Keep(Conv(x)) : Keep(Add("tanh", {x}));
      case 7: {
        if (!image) return Keep(Add("reduce", {x}, {{"mode", std::string("mean")}, {"axes", Ints{0}}}));
        const graph::Shape p = {1, s[1], 1, 1};
        return Keep(
            Add("batch_norm", {x, Constant(p), Constant(p), Constant(p), Constant(p, true)}, {{"epsilon", 0.5}}));
      }
      case 8: {  // channel shuffle
        if (!image || s[1] % 2 != 0) return Keep(Add("softmax", {x}, {{"axis", static_cast<int64_t>(s.size()) - 1}}));
        Value* y = Add("reshape", {x}, {{"shape", Ints{s[0], 2, s[1] / 2, s[2], s[3]}}});
        y = Add("transpose", {y}, {{"perm", Ints{0, 2, 1, 3, 4}}});
        return Keep(Add("reshape", {y}, {{"shape", Ints{s[0], s[1], s[2], s[3]}}}));
      }
      case 9: {  // both halves of the channels in the other order
        if (!image || s[1] < 2) return Keep(Add("exp", {Add("tanh", {x})}));
        auto part = [&](int64_t b, int64_t e) {
          return Add("slice", {x},
                     {{"begin", Ints{0, b, 0, 0}}, {"end", Ints{s[0], e, s[2], s[3]}}, {"step", Ints{1, 1, 1, 1}}});
        };
        Value* a = part(s[1] / 2, s[1]);
        return Keep(Add("concat", {a, part(0, s[1] / 2)}, {{"axis", int64_t{1}}}));
      }
      case 10: {
        Ints perm(s.size());
        for (size_t i = 0; i < perm.size(); ++i) perm[i] = static_cast<int64_t>(i);
        std::shuffle(perm.begin() + 1, perm.end(), random_);
        return Keep(Add("transpose", {x}, {{"perm", perm}}));
      }
      case 11: {  // flat, and a dense layer
        const int64_t n = s[0], k = graph::NumElements(s) / n;
        Value* y = Add("reshape", {x}, {{"shape", Ints{n, k}}});
        const bool t = Number(0, 1);
        y = Add("matmul", {y, t ? Constant({3, k}) : Constant({k, 3})}, {{"transpose_b", int64_t{t}}});
        return Keep(Add("add", {y, Constant({3})}));
      }
      case 12: {
        if (!image || s[2] < 2 || s[3] < 2) return Keep(Add("square", {Add("tanh", {x})}));
        static const char* const kModes[] = {"max", "average", "average_count_exclude_padding"};
        return Keep(Add("pool2d", {x}, {{"mode", std::string(kModes[Number(0, 2)])}, {"window", Ints{2, 2}},
                                        {"stride", Ints{1, 1}}, {"pad", Ints{1, 0}}}));
      }
      default: {  // divided by the number of elements, which follows from the shape
        Value* shape = Add("cast", {Add("shape_of", {x})}, {{"dtype", std::string("f32")}});
        Value* n = Add("reduce", {shape}, {{"mode", std::string("product")}, {"axes", Ints{0}}});
        return Keep(Add("true_div", {x, n}));
      }
    }
  }

  std::mt19937 random_;
  std::vector<Value*> values_;
  bool half_ = false;
  int count_ = 0;
};

TEST(PipelineTest, RandomNetworksKeepTheirResults) {
  for (uint32_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomNetwork network(seed);
    if (network.g.outputs().empty()) continue;
    const std::string text = ToText(network.g, AllBytes());
    Graph optimized = Parsed(text);
    const absl::Status s = RunPasses(optimized);
    ASSERT_TRUE(s.ok()) << s << "\n" << text;
    ExpectSameResults(network.g, optimized, seed, 2e-4f);
    if (testing::Test::HasFailure()) FAIL() << ToText(network.g) << "became\n" << ToText(optimized);
  }
}

}  // namespace
}  // namespace mgec::passes
