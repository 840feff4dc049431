#include "compiler/kernel/target.h"

#include <gtest/gtest.h>

namespace mgec::kernel {
namespace {

TEST(TargetTest, DefaultsStartWithTheMostDemanding) {
  const std::vector<Target> targets = DefaultTargets();
  ASSERT_EQ(targets.size(), 2u);
  EXPECT_EQ(targets[0].name, "x86-64-v4");
  EXPECT_EQ(targets[0].vector_lanes, 16);
  EXPECT_EQ(targets[0].vector_registers, 32);
  EXPECT_EQ(targets[1].name, "x86-64-v3");
  EXPECT_EQ(targets[1].vector_lanes, 8);
  EXPECT_EQ(targets[1].vector_registers, 16);
}

TEST(TargetTest, IntegerContractionsAddTheTargetThatIsFastAtThem) {
  const std::vector<Target> targets = DefaultTargets(/*integer_contractions=*/true);
  ASSERT_EQ(targets.size(), 3u);
  EXPECT_EQ(targets[0].name, "x86-64-v4-vnni");
  EXPECT_EQ(targets[0].dot_group, 4);
  EXPECT_TRUE(targets[0].has_vnni);
  EXPECT_EQ(targets[1].name, "x86-64-v4");
  EXPECT_EQ(targets[1].dot_group, 2);
  EXPECT_FALSE(targets[1].has_vnni);
}

TEST(TargetTest, WideVectorsTakeSeveralNarrowRegisters) {
  EXPECT_EQ(FindTarget("x86-64-v4")->RegistersOf(8), 32);
  EXPECT_EQ(FindTarget("x86-64-v3")->RegistersOf(8), 16);
  EXPECT_EQ(FindTarget("aarch64")->RegistersOf(8), 16);
}

TEST(TargetTest, FindsByName) {
  absl::StatusOr<Target> t = FindTarget("x86-64-v3");
  ASSERT_TRUE(t.ok());
  EXPECT_EQ(t->name, "x86-64-v3");
}

TEST(TargetTest, UnknownNameListsTheKnownOnes) {
  absl::StatusOr<Target> t = FindTarget("z80");
  EXPECT_EQ(t.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(t.status().message(), "unknown target 'z80'; known targets: x86-64-v4-vnni, x86-64-v4, x86-64-v3, aarch64-dotprod, aarch64, cuda");
}

}  // namespace
}  // namespace mgec::kernel
