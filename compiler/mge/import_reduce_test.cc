#include "compiler/mge/test_model.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mgec::mge {
namespace {

using testing::HasSubstr;
namespace param = fbs::param;
using param::ReduceDataType;
using param::ReduceMode;

constexpr int kNoAxis = 2147483647;

std::string AlongAxis(int axis, ReduceMode mode = ReduceMode::MEAN, ReduceDataType type = ReduceDataType::DEFAULT,
                      fbs::DTypeEnum x = fbs::DTypeEnum::Float32) {
  TestModel m;
  m.Output(m.Op("ReduceV2", {m.Input("x", {2, 3, 4}, x)},
                [&](auto& b) { return param::CreateReduce(b, mode, axis, type); }));
  return m.Text();
}

std::string ToShape(std::vector<int32_t> target, ReduceMode mode = ReduceMode::SUM) {
  TestModel m;
  m.Output(m.Op("ReduceV2", {m.Input("x", {2, 3, 1}), m.Ints(target)},
                [&](auto& b) { return param::CreateReduce(b, mode, kNoAxis); }));
  return m.Text();
}

TEST(ImportReduceTest, AlongAnAxis) {
  EXPECT_EQ(AlongAxis(1), "reduce axes=[1] mode=mean -> f32[2,1,4]\n");
  EXPECT_EQ(AlongAxis(-1, ReduceMode::MAX_), "reduce axes=[2] mode=max -> f32[2,3,1]\n");
  EXPECT_THAT(AlongAxis(3), HasSubstr("axis 3 does not exist"));
  EXPECT_THAT(AlongAxis(kNoAxis), HasSubstr("does not exist"));
  EXPECT_THAT(AlongAxis(0, static_cast<ReduceMode>(6)), HasSubstr("mode=6"));
}

TEST(ImportReduceTest, ToAShape) {
  EXPECT_EQ(ToShape({1, 3, 1}), "reduce axes=[0] mode=sum -> f32[1,3,1]\n");
  EXPECT_EQ(ToShape({1}), "reduce axes=[0,1] mode=sum -> f32[1,1,1]\nreshape shape=[1] -> f32[1]\n");
  EXPECT_EQ(ToShape({2, 3, 1}), "") << "nothing to do";
  EXPECT_EQ(ToShape({2, 3, 1}, ReduceMode::SUM_SQR), "square -> f32[2,3,1]\n");
  EXPECT_THAT(ToShape({2, 2, 1}), HasSubstr("cannot reduce [2,3,1] to [2,2,1]"));
  EXPECT_THAT(ToShape({2, 3}), HasSubstr("cannot reduce"));
}

TEST(ImportReduceTest, TypeOfTheResult) {
  EXPECT_EQ(AlongAxis(1, ReduceMode::SUM, ReduceDataType::FLOAT_O32xC32, fbs::DTypeEnum::Float16),
            "cast dtype=f32 -> f32[2,3,4]\nreduce axes=[1] mode=sum -> f32[2,1,4]\n");
  EXPECT_EQ(AlongAxis(1, ReduceMode::SUM, ReduceDataType::FLOAT_O16xC32),
            "reduce axes=[1] mode=sum -> f32[2,1,4]\ncast dtype=f16 -> f16[2,1,4]\n");
  EXPECT_EQ(AlongAxis(1, ReduceMode::SUM, ReduceDataType::FLOAT_IO16xC32, fbs::DTypeEnum::Float16),
            "reduce axes=[1] mode=sum -> f16[2,1,4]\n");
  EXPECT_THAT(AlongAxis(1, ReduceMode::SUM, ReduceDataType::QINT_I8xO32), HasSubstr("data_type=QINT_I8xO32"));
}

TEST(ImportReduceTest, Arg) {
  TestModel m;
  const int x = m.Input("x", {2, 3});
  m.Output(m.Op("Argmax", {x}, [](auto& b) { return param::CreateAxis(b, -1); }));
  m.Output(m.Op("Argmin", {x}, [](auto& b) { return param::CreateAxis(b, 0); }));
  EXPECT_EQ(m.Text(), "argmax axis=1 -> i32[2,1]\nargmin axis=0 -> i32[1,3]\n");
}

}  // namespace
}  // namespace mgec::mge
