#include "compiler/mge/test_model.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mgec::mge {
namespace {

using testing::HasSubstr;
namespace param = fbs::param;
using Mode = param::RelayoutFormatMode;

std::string Relayout(std::vector<int64_t> shape, Mode mode, uint32_t oc = 0, uint32_t group = 1) {
  TestModel m;
  m.Output(m.Op("RelayoutFormatV1", {m.Input("x", std::move(shape))},
                [&](auto& b) { return param::CreateRelayoutFormat(b, mode, oc, group); }));
  return m.Text();
}

TEST(ImportRelayoutTest, FillsUpBlocks) {
  EXPECT_EQ(Relayout({1, 3, 5, 6}, Mode::NCHW_NHWCD4I),
            "pad after=[0,1,0,0] before=[0,0,0,0] mode=constant value=0 -> f32[1,4,5,6]\n"
            "reshape shape=[1,1,4,5,6] -> f32[1,1,4,5,6]\n"
            "transpose perm=[0,3,1,4,2] -> f32[1,5,1,6,4]\n");
  EXPECT_EQ(Relayout({1, 16, 5, 6}, Mode::NCHW_NCHW88),
            "reshape shape=[1,2,8,5,6] -> f32[1,2,8,5,6]\n"
            "transpose perm=[0,1,3,4,2] -> f32[1,2,5,6,8]\n");
}

TEST(ImportRelayoutTest, KeepsTheFillingUnlessToldHowManyChannelsThereAre) {
  EXPECT_THAT(Relayout({1, 2, 5, 6, 4}, Mode::NCHW4_NCHW), HasSubstr("f32[1,8,5,6]\n"));
  EXPECT_THAT(Relayout({1, 2, 5, 6, 4}, Mode::NCHW4_NCHW, 7), HasSubstr("-> f32[1,7,5,6]\n"));
  EXPECT_THAT(Relayout({1, 5, 2, 6, 4}, Mode::NHWCD4I_NCHW, 7), HasSubstr("f32[1,8,5,6]\n"));
}

TEST(ImportRelayoutTest, Permutes) {
  EXPECT_EQ(Relayout({1, 3, 5, 6}, Mode::NCHW_NHWC), "transpose perm=[0,2,3,1] -> f32[1,5,6,3]\n");
  EXPECT_EQ(Relayout({1, 5, 6, 3}, Mode::NHWC_NCHW), "transpose perm=[0,3,1,2] -> f32[1,3,5,6]\n");
  EXPECT_THAT(Relayout({2, 1, 5, 6, 4}, Mode::NCHW4_CHWN4), HasSubstr("f32[1,5,6,2,4]\n"));
}

TEST(ImportRelayoutTest, RefusesTheRest) {
  EXPECT_THAT(Relayout({1, 8, 3, 3}, static_cast<Mode>(99)), HasSubstr("mode=99"));
  EXPECT_THAT(Relayout({1, 8, 3, 3}, Mode::NCHW_NCHW88, 0, 2), HasSubstr("group > 1"));
  EXPECT_THAT(Relayout({1, 8, 3}, Mode::NCHW_NHWC), HasSubstr("is not NCHW"));
}

}  // namespace
}  // namespace mgec::mge
