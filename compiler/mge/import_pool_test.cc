#include "compiler/mge/test_model.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mgec::mge {
namespace {

using testing::HasSubstr;
namespace param = fbs::param;
using param::ConvolutionFormat;
using param::InterpolationMode;
using param::PoolingMode;

TEST(ImportPoolTest, DefaultsAreWindowAndStrideTwo) {
  TestModel m;
  m.Output(m.Op("PoolingV1", {m.Input("x", {1, 3, 8, 8})}, [](auto& b) { return param::CreatePooling(b); }));
  EXPECT_EQ(m.Text(), "pool2d mode=max pad=[0,0] stride=[2,2] window=[2,2] -> f32[1,3,4,4]\n");
}

TEST(ImportPoolTest, PoolsInBlocks) {
  TestModel m;
  m.Output(m.Op("PoolingV1", {m.Input("x", {1, 2, 9, 9, 8})}, [](auto& b) {
    return param::CreatePooling(b, PoolingMode::AVERAGE_COUNT_EXCLUDE_PADDING, 1, 1, 2, 2, 3, 3,
                                ConvolutionFormat::NCHW88);
  }));
  EXPECT_EQ(m.Text(),
            "transpose perm=[0,1,4,2,3] -> f32[1,2,8,9,9]\n"
            "reshape shape=[1,16,9,9] -> f32[1,16,9,9]\n"
            "pool2d mode=average_count_exclude_padding pad=[1,1] stride=[2,2] window=[3,3] -> f32[1,16,5,5]\n"
            "reshape shape=[1,2,8,5,5] -> f32[1,2,8,5,5]\n"
            "transpose perm=[0,1,3,4,2] -> f32[1,2,5,5,8]\n");
}

TEST(ImportPoolTest, AdaptivePoolingHasOneWindow) {
  const auto text = [](std::vector<int64_t> shape, std::vector<int32_t> size) {
    TestModel m;
    m.Output(m.Op("AdaptivePoolingV1", {m.Input("x", std::move(shape)), m.Ints(size)},
                  [](auto& b) { return param::CreateAdaptivePooling(b, PoolingMode::AVERAGE); }));
    return m.Text();
  };
  EXPECT_EQ(text({1, 3, 7, 10}, {3, 4}),
            "pool2d mode=average pad=[0,0] stride=[2,2] window=[3,4] -> f32[1,3,3,4]\n");
  EXPECT_EQ(text({1, 3, 7, 7}, {1}), "pool2d mode=average pad=[0,0] stride=[7,7] window=[7,7] -> f32[1,3,1,1]\n");
  EXPECT_THAT(text({1, 3, 7, 7}, {8}), HasSubstr("cannot pool 7 elements to 8"));
  EXPECT_THAT(text({1, 3, 7, 7}, {0}), HasSubstr("output size [0,0] is not possible"));
  EXPECT_THAT(text({1, 3, 7, 7}, {1, 1, 1}), HasSubstr("is not possible"));
}

TEST(ImportPoolTest, SizesMustBeConstant) {
  TestModel m;
  const int size = m.Input("size", {2}, fbs::DTypeEnum::Int32);
  m.Output(m.Op("AdaptivePoolingV1", {m.Input("x", {1, 3, 7, 7}), size},
                [](auto& b) { return param::CreateAdaptivePooling(b); }));
  EXPECT_EQ(m.Import().status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(m.Text(), HasSubstr("operand 1 depends on data"));
}

TEST(ImportPoolTest, Resize) {
  const auto text = [](std::vector<int64_t> shape, InterpolationMode mode, ConvolutionFormat format) {
    TestModel m;
    m.Output(m.Op("ResizeV2", {m.Input("x", std::move(shape)), m.Ints({6, 9})},
                  [&](auto& b) { return param::CreateResize(b, mode, format); }));
    return m.Text();
  };
  EXPECT_EQ(text({1, 3, 4, 4}, InterpolationMode::LINEAR, ConvolutionFormat::NCHW),
            "resize mode=linear size=[6,9] -> f32[1,3,6,9]\n");
  EXPECT_THAT(text({1, 4, 4, 2}, InterpolationMode::NEAREST, ConvolutionFormat::NHWC),
              HasSubstr("resize mode=nearest size=[6,9] -> f32[1,2,6,9]\ntranspose"));
  EXPECT_THAT(text({1, 4, 4, 3}, InterpolationMode::LINEAR, ConvolutionFormat::NHWC),
              HasSubstr("resize_table rounding=away -> f32[1,6,9,3]"));
  EXPECT_THAT(text({1, 3, 4, 4}, InterpolationMode::AREA, ConvolutionFormat::NCHW), HasSubstr("imode=AREA"));
}

}  // namespace
}  // namespace mgec::mge
