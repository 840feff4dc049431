// Operators that read at computed places, scans, and integer contractions, on the generic schedule.
#include "compiler/schedule/testing/schedule_tester.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using graph::Attributes;
using graph::DType;
using graph::DTypeKind;
using graph::Shape;
using graph::Value;
using Ints = std::vector<int64_t>;

std::string Text(const char* s) { return s; }

TEST(IndexedScheduleTest, RunningSums) {
  for (int64_t axis = 0; axis < 3; ++axis) {
    ScheduleTester t(static_cast<uint32_t>(axis));
    for (int64_t exclusive : {0, 1}) {
      for (int64_t reverse : {0, 1}) {
        const Attributes a = {{"axis", axis}, {"exclusive", exclusive}, {"reverse", reverse}};
        t.Expect(t.Add("cumsum", {t.Input({t.Int(1, 9), t.Int(1, 40), t.Int(1, 40)})}, a));
        t.Expect(t.Add("cumsum", {t.Input({3, 5, 17}, DTypeKind::kInt32)}, a));
      }
    }
    // A scan is not repeated for its readers.
    t.Expect(t.Add("relu", {t.Add("cumsum", {t.Input({4, 6, 33})}, {{"axis", axis}})}));
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(IndexedScheduleTest, GathersAndScatters) {
  ScheduleTester t(10);
  Value* x = t.Input({7, 6, 19});
  Value* i = t.Add("clip", {t.Input({3, 1}, DTypeKind::kInt32), t.graph().AddInts({-6}), t.graph().AddInts({5})});
  Value* j = t.Add("clip", {t.Input({5}, DTypeKind::kInt32), t.graph().AddInts({-6}), t.graph().AddInts({5})});
  for (const Ints& axes : {Ints{0, 1}, Ints{1, 2}, Ints{0, 2}}) {
    Value* y = t.Add("gather_nd", {x, i, j}, {{"axes", axes}});
    t.Expect(y);
    for (const char* mode : {"set", "add"}) {
      t.Expect(t.Add("scatter_nd", {x, t.Input(y->type.shape), i, j}, {{"axes", axes}, {"mode", Text(mode)}}));
    }
  }
  for (const char* mode : {"set", "add"}) {
    t.Expect(t.Add("slice_update", {x, t.Input({2, 6, 5})},
                   {{"begin", Ints{5, 0, 18}}, {"step", Ints{-2, 1, -3}}, {"mode", Text(mode)}}));
  }
  Value* order = t.Add("argsort", {t.Add("round", {x})}, {{"descending", int64_t{1}}, {"count", int64_t{11}}});
  t.Expect(order);
  t.Expect(t.Add("take_along", {x, order}, {{"axis", int64_t{2}}}));
  t.Check();
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(IndexedScheduleTest, SamplesImages) {
  ScheduleTester t(20);
  t.set_tolerance(1e-4);
  Value* x = t.Input({2, 3, 6, 9});
  Value* grid = t.Add("mul", {t.Input({2, 5, 17, 2}), t.Scalar(9)});
  for (const char* border : {"replicate", "reflect", "reflect_101", "wrap", "constant"}) {
    t.Expect(t.Add("sample_image", {x, grid}, {{"border", Text(border)}, {"value", 1.5}}));
  }
  Value* bytes = t.Input({2, 6, 9, 3}, DTypeKind::kUint8);
  t.Expect(t.Add("sample_image", {bytes, grid}, {{"channels_last", int64_t{1}}, {"mode", Text("nearest")}}));
  t.Expect(t.Add("perspective_grid", {t.Input({1, 3, 3})}, {{"size", Ints{4, 19}}, {"precision", Text("cv_linear")}}));
  t.Expect(t.Add("affine_grid", {t.Input({1, 2, 3})}, {{"size", Ints{4, 19}}, {"precision", Text("cv_nearest")}}));
  t.Expect(t.Add("cvt_color", {bytes}, {{"mode", Text("rgb2yuv")}}));
  t.Check();
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(IndexedScheduleTest, QuantizedConvolutions) {
  for (uint32_t seed = 0; seed < 8; ++seed) {
    ScheduleTester t(30 + seed);
    const DType kind = t.Coin() ? DType(DTypeKind::kQuantizedS8, 0.05f) : DType(DTypeKind::kQuantized8Asymm, 0.05f, 3);
    const int64_t group = t.OneOf<int64_t>({1, 2}), in = t.Int(1, 5), out = t.Int(1, 5);
    Value* w = t.Constant(group == 1 ? Shape{out, in, 3, 3} : Shape{group, out, in, 3, 3}, kind);
    Value* y = t.Add("int_conv2d", {t.Input({1, group * in, t.Int(3, 12), t.Int(3, 40)}, kind), w},
                     {{"group", group}, {"pad", Ints{1, t.Int(0, 2)}}, {"stride", Ints{1, t.Int(1, 2)}},
                      {"dtype", Text("qs32(0.0025)")}});
    Value* bias = t.Constant({1, group * out, 1, 1}, DType(DTypeKind::kQuantizedS32, 0.0025f));
    y = t.Add("relu", {t.Add("add", {y, bias})});
    t.Expect(t.Add("cast", {y}, {{"dtype", Text(t.Coin() ? "qs8(0.1)" : "qu8(0.1,7)")}}));
    t.Check();
    if (group == 1) {
      EXPECT_EQ(t.CountOps("int_conv2d+add+relu+cast"), 1) << "bias, activation and rounding belong to the convolution";
    }
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(IndexedScheduleTest, QuantizedPooling) {
  ScheduleTester t(40);
  const Shape shape = {2, 3, 9, 21};
  for (const char* mode : {"max", "average", "average_count_exclude_padding"}) {
    for (const DType& d : {DType(DTypeKind::kQuantizedS8, 0.1f), DType(DTypeKind::kQuantized8Asymm, 0.1f, 5),
                           DType(DTypeKind::kInt8)}) {
      t.Expect(t.Add("pool2d", {t.Input(shape, d)},
                     {{"mode", Text(mode)}, {"window", Ints{3, 3}}, {"stride", Ints{2, 2}}, {"pad", Ints{1, 1}}}));
    }
  }
  t.Check();
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

}  // namespace
}  // namespace mgec::schedule
