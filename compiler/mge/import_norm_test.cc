#include "compiler/mge/test_model.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mgec::mge {
namespace {

using testing::HasSubstr;
namespace param = fbs::param;

TEST(ImportNormTest, BatchNormGivesItsLastOutput) {
  TestModel m;
  const int c = m.Weight({1, 4, 1, 1});
  const int first = m.Op("BatchNormV1", {m.Input("x", {1, 4, 2, 2}), c, c, c, c}, [](auto& b) {
    return param::CreateBN(b, param::BNParamDim::DIM_1C11, param::BNFwdMode::INFERENCE, 0.5);
  }, 4);
  m.Output(first + 3);
  EXPECT_EQ(m.Text(), "batch_norm epsilon=0.5 -> f32[1,4,2,2]\n");
  m.Output(first);
  EXPECT_THAT(m.Text(), HasSubstr("use of output 0"));
}

TEST(ImportNormTest, BatchNormForInferenceNeedsItsMoments) {
  TestModel m;
  const int c = m.Weight({1, 4, 1, 1});
  m.Output(m.Op("BatchNormV1", {m.Input("x", {1, 4, 2, 2}), c, c}, [](auto& b) {
    return param::CreateBN(b, param::BNParamDim::DIM_1C11, param::BNFwdMode::INFERENCE);
  }, 4));
  EXPECT_THAT(m.Text(), HasSubstr("no mean and variance"));
}

TEST(ImportNormTest, LayerNormTakesTheLastAxes) {
  TestModel m;
  const int w = m.Weight({3, 4});
  m.Output(m.Op("LayerNorm", {m.Input("x", {2, 3, 4}), w, w},
                [](auto& b) { return param::CreateLayerNorm(b, true, 0.25f, 2, 12); }, 3));
  EXPECT_EQ(m.Text(), "layer_norm axes=[1,2] eps=0.25 -> f32[2,3,4]\n");
}

TEST(ImportNormTest, GeneralNormAlignsItsParameters) {
  TestModel m;
  const int w = m.Weight({3});
  m.Output(m.Op("GeneralNorm", {m.Input("x", {2, 3, 4}), w, w},
                [](auto& b) { return param::CreateGeneralNorm(b, true, 0.25f, 1, 2); }, 3));
  EXPECT_EQ(m.Text(),
            "reshape shape=[3,1] -> f32[3,1]\n"
            "reshape shape=[3,1] -> f32[3,1]\n"
            "layer_norm axes=[1] eps=0.25 -> f32[2,3,4]\n");
}

TEST(ImportNormTest, RefusesAxesThatAreNotThere) {
  TestModel m;
  m.Output(m.Op("LayerNorm", {m.Input("x", {2})},
                [](auto& b) { return param::CreateLayerNorm(b, false, 0.25f, ~uint64_t{0}, 1); }, 3));
  EXPECT_EQ(m.Import().status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ImportNormTest, InstanceNormHasAGroupForEachChannel) {
  TestModel m;
  const int x = m.Input("x", {1, 6, 2, 2});
  m.Output(m.Op("GroupNorm", {x}, [](auto& b) { return param::CreateGroupNorm(b, false, 0.25f, 3); }, 3));
  m.Output(m.Op("InstanceNorm", {x}, [](auto& b) { return param::CreateGroupNorm(b, false, 0.25f); }, 3));
  EXPECT_EQ(m.Text(),
            "group_norm eps=0.25 group=3 -> f32[1,6,2,2]\n"
            "group_norm eps=0.25 group=6 -> f32[1,6,2,2]\n");
}

TEST(ImportNormTest, SoftmaxCountsAxesFromTheEnd) {
  TestModel m;
  m.Output(m.Op("Softmax", {m.Input("x", {2, 3, 4})}, [](auto& b) { return param::CreateSoftmax(b, -2); }));
  EXPECT_EQ(m.Text(), "softmax axis=1 -> f32[2,3,4]\n");
}

TEST(ImportNormTest, Lrn) {
  TestModel m;
  m.Output(m.Op("LRN", {m.Input("x", {1, 6, 2, 2})}, [](auto& b) { return param::CreateLRN(b, 3, 2.f, 0.5f, 0.75f); }));
  EXPECT_EQ(m.Text(), "lrn alpha=0.5 beta=0.75 k=2 n=3 -> f32[1,6,2,2]\n");
}

}  // namespace
}  // namespace mgec::mge
