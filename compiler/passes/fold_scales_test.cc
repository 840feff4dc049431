#include "compiler/passes/testing.h"

namespace mgec::passes {
namespace {

TEST(FoldScalesTest, AConvolutionTakesItsScale) {
  ExpectRewrite(FoldScales, R"(graph {
    %x = input() "x" : f32[1,2,3,3]
    %w = constant() {data=0x0000803f000000400000003f000080bf} "w" : f32[2,2,1,1]
    %k = constant() {data=0x00000040000080bf} : f32[1,2,1,1]
    %1 = conv2d(%x, %w) "c" : f32[1,2,3,3]
    %y = mul(%k, %1) : f32[1,2,3,3]
    return %y "y"
  })", R"(graph {
    %x = input() "x" : f32[1,2,3,3]
    %w = constant() {data=0x0000004000008040000000bf0000803f} "w" : f32[2,2,1,1]
    %1 = conv2d(%x, %w) "c" : f32[1,2,3,3]
    return %1 "y"
  })");
}

// What batch normalization leaves: bias and scale join across the sum.
TEST(FoldScalesTest, ScalesPassSums) {
  ExpectRewrite(FoldScales, R"(graph {
    %x = input() "x" : f32[1,2,3,3]
    %w = constant() {data=0x0000803f000000400000003f000080bf} "w" : f32[2,2,1,1]
    %b = constant() {data=0x0000803f00000040} : f32[1,2,1,1]
    %k = constant() {data=0x00000040000080bf} : f32[1,2,1,1]
    %1 = conv2d(%x, %w) "c" : f32[1,2,3,3]
    %2 = add(%1, %b) : f32[1,2,3,3]
    %3 = mul(%2, %k) "bn" : f32[1,2,3,3]
    %4 = add(%3, %b) "bn" : f32[1,2,3,3]
    return %4 "y"
  })", R"(graph {
    %x = input() "x" : f32[1,2,3,3]
    %w = constant() {data=0x0000004000008040000000bf0000803f} "w" : f32[2,2,1,1]
    %1 = conv2d(%x, %w) "c" : f32[1,2,3,3]
    %b = constant() {data=0x0000404000000000} "bn" : f32[1,2,1,1]
    %4 = add(%1, %b) "bn" : f32[1,2,3,3]
    return %4 "y"
  })");
}

TEST(FoldScalesTest, OneScaleAfterTheOther) {
  ExpectRewrite(FoldScales, R"(graph {
    %x = input() "x" : f32[1,1,2,2]
    %w = constant() {data=0x0000803f} : f32[1,1,1,1]
    %k = constant() {data=0x00000040} : f32[1]
    %1 = conv2d(%x, %w) "c" : f32[1,1,2,2]
    %2 = mul(%1, %k) : f32[1,1,2,2]
    %3 = mul(%2, %k) : f32[1,1,2,2]
    return %3 "y"
  })", R"(graph {
    %x = input() "x" : f32[1,1,2,2]
    %w = constant() {data=0x00008040} : f32[1,1,1,1]
    %1 = conv2d(%x, %w) "c" : f32[1,1,2,2]
    return %1 "y"
  })");
}

// Columns of [K, N], rows of [N, K].
TEST(FoldScalesTest, MatrixProductsInBothTranspositions) {
  for (const bool transposed : {false, true}) {
    const std::string a = transposed ? "{transpose_b=1}" : "{transpose_b=0}";
    auto text = [&](const std::string& w, const std::string& scale) {
      return "graph {\n%x = input() \"x\" : f32[3,2]\n%w = constant() {data=0x" + w + "} \"w\" : f32[2,2]\n" +
             (scale.empty() ? "" : "%k = constant() {data=0x" + scale + "} : f32[2]\n") +
             "%1 = matmul(%x, %w) " + a + " : f32[3,2]\n" +
             (scale.empty() ? "return %1 \"y\"" : "%2 = mul(%1, %k) : f32[3,2]\nreturn %2 \"y\"") + "\n}\n";
    };
    const std::string after = transposed ? "0000004000000040000080bf000080bf" : "00000040000080bf00000040000080bf";
    ExpectRewrite(FoldScales, text("0000803f0000803f0000803f0000803f", "00000040000080bf"), text(after, "").c_str());
  }
}

TEST(FoldScalesTest, GroupedWeightsCountChannelsInOrder) {
  ExpectRewrite(FoldScales, R"(graph {
    %x = input() "x" : f32[1,2,1,2]
    %w = constant() {data=0x0000803f00000040} "w" : f32[2,1,1,1,1]
    %k = constant() {data=0x00000040000080bf} : f32[2,1,1]
    %1 = conv2d(%x, %w) {group=2} : f32[1,2,1,2]
    %2 = mul(%1, %k) : f32[1,2,1,2]
    return %2 "y"
  })", R"(graph {
    %x = input() "x" : f32[1,2,1,2]
    %w = constant() {data=0x00000040000000c0} "w" : f32[2,1,1,1,1]
    %1 = conv2d(%x, %w) {group=2} : f32[1,2,1,2]
    return %1 "y"
  })");
}

TEST(FoldScalesTest, LeavesTheRest) {
  const char kHead[] = R"(graph {
    %x = input() "x" : f32[1,2,1,2]
    %w = constant() {data=0x0000803f000000400000003f000080bf} "w" : f32[2,2,1,1]
    %k = constant() {data=0x00000040000080bf} : f32[1,2,1,1]
    %columns = constant() {data=0x00000040000080bf} : f32[1,1,1,2]
    %two = constant() {data=0x00000040000080bf} : f32[2,1,1,1]
  )";
  for (const char* tail : {
           "%1 = conv2d(%x, %w) : f32[1,2,1,2]\n%2 = mul(%1, %k) : f32[1,2,1,2]\nreturn %2 \"y\", %1 \"unscaled\"",
           "%1 = conv2d(%x, %w) : f32[1,2,1,2]\n%2 = mul(%1, %columns) : f32[1,2,1,2]\nreturn %2 \"y\"",
           "%1 = conv2d(%x, %w) : f32[1,2,1,2]\n%2 = mul(%1, %two) : f32[2,2,1,2]\nreturn %2 \"y\"",
           "%1 = conv2d(%x, %w) : f32[1,2,1,2]\n%2 = mul(%1, %x) : f32[1,2,1,2]\nreturn %2 \"y\"",
           "%1 = conv2d(%x, %w) {activation=\"relu\"} : f32[1,2,1,2]\n%2 = mul(%1, %k) : f32[1,2,1,2]\nreturn %2 \"y\"",
           "%1 = relu(%x) : f32[1,2,1,2]\n%2 = mul(%1, %k) : f32[1,2,1,2]\nreturn %2 \"y\"",
       }) {
    graph::Graph g = Parsed(std::string(kHead) + tail + "\n}\n");
    g.EraseDeadNodes();
    const std::string text = ToText(g, AllBytes());
    ExpectRewrite(FoldScales, text, nullptr);
  }
}

// What composite operators leave behind still uses the sum until it is erased.
TEST(FoldScalesTest, DeadUsersDoNotStandInTheWay) {
  ExpectRewrite(FoldScales, R"(graph {
    %x = input() "x" : f32[1,1,2,2]
    %w = constant() {data=0x0000803f} : f32[1,1,1,1]
    %k = constant() {data=0x00000040} : f32[1]
    %1 = conv2d(%x, %w) "c" : f32[1,1,2,2]
    %dead = abs(%1) : f32[1,1,2,2]
    %2 = mul(%1, %k) : f32[1,1,2,2]
    return %2 "y"
  })", R"(graph {
    %x = input() "x" : f32[1,1,2,2]
    %w = constant() {data=0x00000040} : f32[1,1,1,1]
    %1 = conv2d(%x, %w) "c" : f32[1,1,2,2]
    return %1 "y"
  })");
}

}  // namespace
}  // namespace mgec::passes
