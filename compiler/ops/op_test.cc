#include "compiler/ops/op.h"

#include <algorithm>

#include "compiler/ops/testing.h"

namespace mgec::ops {
namespace {

using graph::DTypeKind;

TEST(RegistryTest, HoldsTheOperatorsOfEveryFile) {
  const std::vector<std::string> all = AllOps();
  EXPECT_TRUE(std::is_sorted(all.begin(), all.end()));
  for (const char* name :
       {"conv2d", "matmul", "batch_norm", "layer_norm", "group_norm", "softmax", "lrn",      "add",    "powc",
        "where",  "cast",   "equal",      "is_nan",     "pool2d",     "reduce",  "argmax",   "argmin", "resize",
        "concat", "slice",  "reshape",    "transpose",  "broadcast",  "pad",     "shape_of", "gather"}) {
    EXPECT_TRUE(std::binary_search(all.begin(), all.end(), name)) << name;
  }
  EXPECT_EQ(FindOp("no_such_op"), nullptr);
}

TEST(RegistryTest, EveryOperatorIsComplete) {
  for (const std::string& name : AllOps()) {
    const OpDef* op = FindOp(name);
    ASSERT_NE(op, nullptr);
    EXPECT_EQ(op->name, name);
    EXPECT_TRUE(op->infer) << name;
    EXPECT_TRUE(op->define || op->routine) << name;
    EXPECT_GE(op->min_inputs, 0) << name;
    EXPECT_TRUE(op->max_inputs == -1 || op->max_inputs >= op->min_inputs) << name;
  }
}

// Pointwise operators have one stage, whose shape is the broadcast one.
TEST(RegistryTest, PointwiseOperatorsHaveOneStage) {
  int checked = 0;
  for (const std::string& name : AllOps()) {
    const OpDef* op = FindOp(name);
    if (!op->pointwise) continue;
    for (DTypeKind kind : {DTypeKind::kFloat32, DTypeKind::kInt32, DTypeKind::kBool}) {
      graph::Graph g;
      std::vector<graph::Value*> in;
      for (int k = 0; k < op->min_inputs; ++k) {
        in.push_back(
            g.AddInput("x" + std::to_string(k), {name == "where" && k == 0 ? DTypeKind::kBool : kind, {2, 3}}));
      }
      graph::Attributes attributes;
      if (name == "cast") attributes.Set("dtype", std::string("f32"));
      const auto y = g.Add(name, in, attributes);
      if (!y.ok()) continue;
      const auto d = DefinitionOf(*(*y)->producer);
      ASSERT_TRUE(d.ok()) << d.status();
      EXPECT_EQ(d->stages().size(), 1u) << name;
      EXPECT_EQ(d->stages()[0].info.shape, (graph::Shape{2, 3})) << name;
      ++checked;
    }
  }
  EXPECT_GT(checked, 90);
}

TEST(RegistryTest, RefusesResultsBeyondTheLimits) {
  const graph::TensorType x{DTypeKind::kFloat32, {1, 1 << 20}};
  const auto wide = InferOne("matmul", {{DTypeKind::kFloat32, {1 << 21, 1}}, x});
  ExpectRefused(wide.status(), "shape [2097152,1048576] is out of limits");
}

}  // namespace
}  // namespace mgec::ops
