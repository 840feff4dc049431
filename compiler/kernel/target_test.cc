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

TEST(TargetTest, FindsByName) {
  absl::StatusOr<Target> t = FindTarget("x86-64-v3");
  ASSERT_TRUE(t.ok());
  EXPECT_EQ(t->name, "x86-64-v3");
}

TEST(TargetTest, UnknownNameListsTheKnownOnes) {
  absl::StatusOr<Target> t = FindTarget("z80");
  EXPECT_EQ(t.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(t.status().message(), "unknown target 'z80'; known targets: x86-64-v4, x86-64-v3");
}

}  // namespace
}  // namespace mgec::kernel
