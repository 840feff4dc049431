#include "compiler/passes/testing.h"

namespace mgec::passes {
namespace {

TEST(FoldConstantsTest, ShapeArithmetic) {  // [N, C * H] of an [N, C, H] tensor
  ExpectRewrite(FoldConstants, R"(graph {
    %x = input() "x" : f32[2,3,4]
    %e = exp(%x) : f32[2,3,4]
    %s = shape_of(%e) : i32[3]
    %n = slice(%s) {begin=[0], end=[1], step=[1]} : i32[1]
    %c = slice(%s) {begin=[1], end=[2], step=[1]} : i32[1]
    %h = slice(%s) {begin=[2], end=[3], step=[1]} : i32[1]
    %m = mul(%c, %h) : i32[1]
    %t = concat(%n, %m) {axis=0} "target" : i32[2]
    %f = cast(%t) {dtype="f32"} "float" : f32[2]
    %y = add(%f, %f) "twice" : f32[2]
    %z = reshape(%e) {shape=[2,12]} : f32[2,12]
    return %t "target", %y "y", %z "z"
  })", R"(graph {
    %x = input() "x" : f32[2,3,4]
    %e = exp(%x) : f32[2,3,4]
    %t = constant() {data=0x020000000c000000} "target" : i32[2]
    %y = constant() {data=0x000080400000c041} "twice" : f32[2]
    %z = reshape(%e) {shape=[2,12]} : f32[2,12]
    return %t "target", %y "y", %z "z"
  })");
}

TEST(FoldConstantsTest, WhatDependsOnAnInputStays) {
  ExpectRewrite(FoldConstants, R"(graph {
    %x = input() "x" : f32[2]
    %c = constant() {data=0x0000803f} : f32[1]
    %1 = add(%x, %c) : f32[2]
    return %1 "y"
  })", nullptr);
}

TEST(FoldConstantsTest, DoesNotBlowUpSmallConstants) {
  const std::string small = R"(graph {
    %c = constant() {data=0x0000803f} : f32[1]
    %1 = broadcast(%c) {shape=[SHAPE]} : f32[SHAPE]
    %2 = slice(%1) {begin=[0,0], end=[1,2], step=[1,1]} : f32[1,2]
    return %1 "y", %2 "z"
  })";
  auto with = [&](const std::string& shape) {
    std::string text = small;
    for (size_t at; (at = text.find("SHAPE")) != std::string::npos;) text.replace(at, 5, shape);
    return Parsed(text);
  };
  graph::Graph fits = with("2,3"), too_large = with("1024,512");
  EXPECT_TRUE(FoldConstants(fits).value());
  EXPECT_EQ(fits.outputs()[0].value->producer->op, "constant");
  EXPECT_EQ(fits.outputs()[1].value->producer->op, "constant");
  EXPECT_FALSE(FoldConstants(too_large).value());
  EXPECT_EQ(too_large.outputs()[0].value->producer->op, "broadcast");
}

}  // namespace
}  // namespace mgec::passes
