#include "compiler/passes/testing.h"

namespace mgec::passes {
namespace {

TEST(PromoteFloat16Test, ComputesInFloat32) {
  ExpectRewrite(PromoteFloat16, R"(graph {
    %x = input() "x" : f16[2]
    %one = constant() {data=0x003c} "one" : f16[1]
    %1 = add(%x, %one) "sum" : f16[2]
    %2 = mul(%1, %x) "product" : f16[2]
    %3 = cast(%2) {dtype="f32"} "wide" : f32[2]
    return %2 "half", %3 "float", %x "same", %one "constant"
  })", R"(graph {
    %x = input() "x" : f16[2]
    %one = constant() {data=0x0000803f} "one" : f32[1]
    %wide = cast(%x) {dtype="f32"} : f32[2]
    %1 = add(%wide, %one) "sum" : f32[2]
    %2 = mul(%1, %wide) "product" : f32[2]
    %3 = cast(%2) {dtype="f32"} "wide" : f32[2]
    %4 = cast(%2) {dtype="f16"} "half" : f16[2]
    %5 = cast(%one) {dtype="f16"} "constant" : f16[1]
    return %4 "half", %3 "float", %x "same", %5 "constant"
  })", 2e-3f);
}

TEST(PromoteFloat16Test, CastsToHalfBecomeCastsToFloat) {
  ExpectRewrite(PromoteFloat16, R"(graph {
    %x = input() "x" : i32[2]
    %1 = cast(%x) {dtype="f16"} : f16[2]
    %2 = relu(%1) : f16[2]
    %3 = cast(%2) {dtype="bf16"} : bf16[2]
    %4 = cast(%3) {dtype="i32"} : i32[2]
    return %4 "y"
  })", R"(graph {
    %x = input() "x" : i32[2]
    %1 = cast(%x) {dtype="f32"} : f32[2]
    %2 = relu(%1) : f32[2]
    %3 = cast(%2) {dtype="f32"} : f32[2]
    %4 = cast(%3) {dtype="i32"} : i32[2]
    return %4 "y"
  })");
}

TEST(PromoteFloat16Test, RemembersWhichProductsHadHalfFactors) {
  ExpectRewrite(PromoteFloat16, R"(graph {
    %x = input() "x" : f16[1, 2]
    %y = input() "y" : f32[2, 1]
    %1 = matmul(%x, %x) {transpose_b=1} : f16[1, 1]
    %2 = matmul(%y, %y) {transpose_b=1} : f32[2, 2]
    return %1 "half", %2 "float"
  })", R"(graph {
    %x = input() "x" : f16[1, 2]
    %y = input() "y" : f32[2, 1]
    %1 = cast(%x) {dtype="f32"} : f32[1, 2]
    %2 = matmul(%1, %1) {factors="f16", transpose_b=1} : f32[1, 1]
    %3 = matmul(%y, %y) {transpose_b=1} : f32[2, 2]
    %4 = cast(%2) {dtype="f16"} "half" : f16[1, 1]
    return %4 "half", %3 "float"
  })", 2e-3f);
}

TEST(PromoteFloat16Test, RemembersWhatMostConstantsWere) {
  using graph::DTypeKind;
  for (DTypeKind kind : {DTypeKind::kFloat16, DTypeKind::kBFloat16}) {
    for (int64_t floats : {3, 9}) {
      graph::Graph g;
      graph::Value* x = g.AddInput("x", {kind, {8}});
      graph::Value* w = g.AddConstant({kind, {8}}, std::string(16, '\0'));
      g.AddOutput(*g.Add("add", {x, w}), "y");
      g.AddOutput(g.AddConstant({DTypeKind::kFloat32, {floats}}, std::string(floats * 4, '\0')), "table");
      EXPECT_EQ(g.float_storage(), DTypeKind::kFloat32);
      ASSERT_TRUE(PromoteFloat16(g).ok());
      EXPECT_EQ(g.float_storage(), floats < 8 ? kind : DTypeKind::kFloat32);
    }
  }
}

TEST(PromoteFloat16Test, LeavesOtherGraphsAlone) {
  ExpectRewrite(PromoteFloat16, R"(graph {
    %x = input() "x" : f32[2]
    %1 = relu(%x) : f32[2]
    return %1 "y"
  })", nullptr);
}

}  // namespace
}  // namespace mgec::passes
