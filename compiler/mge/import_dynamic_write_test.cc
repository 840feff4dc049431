// Writing where the size of an axis, a bound or an index depends on values, from models made by hand to numbers.
#include "compiler/mge/dynamic_test_model.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mgec::mge {
namespace {

using testing::HasSubstr;

TEST(DynamicTest, WritesToAllThatCounts) {
  TestModel m;
  const int rows = PositiveRows(m, m.Input("x", {3, 2}));
  m.Output(At(m, "SetSubtensor", {rows, m.Floats({1}, {9}), m.Ints({-1})}, 1));
  m.Output(At(m, "IncrSubtensor", {rows, Column(m, rows, 0), m.Ints({-1})}, 1));
  const auto r = RunModel(m, Floats{1, 2, -3, 4, 5, 6});
  ASSERT_EQ(r.size(), 2u);
  EXPECT_EQ(r[0].shape, (graph::Shape{2, 2}));
  EXPECT_EQ(r[0].as<float>(), (Floats{1, 9, 5, 9}));
  EXPECT_EQ(r[1].as<float>(), (Floats{1, 3, 5, 11}));
}

constexpr bool kYes = true, kNo = false;
const Item kRange(0, kYes, kYes, kNo, kNo), kFrom(0, kYes, kNo, kNo, kNo), kTo(0, kNo, kYes, kNo, kNo),
    kAll(0, kYes, kYes, kYes, kNo);

// Of the rows that were taken, {1, 2}, {5, 6}, {7, 8}.
TEST(DynamicTest, WritesSomeOfWhatWasTaken) {
  TestModel m;
  const int rows = PositiveRows(m, m.Input("x", {4, 2}));
  // The last row that counts is not the last that there is.
  m.Output(At(m, "SetSubtensor", {rows, m.Floats({2}, {9, 10}), m.Ints({-1})}, 0));
  m.Output(At(m, "IncrSubtensor", {rows, m.Floats({1}, {100}), m.Ints({0})}, 0));
  m.Output(At(m, "SetSubtensor", {rows, m.Floats({1}, {9}), m.Ints({3})}, 0));  // there is none
  m.Output(InRange(m, "SetSubtensor", {rows, m.Floats({1}, {0}), m.Ints({-2})}, kFrom));
  m.Output(InRange(m, "SetSubtensor", {rows, m.Floats({2, 2}, {-1, -2, -3, -4}), m.Ints({0}), m.Ints({2})}, kRange));
  const int every_other = m.Floats({2, 2}, {10, 20, 30, 40});
  m.Output(InRange(m, "IncrSubtensor", {rows, every_other, m.Ints({-1}), m.Ints({-4}), m.Ints({-2})}, kAll));
  const auto r = RunModel(m, Floats{1, 2, -3, 4, 5, 6, 7, 8});
  ASSERT_EQ(r.size(), 6u);
  for (const Result& one : r) EXPECT_EQ(one.shape, (graph::Shape{3, 2}));
  EXPECT_EQ(r[0].as<float>(), (Floats{1, 2, 5, 6, 9, 10}));
  EXPECT_EQ(r[1].as<float>(), (Floats{101, 102, 5, 6, 7, 8}));
  EXPECT_EQ(r[2].as<float>(), (Floats{1, 2, 5, 6, 7, 8}));
  EXPECT_EQ(r[3].as<float>(), (Floats{1, 2, 0, 0, 0, 0}));
  EXPECT_EQ(r[4].as<float>(), (Floats{-1, -2, -3, -4, 7, 8}));
  EXPECT_EQ(r[5].as<float>(), (Floats{31, 42, 5, 6, 17, 28}));
}

// A cache that grows: what is written where the network's input says.
TEST(DynamicTest, WritesAtAnInputOfTheNetwork) {
  TestModel m;
  const int x = m.Input("x", {1}, DTypeEnum::Int32);
  const int cache = m.Ints({10, 11, 12, 13, 14});
  const int next =
      m.Op("Elemwise", {x, m.Ints({2})}, [](auto& b) { return param::CreateElemwise(b, param::ElemwiseMode::ADD); });
  // Values are broadcast to as many as there are places, as MegEngine's programs do.
  const int size = m.Op("GetVarShapeV1", {InRange(m, "Subtensor", {cache, x, next}, kRange)},
                        [](auto& b) { return param::CreateOptionalAxisV1(b, 7); });
  m.Output(At(m, "SetSubtensor", {cache, m.Ints({7}), x}, 0));
  m.Output(InRange(m, "SetSubtensor", {cache, m.Op("Broadcast", {m.Ints({8, 9}), size}), x, next}, kRange));
  const auto r = RunModel(m, Ints{1});
  ASSERT_EQ(r.size(), 2u);
  EXPECT_EQ(r[0].as<int32_t>(), (Ints{10, 7, 12, 13, 14}));
  EXPECT_EQ(r[1].as<int32_t>(), (Ints{10, 8, 9, 13, 14}));
}

// What was taken, in a tensor of fixed size.
TEST(DynamicTest, FillsTheBeginningWithWhatWasTaken) {
  TestModel m;
  const int taken = Positive(m, m.Input("x", {3}));
  const int size = m.Op("GetVarShapeV1", {taken}, [](auto& b) { return param::CreateOptionalAxisV1(b, 7); });
  m.Output(InRange(m, "SetSubtensor", {m.Floats({4}, {-1, -1, -1, -1}), taken, size}, kTo));
  EXPECT_EQ(RunModel(m, Floats{5, -2, 6})[0].as<float>(), (Floats{5, 6, -1, -1}));
  EXPECT_EQ(RunModel(m, Floats{-5, -2, -6})[0].as<float>(), (Floats{-1, -1, -1, -1}));

  TestModel two;
  const int x = two.Input("x", {3});
  two.Output(InRange(two, "SetSubtensor", {Positive(two, x), CondTake(two, x, x, CondTakeMode::LT), two.Ints({2})}, kTo));
  EXPECT_THAT(two.Text(), HasSubstr("sizes depend on different values"));

  // Known beforehand to be too many, at the first two of the places that the input chooses.
  TestModel many;
  const int place = many.Input("x", {1}, DTypeEnum::Int32);
  const std::vector<Item> items = {{0, kNo, kNo, kNo, kYes}, {1, kNo, kYes, kNo, kNo}};
  many.Output(many.Op("SetSubtensor", {many.Floats({2, 3}, Floats(6)), many.Floats({3}, Floats(3)), place, many.Ints({2})},
                      [&](auto& b) { return param::CreateIndexDescMaskDumpDirect(b, &items); }));
  EXPECT_THAT(many.Text(), HasSubstr("writes 3 values at 2 places"));
}

}  // namespace
}  // namespace mgec::mge
