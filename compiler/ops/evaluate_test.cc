#include "compiler/ops/evaluate.h"

#include "compiler/ops/testing.h"

namespace mgec::ops {
namespace {

using graph::DTypeKind;
using graph::Graph;
using graph::Value;

TensorData Bytes(const Tensor& t) { return std::make_shared<const std::string>(t.bytes); }

TEST(EvaluateGraphTest, ReturnsTheOutputsInOrder) {
  Graph g;
  Value* x = g.AddInput("x", {DTypeKind::kFloat32, {2}});
  Value* y = g.AddInput("y", {DTypeKind::kFloat32, {1}});
  Value* sum = g.Add("add", {x, y}).value();
  g.AddOutput(g.Add("mul", {sum, g.AddScalar(10)}).value(), "scaled");
  g.AddOutput(sum, "sum");
  g.AddOutput(y, "y");
  const auto results = EvaluateGraph(g, {{"x", Bytes(F32({2}, {1, 2}))}, {"y", Bytes(F32({1}, {0.5f}))}});
  ASSERT_TRUE(results.ok()) << results.status();
  ASSERT_EQ(results->size(), 3u);
  EXPECT_EQ(*(*results)[0], F32({2}, {15, 25}).bytes);
  EXPECT_EQ(*(*results)[1], F32({2}, {1.5f, 2.5f}).bytes);
  EXPECT_EQ(*(*results)[2], F32({1}, {0.5f}).bytes);
}

TEST(EvaluateGraphTest, NamesWhatIsWrongWithTheInputs) {
  Graph g;
  g.AddOutput(g.AddInput("x", {DTypeKind::kFloat32, {2}}), "x");
  EXPECT_EQ(EvaluateGraph(g, {}).status().message(), "input 'x' is not given");
  EXPECT_EQ(EvaluateGraph(g, {{"x", Bytes(F32({1}, {1}))}}).status().message(), "input 'x' has 4 bytes, needs 8");
}

TEST(EvaluateNodeTest, NamesTheNodeThatFails) {
  Graph g;
  Value* x = g.AddInput("x", {DTypeKind::kFloat32, {2}});
  Value* y = g.Add("exp", {x}, {}, "node").value();
  const auto results = EvaluateNode(*y->producer, {Bytes(F32({1}, {1}))});
  EXPECT_EQ(results.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(results.status().message().find("exp \"node\": "), absl::string_view::npos) << results.status();
}

TEST(EvaluateConstantTest, FollowsConstantsAndShapes) {
  Graph g;
  Value* x = g.AddInput("x", {DTypeKind::kFloat32, {2, 3, 4}});
  Value* exp = g.Add("exp", {x}, {}, "e").value();
  Value* shape = g.Add("shape_of", {exp}).value();
  Value* product =
      g.Add("reduce", {shape}, {{"mode", std::string("product")}, {"axes", std::vector<int64_t>{0}}}).value();
  Value* minus = g.Add("sub", {product, g.AddInts({25})}).value();
  const size_t nodes = g.nodes().size();
  EXPECT_EQ(EvaluateInts(shape).value(), (std::vector<int64_t>{2, 3, 4}));
  EXPECT_EQ(EvaluateInts(minus).value(), std::vector<int64_t>{-1});
  EXPECT_EQ(g.nodes().size(), nodes);
  Value* dependent = g.Add("add", {exp, g.AddScalar(1)}).value();
  const absl::Status s = EvaluateConstant(dependent).status();
  EXPECT_EQ(s.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(s.message(), "depends on the network input 'x'");
}

TEST(EvaluateIntsTest, TakesIntegersOfEveryKind) {
  Graph g;
  auto ints = [&](const Tensor& t) { return EvaluateInts(g.AddConstant(t.type, t.bytes)); };
  EXPECT_EQ(ints(F32({2}, {3, -4})).value(), (std::vector<int64_t>{3, -4}));
  EXPECT_EQ(ints(TensorOf<int8_t>(DTypeKind::kInt8, {2}, {-1, 127})).value(), (std::vector<int64_t>{-1, 127}));
  EXPECT_EQ(ints(TensorOf<uint8_t>(DTypeKind::kUint8, {2}, {1, 255})).value(), (std::vector<int64_t>{1, 255}));
  EXPECT_EQ(ints(TensorOf<int16_t>(DTypeKind::kInt16, {2}, {-300, 300})).value(), (std::vector<int64_t>{-300, 300}));
  EXPECT_EQ(ints(TensorOf<uint16_t>(DTypeKind::kUint16, {1}, {65535})).value(), std::vector<int64_t>{65535});
  EXPECT_EQ(ints(F32({1}, {1.5f})).status().message(), "is 1.5, not an integer");
  EXPECT_EQ(ints(F32({1}, {std::numeric_limits<float>::quiet_NaN()})).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ints(TensorOf<uint16_t>(DTypeKind::kFloat16, {2}, {0x4600, 0xc000})).value(), (std::vector<int64_t>{6, -2}));
  EXPECT_EQ(ints(TensorOf<uint16_t>(DTypeKind::kBFloat16, {1}, {0x40c0})).value(), std::vector<int64_t>{6});
  EXPECT_EQ(ints(TensorOf<uint16_t>(DTypeKind::kFloat16, {1}, {0x3e00})).status().message(), "is 1.5, not an integer");
}

}  // namespace
}  // namespace mgec::ops
