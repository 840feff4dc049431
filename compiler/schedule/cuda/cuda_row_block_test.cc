// Softmax and the norms on GPUs: one kernel takes each row through all stages.
#include "compiler/schedule/testing/schedule_tester.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using graph::Attributes;
using graph::DTypeKind;
using graph::Shape;
using graph::Value;
using Ints = std::vector<int64_t>;

Attributes Axis(int64_t axis) { return {{"axis", axis}}; }

// A warp, several warps, a row that fills shared memory, and one that has to be divided.
TEST(CudaRowBlockTest, Softmax) {
  uint32_t salt = 1;
  for (const auto& [shape, steps] : {std::pair<Shape, int>{{5, 3, 40}, 1}, {{3, 700}, 1}, {{2, 2, 1, 5000}, 1}, {{1, 1000}, 1}, {{260, 17}, 1}}) {
    ScheduleTester t(salt++);
    t.Expect(t.Add("softmax", {t.Input(shape)}, Axis(static_cast<int64_t>(shape.size()) - 1)));
    t.CheckCuda();
    EXPECT_EQ(t.CountOps("softmax"), steps) << graph::ToString(shape);
  }
  ScheduleTester t(salt);
  t.Expect(t.Add("softmax", {t.Input({2, 40000})}, Axis(1)));
  t.set_tolerance(1e-4);
  t.CheckCuda();
  EXPECT_GT(t.CountOps("softmax"), 1);
}

TEST(CudaRowBlockTest, OtherAxes) {
  for (int64_t axis = 0; axis < 3; ++axis) {
    ScheduleTester t(static_cast<uint32_t>(50 + axis));
    Shape shape = {4, 5, 6};
    shape[axis] = 65;
    t.Expect(t.Add("softmax", {t.Input(shape)}, Axis(axis)));
    t.CheckCuda();
  }
}

TEST(CudaRowBlockTest, Norms) {
  ScheduleTester t(70);
  Value* x = t.Input({2, 9, 96});
  t.Expect(t.Add("layer_norm", {x, t.Constant({96}), t.Constant({96})}, {{"axes", Ints{2}}}));
  t.Expect(t.Add("layer_norm", {x}, {{"axes", Ints{1, 2}}}));
  t.CheckCuda();
  EXPECT_EQ(t.CountOps("layer_norm"), 2);
}

TEST(CudaRowBlockTest, GroupsOfChannels) {
  for (int64_t groups : {1, 2, 6}) {
    ScheduleTester t(static_cast<uint32_t>(80 + groups));
    t.Expect(t.Add("group_norm", {t.Input({3, 6, 5, 7}), t.Constant({6}), t.Constant({6})}, {{"group", groups}}));
    t.CheckCuda();
  }
}

// What comes before and after.
TEST(CudaRowBlockTest, Fused) {
  ScheduleTester t(90);
  Value* x = t.Add("add", {t.Input({3, 20, 33}), t.Input({33})});
  t.Expect(t.Add("mul", {t.Add("softmax", {t.Add("relu", {x})}, Axis(2)), t.Scalar(3)}));
  t.CheckCuda();
}

TEST(CudaRowBlockTest, Halves) {
  ScheduleTester t(95);
  Value* x = t.Input({7, 50}, DTypeKind::kFloat16);
  t.Expect(t.Add("softmax", {t.Add("softmax", {x}, Axis(1))}, Axis(1)));
  t.set_tolerance(1e-3);
  t.CheckCudaAfterPasses();
}

}  // namespace
}  // namespace mgec::schedule
