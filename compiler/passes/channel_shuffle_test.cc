#include "compiler/passes/testing.h"

namespace mgec::passes {
namespace {

// ShuffleNet: channels of two branches alternate, then the halves part.
TEST(ChannelShuffleTest, BecomesAGather) {
  ExpectRewrite(FindChannelShuffles, R"(graph {
    %x = input() "x" : f32[1,4,2,3]
    %1 = reshape(%x) {shape=[1,2,2,2,3]} : f32[1,2,2,2,3]
    %2 = transpose(%1) {perm=[0,2,1,3,4]} : f32[1,2,2,2,3]
    %3 = reshape(%2) {shape=[1,4,2,3]} "shuffle" : f32[1,4,2,3]
    return %3 "y"
  })", R"(graph {
    %x = input() "x" : f32[1,4,2,3]
    %c = constant() {data=0x00000000020000000100000003000000} : i32[4]
    %y = gather(%x, %c) {axis=1} "shuffle" : f32[1,4,2,3]
    return %y "y"
  })");
}

TEST(ChannelShuffleTest, FollowsTheLongestChain) {
  // MegEngine's form: [N * C / 2, 2, H * W], transposed, then two halves by index.
  ExpectRewrite(FindChannelShuffles, R"(graph {
    %x = input() "x" : f32[1,4,2,3]
    %1 = reshape(%x) {shape=[2,2,6]} : f32[2,2,6]
    %2 = transpose(%1) {perm=[1,0,2]} : f32[2,2,6]
    %3 = slice(%2) {begin=[1,0,0], end=[2,2,6], step=[1,1,1]} : f32[1,2,6]
    %4 = reshape(%3) {shape=[1,2,2,3]} "odd" : f32[1,2,2,3]
    return %4 "y"
  })", R"(graph {
    %x = input() "x" : f32[1,4,2,3]
    %c = constant() {data=0x0100000003000000} : i32[2]
    %y = gather(%x, %c) {axis=1} "odd" : f32[1,2,2,3]
    return %y "y"
  })");
}

TEST(ChannelShuffleTest, ASliceIsAlreadySimple) {
  ExpectRewrite(FindChannelShuffles, R"(graph {
    %x = input() "x" : f32[1,4,2,3]
    %1 = slice(%x) {begin=[0,2,0,0], end=[1,4,2,3], step=[1,1,1,1]} : f32[1,2,2,3]
    return %1 "y"
  })", nullptr);
  ExpectRewrite(FindChannelShuffles, R"(graph {
    %x = input() "x" : f32[24]
    %1 = reshape(%x) {shape=[1,4,2,3]} : f32[1,4,2,3]
    %2 = slice(%1) {begin=[0,2,0,0], end=[1,4,2,3], step=[1,1,1,1]} : f32[1,2,2,3]
    return %2 "y"
  })", nullptr);
}

TEST(ChannelShuffleTest, WhatMixesOtherDimensionsStays) {
  ExpectRewrite(FindChannelShuffles, R"(graph {
    %x = input() "x" : f32[1,4,2,2]
    %1 = transpose(%x) {perm=[0,1,3,2]} : f32[1,4,2,2]
    %2 = reshape(%x) {shape=[1,2,4,2]} : f32[1,2,4,2]
    %3 = transpose(%2) {perm=[0,2,1,3]} : f32[1,4,2,2]
    return %1 "y", %3 "z"
  })", nullptr);
}

TEST(ChannelShuffleTest, TwoShufflesThatCancelAreNothing) {
  ExpectRewrite(FindChannelShuffles, R"(graph {
    %x = input() "x" : f32[2,4,2,3]
    %1 = transpose(%x) {perm=[0,2,3,1]} : f32[2,2,3,4]
    %2 = transpose(%1) {perm=[0,3,1,2]} : f32[2,4,2,3]
    %3 = relu(%2) : f32[2,4,2,3]
    return %3 "y"
  })", R"(graph {
    %x = input() "x" : f32[2,4,2,3]
    %3 = relu(%x) : f32[2,4,2,3]
    return %3 "y"
  })");
}

}  // namespace
}  // namespace mgec::passes
