#include "compiler/passes/testing.h"

namespace mgec::passes {
namespace {

TEST(FuseTest, AConvolutionTakesBiasActivationAndResidual) {
  ExpectRewrite(Fuse, R"(graph {
    %x = input() "x" : f32[1,2,3,3]
    %w = constant() {data=0x0000803f000000400000003f000080bf} : f32[2,2,1,1]
    %b = constant() {data=0x0000803f00000040} : f32[1,2,1,1]
    %1 = conv2d(%x, %w) "c" : f32[1,2,3,3]
    %2 = add(%1, %b) : f32[1,2,3,3]
    %3 = add(%2, %x) : f32[1,2,3,3]
    %4 = relu(%3) : f32[1,2,3,3]
    return %4 "y"
  })", R"(graph {
    %x = input() "x" : f32[1,2,3,3]
    %w = constant() {data=0x0000803f000000400000003f000080bf} : f32[2,2,1,1]
    %b = constant() {data=0x0000803f00000040} : f32[1,2,1,1]
    %y = fused(%x, %w, %b) "c" : f32[1,2,3,3] {
      %x = input() "in0" : f32[1,2,3,3]
      %w = input() "in1" : f32[2,2,1,1]
      %b = input() "in2" : f32[1,2,1,1]
      %1 = conv2d(%x, %w) "c" : f32[1,2,3,3]
      %2 = add(%1, %b) : f32[1,2,3,3]
      %3 = add(%2, %x) : f32[1,2,3,3]
      %4 = relu(%3) : f32[1,2,3,3]
      return %4 "out"
    }
    return %y "y"
  })");
}

TEST(FuseTest, AResidualSumBelongsToTheLastProducer) {
  ExpectRewrite(Fuse, R"(graph {
    %x = input() "x" : f32[1,1,2,2]
    %w = constant() {data=0x0000803f} : f32[1,1,1,1]
    %1 = conv2d(%x, %w) "first" : f32[1,1,2,2]
    %2 = conv2d(%x, %w) "second" : f32[1,1,2,2]
    %3 = add(%1, %2) : f32[1,1,2,2]
    return %3 "y"
  })", R"(graph {
    %x = input() "x" : f32[1,1,2,2]
    %w = constant() {data=0x0000803f} : f32[1,1,1,1]
    %1 = conv2d(%x, %w) "first" : f32[1,1,2,2]
    %y = fused(%x, %w, %1) "second" : f32[1,1,2,2] {
      %x = input() "in0" : f32[1,1,2,2]
      %w = input() "in1" : f32[1,1,1,1]
      %z = input() "in2" : f32[1,1,2,2]
      %2 = conv2d(%x, %w) "second" : f32[1,1,2,2]
      %3 = add(%z, %2) : f32[1,1,2,2]
      return %3 "out"
    }
    return %y "y"
  })");
}

// Requantization, and a residual sum of quantized tensors with the conversion of the other one.
TEST(FuseTest, AnIntegerConvolutionTakesConversionsAndTheResidual) {
  ExpectRewrite(Fuse, R"text(graph {
    %x = input() "x" : qs8(0.5)[1,1,2,2]
    %r = input() "r" : qs8(0.25)[1,1,2,2]
    %w = constant() {data=0x03} : qs8(0.5)[1,1,1,1]
    %1 = int_conv2d(%x, %w) {dtype="qs32(0.25)"} "c" : qs32(0.25)[1,1,2,2]
    %2 = cast(%1) {dtype="f32"} : f32[1,1,2,2]
    %3 = cast(%r) {dtype="f32"} : f32[1,1,2,2]
    %4 = add(%2, %3) : f32[1,1,2,2]
    %5 = cast(%4) {dtype="qs8(1)"} : qs8(1)[1,1,2,2]
    return %5 "y"
  })text", R"text(graph {
    %x = input() "x" : qs8(0.5)[1,1,2,2]
    %r = input() "r" : qs8(0.25)[1,1,2,2]
    %w = constant() {data=0x03} : qs8(0.5)[1,1,1,1]
    %y = fused(%x, %w, %r) "c" : qs8(1)[1,1,2,2] {
      %x = input() "in0" : qs8(0.5)[1,1,2,2]
      %w = input() "in1" : qs8(0.5)[1,1,1,1]
      %r = input() "in2" : qs8(0.25)[1,1,2,2]
      %1 = int_conv2d(%x, %w) {dtype="qs32(0.25)"} "c" : qs32(0.25)[1,1,2,2]
      %2 = cast(%1) {dtype="f32"} : f32[1,1,2,2]
      %3 = cast(%r) {dtype="f32"} : f32[1,1,2,2]
      %4 = add(%2, %3) : f32[1,1,2,2]
      %5 = cast(%4) {dtype="qs8(1)"} : qs8(1)[1,1,2,2]
      return %5 "out"
    }
    return %y "y"
  })text");
}

TEST(FuseTest, PointwiseNodesBecomeOneKernel) {
  ExpectRewrite(Fuse, R"(graph {
    %x = input() "x" : f32[2,3]
    %small = input() "small" : f32[3]
    %1 = exp(%small) : f32[3]
    %2 = add(%x, %1) "sum" : f32[2,3]
    %3 = tanh(%2) : f32[2,3]
    %4 = abs(%2) : f32[2,3]
    %5 = mul(%3, %4) "product" : f32[2,3]
    return %5 "y"
  })", R"(graph {
    %x = input() "x" : f32[2,3]
    %small = input() "small" : f32[3]
    %1 = exp(%small) : f32[3]
    %y = fused(%x, %1) "product" : f32[2,3] {
      %x = input() "in0" : f32[2,3]
      %1 = input() "in1" : f32[3]
      %2 = add(%x, %1) "sum" : f32[2,3]
      %3 = tanh(%2) : f32[2,3]
      %4 = abs(%2) : f32[2,3]
      %5 = mul(%3, %4) "product" : f32[2,3]
      return %5 "out"
    }
    return %y "y"
  })");
}

TEST(FuseTest, WhatOthersNeedStays) {
  ExpectRewrite(Fuse, R"(graph {
    %x = input() "x" : f32[2,3]
    %1 = exp(%x) : f32[2,3]
    %2 = relu(%1) : f32[2,3]
    %3 = softmax(%1) {axis=1} : f32[2,3]
    return %2 "y", %3 "z"
  })", nullptr);
  ExpectRewrite(Fuse, R"(graph {
    %x = input() "x" : f32[2,3]
    %1 = exp(%x) : f32[2,3]
    %2 = relu(%1) : f32[2,3]
    return %2 "y", %1 "z"
  })", nullptr);
}

TEST(FuseTest, AComparisonEndsAConvolutionsKernel) {
  ExpectRewrite(Fuse, R"(graph {
    %x = input() "x" : f32[1,1,2,2]
    %w = constant() {data=0x0000803f} : f32[1,1,1,1]
    %1 = conv2d(%x, %w) : f32[1,1,2,2]
    %2 = less(%1, %x) : bool[1,1,2,2]
    return %2 "y"
  })", nullptr);
}

TEST(FuseTest, SoftmaxTakesATail) {
  ExpectRewrite(Fuse, R"(graph {
    %x = input() "x" : f32[2,3]
    %1 = softmax(%x) {axis=1} "s" : f32[2,3]
    %2 = mul(%1, %x) : f32[2,3]
    return %2 "y"
  })", R"(graph {
    %x = input() "x" : f32[2,3]
    %y = fused(%x) "s" : f32[2,3] {
      %x = input() "in0" : f32[2,3]
      %1 = softmax(%x) {axis=1} "s" : f32[2,3]
      %2 = mul(%1, %x) : f32[2,3]
      return %2 "out"
    }
    return %y "y"
  })");
}

TEST(FuseTest, DataMovementThatCopiesIsOneKernel) {
  ExpectRewrite(Fuse, R"(graph {
    %x = input() "x" : f32[2,6]
    %1 = reshape(%x) {shape=[2,2,3]} : f32[2,2,3]
    %2 = transpose(%1) {perm=[0,2,1]} "t" : f32[2,3,2]
    %3 = reshape(%2) {shape=[12]} "r" : f32[12]
    return %3 "y"
  })", R"(graph {
    %x = input() "x" : f32[2,6]
    %y = fused(%x) "r" : f32[12] {
      %x = input() "in0" : f32[2,6]
      %1 = reshape(%x) {shape=[2,2,3]} : f32[2,2,3]
      %2 = transpose(%1) {perm=[0,2,1]} "t" : f32[2,3,2]
      %3 = reshape(%2) {shape=[12]} "r" : f32[12]
      return %3 "out"
    }
    return %y "y"
  })");
  ExpectRewrite(Fuse, R"(graph {
    %x = input() "x" : f32[2,6]
    %1 = reshape(%x) {shape=[12]} : f32[12]
    %2 = slice(%1) {begin=[2], end=[6], step=[1]} : f32[4]
    return %2 "y"
  })", nullptr);
}

TEST(FuseTest, DeadNodesDoNotStandInTheWay) {
  ExpectRewrite(Fuse, R"(graph {
    %x = input() "x" : f32[2]
    %1 = exp(%x) : f32[2]
    %dead = abs(%1) : f32[2]
    %2 = relu(%1) : f32[2]
    %dead2 = exp(%dead) : f32[2]
    return %2 "y"
  })", R"(graph {
    %x = input() "x" : f32[2]
    %y = fused(%x) : f32[2] {
      %x = input() "in0" : f32[2]
      %1 = exp(%x) : f32[2]
      %2 = relu(%1) : f32[2]
      return %2 "out"
    }
    return %y "y"
  })");
}

}  // namespace
}  // namespace mgec::passes
