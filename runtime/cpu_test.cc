#include "runtime/cpu.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace mgec {
namespace {

TEST(Cpu, UnknownTargetsAreNotSupported) {
  EXPECT_FALSE(CpuSupports(""));
  EXPECT_FALSE(CpuSupports("x86-64-v5"));
  EXPECT_FALSE(TargetEnabled("armv8"));
}

TEST(Cpu, V4ImpliesV3) {
  if (CpuSupports("x86-64-v4")) {
    EXPECT_TRUE(CpuSupports("x86-64-v3"));
  }
}

TEST(Cpu, VnniImpliesV4) {
  if (CpuSupports("x86-64-v4-vnni")) {
    EXPECT_TRUE(CpuSupports("x86-64-v4"));
  }
}

TEST(Cpu, EnvironmentLowersTheTarget) {
  setenv("MGEC_TARGET", "x86-64-v3", 1);
  EXPECT_FALSE(TargetEnabled("x86-64-v4"));
  EXPECT_EQ(TargetEnabled("x86-64-v3"), CpuSupports("x86-64-v3"));
  setenv("MGEC_TARGET", "x86-64-v4", 1);
  EXPECT_EQ(TargetEnabled("x86-64-v4"), CpuSupports("x86-64-v4"));
  EXPECT_FALSE(TargetEnabled("x86-64-v4-vnni"));
  setenv("MGEC_TARGET", "x86-64", 1);
  EXPECT_STREQ(BestTarget(), "x86-64");
  unsetenv("MGEC_TARGET");
}

}  // namespace
}  // namespace mgec
