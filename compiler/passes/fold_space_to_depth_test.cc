#include "compiler/passes/testing.h"

namespace mgec::passes {
namespace {

// Weights 1, 2, 3, 4 of the parts at (0,0), (1,0), (0,1), (1,1): the rows of the larger kernel are 1, 3 and 2, 4.
TEST(FoldSpaceToDepthTest, ReadsTheImageWithALargerKernel) {
  ExpectRewrite(FoldSpaceToDepth, R"(graph {
    %x = input() "x" : f32[2,1,4,6]
    %a = slice(%x) {begin=[0,0,0,0], end=[2,1,4,6], step=[1,1,2,2]} : f32[2,1,2,3]
    %b = slice(%x) {begin=[0,0,1,0], end=[2,1,4,6], step=[1,1,2,2]} : f32[2,1,2,3]
    %c = slice(%x) {begin=[0,0,0,1], end=[2,1,4,6], step=[1,1,2,2]} : f32[2,1,2,3]
    %d = slice(%x) {begin=[0,0,1,1], end=[2,1,4,6], step=[1,1,2,2]} : f32[2,1,2,3]
    %s = concat(%a, %b, %c, %d) {axis=1} : f32[2,4,2,3]
    %w = constant() {data=0x0000803f000000400000404000008040} "w" : f32[1,4,1,1]
    %y = conv2d(%s, %w) {pad=[1,0]} "c" : f32[2,1,4,3]
    return %y "y"
  })", R"(graph {
    %x = input() "x" : f32[2,1,4,6]
    %l = constant() {data=0x0000803f000040400000004000008040} "w" : f32[1,1,2,2]
    %y = conv2d(%x, %l) {pad=[2,0,2,0], stride=[2,2]} "c" : f32[2,1,4,3]
    return %y "y"
  })");
}

TEST(FoldSpaceToDepthTest, EveryPartMustBeThereOnce) {
  ExpectRewrite(FoldSpaceToDepth, R"(graph {
    %x = input() "x" : f32[1,1,4,6]
    %a = slice(%x) {begin=[0,0,0,0], end=[1,1,4,6], step=[1,1,2,2]} : f32[1,1,2,3]
    %b = slice(%x) {begin=[0,0,1,0], end=[1,1,4,6], step=[1,1,2,2]} : f32[1,1,2,3]
    %d = slice(%x) {begin=[0,0,1,1], end=[1,1,4,6], step=[1,1,2,2]} : f32[1,1,2,3]
    %s = concat(%a, %b, %b, %d) {axis=1} : f32[1,4,2,3]
    %w = constant() {data=0x0000803f000000400000404000008040} "w" : f32[1,4,1,1]
    %y = conv2d(%s, %w) "c" : f32[1,1,2,3]
    return %y "y"
  })", nullptr);
}

TEST(FoldSpaceToDepthTest, PartsOfAnOddImageStay) {
  ExpectRewrite(FoldSpaceToDepth, R"(graph {
    %x = input() "x" : f32[1,1,5,6]
    %a = slice(%x) {begin=[0,0,0,0], end=[1,1,4,6], step=[1,1,2,2]} : f32[1,1,2,3]
    %b = slice(%x) {begin=[0,0,1,0], end=[1,1,4,6], step=[1,1,2,2]} : f32[1,1,2,3]
    %c = slice(%x) {begin=[0,0,0,1], end=[1,1,4,6], step=[1,1,2,2]} : f32[1,1,2,3]
    %d = slice(%x) {begin=[0,0,1,1], end=[1,1,4,6], step=[1,1,2,2]} : f32[1,1,2,3]
    %s = concat(%a, %b, %c, %d) {axis=1} : f32[1,4,2,3]
    %w = constant() {data=0x0000803f000000400000404000008040} "w" : f32[1,4,1,1]
    %y = conv2d(%s, %w) "c" : f32[1,1,2,3]
    return %y "y"
  })", nullptr);
}

}  // namespace
}  // namespace mgec::passes
