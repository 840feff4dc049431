#include "compiler/passes/testing.h"

namespace mgec::passes {
namespace {

TEST(EliminateCommonSubexpressionsTest, JoinsEqualNodes) {
  ExpectRewrite(EliminateCommonSubexpressions, R"(graph {
    %x = input() "x" : f32[2,3]
    %1 = softmax(%x) {axis=1} "a" : f32[2,3]
    %2 = softmax(%x) {axis=1} "b" : f32[2,3]
    %3 = softmax(%x) {axis=0} "c" : f32[2,3]
    %4 = exp(%1) "d" : f32[2,3]
    %5 = exp(%2) "e" : f32[2,3]
    %6 = sub(%4, %3) : f32[2,3]
    %7 = sub(%3, %4) : f32[2,3]
    return %5 "u", %6 "v", %7 "w"
  })", R"(graph {
    %x = input() "x" : f32[2,3]
    %1 = softmax(%x) {axis=1} "a" : f32[2,3]
    %3 = softmax(%x) {axis=0} "c" : f32[2,3]
    %4 = exp(%1) "d" : f32[2,3]
    %6 = sub(%4, %3) : f32[2,3]
    %7 = sub(%3, %4) : f32[2,3]
    return %4 "u", %6 "v", %7 "w"
  })");
}

TEST(EliminateCommonSubexpressionsTest, JoinsConstantsOfOneType) {
  ExpectRewrite(EliminateCommonSubexpressions, R"(graph {
    %x = input() "x" : f32[1,1]
    %a = constant() {data=0x0000803f} : f32[1]
    %b = constant() {data=0x0000803f} : f32[1]
    %c = constant() {data=0x0000803f} : f32[1,1]
    %1 = add(%x, %a) : f32[1,1]
    %2 = mul(%1, %b) : f32[1,1]
    %3 = sub(%2, %c) : f32[1,1]
    return %3 "y"
  })", R"(graph {
    %x = input() "x" : f32[1,1]
    %a = constant() {data=0x0000803f} : f32[1]
    %c = constant() {data=0x0000803f} : f32[1,1]
    %1 = add(%x, %a) : f32[1,1]
    %2 = mul(%1, %a) : f32[1,1]
    %3 = sub(%2, %c) : f32[1,1]
    return %3 "y"
  })");
}

TEST(EliminateDeadNodesTest, RemovesThem) {
  ExpectRewrite(EliminateDeadNodes, R"(graph {
    %x = input() "x" : f32[1]
    %unused = input() "unused" : f32[1]
    %1 = exp(%x) : f32[1]
    %2 = relu(%1) : f32[1]
    %3 = abs(%x) : f32[1]
    return %3 "y"
  })", R"(graph {
    %x = input() "x" : f32[1]
    %unused = input() "unused" : f32[1]
    %3 = abs(%x) : f32[1]
    return %3 "y"
  })");
}

}  // namespace
}  // namespace mgec::passes
