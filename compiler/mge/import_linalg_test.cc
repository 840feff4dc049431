#include "compiler/mge/test_model.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mgec::mge {
namespace {

using testing::HasSubstr;
namespace param = fbs::param;

TEST(ImportLinalgTest, MatrixMul) {
  TestModel m;
  const int a = m.Input("a", {2, 3});
  m.Output(m.Op("MatrixMulV2", {a, m.Weight({5, 3})}, [](auto& b) { return param::CreateMatrixMul(b, false, true); }));
  EXPECT_EQ(m.Text(), "matmul transpose_a=0 transpose_b=1 -> f32[2,5]\n");
}

TEST(ImportLinalgTest, RefusesFormatsThatDoNotExist) {
  TestModel m;
  const int a = m.Input("a", {2, 3, 4, 4});
  m.Output(m.Op("MatrixMulV2", {a, a}, [](auto& b) {
    return param::CreateMatrixMul(b, false, false, {}, static_cast<param::MatrixMulFormat>(5));
  }));
  EXPECT_THAT(m.Text(), HasSubstr("format=5"));
}

TEST(ImportLinalgTest, BatchedMatrixMulHasThreeDimensions) {
  TestModel m;
  const int a = m.Input("a", {7, 2, 3});
  m.Output(m.Op("BatchedMatrixMulV2", {a, m.Weight({7, 3, 5})}, [](auto& b) { return param::CreateMatrixMul(b); }));
  EXPECT_EQ(m.Text(), "matmul transpose_a=0 transpose_b=0 -> f32[7,2,5]\n");
  m.Output(m.Op("MatrixMulV2", {a, a}, [](auto& b) { return param::CreateMatrixMul(b); }));
  EXPECT_THAT(m.Text(), HasSubstr("must have 2 dimensions"));
}

TEST(ImportLinalgTest, Dot) {
  TestModel m;
  m.Output(m.Op("Dot", {m.Input("a", {4}), m.Input("b", {4})}));
  EXPECT_EQ(m.Text(), "mul -> f32[4]\nreduce axes=[0] mode=sum -> f32[1]\n");
}

TEST(ImportLinalgTest, IntegersAddUpExactly) {
  TestModel m;
  const int a = m.Input("a", {2, 2}, fbs::DTypeEnum::Int8);
  m.Output(m.Op("MatrixMulV2", {a, a}, [](auto& b) { return param::CreateMatrixMul(b); }));
  EXPECT_EQ(m.Text(), "int_matmul dtype=i32 transpose_a=0 transpose_b=0 -> i32[2,2]\n");
}

}  // namespace
}  // namespace mgec::mge
