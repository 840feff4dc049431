// Nodes that move no data, in chains, scheduled for every target, against the definitions.
#include <algorithm>

#include "compiler/schedule/testing/schedule_tester.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using graph::Attributes;
using graph::Shape;
using graph::Value;
using Ints = std::vector<int64_t>;

Attributes Axis(int64_t axis) { return {{"axis", axis}}; }
Attributes To(const Shape& shape) { return {{"shape", shape}}; }

Value* Slice(ScheduleTester& t, Value* v, size_t axis, int64_t begin, int64_t end, int64_t step = 1) {
  Ints begins(v->type.shape.size(), 0), ends = v->type.shape, steps(v->type.shape.size(), 1);
  begins[axis] = begin;
  ends[axis] = end;
  steps[axis] = step;
  return t.Add("slice", {v}, {{"begin", begins}, {"end", ends}, {"step", steps}});
}

// MegEngine's channel shuffle: reshape, transpose, reshape.
Value* Shuffle(ScheduleTester& t, Value* v, int64_t groups) {
  const Shape s = v->type.shape;
  v = t.Add("reshape", {v}, To({s[0], groups, s[1] / groups, s[2], s[3]}));
  v = t.Add("transpose", {v}, {{"perm", Ints{0, 2, 1, 3, 4}}});
  return t.Add("reshape", {v}, To(s));
}

// Reads a tensor as convolutions do.
Value* Conv(ScheduleTester& t, Value* v, int64_t out_channels) {
  return t.Add("conv2d", {v, t.Constant({out_channels, v->type.shape[1], 1, 1})});
}

TEST(ViewScheduleTest, SplitConcatAndShuffleTakeNoStep) {
  ScheduleTester t(100);
  Value* x = t.Blocked({1, 24, 5, 5});
  Value* left = Slice(t, x, 1, 0, 12);
  Value* right = Conv(t, Slice(t, x, 1, 12, 24), 12);
  Value* y = Shuffle(t, t.Add("concat", {left, right}, Axis(1)), 2);
  t.Expect(Conv(t, Slice(t, y, 1, 12, 24), 7));
  t.Check();
  int others = 0;
  for (const std::string& op : t.ops()) others += op != "conv2d" && op != "identity" && op != "to_blocked";
  EXPECT_EQ(others, 0) << testing::PrintToString(t.ops());
  EXPECT_EQ(t.CountOps("identity"), 1) << "the output, from blocks to a dense tensor";
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(ViewScheduleTest, RandomChainsOfChannelViews) {
  for (uint32_t i = 0; i < 14; ++i) {
    ScheduleTester t(200 + i);
    const int64_t images = t.Int(1, 2), h = t.Int(1, 4), w = t.Int(1, 4);
    std::vector<Value*> pool = {t.Blocked({images, t.Int(2, 26), h, w}), t.Input({images, t.Int(2, 9), h, w})};
    for (int64_t n = t.Int(3, 8); n > 0; --n) {
      Value* v = pool[t.Int(0, static_cast<int64_t>(pool.size()) - 1)];
      const int64_t c = v->type.shape[1];
      switch (t.Int(0, 5)) {
        case 0: {
          const int64_t begin = t.Int(0, c - 1);
          pool.push_back(Slice(t, v, 1, begin, t.Int(begin + 1, c), t.Int(1, 2)));
          break;
        }
        case 1: pool.push_back(Slice(t, v, 1, c - 1, -1, -1)); break;
        case 2: pool.push_back(t.Add("concat", {v, pool[t.Int(0, static_cast<int64_t>(pool.size()) - 1)]}, Axis(1))); break;
        case 3: pool.push_back(c % 2 == 0 ? Shuffle(t, v, 2) : Shuffle(t, v, c)); break;
        case 4: pool.push_back(t.Add("relu", {v})); break;
        case 5: {
          Ints index(t.Int(1, 12));
          for (int64_t& at : index) at = t.Int(-c, c - 1);
          pool.push_back(t.Add("gather", {v, t.graph().AddInts(index)}, Axis(1)));
          break;
        }
      }
      if (pool.back()->type.shape[1] > 60) pool.pop_back();
    }
    t.Expect(Conv(t, pool.back(), t.Int(1, 9)));
    t.Expect(pool[pool.size() - 2]);
    t.Expect(t.Add("abs", {pool[t.Int(0, static_cast<int64_t>(pool.size()) - 1)]}));
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(ViewScheduleTest, ReshapesOfBlockedTensors) {
  const Shape x = {2, 12, 4, 6};
  const Shape shapes[] = {{2, 12, 24}, {2, 12, 24, 1}, {2, 12, 2, 2, 6}, {2, 288}, {2, 3, 4, 4, 6}, {24, 24}, {576}};
  for (const Shape& shape : shapes) {
    ScheduleTester t(300);
    Value* y = t.Add("reshape", {t.Coin() ? t.Blocked(x) : t.Scattered(x)}, To(shape));
    t.Expect(t.Add("relu", {y}));
    t.Expect(t.Add("reshape", {y}, To({4, 3, 12, 4})));
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(ViewScheduleTest, OnePixelIsAlreadyDense) {
  for (const int64_t c : {5, 8, 19}) {
    ScheduleTester t(400);
    Value* x = t.Add("reduce", {t.Blocked({1, c, 3, 3})}, {{"mode", std::string("max")}, {"axes", Ints{2, 3}}});
    t.Expect(t.Add("matmul", {t.Add("reshape", {x}, To({1, c})), t.Constant({c, 4})}));
    t.Check();
    EXPECT_EQ(t.CountOps("identity"), 0) << testing::PrintToString(t.ops());
  }
  {
    ScheduleTester t(410);  // where channels are not in order, they are copied
    Value* x = t.Add("relu", {t.Scattered({1, 13, 1, 1})});
    t.Expect(t.Add("matmul", {t.Add("reshape", {x}, To({1, 13})), t.Constant({13, 4})}));
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// Runs of neighbouring channels, of all lengths and places in their blocks.
TEST(ViewScheduleTest, ChannelsLast) {
  for (uint32_t i = 0; i < 10; ++i) {
    ScheduleTester t(350 + i);
    Value* x;
    const int64_t n = t.Int(1, 2), h = t.Int(1, 4), w = t.Int(1, 5);
    if (i % 3 == 0) {
      x = t.Scattered({n, t.Int(2, 30), h, w});
    } else {
      std::vector<Value*> parts;
      for (int64_t k = t.Int(1, 4); k > 0; --k) parts.push_back(t.Blocked({n, t.OneOf<int64_t>({1, 3, 4, 8, 13, 40, 80}), h, w}));
      x = parts.size() == 1 ? parts[0] : t.Add("concat", parts, {{"axis", int64_t{1}}});
    }
    t.Expect(t.Add("transpose", {x}, {{"perm", Ints{0, 2, 3, 1}}}));
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(ViewScheduleTest, SlicesOfDenseTensors) {
  for (uint32_t i = 0; i < 10; ++i) {
    ScheduleTester t(500 + i);
    Value* x = t.Add("exp", {t.Input({t.Int(1, 4), t.Int(1, 4), t.Int(1, 5)})});
    const size_t axis = t.Int(0, 2);
    const int64_t n = x->type.shape[axis], begin = t.Int(0, n - 1);
    Value* y = Slice(t, x, axis, begin, t.Int(begin + 1, n), t.Int(1, 3));
    y = Slice(t, y, 0, y->type.shape[0] - 1, y->type.shape[0]);
    t.Expect(y);
    t.Expect(t.Add("abs", {y}));
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// Blocked tensors, split along what is not a channel.
TEST(ViewScheduleTest, SlicesAndConcatsAlongOtherAxes) {
  for (const size_t axis : {0, 2, 3}) {
    ScheduleTester t(600 + static_cast<uint32_t>(axis));
    Value* x = t.Blocked({3, 11, 4, 5});
    Value* part = Slice(t, x, axis, 1, 3);
    t.Expect(Conv(t, part, 5));
    t.Expect(Conv(t, t.Add("concat", {x, part, t.Input(part->type.shape)}, Axis(static_cast<int64_t>(axis))), 3));
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// Values that are several outputs, inputs that are outputs, views that are outputs.
TEST(ViewScheduleTest, Outputs) {
  ScheduleTester t(700);
  Value* x = t.Input({1, 10, 3, 3});
  Value* y = t.Add("relu", {x});
  Value* z = Conv(t, y, 9);
  Value* c = t.Constant({2, 3});
  t.Expect(x);
  t.Expect(y);
  t.Expect(y);
  t.Expect(Slice(t, y, 1, 2, 5));
  t.Expect(t.Add("reshape", {y}, To({90})));
  t.Expect(z);
  t.Expect(t.Add("concat", {z, y}, Axis(1)));
  t.Expect(z);
  t.Expect(c);
  t.Expect(c);
  t.Expect(t.Add("identity", {y}));
  t.Expect(t.Add("identity", {x}));
  t.Check();
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// Of a concatenation that is transposed, parts go straight to where they are wanted.
TEST(ViewScheduleTest, TransposedConcat) {
  for (const bool several : {false, true}) {
    ScheduleTester t(750 + several);
    const int64_t images = several ? 2 : 1;
    const auto flat = [&](Value* v) { return t.Add("reshape", {v}, To({images, 21, v->type.shape[2] * v->type.shape[3]})); };
    Value* x = t.Add("concat", {flat(t.Scattered({images, 21, 5, 7})), flat(t.Blocked({images, 21, 3, 4})), t.Input({images, 21, 9}),
                                t.Input({images, 21, 0})},
                     Axis(2));
    Value* y = t.Add("transpose", {x}, {{"perm", Ints{0, 2, 1}}});
    t.Expect(y);
    t.Expect(t.Add("relu", {y}));
    t.Check();
    // Of several images, parts of results are not neighbours in memory.
    EXPECT_EQ(t.CountOps("transpose"), several ? 1 : 3) << testing::PrintToString(t.ops());
    EXPECT_EQ(t.CountOps("concat"), several ? 1 : 0) << testing::PrintToString(t.ops());
  }
  ScheduleTester t(760);  // somebody else wants the concatenation; the transpose is no output
  Value* x = t.Add("concat", {t.Input({4, 6}), t.Input({4, 3})}, Axis(1));
  t.Expect(t.Add("exp", {t.Add("transpose", {x}, {{"perm", Ints{1, 0}}})}));
  t.Expect(x);
  Value* z = t.Add("concat", {t.Input({4, 6}), t.Input({4, 3})}, Axis(1));
  t.Expect(t.Add("reduce", {t.Add("transpose", {z}, {{"perm", Ints{1, 0}}})}, {{"mode", std::string("sum")}, {"axes", Ints{1}}}));
  t.Check();
  EXPECT_EQ(t.CountOps("transpose"), 3) << testing::PrintToString(t.ops());
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(ViewScheduleTest, EmptyParts) {
  ScheduleTester t(800);
  Value* x = t.Blocked({1, 10, 3, 3});
  Value* none = Slice(t, x, 1, 4, 4);
  t.Expect(none);
  t.Expect(t.Add("relu", {none}));
  t.Expect(t.Add("concat", {none, x, none}, Axis(1)));
  t.Expect(t.Add("concat", {none, none}, Axis(1)));
  t.Expect(Conv(t, none, 5));
  t.Expect(t.Add("reduce", {none}, {{"mode", std::string("sum")}, {"axes", Ints{1, 2, 3}}}));
  t.Expect(t.Add("reshape", {none}, To({0, 9})));
  t.Check();
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

}  // namespace
}  // namespace mgec::schedule
