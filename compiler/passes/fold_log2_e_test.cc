#include "compiler/passes/testing.h"

namespace mgec::passes {
namespace {

// 1, 2, 0.5, -1 become -1.442695, -2.88539, -0.7213475, 1.442695.
TEST(FoldLog2ETest, WeightsAndBiasTakeTheFactor) {
  ExpectRewrite(FoldLog2E, R"(graph {
    %x = input() "x" : f32[1,2,3,3]
    %w = constant() {data=0x0000803f000000400000003f000080bf} "w" : f32[2,2,1,1]
    %b = constant() {data=0x0000803f000080bf} "b" : f32[1,2,1,1]
    %1 = conv2d(%x, %w) "c" : f32[1,2,3,3]
    %2 = add(%b, %1) : f32[1,2,3,3]
    %y = silu(%2) "s" : f32[1,2,3,3]
    return %y "y"
  })", R"(graph {
    %x = input() "x" : f32[1,2,3,3]
    %w = constant() {data=0x3baab8bf3baa38c03baa38bf3baab83f} "w" : f32[2,2,1,1]
    %1 = conv2d(%x, %w) "c" : f32[1,2,3,3]
    %b = constant() {data=0x3baab8bf3baab83f} "b" : f32[1,2,1,1]
    %2 = add(%b, %1) : f32[1,2,3,3]
    %y = silu_exp2(%2) "s" : f32[1,2,3,3]
    return %y "y"
  })");
}

TEST(FoldLog2ETest, AMatrixProductWithoutBias) {
  ExpectRewrite(FoldLog2E, R"(graph {
    %x = input() "x" : f32[3,2]
    %w = constant() {data=0x0000803f00000040} "w" : f32[2,1]
    %1 = matmul(%x, %w) : f32[3,1]
    %y = sigmoid(%1) : f32[3,1]
    return %y "y"
  })", R"(graph {
    %x = input() "x" : f32[3,2]
    %w = constant() {data=0x3baab8bf3baa38c0} "w" : f32[2,1]
    %1 = matmul(%x, %w) : f32[3,1]
    %y = sigmoid_exp2(%1) : f32[3,1]
    return %y "y"
  })");
}

// Weights that another product reads keep their values there.
TEST(FoldLog2ETest, SharedWeights) {
  ExpectRewrite(FoldLog2E, R"(graph {
    %x = input() "x" : f32[1,1,2,2]
    %w = constant() {data=0x0000803f} "w" : f32[1,1,1,1]
    %1 = conv2d(%x, %w) : f32[1,1,2,2]
    %2 = conv2d(%1, %w) : f32[1,1,2,2]
    %y = silu(%2) : f32[1,1,2,2]
    return %y "y"
  })", R"(graph {
    %x = input() "x" : f32[1,1,2,2]
    %w = constant() {data=0x0000803f} "w" : f32[1,1,1,1]
    %1 = conv2d(%x, %w) : f32[1,1,2,2]
    %v = constant() {data=0x3baab8bf} "w" : f32[1,1,1,1]
    %2 = conv2d(%1, %v) : f32[1,1,2,2]
    %y = silu_exp2(%2) : f32[1,1,2,2]
    return %y "y"
  })");
}

TEST(FoldLog2ETest, LeavesTheRest) {
  const char kHead[] = R"(graph {
    %x = input() "x" : f32[1,1,2,2]
    %w = constant() {data=0x0000803f} "w" : f32[1,1,1,1]
    %large = constant() {data=0xffff7f7f} "w" : f32[1,1,1,1]
  )";
  for (const char* tail : {
           // somebody else wants the sum
           "%1 = conv2d(%x, %w) : f32[1,1,2,2]\n%2 = silu(%1) : f32[1,1,2,2]\nreturn %2 \"y\", %1 \"sum\"",
           "%1 = conv2d(%x, %w) : f32[1,1,2,2]\n%2 = add(%1, %w) : f32[1,1,2,2]\n%3 = silu(%2) : f32[1,1,2,2]\n"
           "return %3 \"y\", %2 \"sum\"",
           // not all of the sum is constant
           "%1 = conv2d(%x, %w) : f32[1,1,2,2]\n%2 = add(%1, %x) : f32[1,1,2,2]\n%3 = silu(%2) : f32[1,1,2,2]\nreturn %3 \"y\"",
           "%1 = conv2d(%x, %x) : f32[1,1,1,1]\n%2 = silu(%1) : f32[1,1,1,1]\nreturn %2 \"y\"",
           // too large
           "%1 = conv2d(%x, %large) : f32[1,1,2,2]\n%2 = silu(%1) : f32[1,1,2,2]\nreturn %2 \"y\"",
           // another activation
           "%1 = conv2d(%x, %w) {activation=\"relu\"} : f32[1,1,2,2]\n%2 = silu(%1) : f32[1,1,2,2]\nreturn %2 \"y\"",
           "%1 = silu(%x) : f32[1,1,2,2]\nreturn %1 \"y\"",
       }) {
    graph::Graph g = Parsed(std::string(kHead) + tail + "\n}\n");
    g.EraseDeadNodes();
    const std::string text = ToText(g, AllBytes());
    ExpectRewrite(FoldLog2E, text, nullptr);
  }
}

}  // namespace
}  // namespace mgec::passes
