// A fused node computes what its nodes compute one after the other, in as few stages as promised.
#include "compiler/ops/fused.h"

#include <random>

#include "compiler/graph/text.h"
#include "compiler/ops/op.h"
#include "compiler/ops/testing.h"

namespace mgec::ops {
namespace {

using graph::Node;

// The body evaluated as a fused node and node by node; returns the number of stages.
int ExpectSameResult(const std::string& body_text) {
  auto plain = graph::ParseText(body_text);
  EXPECT_TRUE(plain.ok()) << plain.status();
  if (!plain.ok()) return 0;
  std::mt19937 random(7);
  std::map<std::string, TensorData> inputs;
  std::vector<TensorData> operands;
  for (const Node* n : plain->inputs()) {
    std::vector<float> v(graph::NumElements(n->output()->type.shape));
    for (float& f : v) f = static_cast<float>(static_cast<int>(random() % 33) - 16) / 8;
    operands.push_back(std::make_shared<const std::string>(F32(n->output()->type.shape, v).bytes));
    inputs[n->name] = operands.back();
  }
  const auto want = EvaluateGraph(*plain, inputs);
  EXPECT_TRUE(want.ok()) << want.status();
  const auto d = FusedDefinition(*plain);
  EXPECT_TRUE(d.ok()) << d.status();
  const auto got = EvaluateDefinition(*d, operands);
  EXPECT_TRUE(got.ok()) << got.status();
  if (!got.ok() || !want.ok()) return 0;
  for (size_t o = 0; o < want->size(); ++o) {
    const Tensor a{{}, *(*got)[o]}, b{{}, *(*want)[o]};
    ExpectNear(ValuesOf<float>(a), ValuesOf<float>(b), 1e-5f);
  }
  return static_cast<int>(d->stages().size());
}

TEST(FusedTest, PointwiseChainsAreOneStage) {
  EXPECT_EQ(ExpectSameResult(R"(graph {
    %x = input() "x" : f32[2,3,5]
    %b = input() "b" : f32[3,1]
    %1 = add(%x, %b) : f32[2,3,5]
    %2 = relu(%1) : f32[2,3,5]
    %3 = mul(%2, %1) : f32[2,3,5]
    return %3 "out"
  })"), 1);
}

TEST(FusedTest, DataMovementIsIndexArithmetic) {
  EXPECT_EQ(ExpectSameResult(R"(graph {
    %x = input() "x" : f32[1,6,2,3]
    %1 = reshape(%x) {shape=[1,2,3,2,3]} : f32[1,2,3,2,3]
    %2 = transpose(%1) {perm=[0,2,1,3,4]} : f32[1,3,2,2,3]
    %3 = reshape(%2) {shape=[1,6,2,3]} : f32[1,6,2,3]
    %4 = slice(%3) {begin=[0,1,0,2], end=[1,6,2,-1], step=[1,2,1,-1]} : f32[1,3,2,3]
    return %4 "out"
  })"), 1);
}

TEST(FusedTest, AContractionTakesItsTail) {
  EXPECT_EQ(ExpectSameResult(R"(graph {
    %x = input() "x" : f32[1,3,4,5]
    %w = input() "w" : f32[2,3,3,3]
    %b = input() "b" : f32[1,2,1,1]
    %z = input() "z" : f32[1,2,4,5]
    %1 = conv2d(%x, %w) {pad=[1,1]} : f32[1,2,4,5]
    %2 = add(%1, %b) : f32[1,2,4,5]
    %3 = add(%2, %z) : f32[1,2,4,5]
    %4 = relu(%3) : f32[1,2,4,5]
    return %4 "out"
  })"), 1);
}

TEST(FusedTest, AReductionWithSeveralReadersStays) {
  EXPECT_EQ(ExpectSameResult(R"(graph {
    %x = input() "x" : f32[3,5]
    %1 = reduce(%x) {axes=[1], mode="sum"} : f32[3,1]
    %2 = abs(%1) : f32[3,1]
    %3 = add(%x, %1) : f32[3,5]
    %4 = mul(%3, %2) : f32[3,5]
    return %4 "out"
  })"), 2);
}

TEST(FusedTest, CostlyFunctionsAreNotRepeatedInReductions) {
  EXPECT_EQ(ExpectSameResult(R"(graph {
    %x = input() "x" : f32[3,5]
    %1 = exp(%x) : f32[3,5]
    %2 = reduce(%1) {axes=[1], mode="sum"} : f32[3,1]
    return %2 "out"
  })"), 2);
}

TEST(FusedTest, SoftmaxTakesItsTail) {
  EXPECT_EQ(ExpectSameResult(R"(graph {
    %x = input() "x" : f32[3,5]
    %1 = softmax(%x) {axis=1} : f32[3,5]
    %2 = mul(%1, %x) : f32[3,5]
    return %2 "out"
  })"), 4);
}

TEST(FusedTest, SeveralOutputsOneOfThemAnInput) {
  EXPECT_EQ(ExpectSameResult(R"(graph {
    %x = input() "x" : f32[2,3]
    %y = input() "y" : f32[2,3]
    %1 = add(%x, %y) : f32[2,3]
    %2 = abs(%1) : f32[2,3]
    return %2 "abs", %1 "sum", %y "y"
  })"), 2);
}

TEST(FusedTest, ATransposeOfAReductionReadsItElsewhere) {
  EXPECT_EQ(ExpectSameResult(R"(graph {
    %x = input() "x" : f32[2,3,4]
    %1 = reduce(%x) {axes=[2], mode="sum"} : f32[2,3,1]
    %2 = transpose(%1) {perm=[1,0,2]} : f32[3,2,1]
    %3 = relu(%2) : f32[3,2,1]
    return %3 "out"
  })"), 2);
}

}  // namespace
}  // namespace mgec::ops
