// Convolutions and the depthwise ones that read them, large enough to be computed in parts.
#include "compiler/schedule/testing/schedule_tester.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using graph::Shape;
using graph::Value;
using Ints = std::vector<int64_t>;

constexpr int64_t kExtent = 112;

struct Expansion {
  int64_t in_channels = 8, channels = 40, kernel = 1;
  bool bias = true;
};

Value* Expand(ScheduleTester& t, Value* x, const Expansion& e) {
  Value* y = t.Add("conv2d", {x, t.Constant({e.channels, e.in_channels, e.kernel, e.kernel})},
                   {{"pad", Ints{e.kernel / 2, e.kernel / 2}}});
  if (e.bias) y = t.Add("add", {y, t.Constant({1, e.channels, 1, 1})});
  return t.Add("min", {t.Add("relu", {y}), t.Scalar(6)});
}

Value* Depthwise(ScheduleTester& t, Value* x, int64_t stride, bool bias = true) {
  const int64_t channels = x->type.shape[1];
  Value* y = t.Add("conv2d", {x, t.Constant({channels, 1, 1, 3, 3})},
                   {{"group", channels}, {"pad", Ints{1, 1}}, {"stride", Ints{stride, stride}}});
  return bias ? t.Add("silu", {t.Add("add", {t.Constant({channels, 1, 1}), y})}) : y;
}

int Depthwises(const ScheduleTester& t) { return t.CountOps("conv2d+add+silu_exp2") + t.CountOps("conv2d"); }

TEST(ChannelPartsTest, Parts) {
  struct Case {
    Expansion expansion;
    int64_t stride;
    bool bias;
    int parts;
  };
  uint32_t salt = 0;
  for (const Case& c : {Case{{8, 40, 1, true}, 2, true, 2}, Case{{3, 75, 3, true}, 1, true, 3}, Case{{11, 64, 1, false}, 2, false, 2}}) {
    ScheduleTester t(++salt);
    Value* x = t.Input({1, c.expansion.in_channels, kExtent, kExtent});
    Value* y = Depthwise(t, Expand(t, x, c.expansion), c.stride, c.bias);
    t.Expect(t.Add("conv2d", {y, t.Constant({5, y->type.shape[1], 1, 1})}));  // reads all parts, and counts as one more
    t.Check();
    EXPECT_EQ(Depthwises(t), c.parts + 1) << testing::PrintToString(t.ops());
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// Channels wherever they are, several images, and an input that is gated.
TEST(ChannelPartsTest, Inputs) {
  ScheduleTester t(10);
  Value* x = t.Scattered({2, 9, 80, 80});
  t.Expect(Depthwise(t, Expand(t, x, {9, 40, 1, true}), 2));
  Value* gated = t.Add("mul", {t.Blocked({1, 16, kExtent, kExtent}), t.Add("sigmoid", {t.Input({1, 16, 1, 1})})});
  t.Expect(Depthwise(t, Expand(t, gated, {16, 40, 1, true}), 2));
  t.Check();
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(ChannelPartsTest, LeavesTheRest) {
  const auto depthwises = [](uint32_t salt, const auto& expect) {
    ScheduleTester t(salt);
    expect(t);
    t.Check();
    return Depthwises(t);
  };
  const Shape in = {1, 8, kExtent, kExtent};
  // What lies between is small, wanted by others, or in one part anyway.
  EXPECT_EQ(depthwises(20, [&](ScheduleTester& t) { t.Expect(Depthwise(t, Expand(t, t.Input({1, 8, 56, 56}), {}), 2)); }), 1);
  EXPECT_EQ(depthwises(21, [&](ScheduleTester& t) {
              Value* x = Expand(t, t.Input(in), {});
              t.Expect(x);
              t.Expect(Depthwise(t, x, 2));
            }), 1);
  EXPECT_EQ(depthwises(22, [&](ScheduleTester& t) { t.Expect(Depthwise(t, Expand(t, t.Input(in), {8, 32, 1, true}), 2)); }), 1);
  // Somebody sums up the pixels of the result.
  EXPECT_EQ(depthwises(23, [&](ScheduleTester& t) {
              Value* y = Depthwise(t, Expand(t, t.Input(in), {}), 2);
              Value* mean = t.Add("reduce", {y}, {{"mode", std::string("mean")}, {"axes", Ints{2, 3}}, {"keepdims", int64_t{1}}});
              t.Expect(t.Add("mul", {y, mean}));
            }), 1);
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

}  // namespace
}  // namespace mgec::schedule
