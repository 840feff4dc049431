#include "compiler/mge/dtype.h"

#include <limits>

#include "flatbuffers/flatbuffers.h"
#include "gtest/gtest.h"

namespace mgec::mge {
namespace {

using fbs::DTypeEnum;

// The table that a file would hold for `type`, with a scale if `scale` is not 0.
absl::StatusOr<DType> Decode(DTypeEnum type, float scale = 0, uint8_t zero_point = 0) {
  flatbuffers::FlatBufferBuilder builder;
  flatbuffers::Offset<void> param;
  if (scale != 0) param = fbs::CreateLinearQuantizationParam(builder, scale, zero_point).Union();
  builder.Finish(fbs::CreateDType(
      builder, type, scale != 0 ? fbs::DTypeParam::LinearQuantizationParam : fbs::DTypeParam::NONE, param));
  return DecodeDType(flatbuffers::GetRoot<fbs::DType>(builder.GetBufferPointer()));
}

TEST(DTypeTest, AbsentMeansFloat32) {
  EXPECT_EQ(DecodeDType(nullptr).value(), DType());
  EXPECT_EQ(Decode(DTypeEnum::Float32).value(), DType());
}

TEST(DTypeTest, QuantizedTypesHaveScaleAndSomeAZeroPoint) {
  const DType s8 = Decode(DTypeEnum::QuantizedS8, 0.25f, 7).value();
  EXPECT_EQ(s8.scale, 0.25f);
  EXPECT_EQ(s8.zero_point, 0) << "symmetric types have none, whatever the file says";
  EXPECT_EQ(ToString(s8), "QuantizedS8(scale=0.25)");
  const DType u8 = Decode(DTypeEnum::Quantized8Asymm, 0.5f, 128).value();
  EXPECT_EQ(ToString(u8), "Quantized8Asymm(scale=0.5, zero_point=128)");
}

TEST(DTypeTest, RefusesWhatCannotBe) {
  EXPECT_FALSE(Decode(static_cast<DTypeEnum>(22)).ok());
  EXPECT_FALSE(Decode(static_cast<DTypeEnum>(-1)).ok());
  EXPECT_FALSE(Decode(DTypeEnum::IntB2).ok());
  EXPECT_FALSE(Decode(DTypeEnum::QuantizedS8).ok()) << "no scale";
  EXPECT_FALSE(Decode(DTypeEnum::QuantizedS8, -1.f).ok());
  EXPECT_FALSE(Decode(DTypeEnum::QuantizedS8, std::numeric_limits<float>::infinity()).ok());
  EXPECT_FALSE(Decode(DTypeEnum::QuantizedS8, std::numeric_limits<float>::quiet_NaN()).ok());
  EXPECT_FALSE(Decode(DTypeEnum::Quantized4Asymm, 1.f, 16).ok());
}

TEST(DenseBytesTest, CountsBytes) {
  EXPECT_EQ(DenseBytes({2, 3, 4}, DTypeEnum::Float32).value(), 96u);
  EXPECT_EQ(DenseBytes({}, DTypeEnum::Float16).value(), 2u);
  EXPECT_EQ(DenseBytes({5, 0}, DTypeEnum::Float32).value(), 0u);
}

TEST(DenseBytesTest, PacksTheLastAxisOfSmallTypes) {
  EXPECT_EQ(DenseBytes({3, 5}, DTypeEnum::QuantizedS4).value(), 9u);
  EXPECT_EQ(DenseBytes({3, 9}, DTypeEnum::QuantizedS1).value(), 6u);
}

TEST(DenseBytesTest, RefusesWhatOverflows) {
  const int64_t max = std::numeric_limits<uint32_t>::max();
  EXPECT_FALSE(DenseBytes({max, max, max}, DTypeEnum::Float32).ok());
  EXPECT_FALSE(DenseBytes({max, max, max, max, max, max, max}, DTypeEnum::Complex64).ok());
  EXPECT_FALSE(DenseBytes({1 << 20, 1 << 20, 2}, DTypeEnum::Int8).ok());
  EXPECT_TRUE(DenseBytes({1 << 20, 1 << 20}, DTypeEnum::Int8).ok()) << "exactly the limit";
  EXPECT_FALSE(DenseBytes({max, max, max, 0}, DTypeEnum::Int8).ok()) << "an empty tensor, but not a sane one";
  EXPECT_FALSE(DenseBytes({1, 1, 1, 1, 1, 1, 1, 1}, DTypeEnum::Int8).ok()) << "eight axes";
}

}  // namespace
}  // namespace mgec::mge
