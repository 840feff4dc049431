#include "compiler/mge/weight_layout.h"

#include <cstring>

#include "compiler/mge/layout.h"
#include "compiler/ops/evaluate.h"
#include "gtest/gtest.h"

namespace mgec::mge {
namespace {

using Mode = param::RelayoutFormatMode;
using Format = param::ConvolutionFormat;

class WeightLayoutTest : public testing::Test {
 protected:
  WeightLayoutTest() : shapes_(graph_), context_(op_, options_, graph_, shapes_, conditions_, "w", {}) {}

  // A constant whose elements are 1, 2, 3, ..
  Value* Counting(const Shape& shape) {
    std::string data(graph::NumElements(shape) * 4, '\0');
    for (int32_t i = 0; i < graph::NumElements(shape); ++i) {
      const int32_t v = i + 1;
      std::memcpy(&data[i * 4], &v, 4);
    }
    return graph_.AddConstant({graph::DTypeKind::kInt32, shape}, std::move(data));
  }

  std::vector<int64_t> Values(const Value* v) {
    const auto values = ops::EvaluateInts(v);
    EXPECT_TRUE(values.ok()) << values.status();
    return values.ok() ? *values : std::vector<int64_t>();
  }

  const Operator op_;
  const ImportOptions options_;
  graph::Graph graph_;
  DynamicShapes shapes_;
  Conditions conditions_;
  ImportContext context_;
};

// What convolutions read in a format is what the mode wrote, for whole blocks.
TEST_F(WeightLayoutTest, IsWhatConvolutionsRead) {
  struct Case {
    Mode mode;
    Format format;
    Shape shape, layout;
  };
  const std::vector<Case> cases = {
      {Mode::INTER_WEIGHT_DENSE, Format::NHWCD4, {8, 3, 2, 5}, {2, 2, 5, 3, 4}},
      {Mode::INTER_WEIGHT_DENSEI, Format::NHWCD4, {8, 3, 2, 5}, {2, 2, 5, 3, 4}},
      {Mode::INTER_WEIGHT_GROUP, Format::NHWCD4, {3, 8, 5, 2, 1}, {3, 2, 2, 1, 5, 4}},
      {Mode::INTER_WEIGHT_GROUPI, Format::NHWCD4, {3, 8, 5, 2, 1}, {3, 2, 2, 1, 5, 4}},
      {Mode::INTER_WEIGHT_CHAN, Format::NHWCD4, {8, 1, 1, 3, 2}, {2, 1, 3, 2, 4}},
      {Mode::INTER_WEIGHT_CHANI, Format::NHWCD4, {8, 1, 1, 3, 2}, {2, 1, 3, 2, 4}},
      {Mode::INTER_WEIGHT_DENSEI_DOT, Format::NHWCD4, {8, 12, 2, 5}, {2, 2, 5, 3, 4, 4}},
      {Mode::INTER_WEIGHT_GROUPI_DOT, Format::NHWCD4, {3, 8, 4, 2, 1}, {3, 2, 2, 1, 1, 4, 4}},
      {Mode::NCHW_NCHW4_WEIGHT, Format::NCHW4, {4, 8, 2, 3}, {4, 2, 2, 3, 4}},
      {Mode::NCHW_NCHW4_WEIGHT, Format::NCHW4, {2, 4, 8, 2, 3}, {2, 4, 2, 2, 3, 4}},
      {Mode::NCHW_NCHW88_CONV_DENSE_WEIGHT, Format::NCHW88, {16, 8, 2, 3}, {2, 1, 2, 3, 8, 8}},
      {Mode::NCHW_NCHW88_CONV_GROUP_WEIGHT, Format::NCHW88, {2, 8, 16, 2, 3}, {2, 1, 2, 2, 3, 8, 8}},
      {Mode::NCHW_NCHW88_CONV_CHAN_WEIGHT, Format::NCHW88, {16, 1, 1, 3, 2}, {2, 1, 1, 3, 2, 8}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(EnumNameRelayoutFormatMode(c.mode));
    EXPECT_TRUE(IsWeightMode(c.mode));
    Value* w = Counting(c.shape);
    const auto blocked = WeightToLayout(context_, w, c.mode);
    ASSERT_TRUE(blocked.ok()) << blocked.status();
    EXPECT_EQ((*blocked)->type.shape, c.layout);
    const auto layout = LayoutOf(c.format);
    ASSERT_TRUE(layout.ok());
    const auto back = WeightToOihw(context_, *blocked, *layout, c.shape.size() == 5, 5);
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ((*back)->type.shape, c.shape);
    EXPECT_EQ(Values(*back), Values(w));
  }
}

TEST_F(WeightLayoutTest, FillsUpBlocksWithZeros) {
  const auto blocked = WeightToLayout(context_, Counting({1, 3, 1, 1}), Mode::NCHW_NCHW4_IC_SMALL_CONV_DENSE_WEIGHT);
  ASSERT_TRUE(blocked.ok()) << blocked.status();
  EXPECT_EQ((*blocked)->type.shape, (Shape{1, 1, 1, 1, 4}));
  EXPECT_EQ(Values(*blocked), (std::vector<int64_t>{1, 2, 3, 0}));
  const auto padded = WeightToLayout(context_, Counting({1, 2, 1, 1}), Mode::NCHW_NCHW4_WEIGHT);
  ASSERT_TRUE(padded.ok()) << padded.status();
  EXPECT_EQ((*padded)->type.shape, (Shape{4, 1, 1, 1, 4}));
  EXPECT_EQ(Values(*padded), (std::vector<int64_t>{1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
}

TEST_F(WeightLayoutTest, Refuses) {
  EXPECT_FALSE(IsWeightMode(Mode::NCHW_NCHW4));
  const auto s = WeightToLayout(context_, Counting({4, 4}), Mode::INTER_WEIGHT_DENSE).status();
  EXPECT_EQ(s.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(s.message(), "a weight of shape [4,4] does not fit the mode");
}

}  // namespace
}  // namespace mgec::mge
