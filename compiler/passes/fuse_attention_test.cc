#include "compiler/passes/testing.h"

namespace mgec::passes {
namespace {

// How many nodes of that operator a graph has, outside and inside of fused nodes.
std::pair<int, int> Count(const graph::Graph& g, const std::string& op) {
  std::pair<int, int> count{0, 0};
  for (const auto& n : g.nodes()) {
    count.first += n->op == op;
    if (n->body == nullptr) continue;
    for (const auto& m : n->body->nodes()) count.second += m->op == op;
  }
  return count;
}

// Runs the pass on a graph where all or no products of the given number become attention.
void ExpectFused(const std::string& text, bool fused, int products = 2) {
  graph::Graph g = Parsed(text);
  const graph::Graph original = Parsed(text);
  const PassResult changed = FuseAttention(g);
  ASSERT_TRUE(changed.ok()) << changed.status();
  EXPECT_EQ(*changed, fused) << text;
  ASSERT_TRUE(Verify(g).ok()) << Verify(g);
  EXPECT_EQ(Count(g, "matmul"), fused ? std::make_pair(0, products) : std::make_pair(products, 0)) << text;
  ExpectSameResults(original, g, 1, 1e-5f);
}

// The heads of one projection, a division, a mask, and the heads put side by side again.
TEST(FuseAttentionTest, HeadsWithTheMovementsAroundThem) {
  ExpectRewrite(FuseAttention, R"(graph {
    %x = input() "x" : f32[2,3,12]
    %mask = input() "mask" : f32[3,3]
    %root = constant() {data=0x0000803f} : f32[1]
    %1 = reshape(%x) {shape=[2,3,3,2,2]} : f32[2,3,3,2,2]
    %2 = transpose(%1) {perm=[2,0,3,1,4]} : f32[3,2,2,3,2]
    %3 = slice(%2) {begin=[0,0,0,0,0], end=[1,2,2,3,2], step=[1,1,1,1,1]} : f32[1,2,2,3,2]
    %q = reshape(%3) {shape=[4,3,2]} : f32[4,3,2]
    %4 = slice(%2) {begin=[1,0,0,0,0], end=[2,2,2,3,2], step=[1,1,1,1,1]} : f32[1,2,2,3,2]
    %k = reshape(%4) {shape=[4,3,2]} : f32[4,3,2]
    %5 = slice(%2) {begin=[2,0,0,0,0], end=[3,2,2,3,2], step=[1,1,1,1,1]} : f32[1,2,2,3,2]
    %v = reshape(%5) {shape=[4,3,2]} : f32[4,3,2]
    %6 = matmul(%q, %k) {transpose_b=1} "scores" : f32[4,3,3]
    %7 = reshape(%6) {shape=[2,2,3,3]} : f32[2,2,3,3]
    %8 = true_div(%7, %root) : f32[2,2,3,3]
    %9 = add(%mask, %8) : f32[2,2,3,3]
    %10 = softmax(%9) {axis=3} : f32[2,2,3,3]
    %11 = reshape(%10) {shape=[4,3,3]} : f32[4,3,3]
    %12 = matmul(%11, %v) "sum" : f32[4,3,2]
    %13 = reshape(%12) {shape=[2,2,3,2]} : f32[2,2,3,2]
    %14 = transpose(%13) {perm=[0,2,1,3]} : f32[2,3,2,2]
    %15 = reshape(%14) {shape=[6,4]} : f32[6,4]
    return %15 "y"
  })", R"(graph {
    %x = input() "x" : f32[2,3,12]
    %mask = input() "mask" : f32[3,3]
    %root = constant() {data=0x0000803f} : f32[1]
    %y = fused(%x, %root, %mask) "sum" : f32[6,4] {
      %x = input() "in0" : f32[2,3,12]
      %root = input() "in1" : f32[1]
      %mask = input() "in2" : f32[3,3]
      %1 = reshape(%x) {shape=[2,3,3,2,2]} : f32[2,3,3,2,2]
      %2 = transpose(%1) {perm=[2,0,3,1,4]} : f32[3,2,2,3,2]
      %3 = slice(%2) {begin=[0,0,0,0,0], end=[1,2,2,3,2], step=[1,1,1,1,1]} : f32[1,2,2,3,2]
      %q = reshape(%3) {shape=[4,3,2]} : f32[4,3,2]
      %4 = slice(%2) {begin=[1,0,0,0,0], end=[2,2,2,3,2], step=[1,1,1,1,1]} : f32[1,2,2,3,2]
      %k = reshape(%4) {shape=[4,3,2]} : f32[4,3,2]
      %5 = slice(%2) {begin=[2,0,0,0,0], end=[3,2,2,3,2], step=[1,1,1,1,1]} : f32[1,2,2,3,2]
      %v = reshape(%5) {shape=[4,3,2]} : f32[4,3,2]
      %6 = matmul(%q, %k) {transpose_b=1} "scores" : f32[4,3,3]
      %7 = reshape(%6) {shape=[2,2,3,3]} : f32[2,2,3,3]
      %8 = true_div(%7, %root) : f32[2,2,3,3]
      %9 = add(%mask, %8) : f32[2,2,3,3]
      %10 = softmax(%9) {axis=3} : f32[2,2,3,3]
      %11 = reshape(%10) {shape=[4,3,3]} : f32[4,3,3]
      %12 = matmul(%11, %v) "sum" : f32[4,3,2]
      %13 = reshape(%12) {shape=[2,2,3,2]} : f32[2,2,3,2]
      %14 = transpose(%13) {perm=[0,2,1,3]} : f32[2,3,2,2]
      %15 = reshape(%14) {shape=[6,4]} : f32[6,4]
      return %15 "out"
    }
    return %y "y"
  })");
}

std::string Attention(const std::string& between, const std::string& after = "", const std::string& returned = "return %y \"y\"") {
  return R"(graph {
    %q = input() "q" : f32[2,5,4]
    %k = input() "k" : f32[2,7,4]
    %v = input() "v" : f32[2,7,3]
    %half = constant() {data=0x0000003f} : f32[1]
    %s = matmul(%q, %k) {transpose_b=1} : f32[2,5,7]
    )" + between + R"(
    %y = matmul(%p, %v) : f32[2,5,3]
    )" + after + returned + "\n}";
}

constexpr char kSoftmax[] = "%p = softmax(%s) {axis=2} : f32[2,5,7]";

TEST(FuseAttentionTest, WithNothingBetween) { ExpectFused(Attention(kSoftmax), true); }

TEST(FuseAttentionTest, SoftmaxStepByStep) {
  ExpectFused(Attention(R"(
    %1 = mul(%half, %s) : f32[2,5,7]
    %max = reduce(%1) {mode="max", axes=[2]} : f32[2,5,1]
    %2 = sub(%1, %max) : f32[2,5,7]
    %3 = exp(%2) : f32[2,5,7]
    %sum = reduce(%3) {mode="sum", axes=[2]} : f32[2,5,1]
    %p = true_div(%3, %sum) : f32[2,5,7])"), true);
  ExpectFused(Attention(R"(
    %max = reduce(%s) {mode="max", axes=[1]} : f32[2,1,7]
    %2 = sub(%s, %max) : f32[2,5,7]
    %3 = exp(%2) : f32[2,5,7]
    %sum = reduce(%3) {mode="sum", axes=[2]} : f32[2,5,1]
    %p = true_div(%3, %sum) : f32[2,5,7])"), false);
}

TEST(FuseAttentionTest, PointwiseNodesOfManyKinds) {
  ExpectFused(Attention(R"(
    %1 = mul(%half, %s) : f32[2,5,7]
    %2 = tanh(%1) : f32[2,5,7]
    %bias = input() "bias" : f32[2,5,7]
    %3 = add(%bias, %2) : f32[2,5,7]
    %row = input() "row" : f32[5,1]
    %4 = mul(%3, %row) : f32[2,5,7]
    %p = softmax(%4) {axis=2} : f32[2,5,7])"), true);
}

TEST(FuseAttentionTest, SoftmaxAlongAnotherAxis) {
  ExpectFused(Attention("%p = softmax(%s) {axis=1} : f32[2,5,7]"), false);
}

// Scores and weights that others read must exist.
TEST(FuseAttentionTest, OtherReaders) {
  ExpectFused(Attention(kSoftmax, "", "return %y \"y\", %p \"weights\""), false);
  ExpectFused(Attention(kSoftmax, "%r = relu(%s) : f32[2,5,7]\n", "return %y \"y\", %r \"scores\""), false);
  ExpectFused(Attention("%1 = mul(%half, %s) : f32[2,5,7]\n%2 = sigmoid(%1) : f32[2,5,7]\n%3 = mul(%1, %2) : f32[2,5,7]\n"
                        "%p = softmax(%3) {axis=2} : f32[2,5,7]"), false);
}

// Both products with constants are better done by themselves.
TEST(FuseAttentionTest, ConstantKeys) {
  ExpectFused(R"(graph {
    %q = input() "q" : f32[1,2]
    %k = constant() {data=0x0000803f0000803f0000803f0000803f} : f32[2,2]
    %v = input() "v" : f32[2,3]
    %s = matmul(%q, %k) : f32[1,2]
    %p = softmax(%s) {axis=1} : f32[1,2]
    %y = matmul(%p, %v) : f32[1,3]
    return %y "y"
  })", false);
}

TEST(FuseAttentionTest, ScaledOperandsInAnyOrientation) {
  ExpectFused(R"(graph {
    %x = input() "x" : f32[4,6]
    %k = input() "k" : f32[4,9]
    %v = input() "v" : f32[5,9]
    %half = constant() {data=0x0000003f} : f32[1]
    %1 = mul(%x, %half) : f32[4,6]
    %q = transpose(%1) {perm=[1,0]} : f32[6,4]
    %s = matmul(%q, %k) : f32[6,9]
    %p = softmax(%s) {axis=1} : f32[6,9]
    %y = matmul(%p, %v) {transpose_b=1} : f32[6,5]
    return %y "y"
  })", true);
}

TEST(FuseAttentionTest, SeveralInOneGraph) {
  ExpectFused(R"(graph {
    %x = input() "x" : f32[1,4,2]
    %1 = matmul(%x, %x) {transpose_b=1} : f32[1,4,4]
    %2 = softmax(%1) {axis=2} : f32[1,4,4]
    %3 = matmul(%2, %x) : f32[1,4,2]
    %4 = matmul(%3, %3) {transpose_b=1} : f32[1,4,4]
    %5 = softmax(%4) {axis=2} : f32[1,4,4]
    %6 = matmul(%5, %3) : f32[1,4,2]
    return %6 "y"
  })", true, 4);
}

}  // namespace
}  // namespace mgec::passes
