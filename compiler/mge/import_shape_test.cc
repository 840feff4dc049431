#include "compiler/mge/test_model.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mgec::mge {
namespace {

using testing::HasSubstr;
namespace param = fbs::param;
using param::AxisDescMethod;

std::string Reshape(std::vector<int32_t> target, int axis) {
  TestModel m;
  m.Output(m.Op("ReshapeV1", {m.Input("x", {2, 3, 4}), m.Ints(target)},
                [&](auto& b) { return param::CreateOptionalAxisV1(b, axis); }));
  return m.Text();
}

std::string Dimshuffle(std::vector<int64_t> shape, std::vector<int32_t> pattern) {
  TestModel m;
  m.Output(m.Op("Dimshuffle", {m.Input("x", std::move(shape))},
                [&](auto& b) { return param::CreateDimshuffleDirect(b, &pattern); }));
  return m.Text();
}

std::string AxisAddRemove(std::vector<int64_t> shape, std::vector<param::AxisDesc> steps) {
  TestModel m;
  m.Output(m.Op("AxisAddRemove", {m.Input("x", std::move(shape))},
                [&](auto& b) { return param::CreateAxisAddRemoveDirect(b, &steps); }));
  return m.Text();
}

TEST(ImportShapeTest, Reshape) {
  EXPECT_EQ(Reshape({6, 4}, 7), "reshape shape=[6,4] -> f32[6,4]\n");
  EXPECT_EQ(Reshape({2, 3, 4}, 7), "");
  EXPECT_EQ(Reshape({2, -1}, 1), "reshape shape=[2,12] -> f32[2,12]\n");
  EXPECT_EQ(Reshape({99, 3}, 0), "reshape shape=[8,3] -> f32[8,3]\n") << "the extent of the free axis is ignored";
  EXPECT_EQ(Reshape({2, -1}, -1), "reshape shape=[2,12] -> f32[2,12]\n");
}

TEST(ImportShapeTest, RefusesReshapesOfOtherSize) {
  EXPECT_THAT(Reshape({5, 4}, 7), HasSubstr("cannot reshape"));
  EXPECT_THAT(Reshape({5, -1}, 1), HasSubstr("cannot reshape"));
  EXPECT_THAT(Reshape({0, -1}, 1), HasSubstr("cannot reshape"));
  EXPECT_THAT(Reshape({-1, 24}, 7), HasSubstr("out of limits"));
  EXPECT_THAT(Reshape({2147483647, 2147483647, 2147483647, -1}, 3), HasSubstr("cannot reshape"));
  EXPECT_THAT(Reshape({24, 1, 1, 1, 1, 1, 1, 1}, 7), HasSubstr("at most 7"));
  EXPECT_THAT(Reshape({24}, 3), HasSubstr("axis 3 does not exist"));
}

TEST(ImportShapeTest, ShapesAreConstants) {
  TestModel m;
  const int x = m.Input("x", {2, 1, 4});
  const int y = m.Input("y", {3, 1});
  const auto axis = [](int i) { return [i](auto& b) { return param::CreateOptionalAxisV1(b, i); }; };
  m.Output(m.Op("GetVarShapeV1", {x}, axis(7)));
  m.Output(m.Op("GetVarShapeV1", {x, y}, axis(7)));
  m.Output(m.Op("GetVarShapeV1", {x}, axis(-1)));
  const graph::Graph g = m.Import().value();
  const auto ints = [&](int i) {
    const graph::Node& node = *g.outputs()[i].value->producer;
    std::vector<int32_t> values(node.data->size() / 4);
    std::memcpy(values.data(), node.data->data(), node.data->size());
    return values;
  };
  EXPECT_EQ(ints(0), (std::vector<int32_t>{2, 1, 4}));
  EXPECT_EQ(ints(1), (std::vector<int32_t>{2, 3, 4}));
  EXPECT_EQ(ints(2), (std::vector<int32_t>{4}));
}

TEST(ImportShapeTest, Broadcast) {
  TestModel m;
  const int x = m.Input("x", {3, 1});
  m.Output(m.Op("Broadcast", {x, m.Ints({2, 3, 4})}));
  m.Output(m.Op("Broadcast", {x, m.Ints({3, 1})}));
  EXPECT_EQ(m.Text(), "broadcast shape=[2,3,4] -> f32[2,3,4]\n");
}

TEST(ImportShapeTest, Dimshuffle) {
  EXPECT_EQ(Dimshuffle({2, 3, 4}, {2, 0, 1}), "transpose perm=[2,0,1] -> f32[4,2,3]\n");
  EXPECT_EQ(Dimshuffle({2, 3}, {1, -1, 0}),
            "transpose perm=[1,0] -> f32[3,2]\nreshape shape=[3,1,2] -> f32[3,1,2]\n");
  EXPECT_EQ(Dimshuffle({2, 1, 3}, {2, 0}),
            "reshape shape=[2,3] -> f32[2,3]\ntranspose perm=[1,0] -> f32[3,2]\n");
  EXPECT_EQ(Dimshuffle({1}, {-1, -1}), "reshape shape=[1,1] -> f32[1,1]\n");
  EXPECT_THAT(Dimshuffle({2, 3}, {0}), HasSubstr("cannot reshape"));
  EXPECT_THAT(Dimshuffle({2, 3}, {0, 0}), HasSubstr("names axis 0 twice"));
  EXPECT_THAT(Dimshuffle({2, 3}, {0, 2}), HasSubstr("names axis 2"));
  EXPECT_THAT(Dimshuffle({2, 3}, {}), HasSubstr("no pattern"));
}

TEST(ImportShapeTest, AxisAddRemove) {
  const AxisDescMethod kAdd = AxisDescMethod::ADD_1, kRemove = AxisDescMethod::REMOVE;
  EXPECT_EQ(AxisAddRemove({2, 3}, {{kAdd, 0}, {kAdd, -1}}), "reshape shape=[1,2,3,1] -> f32[1,2,3,1]\n");
  EXPECT_EQ(AxisAddRemove({1, 3, 1}, {{kRemove, 0}, {kRemove, 1}}), "reshape shape=[3] -> f32[3]\n");
  EXPECT_EQ(AxisAddRemove({1}, {{kRemove, 0}}), "") << "the last axis stays";
  EXPECT_EQ(AxisAddRemove({2, 3}, {{kAdd, 1}, {kRemove, 1}}), "");
  EXPECT_THAT(AxisAddRemove({2, 3}, {{kRemove, 0}}), HasSubstr("cannot remove axis 0"));
  EXPECT_THAT(AxisAddRemove({2, 3}, {{kAdd, 4}}), HasSubstr("axis 4 does not exist"));
}

TEST(ImportShapeTest, ConcatAndSplit) {
  TestModel m;
  const int x = m.Input("x", {2, 3});
  const int y = m.Op("Concat", {x, x}, [](auto& b) { return param::CreateAxis(b, -1); });
  const int parts =
      m.Op("Split", {y, m.Ints({2}), m.Ints({4})}, [](auto& b) { return param::CreateAxis(b, 1); }, 2);
  m.Output(parts);
  m.Output(parts + 1);
  EXPECT_EQ(m.Text(),
            "concat axis=1 -> f32[2,6]\n"
            "slice begin=[0,0] end=[2,2] step=[1,1] -> f32[2,2]\n"
            "slice begin=[0,2] end=[2,6] step=[1,1] -> f32[2,4]\n");
  m.Op("Split", {y, m.Ints({2}), m.Ints({5})}, [](auto& b) { return param::CreateAxis(b, 1); }, 2);
  EXPECT_THAT(m.Text(), HasSubstr("part 1 of 5 does not fit"));
}

TEST(ImportShapeTest, Padding) {
  TestModel m;
  m.Output(m.Op("Padding", {m.Input("x", {2, 3})}, [](auto& b) {
    return param::CreatePadding(b, 1, 0, 0, 0, 0, 0, 9, 0, 2, 0, 0, 0, 0, 0, 0.5f, param::PaddingMode::REPLICATE);
  }));
  EXPECT_EQ(m.Text(), "pad after=[0,2] before=[1,0] mode=replicate value=0.5 -> f32[3,5]\n");
}

}  // namespace
}  // namespace mgec::mge
