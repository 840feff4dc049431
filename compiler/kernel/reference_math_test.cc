#include "compiler/kernel/reference_math.h"

#include <cmath>
#include <cstring>
#include <limits>

#include <gtest/gtest.h>

namespace mgec::kernel {
namespace {

TEST(ReferenceMathTest, InverseErrorFunctionsInvert) {
  auto* erf_inv = ReferenceUnary(Op::kErfInv);
  auto* erfc_inv = ReferenceUnary(Op::kErfcInv);
  for (double x : {1e-30, 1e-8, 0.1, 0.3, 0.4999, 0.5001, 0.9, 0.999999}) {
    EXPECT_NEAR(std::erf(erf_inv(x)) / x, 1, 1e-14) << x;
    EXPECT_EQ(erf_inv(-x), -erf_inv(x));
  }
  for (double q : {1e-45, 1e-30, 1e-5, 0.3, 0.999}) EXPECT_NEAR(std::erfc(erfc_inv(q)) / q, 1, 1e-12) << q;
  EXPECT_EQ(erfc_inv(0.0), std::numeric_limits<double>::infinity());
  EXPECT_EQ(erfc_inv(1.5), -erfc_inv(0.5));
  EXPECT_TRUE(std::isnan(erf_inv(1.5)));
}

TEST(ReferenceMathTest, EveryHalfSurvivesTheRoundTrip) {
  for (int bits = 0; bits < 65536; ++bits) {
    const float v = HalfToFloat(static_cast<uint16_t>(bits));
    if (std::isnan(v)) continue;
    EXPECT_EQ(FloatToHalf(v), bits);
  }
  EXPECT_EQ(FloatToHalf(NAN) & 0x7e00, 0x7e00);
}

TEST(ReferenceMathTest, HalfRoundsToNearestEven) {
  for (int bits = 0; bits < 0x7bff; ++bits) {  // neighbours of one sign, up to the largest finite value
    const auto low = static_cast<uint16_t>(bits), high = static_cast<uint16_t>(bits + 1);
    const float middle = (HalfToFloat(low) + HalfToFloat(high)) / 2;
    EXPECT_EQ(FloatToHalf(middle), bits % 2 == 0 ? low : high);
    EXPECT_EQ(FloatToHalf(std::nextafter(middle, 0.0f)), low);
    EXPECT_EQ(FloatToHalf(std::nextafter(middle, 1e9f)), high);
  }
  EXPECT_EQ(FloatToHalf(65519.9f), 0x7bff);
  EXPECT_EQ(FloatToHalf(65520.0f), 0x7c00);
}

// Halfway cases go away from zero, so that rounding the bits of the magnitude is the same.
TEST(ReferenceMathTest, Tf32RoundsToNearest) {
  auto float_of = [](uint32_t bits) {
    float v;
    std::memcpy(&v, &bits, sizeof(v));
    return v;
  };
  EXPECT_EQ(RoundTf32(1.0f + 1.0f / 2048), 1.0f + 1.0f / 1024);
  EXPECT_EQ(RoundTf32(-1.0f - 1.0f / 2048), -1.0f - 1.0f / 1024);
  EXPECT_EQ(RoundTf32(std::nextafter(1.0f + 1.0f / 2048, 1.0f)), 1.0f);
  EXPECT_EQ(RoundTf32(3.4028235e38f), std::numeric_limits<float>::infinity());
  EXPECT_EQ(RoundTf32(-std::numeric_limits<float>::infinity()), -std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(RoundTf32(NAN)));
  for (uint32_t bits = 0; bits < 0x7f800000u; bits += 0xfff) {
    EXPECT_EQ(RoundTf32(float_of(bits)), float_of((bits + 0x1000) & 0xffffe000u)) << bits;
  }
}

TEST(ReferenceMathTest, BFloat16RoundsToNearestEven) {
  EXPECT_EQ(FloatToBFloat16(1.0f), 0x3f80);
  EXPECT_EQ(FloatToBFloat16(1.0f + 1.0f / 256), 0x3f80);      // tie, even below
  EXPECT_EQ(FloatToBFloat16(1.0f + 3.0f / 256), 0x3f82);      // tie, even above
  EXPECT_EQ(FloatToBFloat16(3.4028235e38f), 0x7f80);          // to infinity
  EXPECT_TRUE(std::isnan(BFloat16ToFloat(FloatToBFloat16(NAN))));
}

}  // namespace
}  // namespace mgec::kernel
