#include "tools/gpu_model.h"

#include "gtest/gtest.h"

namespace mgec {
namespace {

TEST(GpuModelTest, TheSlowerSideDecides) {
  const Gpu gpu = {"g", 2e12, 1e12, 10, 1e-6, 80, 2048, 32, 164 << 10, 2, 100};  // of a GHz
  EXPECT_DOUBLE_EQ(gpu.clocks(), 1e9);
  auto seconds = [&](const StepWork& work) { return PredictSeconds(gpu, work); };
  EXPECT_DOUBLE_EQ(seconds({0, 0, 1}), 1e-6);
  EXPECT_DOUBLE_EQ(seconds({1000000, 0, 10}), 2e-6);
  EXPECT_DOUBLE_EQ(seconds({1000000, 5000000, 10}), 6e-6);
  EXPECT_DOUBLE_EQ(seconds({1000000, 0, 5}), 3e-6);  // half of the processors
  EXPECT_DOUBLE_EQ(seconds({1000000, 0, 1000}), 2e-6);
  EXPECT_DOUBLE_EQ(seconds({1500000, 0, 15}), 3e-6);           // half of them run a second block
  EXPECT_DOUBLE_EQ(seconds({1000000, 0, 10, 1280 * 3000}), 4e-6);  // 3000 clocks of instructions
  EXPECT_DOUBLE_EQ(seconds({1000000, 0, 10, 0, 2500}), 1.5e-6);    // tensor cores
}

TEST(GpuModelTest, ShareOfTheRoofline) {
  const Gpu gpu = {"g", 2e12, 1e12, 10, 1e-6, 80, 2048, 32, 164 << 10, 2, 100};
  auto share = [&](const StepWork& work) { return RooflineShare(gpu, work); };
  EXPECT_DOUBLE_EQ(share({1000000, 0, 10}), 1);
  EXPECT_DOUBLE_EQ(share({0, 5000000, 1000}), 1);
  EXPECT_DOUBLE_EQ(share({1000000, 0, 5}), 0.5);                  // half of the processors
  EXPECT_DOUBLE_EQ(share({1000000, 0, 10, 1280 * 4000}), 0.25);   // instructions take four times as long
  EXPECT_DOUBLE_EQ(share({1000000, 0, 10, 1280 * 2000, 2500}), 0.25);  // of products of matrices, which need 0.5 us
  EXPECT_DOUBLE_EQ(share({0, 0, 1}), 1);
}

// As NVIDIA's occupancy calculator has it.
TEST(GpuModelTest, BlocksAtATime) {
  const Gpu t4 = *FindGpu("t4"), a100 = *FindGpu("a100"), h100 = *FindGpu("h100");
  EXPECT_EQ(BlocksAtATime(a100, 256, 32, 0), 8);          // threads
  EXPECT_EQ(BlocksAtATime(a100, 32, 16, 0), 32);          // blocks
  EXPECT_EQ(BlocksAtATime(a100, 256, 128, 0), 2);         // registers
  EXPECT_EQ(BlocksAtATime(a100, 256, 33, 0), 6);          // the same, rounded up to 40
  EXPECT_EQ(BlocksAtATime(a100, 128, 32, 40 << 10), 4);   // shared memory, 1 KiB more each
  EXPECT_EQ(BlocksAtATime(t4, 256, 32, 0), 4);
  EXPECT_EQ(BlocksAtATime(t4, 128, 32, 32 << 10), 2);
  EXPECT_EQ(BlocksAtATime(h100, 128, 32, 48 << 10), 4);
  EXPECT_EQ(BlocksAtATime(t4, 128, 32, 65 << 10), 0);
}

TEST(GpuModelTest, KnowsSomeGpus) {
  EXPECT_EQ(FindGpu("a100")->processors, 108);
  EXPECT_EQ(FindGpu("abacus").status().message(), "no GPU 'abacus' is known; known ones: t4, a100, h100");
}

}  // namespace
}  // namespace mgec
