#include "tools/gpu_model.h"

#include "gtest/gtest.h"

namespace mgec {
namespace {

TEST(GpuModelTest, TheSlowerSideDecides) {
  const Gpu gpu = {"g", 2e12, 1e12, 10, 1e-6};
  EXPECT_DOUBLE_EQ(PredictSeconds(gpu, 0, 0, 1), 1e-6);
  EXPECT_DOUBLE_EQ(PredictSeconds(gpu, 1000000, 0, 10), 2e-6);
  EXPECT_DOUBLE_EQ(PredictSeconds(gpu, 1000000, 5000000, 10), 6e-6);
  EXPECT_DOUBLE_EQ(PredictSeconds(gpu, 1000000, 0, 5), 3e-6);  // half of the processors
  EXPECT_DOUBLE_EQ(PredictSeconds(gpu, 1000000, 0, 1000), 2e-6);
}

TEST(GpuModelTest, KnowsSomeGpus) {
  EXPECT_EQ(FindGpu("a100")->processors, 108);
  EXPECT_EQ(FindGpu("abacus").status().message(), "no GPU 'abacus' is known; known ones: t4, a100, h100");
}

}  // namespace
}  // namespace mgec
