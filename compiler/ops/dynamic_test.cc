// Operators on tensors whose size depends on values.
#include <limits>

#include "compiler/ops/testing.h"

namespace mgec::ops {
namespace {

using graph::DTypeKind;
using Ints = std::vector<int32_t>;
using Floats = std::vector<float>;

Tensor Bools(const std::vector<uint8_t>& values) {
  return TensorOf(DTypeKind::kBool, {static_cast<int64_t>(values.size())}, values);
}

// Indices, with zeros at the end, and their number.
std::pair<Ints, int32_t> Nonzero(const std::vector<uint8_t>& mask) {
  graph::Graph g;
  const Tensor x = Bools(mask);
  const graph::Node* node = g.AddNode("nonzero", {g.AddInput("x", x.type)}).value();
  const auto r = EvaluateNode(*node, {std::make_shared<const std::string>(x.bytes)}).value();
  return {ValuesOf<int32_t>({node->output(0)->type, *r[0]}), ValuesOf<int32_t>({node->output(1)->type, *r[1]})[0]};
}

TEST(NonzeroTest, FindsAllInOrder) {
  EXPECT_EQ(Nonzero({0, 1, 0, 1, 1}), (std::pair<Ints, int32_t>({1, 3, 4, 0, 0}, 3)));
  EXPECT_EQ(Nonzero({1, 1}), (std::pair<Ints, int32_t>({0, 1}, 2)));
  EXPECT_EQ(Nonzero({0, 0}), (std::pair<Ints, int32_t>({0, 0}, 0)));
  EXPECT_EQ(Nonzero({}), (std::pair<Ints, int32_t>({}, 0)));
  EXPECT_FALSE(InferOne("nonzero", {{DTypeKind::kBool, {2, 2}}}).ok());
  EXPECT_FALSE(InferOne("nonzero", {{DTypeKind::kInt32, {2}}}).ok());
}

TEST(MaskTailTest, FillsFromTheSizeOn) {
  const float infinity = std::numeric_limits<float>::infinity();
  const auto masked = [](const char* fill, int32_t size, int64_t axis) {
    return RunFloats("mask_tail", {F32({2, 3}, {1, 2, 3, 4, 5, 6}), I32({1}, {size})},
                     {{"axis", axis}, {"fill", std::string(fill)}});
  };
  EXPECT_EQ(masked("zero", 2, 1), (Floats{1, 2, 0, 4, 5, 0}));
  EXPECT_EQ(masked("one", 1, 0), (Floats{1, 2, 3, 1, 1, 1}));
  EXPECT_EQ(masked("lowest", 0, 1), Floats(6, -infinity));
  EXPECT_EQ(masked("highest", 1, 1), (Floats{1, infinity, infinity, 4, infinity, infinity}));
  EXPECT_EQ(masked("zero", 3, 1), (Floats{1, 2, 3, 4, 5, 6}));
  const auto bytes = RunOp("mask_tail", {TensorOf<int8_t>(DTypeKind::kInt8, {2}, {5, 6}), I32({1}, {1})},
                           {{"axis", int64_t{0}}, {"fill", std::string("lowest")}});
  EXPECT_EQ(ValuesOf<int8_t>(bytes.value()), (std::vector<int8_t>{5, -128}));
  ExpectRefused(RunOp("mask_tail", {I32({2}, {1, 2}), I32({1}, {1})},
                      {{"axis", int64_t{0}}, {"fill", std::string("two")}}).status(), "no fill 'two'");
  ExpectRefused(RunOp("mask_tail", {I32({2}, {1, 2}), I32({2}, {1, 1})},
                      {{"axis", int64_t{0}}, {"fill", std::string("one")}}).status(), "the size must be i32[1]");
}

TEST(RepackTest, MovesWhatCountsToOtherSizes) {
  // Of [2, 4], 2 x 3 elements count; row by row they are 1 2 3 5 6 7.
  const Tensor x = I32({2, 4}, {1, 2, 3, 4, 5, 6, 7, 8});
  const auto flat = RunOp("repack", {x, I32({1}, {3}), I32({1}, {6})},
                          {{"from", graph::Shape{2, -1}}, {"to", graph::Shape{-1}}, {"shape", graph::Shape{8}}}).value();
  Ints values = ValuesOf<int32_t>(flat);
  values.resize(6);
  EXPECT_EQ(values, (Ints{1, 2, 3, 5, 6, 7}));
  // As 3 x 2 of [4, 2].
  const auto pairs = RunOp("repack", {x, I32({1}, {3}), I32({1}, {3})},
                           {{"from", graph::Shape{2, -1}}, {"to", graph::Shape{-1, 2}}, {"shape", graph::Shape{4, 2}}}).value();
  values = ValuesOf<int32_t>(pairs);
  values.resize(6);
  EXPECT_EQ(values, (Ints{1, 2, 3, 5, 6, 7}));
  EXPECT_TRUE(RunOp("repack", {x, I32({1}, {0}), I32({1}, {0})},
                    {{"from", graph::Shape{2, -1}}, {"to", graph::Shape{-1}}, {"shape", graph::Shape{8}}}).ok());
  ExpectRefused(RunOp("repack", {x, I32({1}, {3})},
                      {{"from", graph::Shape{2, -1}}, {"to", graph::Shape{-1}}, {"shape", graph::Shape{8}}}).status(),
                "has 1 sizes, needs 2");
}

TEST(SizesTest, SortingSeesOnlyWhatCounts) {
  const float infinity = std::numeric_limits<float>::infinity();
  const auto sorted = [](const Floats& x, int32_t size, bool descending) {
    return ValuesOf<int32_t>(RunOp("argsort", {F32({1, static_cast<int64_t>(x.size())}, x), I32({1}, {size})},
                                   {{"descending", int64_t{descending}}, {"count", static_cast<int64_t>(x.size())}}).value());
  };
  EXPECT_EQ(sorted({3, 1, 2, 0, 9}, 3, false), (Ints{1, 2, 0, 3, 4}));
  EXPECT_EQ(sorted({3, -infinity, 2, 0, 9}, 3, true), (Ints{0, 2, 1, 3, 4}));
  EXPECT_EQ(sorted({3, 1}, 0, true), (Ints{0, 1}));
}

}  // namespace
}  // namespace mgec::ops
