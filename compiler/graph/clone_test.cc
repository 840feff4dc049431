#include "compiler/graph/clone.h"

#include "compiler/graph/text.h"
#include "gtest/gtest.h"

namespace mgec::graph {
namespace {

constexpr const char* kText = R"(graph {
  %x = input() "x" : f32[4]
  %1 = constant() {data=0x0000803f} : f32[1]
  %2 = fused(%x, %1) "sum" : f32[4] {
    %in0 = input() "in0" : f32[4]
    %in1 = input() "in1" : f32[1]
    %1 = add(%in0, %in1) "sum" : f32[4]
    return %1 "out"
  }
  return %2 "y", %x "x again"
})";

TEST(CloneTest, IsTheSameGraphOfItsOwn) {
  absl::StatusOr<Graph> g = ParseText(kText);
  ASSERT_TRUE(g.ok()) << g.status();
  g->set_float_storage(DTypeKind::kFloat16);
  g->outputs()[0].value->origin = DTypeKind::kFloat16;
  g->outputs()[0].sizes = {1};
  g->outputs()[1].internal = true;
  const std::string text = ToText(*g);
  const Graph copy = Clone(*g);
  EXPECT_EQ(ToText(copy), text);
  EXPECT_EQ(copy.float_storage(), DTypeKind::kFloat16);
  EXPECT_EQ(copy.outputs()[0].value->origin, DTypeKind::kFloat16);
  EXPECT_EQ(copy.outputs()[0].sizes, std::vector<int>{1});
  EXPECT_TRUE(copy.outputs()[1].internal);
  for (const auto& node : g->nodes()) {
    for (const auto& own : copy.nodes()) EXPECT_NE(node.get(), own.get());
  }
  g->outputs()[0].value->producer->body->outputs()[0].name = "changed";
  g->outputs()[0].value->type.dtype = DTypeKind::kFloat16;
  EXPECT_EQ(ToText(copy), text);
}

}  // namespace
}  // namespace mgec::graph
