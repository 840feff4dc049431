#include "compiler/passes/testing.h"

namespace mgec::passes {
namespace {

TEST(CanonicalizeTest, SplitsConvolutions) {
  ExpectRewrite(Canonicalize, R"(graph {
    %x = input() "x" : f32[1,2,3,3]
    %w = constant() {data=0x0000803f000000400000003f000080bf} : f32[2,2,1,1]
    %b = constant() {data=0x0000803f000000bf} : f32[1,2,1,1]
    %z = input() "z" : f32[1,2,5,5]
    %y = conv2d(%x, %w, %b, %z) {activation="relu", pad=[1,1]} "c" : f32[1,2,5,5]
    %u = conv2d(%x, %w) {activation="sigmoid"} "d" : f32[1,2,3,3]
    %v = conv2d(%x, %w) {activation="identity"} "e" : f32[1,2,3,3]
    return %y "y", %u "u", %v "v"
  })", R"(graph {
    %x = input() "x" : f32[1,2,3,3]
    %w = constant() {data=0x0000803f000000400000003f000080bf} : f32[2,2,1,1]
    %b = constant() {data=0x0000803f000000bf} : f32[1,2,1,1]
    %z = input() "z" : f32[1,2,5,5]
    %1 = conv2d(%x, %w) {pad=[1,1]} "c" : f32[1,2,5,5]
    %2 = add(%1, %b) "c" : f32[1,2,5,5]
    %3 = add(%2, %z) "c" : f32[1,2,5,5]
    %y = relu(%3) "c" : f32[1,2,5,5]
    %4 = conv2d(%x, %w) "d" : f32[1,2,3,3]
    %u = sigmoid(%4) "d" : f32[1,2,3,3]
    %v = conv2d(%x, %w) {activation="identity"} "e" : f32[1,2,3,3]
    return %y "y", %u "u", %v "v"
  })");
}

TEST(CanonicalizeTest, SplitsFusedModes) {
  ExpectRewrite(Canonicalize, R"(graph {
    %a = input() "a" : f32[3]
    %b = input() "b" : f32[1]
    %c = input() "c" : f32[2,1]
    %1 = fuse_mul_add3(%a, %b, %c) "m3" : f32[2,3]
    %2 = fuse_mul_add4(%a, %b, %b, %c) "m4" : f32[2,3]
    %3 = fuse_add_h_swish(%a, %c) "s" : f32[2,3]
    return %1 "1", %2 "2", %3 "3"
  })", R"(graph {
    %a = input() "a" : f32[3]
    %b = input() "b" : f32[1]
    %c = input() "c" : f32[2,1]
    %1 = mul(%a, %b) "m3" : f32[3]
    %2 = add(%1, %c) "m3" : f32[2,3]
    %3 = mul(%a, %b) "m4" : f32[3]
    %4 = mul(%b, %c) "m4" : f32[2,1]
    %5 = add(%3, %4) "m4" : f32[2,3]
    %6 = add(%a, %c) "s" : f32[2,3]
    %7 = h_swish(%6) "s" : f32[2,3]
    return %2 "1", %5 "2", %7 "3"
  })");
}

TEST(CanonicalizeTest, BatchNormIsAProductAndASum) {
  ExpectRewrite(Canonicalize, R"(graph {
    %x = input() "x" : f32[1,1,2,2]
    %scale = constant() {data=0x00000040} : f32[1,1,1,1]
    %bias = constant() {data=0x0000803f} : f32[1,1,1,1]
    %mean = constant() {data=0x00004040} : f32[1,1,1,1]
    %var = constant() {data=0x00004040} : f32[1,1,1,1]
    %y = batch_norm(%x, %scale, %bias, %mean, %var) {epsilon=1.0} "bn" : f32[1,1,2,2]
    return %y "y"
  })", R"(graph {
    %x = input() "x" : f32[1,1,2,2]
    %a = constant() {data=0x0000803f} : f32[1,1,1,1]
    %1 = mul(%x, %a) "bn" : f32[1,1,2,2]
    %b = constant() {data=0x000000c0} : f32[1,1,1,1]
    %y = add(%1, %b) "bn" : f32[1,1,2,2]
    return %y "y"
  })");
}

TEST(CanonicalizeTest, BatchNormOfVariablesStays) {
  ExpectRewrite(Canonicalize, R"(graph {
    %x = input() "x" : f32[1,1,2,2]
    %p = input() "p" : f32[1,1,1,1]
    %var = constant() {data=0x00004040} : f32[1,1,1,1]
    %y = batch_norm(%x, %p, %p, %p, %var) : f32[1,1,2,2]
    return %y "y"
  })", nullptr);
}

TEST(CanonicalizeTest, WhatDoesNothingVanishes) {
  ExpectRewrite(Canonicalize, R"(graph {
    %x = input() "x" : f32[2,3]
    %1 = identity(%x) : f32[2,3]
    %2 = reshape(%1) {shape=[2,3]} : f32[2,3]
    %3 = transpose(%2) {perm=[0,1]} : f32[2,3]
    %4 = slice(%3) {begin=[0,0], end=[2,3], step=[1,1]} : f32[2,3]
    %5 = concat(%4) {axis=1} : f32[2,3]
    %6 = cast(%5) {dtype="f32"} : f32[2,3]
    %7 = broadcast(%6) {shape=[2,3]} : f32[2,3]
    %8 = relu(%7) : f32[2,3]
    return %8 "y"
  })", R"(graph {
    %x = input() "x" : f32[2,3]
    %1 = relu(%x) : f32[2,3]
    return %1 "y"
  })");
}

TEST(CanonicalizeTest, ReversingIsNotNothing) {
  ExpectRewrite(Canonicalize, R"(graph {
    %x = input() "x" : f32[2,3]
    %1 = slice(%x) {begin=[0,2], end=[2,-1], step=[1,-1]} : f32[2,3]
    %2 = cast(%1) {dtype="i32"} : i32[2,3]
    %3 = transpose(%2) {perm=[1,0]} : i32[3,2]
    return %3 "y"
  })", nullptr);
}

TEST(CanonicalizeTest, JoinsReshapes) {
  ExpectRewrite(Canonicalize, R"(graph {
    %x = input() "x" : f32[2,3,1,1]
    %1 = transpose(%x) {perm=[0,2,1,3]} "t" : f32[2,1,3,1]
    %2 = reshape(%1) {shape=[3,2]} "r" : f32[3,2]
    %3 = reshape(%2) {shape=[6]} "s" : f32[6]
    %4 = relu(%3) : f32[6]
    return %4 "y"
  })", R"(graph {
    %x = input() "x" : f32[2,3,1,1]
    %1 = reshape(%x) {shape=[6]} "s" : f32[6]
    %2 = relu(%1) : f32[6]
    return %2 "y"
  })");
}

}  // namespace
}  // namespace mgec::passes
