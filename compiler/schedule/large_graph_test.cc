// Graphs that are long, deep or wide, as nobody writes them but files may say: scheduling and code generation take time in
// proportion.
#include "absl/strings/str_cat.h"
#include "compiler/codegen/llvm/codegen.h"
#include "compiler/graph/graph.h"
#include "compiler/ops/evaluate.h"
#include "compiler/passes/passes.h"
#include "compiler/schedule/testing/run_program.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using graph::Graph;
using graph::Value;
using Ints = std::vector<int64_t>;

class LargeGraphTest : public testing::Test {
 protected:
  Value* Add(const std::string& op, std::vector<Value*> inputs, graph::Attributes attributes = {}) {
    auto v = g_.Add(op, std::move(inputs), std::move(attributes));
    EXPECT_TRUE(v.ok()) << v.status();
    return *v;
  }
  Value* Weights(const graph::Shape& shape) {
    return g_.AddConstant({graph::DTypeKind::kFloat32, shape}, std::string(graph::NumElements(shape) * 4, '\0'));
  }
  // All the way to machine code.
  void Compile(Value* output) {
    g_.AddOutput(output, "out");
    const absl::Status passes = passes::RunPasses(g_);
    ASSERT_TRUE(passes.ok()) << passes;
    const kernel::Target target = kernel::DefaultTargets()[1];
    const auto program = RunnableProgram::Make(g_, target);
    ASSERT_TRUE(program.ok()) << program.status();
    const auto image = codegen::Generate(program->program().kernels, target, {});
    ASSERT_TRUE(image.ok()) << image.status();
  }

  Graph g_;
  Value* x_ = g_.AddInput("x", {graph::DTypeKind::kFloat32, {1, 16, 8, 8}});
};

TEST_F(LargeGraphTest, LongChainOfOneOperandNodes) {
  Value* y = x_;
  for (int i = 0; i < 3000; ++i) y = Add(i % 2 == 0 ? "relu" : "abs", {y});
  Compile(y);
}

TEST_F(LargeGraphTest, LongTailOfAConvolution) {
  Value* y = Add("conv2d", {x_, Weights({16, 16, 1, 1})});
  for (int i = 0; i < 1000; ++i) y = Add("add", {y, g_.AddScalar(static_cast<float>(i + 1))});
  Compile(y);
}

TEST_F(LargeGraphTest, ValuesUsedTwiceAgainAndAgain) {
  Value* y = x_;
  for (int i = 0; i < 60; ++i) y = Add("mul", {y, y});
  Compile(y);
}

TEST_F(LargeGraphTest, ValuesUsedTwiceAfterAConvolution) {
  Value* y = Add("conv2d", {x_, Weights({16, 16, 1, 1})});
  for (int i = 0; i < 40; ++i) y = Add("add", {y, Add("sigmoid", {y})});
  Compile(y);
}

TEST_F(LargeGraphTest, ValuesUsedTwiceAfterASoftmax) {
  Value* y = Add("softmax", {x_}, {{"axis", int64_t{1}}});
  for (int i = 0; i < 40; ++i) y = Add("add", {y, y});
  Compile(y);
}

TEST_F(LargeGraphTest, ManyOperands) {
  std::vector<Value*> parts;
  for (int i = 0; i < 300; ++i) parts.push_back(Add("add", {x_, g_.AddScalar(static_cast<float>(i))}));
  Compile(Add("concat", parts, {{"axis", int64_t{2}}}));
}

TEST_F(LargeGraphTest, LongChainOfMovement) {
  Value* y = x_;
  for (int i = 0; i < 40; ++i) {
    y = Add("reshape", {y}, {{"shape", i % 2 == 0 ? Ints{4, 4, 8, 8} : Ints{1, 16, 8, 8}}});
    y = Add("transpose", {y}, {{"perm", i % 2 == 0 ? Ints{1, 0, 3, 2} : Ints{0, 2, 1, 3}}});
    y = Add("reshape", {y}, {{"shape", Ints{1, 16, 8, 8}}});
  }
  Compile(y);
}

TEST_F(LargeGraphTest, GrowingByConcatenation) {
  Value* y = Add("conv2d", {x_, Weights({16, 16, 1, 1})});
  for (int i = 0; i < 10; ++i) y = Add("relu", {Add("concat", {y, y}, {{"axis", int64_t{1}}})});
  Compile(y);
}

TEST_F(LargeGraphTest, DeepConstants) {
  Value* y = g_.AddScalar(1);
  for (int i = 0; i < 100000; ++i) y = Add("abs", {y});
  const auto data = ops::EvaluateConstant(y);
  EXPECT_TRUE(data.ok()) << data.status();
}

TEST_F(LargeGraphTest, ConstantsThatAreTooLargeAreRefusedOrLeftToTheNetwork) {
  Value* y = Add("broadcast", {g_.AddScalar(1)}, {{"shape", Ints{1, 1 << 29}}});
  EXPECT_EQ(ops::EvaluateConstant(y).status().code(), absl::StatusCode::kResourceExhausted);
  Value* sum = Add("reduce", {y}, {{"mode", std::string("sum")}, {"axes", Ints{1}}});
  EXPECT_EQ(ops::EvaluateConstant(sum).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE(g_.Add("broadcast", {sum}, {{"shape", Ints{1 << 16, 1 << 16}}}).ok());
  Compile(Add("add", {x_, sum}));
}

TEST_F(LargeGraphTest, ShapesOfLargeValues) {
  Value* large = g_.AddInput("large", {graph::DTypeKind::kFloat32, {1, 1 << 29}});
  const auto shape = ops::EvaluateInts(Add("shape_of", {large}));
  ASSERT_TRUE(shape.ok()) << shape.status();
  EXPECT_EQ(*shape, (Ints{1, 1 << 29}));
}

}  // namespace
}  // namespace mgec::schedule
