#include "compiler/passes/testing.h"

namespace mgec::passes {
namespace {

TEST(SplitGroupedTest, OneConvolutionPerGroup) {
  ExpectRewrite(SplitGroupedConvolutions, R"(graph {
    %x = input() "x" : f32[1,4,3,3]
    %w = constant() {data=0x0000803f000000400000003f000080bf} : f32[2,1,2,1,1]
    %y = conv2d(%x, %w) {group=2, pad=[0,1]} "c" : f32[1,2,3,5]
    return %y "y"
  })", R"(graph {
    %x = input() "x" : f32[1,4,3,3]
    %w = constant() {data=0x0000803f000000400000003f000080bf} : f32[2,1,2,1,1]
    %x0 = slice(%x) {begin=[0,0,0,0], end=[1,2,3,3], step=[1,1,1,1]} "c" : f32[1,2,3,3]
    %s0 = slice(%w) {begin=[0,0,0,0,0], end=[1,1,2,1,1], step=[1,1,1,1,1]} "c" : f32[1,1,2,1,1]
    %w0 = reshape(%s0) {shape=[1,2,1,1]} : f32[1,2,1,1]
    %y0 = conv2d(%x0, %w0) {group=1, pad=[0,1]} "c" : f32[1,1,3,5]
    %x1 = slice(%x) {begin=[0,2,0,0], end=[1,4,3,3], step=[1,1,1,1]} "c" : f32[1,2,3,3]
    %s1 = slice(%w) {begin=[1,0,0,0,0], end=[2,1,2,1,1], step=[1,1,1,1,1]} "c" : f32[1,1,2,1,1]
    %w1 = reshape(%s1) {shape=[1,2,1,1]} : f32[1,2,1,1]
    %y1 = conv2d(%x1, %w1) {group=1, pad=[0,1]} "c" : f32[1,1,3,5]
    %y = concat(%y0, %y1) {axis=1} "c" : f32[1,2,3,5]
    return %y "y"
  })");
}

TEST(SplitGroupedTest, OneGroupIsNone) {
  ExpectRewrite(SplitGroupedConvolutions, R"(graph {
    %x = input() "x" : f32[1,2,3,3]
    %w = constant() {data=0x0000803f000000400000003f000080bf} : f32[1,2,2,1,1]
    %y = conv2d(%x, %w) "c" : f32[1,2,3,3]
    return %y "y"
  })", R"(graph {
    %x = input() "x" : f32[1,2,3,3]
    %w = constant() {data=0x0000803f000000400000003f000080bf} : f32[1,2,2,1,1]
    %w0 = reshape(%w) {shape=[2,2,1,1]} : f32[2,2,1,1]
    %y = conv2d(%x, %w0) {group=1} "c" : f32[1,2,3,3]
    return %y "y"
  })");
}

TEST(SplitGroupedTest, IntegersToo) {
  ExpectRewrite(SplitGroupedConvolutions, R"(graph {
    %x = input() "x" : i8[1,2,3,3]
    %w = constant() {data=0x01020304} : i8[1,2,2,1,1]
    %y = int_conv2d(%x, %w) {dtype="i32"} "c" : i32[1,2,3,3]
    return %y "y"
  })", R"(graph {
    %x = input() "x" : i8[1,2,3,3]
    %w = constant() {data=0x01020304} : i8[1,2,2,1,1]
    %w0 = reshape(%w) {shape=[2,2,1,1]} : i8[2,2,1,1]
    %y = int_conv2d(%x, %w0) {dtype="i32", group=1} "c" : i32[1,2,3,3]
    return %y "y"
  })");
}

TEST(SplitGroupedTest, DepthwiseAndDenseStay) {
  ExpectRewrite(SplitGroupedConvolutions, R"(graph {
    %x = input() "x" : f32[1,2,3,3]
    %w = constant() {data=0x0000803f00000040} : f32[2,1,1,1,1]
    %d = constant() {data=0x0000803f000000400000003f000080bf} : f32[2,2,1,1]
    %1 = conv2d(%x, %w) {group=2} : f32[1,2,3,3]
    %2 = conv2d(%1, %d) : f32[1,2,3,3]
    return %2 "y"
  })", nullptr);
}

}  // namespace
}  // namespace mgec::passes
