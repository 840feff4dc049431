#include "compiler/passes/testing.h"

namespace mgec::passes {
namespace {

using graph::DTypeKind;

// Promotion remembers what the model says is float16.
PassResult PromoteAndStore(graph::Graph& g) {
  for (PassResult (*pass)(graph::Graph&) : {PromoteFloat16, Canonicalize, Fuse, StoreFloat16}) {
    const PassResult changed = pass(g);
    if (!changed.ok()) return changed;
    EXPECT_TRUE(Verify(g).ok()) << Verify(g);
  }
  return true;
}

// The types of what nodes compute, "softmax: f16[4]", outside and inside of fused nodes' results.
std::vector<std::string> TypesAfter(const std::string& text) {
  graph::Graph g = Parsed(text);
  EXPECT_TRUE(PromoteAndStore(g).ok());
  std::vector<std::string> types;
  for (const auto& n : g.nodes()) {
    if (n->op == "input" || n->op == "constant") continue;
    std::string op = n->op;
    for (size_t i = 0; n->body != nullptr && op == "fused"; ++i) {
      for (const auto& m : n->body->nodes()) {
        if (m->op != "input" && m->op != "cast") op = m->op;
      }
      if (op == "fused") op = "casts";
    }
    types.push_back(op + ": " + ToString(n->output()->type));
  }
  return types;
}

using Types = std::vector<std::string>;

TEST(StoreFloat16Test, KernelsConvert) {
  ExpectRewrite(PromoteAndStore, R"(graph {
    %x = input() "x" : f16[4]
    %1 = exp(%x) : f16[4]
    %2 = reduce(%1) {axes=[0], mode="sum"} : f16[1]
    %3 = true_div(%1, %2) : f16[4]
    return %3 "y"
  })", R"(graph {
    %x = input() "x" : f16[4]
    %1 = fused(%x) : f16[4] {
      %in0 = input() "in0" : f16[4]
      %1 = cast(%in0) {dtype="f32"} : f32[4]
      %2 = exp(%1) : f32[4]
      %3 = cast(%2) {dtype="f16"} : f16[4]
      return %3 "out"
    }
    %2 = fused(%1) : f16[1] {
      %in0 = input() "in0" : f16[4]
      %1 = cast(%in0) {dtype="f32"} : f32[4]
      %2 = reduce(%1) {axes=[0], mode="sum"} : f32[1]
      %3 = cast(%2) {dtype="f16"} : f16[1]
      return %3 "out"
    }
    %3 = fused(%1, %2) "y" : f16[4] {
      %in0 = input() "in0" : f16[4]
      %in1 = input() "in1" : f16[1]
      %2 = cast(%in0) {dtype="f32"} : f32[4]
      %3 = cast(%in1) {dtype="f32"} : f32[1]
      %4 = true_div(%2, %3) : f32[4]
      %5 = cast(%4) {dtype="f16"} "y" : f16[4]
      return %5 "out"
    }
    return %3 "y"
  })", 2e-3f);
}

// Inputs and outputs of that type need no conversions of their own; constants that are moved with others are rounded.
TEST(StoreFloat16Test, WhatOnlyMovesAgrees) {
  ExpectRewrite(PromoteAndStore, R"(graph {
    %x = input() "x" : f16[1,8]
    %one = constant() {data=0x003c003c} : f16[1,2]
    %1 = concat(%x, %one) {axis=1} : f16[1,10]
    %2 = reshape(%1) {shape=[10]} : f16[10]
    %3 = exp(%2) : f16[10]
    return %3 "y"
  })", R"(graph {
    %x = input() "x" : f16[1,8]
    %one = constant() {data=0x003c003c} : f16[1,2]
    %1 = concat(%x, %one) {axis=1} : f16[1,10]
    %2 = reshape(%1) {shape=[10]} : f16[10]
    %3 = fused(%2) "y" : f16[10] {
      %in0 = input() "in0" : f16[10]
      %1 = cast(%in0) {dtype="f32"} : f32[10]
      %2 = exp(%1) : f32[10]
      %3 = cast(%2) {dtype="f16"} "y" : f16[10]
      return %3 "out"
    }
    return %3 "y"
  })", 2e-3f);
}

// What the model computes in float32 stays that, up to where it is rounded.
TEST(StoreFloat16Test, KeepsTheFloat32OfTheModel) {
  EXPECT_EQ(TypesAfter(R"(graph {
    %x = input() "x" : f16[2,4]
    %1 = cumsum(%x) {axis=1} : f16[2,4]
    %2 = cast(%1) {dtype="f32"} : f32[2,4]
    %3 = softmax(%2) {axis=1} : f32[2,4]
    %4 = softmax(%3) {axis=0} : f32[2,4]
    %5 = cast(%4) {dtype="bf16"} : bf16[2,4]
    %6 = transpose(%5) {perm=[1,0]} : bf16[4,2]
    %7 = softmax(%6) {axis=0} : bf16[4,2]
    return %7 "y", %3 "float"
  })"), (Types{"cast: f32[2,4]", "cumsum: f32[2,4]", "softmax: f32[2,4]", "softmax: bf16[2,4]", "transpose: bf16[4,2]",
               "softmax: bf16[4,2]"}));
}

TEST(StoreFloat16Test, BothKindsStayApart) {
  EXPECT_EQ(TypesAfter(R"(graph {
    %x = input() "x" : f16[4]
    %1 = softmax(%x) {axis=0} : f16[4]
    %2 = cast(%1) {dtype="bf16"} : bf16[4]
    %3 = softmax(%2) {axis=0} : bf16[4]
    return %3 "y"
  })"), (Types{"softmax: f16[4]", "softmax: bf16[4]"}));
}

// Few terms for each element, and small beside the largest tensor: converting would take longer than it saves.
TEST(StoreFloat16Test, KeepsSmallTensorsOfLightKernels) {
  const auto pooled = [](int side) {
    const std::string n = std::to_string(side), half = std::to_string(side / 2);
    return TypesAfter("graph {\n  %x = input() \"x\" : f16[1,8," + n + "," + n + "]\n  %1 = tanh(%x) : f16[1,8," + n + "," + n +
                      "]\n  %2 = pool2d(%1) {mode=\"max\", stride=[2,2], window=[2,2]} : f16[1,8," + half + "," + half +
                      "]\n  %3 = input() \"large\" : f16[1,8,40,40]\n  %4 = softmax(%3) {axis=2} : f16[1,8,40,40]\n"
                      "  %5 = softmax(%4) {axis=3} : f16[1,8,40,40]\n  %6 = tanh(%2) : f16[1,8," + half + "," + half +
                      "]\n  %7 = softmax(%6) {axis=1} : f16[1,8," + half + "," + half + "]\n  return %7 \"y\", %5 \"z\"\n}");
  };
  EXPECT_EQ(pooled(40)[0], "tanh: f16[1,8,40,40]");
  EXPECT_EQ(pooled(20)[0], "tanh: f16[1,8,20,20]");  // a fourth
  EXPECT_EQ(pooled(18)[0], "tanh: f32[1,8,18,18]");
}

// Dense convolutions read channels one by one where these do not fill blocks: such tensors stay float32.
TEST(StoreFloat16Test, KeepsScatteredChannelsOfConvolutions) {
  const auto sliced = [](int begin) {
    const std::string b = std::to_string(begin), e = std::to_string(begin + 16);
    const std::string weights = "%w = input() \"w\" : f16[64,16,1,1]\n";
    return TypesAfter("graph {\n  %x = input() \"x\" : f16[1,24,9,9]\n  " + weights +
                      "  %1 = tanh(%x) : f16[1,24,9,9]\n  %2 = slice(%1) {begin=[0," + b + ",0,0], end=[1," + e +
                      ",9,9], step=[1,1,1,1]} : f16[1,16,9,9]\n  %3 = conv2d(%2, %w) : f16[1,64,9,9]\n  return %3 \"y\"\n}");
  };
  EXPECT_EQ(sliced(8)[0], "tanh: f16[1,24,9,9]");
  EXPECT_EQ(sliced(3)[0], "tanh: f32[1,24,9,9]");
}

// GPUs do not mind; what has been narrowed before stays so.
TEST(StoreFloat16Test, OnGpusScatteredAndSmallTensorsAre16BitsWide) {
  graph::Graph g = Parsed(R"(graph {
    %x = input() "x" : f16[1,24,9,9]
    %w = input() "w" : f16[64,16,1,1]
    %large = input() "large" : f16[1,64,40,40]
    %1 = tanh(%x) : f16[1,24,9,9]
    %2 = slice(%1) {begin=[0,3,0,0], end=[1,19,9,9], step=[1,1,1,1]} : f16[1,16,9,9]
    %3 = conv2d(%2, %w) : f16[1,64,9,9]
    %4 = pool2d(%3) {mode="max", stride=[2,2], window=[2,2]} : f16[1,64,4,4]
    %5 = softmax(%4) {axis=1} : f16[1,64,4,4]
    %6 = tanh(%large) : f16[1,64,40,40]
    %7 = softmax(%6) {axis=1} : f16[1,64,40,40]
    return %5 "y", %7 "z"
  })");
  ASSERT_TRUE(PromoteAndStore(g).ok());
  auto wide = [&] {
    std::vector<std::string> names;
    for (const auto& n : g.nodes()) {
      for (const auto& v : n->outputs) {
        if (v->type.dtype.kind == DTypeKind::kFloat32 && n->op != "constant") names.push_back(ToString(v->type));
      }
    }
    return names;
  };
  EXPECT_EQ(wide(), (Types{"f32[1,24,9,9]", "f32[1,16,9,9]", "f32[64,16,1,1]", "f32[1,64,9,9]", "f32[1,64,4,4]"}));
  ASSERT_TRUE(StoreFloat16OnGpu(g).ok());
  EXPECT_TRUE(Verify(g).ok()) << Verify(g);
  EXPECT_EQ(wide(), Types{});
}

TEST(StoreFloat16Test, LeavesOtherGraphsAlone) {
  ExpectRewrite(StoreFloat16, R"(graph {
    %x = input() "x" : f32[2]
    %1 = relu(%x) : f32[2]
    %2 = cast(%1) {dtype="f16"} : f16[2]
    return %2 "y"
  })", nullptr);
}

}  // namespace
}  // namespace mgec::passes
