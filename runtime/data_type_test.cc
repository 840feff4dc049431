#include "runtime/data_type.h"

#include <gtest/gtest.h>

namespace mgec {
namespace {

uint64_t Bytes(DataType dtype, const Shape& shape) {
  uint64_t bytes = 0;
  EXPECT_TRUE(TensorBytes(dtype, shape.data(), shape.size(), &bytes));
  return bytes;
}

TEST(DataType, Bytes) {
  EXPECT_EQ(Bytes(DataType::kFloat32, {2, 3}), 24u);
  EXPECT_EQ(Bytes(DataType::kFloat16, {2, 3}), 12u);
  EXPECT_EQ(Bytes(DataType::kUint8, {5}), 5u);
  EXPECT_EQ(Bytes(DataType::kQuantizedS4, {5}), 3u);
  EXPECT_EQ(Bytes(DataType::kInt32, {}), 4u);
  EXPECT_EQ(Bytes(DataType::kInt32, {0, 7}), 0u);
}

TEST(DataType, RefusesWhatCannotBeATensor) {
  uint64_t bytes;
  const Shape huge = {0xffffffff, 0xffffffff};
  EXPECT_FALSE(TensorBytes(DataType::kInt8, huge.data(), huge.size(), &bytes));
  const Shape overflow = {0xffffffff, 0xffffffff, 0xffffffff};
  EXPECT_FALSE(TensorBytes(DataType::kInt8, overflow.data(), overflow.size(), &bytes));
  const Shape deep(kMaxDims + 1, 1);
  EXPECT_FALSE(TensorBytes(DataType::kInt8, deep.data(), deep.size(), &bytes));
}

TEST(DataType, Names) {
  EXPECT_STREQ(DataTypeName(DataType::kFloat32), "float32");
  EXPECT_STREQ(DataTypeName(DataType::kQuantized4Asymm), "quantized_4asymm");
  EXPECT_EQ(ShapeToString({1, 3, 224}), "[1, 3, 224]");
  EXPECT_EQ(ShapeToString({}), "[]");
}

}  // namespace
}  // namespace mgec
