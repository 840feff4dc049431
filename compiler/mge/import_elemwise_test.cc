#include "compiler/mge/test_model.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mgec::mge {
namespace {

using fbs::DTypeEnum;
using testing::HasSubstr;
namespace param = fbs::param;

auto Mode(param::ElemwiseMode mode) {
  return [mode](auto& b) { return param::CreateElemwise(b, mode); };
}

TEST(ImportElemwiseTest, NamesOperatorsAfterModes) {
  TestModel m;
  const int x = m.Input("x", {2, 3});
  const int y = m.Input("y", {3});
  m.Output(m.Op("Elemwise", {x}, Mode(param::ElemwiseMode::RELU)));
  m.Output(m.Op("Elemwise", {x, y}, Mode(param::ElemwiseMode::MAX_)));
  m.Output(m.Op("Elemwise", {x, y, y}, Mode(param::ElemwiseMode::FUSE_MUL_ADD3)));
  EXPECT_EQ(m.Text(), "relu -> f32[2,3]\nmax -> f32[2,3]\nfuse_mul_add3 -> f32[2,3]\n");
}

TEST(ImportElemwiseTest, KnowsAllModesOfInference) {
  for (const param::ElemwiseMode mode : param::EnumValuesElemwiseMode()) {
    const std::string name = param::EnumNameElemwiseMode(mode);
    if (name.find("_GRAD") != std::string::npos) continue;
    // The number of operands is not known here: whatever is said, it must not be that there is no such mode.
    TestModel m;
    const int x = m.Input("x", {2});
    m.Output(m.Op("Elemwise", {x}, Mode(mode)));
    EXPECT_THAT(m.Text(), testing::Not(HasSubstr("mode=" + name))) << name;
  }
}

TEST(ImportElemwiseTest, ChecksTheNumberOfOperands) {
  TestModel m;
  const int x = m.Input("x", {2});
  m.Output(m.Op("Elemwise", {x}, Mode(param::ElemwiseMode::ADD)));
  EXPECT_THAT(m.Text(), HasSubstr("mode ADD takes 2 inputs, not 1"));
}

TEST(ImportElemwiseTest, RefusesShapesThatDoNotBroadcast) {
  TestModel m;
  m.Output(m.Op("Elemwise", {m.Input("x", {2}), m.Input("y", {3})}, Mode(param::ElemwiseMode::ADD)));
  EXPECT_EQ(m.Import().status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(m.Text(), HasSubstr("operator 2 (Elemwise): add"));
}

TEST(ImportElemwiseTest, PredicatesHaveTheTypeOfTheirOperand) {
  TestModel m;
  m.Output(m.Op("Elemwise", {m.Input("x", {2})}, Mode(param::ElemwiseMode::ISNAN)));
  EXPECT_EQ(m.Text(), "is_nan -> bool[2]\ncast dtype=f32 -> f32[2]\n");
}

TEST(ImportElemwiseTest, MultiTypeComparesToBool) {
  TestModel m;
  const int x = m.Input("x", {2});
  m.Output(m.Op("ElemwiseMultiType", {x, x}, [](auto& b) {
    return param::CreateElemwiseMultiType(b, param::ElemwiseMultiTypeMode::LEQ);
  }));
  EXPECT_EQ(m.Text(), "less_equal -> bool[2]\n");
  m.Output(m.Op("ElemwiseMultiType", {x, x}, [](auto& b) {
    return param::CreateElemwiseMultiType(b, param::ElemwiseMultiTypeMode::QADD);
  }));
  EXPECT_THAT(m.Text(), HasSubstr("no type of the output"));
}

TEST(ImportElemwiseTest, PowC) {
  TestModel m;
  m.Output(m.Op("PowC", {m.Input("x", {2})}, [](auto& b) { return param::CreatePowC(b, 2.5f); }));
  EXPECT_EQ(m.Text(), "powc exp=2.5 -> f32[2]\n");
}

TEST(ImportElemwiseTest, TypeCvt) {
  TestModel m;
  const int x = m.Input("x", {2}, DTypeEnum::Int32);
  m.Output(m.Op("TypeCvtV2", {x}, [](auto& b) { return fbs::CreateDType(b, DTypeEnum::Float16); }));
  m.Output(m.Op("TypeCvtV2", {x}, [](auto& b) { return fbs::CreateDType(b, DTypeEnum::Int32); }));
  EXPECT_EQ(m.Text(), "cast dtype=f16 -> f16[2]\n") << "nothing to do for the second";
}

TEST(ImportElemwiseTest, WhereAndMaskedFill) {
  TestModel m;
  const int x = m.Input("x", {2, 3});
  const int mask = m.Input("mask", {2}, DTypeEnum::Bool);
  const int wide = m.Input("wide", {2, 3}, DTypeEnum::Bool);
  m.Output(m.Op("Where", {wide, x, x}));
  m.Output(m.Op("MaskedFill", {x, mask}, [](auto& b) { return param::CreateFill(b, 7.f); }));
  EXPECT_EQ(m.Text(),
            "where -> f32[2,3]\n"
            "reshape shape=[2,1] -> bool[2,1]\n"
            "where -> f32[2,3]\n");
}

}  // namespace
}  // namespace mgec::mge
