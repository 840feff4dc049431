#include "compiler/schedule/narrow_floats.h"

#include <cstring>
#include <limits>

#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using kernel::Scalar;

TEST(NarrowFloatsTest, RoundsToTheNearest) {
  EXPECT_EQ(NarrowBits(1.0f, Scalar::kFloat16), 0x3c00);
  EXPECT_EQ(NarrowBits(1.0f, Scalar::kBFloat16), 0x3f80);
  EXPECT_EQ(NarrowBits(1.0f + 0x1p-12f, Scalar::kFloat16), 0x3c00);
  EXPECT_EQ(NarrowBits(-2.0f, Scalar::kFloat16), 0xc000);
}

TEST(NarrowFloatsTest, KeepsWeightsWideThatFloat16CannotHold) {
  const float usual[] = {0.5f, -0.001f, 0.3f, 0};
  EXPECT_EQ(StorageForWeights(usual, 4, Scalar::kFloat16), Scalar::kFloat16);
  EXPECT_EQ(StorageForWeights(usual, 4, Scalar::kBFloat16), Scalar::kBFloat16);
  EXPECT_EQ(StorageForWeights(usual, 4, Scalar::kFloat32), Scalar::kFloat32);
  const float large[] = {70000, 1};
  EXPECT_EQ(StorageForWeights(large, 2, Scalar::kFloat16), Scalar::kFloat32);
  EXPECT_EQ(StorageForWeights(large, 2, Scalar::kBFloat16), Scalar::kBFloat16);
  const float small[] = {1.0000001e-7f, 3.3333333e-7f};
  EXPECT_EQ(StorageForWeights(small, 2, Scalar::kFloat16), Scalar::kFloat32);
  // Beside large ones, small weights do not matter.
  const float mixed[] = {1.0f, 3.3333333e-7f};
  EXPECT_EQ(StorageForWeights(mixed, 2, Scalar::kFloat16), Scalar::kFloat16);
  const float nan[] = {std::numeric_limits<float>::quiet_NaN()};
  EXPECT_EQ(StorageForWeights(nan, 1, Scalar::kFloat16), Scalar::kFloat32);
}

TEST(NarrowFloatsTest, NarrowsOnlyWhatLosesNothing) {
  const float exact[] = {1.5f, -0.25f}, inexact[] = {1.5f, 0.1f};
  auto bytes = [](const float* v) { return std::string(reinterpret_cast<const char*>(v), 8); };
  const std::string narrow = NarrowExactly(bytes(exact), Scalar::kFloat16);
  ASSERT_EQ(narrow.size(), 4u);
  uint16_t bits[2];
  std::memcpy(bits, narrow.data(), 4);
  EXPECT_EQ(bits[0], 0x3e00);
  EXPECT_EQ(bits[1], 0xb400);
  EXPECT_EQ(NarrowExactly(bytes(inexact), Scalar::kFloat16), "");
}

}  // namespace
}  // namespace mgec::schedule
