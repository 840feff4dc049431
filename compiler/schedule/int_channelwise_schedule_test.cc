// What happens to blocked tensors of integers between convolutions, for every target, against the definitions.
#include "compiler/schedule/testing/schedule_tester.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using graph::DType;
using graph::DTypeKind;
using graph::Shape;
using graph::Value;
using Ints = std::vector<int64_t>;

const DType kS8(DTypeKind::kQuantizedS8, 0.03f), kU8(DTypeKind::kQuantized8Asymm, 0.03f, 77);
const DType kTypes[] = {kS8, kU8, DTypeKind::kInt8, DTypeKind::kUint8, DTypeKind::kInt16, DTypeKind::kInt32};

Value* Cast(ScheduleTester& t, Value* x, const DType& d) { return t.Add("cast", {x}, {{"dtype", ToString(d)}}); }

// Numbers that use the type's range, in blocks.
Value* Blocked(ScheduleTester& t, const Shape& shape, const DType& d) {
  return Cast(t, t.Add("mul", {t.Scattered(shape), t.Scalar(graph::IsQuantized(d) ? 0.5f : 9.0f)}), d);
}

TEST(IntChannelwiseScheduleTest, Pooling) {
  for (const DType& d : kTypes) {
    for (const char* mode : {"max", "average", "average_count_exclude_padding"}) {
      ScheduleTester t(100);
      t.Expect(t.Add("pool2d", {Blocked(t, {2, 13, 7, 6}, d)},
                     {{"mode", std::string(mode)}, {"window", Ints{3, 2}}, {"stride", Ints{2, 1}}, {"pad", Ints{1, 1}}}));
      t.Check();
    }
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(IntChannelwiseScheduleTest, Casts) {
  for (const DType& from : kTypes) {
    for (const DType& to : {kU8, kS8, DType(DTypeKind::kFloat32), DType(DTypeKind::kInt32), DType(DTypeKind::kUint8)}) {
      ScheduleTester t(200);
      t.Expect(Cast(t, Blocked(t, {1, 11, 5, 9}, from), to));
      t.Check();
    }
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(IntChannelwiseScheduleTest, Arithmetic) {
  for (const DType& d : {DType(DTypeKind::kInt8), DType(DTypeKind::kUint8), DType(DTypeKind::kInt16), DType(DTypeKind::kInt32)}) {
    for (const char* op : {"add", "sub", "mul", "max", "min"}) {
      ScheduleTester t(300);
      t.set_integers(-128, 127);
      Value* x = Blocked(t, {1, 19, 3, 5}, d);
      x = t.Add(op, {x, Blocked(t, {1, 19, 3, 5}, d)});  // small integers wrap
      x = t.Add(op, {x, t.Constant({1, 19, 1, 1}, d)});
      t.Expect(t.Add(op, {x, t.Input({1, 19, 3, 5}, d)}));
      t.Check();
    }
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// Channels move without copies, whatever they hold.
TEST(IntChannelwiseScheduleTest, ConcatSliceAndShuffle) {
  for (const DType& d : kTypes) {
    ScheduleTester t(400);
    Value* x = Cast(t, t.Blocked({2, 13, 4, 5}), d);
    Value* y = Cast(t, t.Blocked({2, 9, 4, 5}), d);
    Value* both = t.Add("concat", {x, y}, {{"axis", int64_t{1}}});
    Value* some = t.Add("slice", {both}, {{"begin", Ints{0, 3, 0, 0}}, {"end", Ints{2, 20, 4, 5}}, {"step", Ints{1, 2, 1, 1}}});
    t.Expect(t.Add("reshape", {some}, {{"shape", Ints{2, 180}}}));
    t.Expect(t.Add("pool2d", {both}, {{"mode", std::string("max")}, {"window", Ints{2, 2}}, {"stride", Ints{2, 2}}}));
    t.Expect(t.Add("concat", {both, t.Input({2, 3, 4, 5}, d)}, {{"axis", int64_t{1}}}));
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(IntChannelwiseScheduleTest, ReductionsAndOnePixel) {
  for (const DType& d : {kS8, kU8}) {
    ScheduleTester t(500);
    Value* x = Blocked(t, {1, 13, 4, 5}, d);
    Value* pooled = t.Add("pool2d", {x}, {{"mode", std::string("average")}, {"window", Ints{4, 5}}, {"stride", Ints{1, 1}}});
    t.Expect(t.Add("reshape", {pooled}, {{"shape", Ints{13}}}));
    t.Expect(pooled);
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

}  // namespace
}  // namespace mgec::schedule
