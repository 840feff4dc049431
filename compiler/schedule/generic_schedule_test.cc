// Definitions on dense tensors, scheduled for every target, against the same definitions evaluated one element at a time.
#include <algorithm>

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

Shape RandomShape(ScheduleTester& t, int64_t rank, int64_t max_extent) {
  Shape s(rank);
  for (int64_t& d : s) d = t.Int(1, max_extent);
  return s;
}

TEST(GenericScheduleTest, SoftmaxOnEveryAxis) {
  for (int64_t axis = 0; axis < 4; ++axis) {
    for (uint32_t i = 0; i < 2; ++i) {
      ScheduleTester t(100 + i);
      Shape shape = RandomShape(t, 4, 6);
      shape[axis] = t.Int(1, 70);
      Value* x = i == 0 ? t.Input(shape) : t.Blocked(shape);
      t.Expect(t.Add("softmax", {x}, Axis(axis)));
      t.Check();
    }
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(GenericScheduleTest, RowsGoThroughAllStagesAtOnce) {
  for (uint32_t i = 0; i < 6; ++i) {
    ScheduleTester t(150 + i);
    t.set_tolerance(5e-5);
    const int64_t columns = t.OneOf<int64_t>({1, 2, 7, 16, 33, 100});
    const Shape shape = i % 2 == 0 ? Shape{t.Int(16, 40), columns} : Shape{3, t.Int(6, 9), t.Int(1, 3), columns};
    const int64_t axis = static_cast<int64_t>(shape.size()) - 1;
    t.Expect(t.Add("softmax", {t.Input(shape)}, Axis(axis)));
    t.Expect(t.Add("layer_norm", {t.Input(shape), t.Constant({columns}), t.Input({columns})}, {{"axes", Ints{axis}}}));
    t.Expect(t.Add("argmax", {t.Input(shape)}, Axis(axis)));
    t.Check();
    for (const char* op : {"softmax", "layer_norm", "argmax"}) EXPECT_EQ(t.CountOps(op), 1) << op;
  }
  // Rows of several dimensions, of which each stage has some.
  ScheduleTester t(160);
  t.set_tolerance(5e-5);
  t.Expect(t.Add("softmax", {t.Input({20, 9, 19})}, Axis(1)));
  t.Expect(t.Add("layer_norm", {t.Input({20, 9, 19})}, {{"axes", Ints{1, 2}}}));
  t.Check();
  EXPECT_EQ(t.CountOps("softmax"), 1);
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(GenericScheduleTest, ArgMaxAndArgMin) {
  for (int64_t axis = 0; axis < 3; ++axis) {
    ScheduleTester t(200 + static_cast<uint32_t>(axis));
    Shape shape = RandomShape(t, 3, 9);
    shape[axis] = t.Int(2, 40);
    t.Expect(t.Add("argmax", {t.Input(shape)}, Axis(axis)));
    t.Expect(t.Add("argmin", {t.Input(shape)}, Axis(axis)));
    // Equal elements: the first one counts.
    t.Expect(t.Add("argmax", {t.Add("round", {t.Input(shape)})}, Axis(axis)));
    t.Check();
  }
  ScheduleTester t(210);
  t.Expect(t.Add("argmax", {t.Blocked({2, 21, 3, 5})}, Axis(1)));
  t.Check();
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(GenericScheduleTest, Transposes) {
  Ints perm = {0, 1, 2, 3};
  uint32_t i = 0;
  do {
    if (++i % 3 != 0) continue;  // every third of 24
    ScheduleTester t(300 + i);
    Value* x = i % 2 == 0 ? t.Input(RandomShape(t, 4, 11)) : t.Scattered(RandomShape(t, 4, 11));
    t.Expect(t.Add("transpose", {x}, {{"perm", perm}}));
    t.Check();
  } while (std::next_permutation(perm.begin(), perm.end()));
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// From blocks to where channels are neighbours: as runs of lanes, whole blocks in a loop, or one by one where they are scattered.
TEST(GenericScheduleTest, ChannelsBecomeTheLastDimension) {
  uint32_t seed = 150;
  for (const Shape& x : {Shape{1, 85, 3, 5}, Shape{2, 8, 7, 3}, Shape{1, 6, 9, 9}, Shape{3, 50, 2, 2}}) {
    for (const Ints& perm : {Ints{0, 2, 3, 1}, Ints{3, 0, 2, 1}}) {
      ScheduleTester t(seed++);
      Value* blocked = t.Blocked(x);
      // Runs of 3 and 8 channels, and what is left.
      Value* shifted = t.Add("concat", {t.Blocked({x[0], 3, x[2], x[3]}), t.Blocked(x)}, {{"axis", int64_t{1}}});
      t.Expect(t.Add("transpose", {blocked}, {{"perm", perm}}));
      t.Expect(t.Add("transpose", {shifted}, {{"perm", perm}}));
      t.Expect(t.Add("transpose", {t.Scattered(x)}, {{"perm", perm}}));
      const std::string type = ToString(graph::DType(graph::DTypeKind::kQuantizedS8, 0.05f));
      t.Expect(t.Add("transpose", {t.Add("cast", {t.Blocked(x)}, {{"dtype", type}})}, {{"perm", perm}}));
      t.Check();
    }
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(GenericScheduleTest, ChainsOfMovement) {
  for (uint32_t i = 0; i < 6; ++i) {
    ScheduleTester t(400 + i);
    const int64_t a = t.Int(1, 5), b = t.Int(1, 5), c = t.Int(1, 9);
    Value* x = t.Input({a, b * c, 1});
    x = t.Add("reshape", {x}, {{"shape", Ints{a, b, c}}});
    x = t.Add("transpose", {x}, {{"perm", t.Coin() ? Ints{2, 0, 1} : Ints{1, 2, 0}}});
    x = t.Add("reshape", {x}, {{"shape", Ints{1, a * b * c}}});
    x = t.Add("broadcast", {x}, {{"shape", Ints{3, a * b * c}}});
    t.Expect(x);
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(GenericScheduleTest, Broadcasting) {
  for (uint32_t i = 0; i < 10; ++i) {
    ScheduleTester t(500 + i);
    const Shape out = RandomShape(t, t.Int(1, 5), 7);
    Value* y = t.Input(out);
    for (int n = 0; n < 3; ++n) {
      Shape s(out.begin() + t.Int(0, static_cast<int64_t>(out.size()) - 1), out.end());
      for (int64_t& d : s) d = t.Coin() ? d : 1;
      Value* other = t.Coin() ? t.Input(s) : t.Constant(s);
      y = t.Add(t.OneOf<const char*>({"add", "mul", "max", "sub"}), {y, other});
    }
    t.Expect(y);
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(GenericScheduleTest, Normalizations) {
  for (uint32_t i = 0; i < 4; ++i) {
    ScheduleTester t(600 + i);
    t.set_tolerance(5e-5);
    const int64_t rows = t.Int(1, 9), cols = t.Int(2, 70);
    Value* x = t.Input({2, rows, cols});
    t.Expect(t.Add("layer_norm", {x, t.Constant({cols}), t.Constant({cols})}, {{"axes", Ints{2}}, {"eps", 1e-3}}));
    t.Expect(t.Add("layer_norm", {x}, {{"axes", Ints{1, 2}}, {"eps", 1e-3}}));
    Value* image = i % 2 == 0 ? t.Input({1, 13, 5, t.Int(1, 9)}) : t.Blocked({2, 11, 3, 4});
    t.Expect(t.Add("lrn", {image}, {{"n", int64_t{5}}, {"k", 2.0}, {"alpha", 1e-2}, {"beta", 0.75}}));
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(GenericScheduleTest, ConcatAndSliceOnEveryAxis) {
  for (int64_t axis = 0; axis < 4; ++axis) {
    for (uint32_t i = 0; i < 3; ++i) {
      ScheduleTester t(700 + i);
      const Shape base = RandomShape(t, 4, 8);
      std::vector<Value*> parts;
      for (int64_t n = t.Int(1, 4); n > 0; --n) {
        Shape s = base;
        s[axis] = t.Int(1, 9);
        parts.push_back(t.Input(s));
      }
      Value* y = t.Add("concat", parts, Axis(axis));
      t.Expect(y);
      const int64_t extent = y->type.shape[axis], begin = t.Int(0, extent - 1);
      Ints begins(4, 0), ends = y->type.shape, steps(4, 1);
      begins[axis] = begin;
      ends[axis] = t.Coin() ? t.Int(begin + 1, extent) : -1;
      steps[axis] = ends[axis] < 0 ? -t.Int(1, 2) : t.Int(1, 3);
      t.Expect(t.Add("slice", {y}, {{"begin", begins}, {"end", ends}, {"step", steps}}));
      t.Check();
    }
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(GenericScheduleTest, Padding) {
  for (const char* mode : {"constant", "replicate", "reflect"}) {
    for (uint32_t i = 0; i < 3; ++i) {
      ScheduleTester t(800 + i);
      Shape shape = RandomShape(t, t.Int(1, 3), 30);
      Ints before, after;
      for (int64_t& d : shape) {
        d += 3;
        before.push_back(t.Int(0, 3));
        after.push_back(t.Int(0, 3));
      }
      t.Expect(t.Add("pad", {t.Input(shape)},
                     {{"before", before}, {"after", after}, {"mode", std::string(mode)}, {"value", -1.5}}));
      t.Check();
    }
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(GenericScheduleTest, Gathers) {
  for (uint32_t i = 0; i < 6; ++i) {
    ScheduleTester t(900 + i);
    const Shape shape = RandomShape(t, 3, 8);
    const int64_t axis = t.Int(0, 2);
    Ints index(t.Int(1, 20));
    for (int64_t& at : index) at = t.Int(-shape[axis], shape[axis] - 1);
    t.Expect(t.Add("gather", {t.Input(shape), t.graph().AddInts(index)}, Axis(axis)));
    // An index that is computed: which of the first elements is the largest.
    Value* which = t.Add("argmax", {t.Input({5, shape[axis]})}, Axis(1));
    which = t.Add("reshape", {which}, {{"shape", Ints{5}}});
    t.Expect(t.Add("gather", {t.Input(shape), which}, Axis(axis)));
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(GenericScheduleTest, ReductionsOfAnyRank) {
  for (uint32_t i = 0; i < 14; ++i) {
    ScheduleTester t(1000 + i);
    const int64_t rank = t.Int(1, 5);
    Shape shape = RandomShape(t, rank, 6);
    shape[t.Int(0, rank - 1)] = t.Int(1, 90);
    Ints axes;
    for (int64_t a = 0; a < rank; ++a) {
      if (t.Coin() || (axes.empty() && a == rank - 1)) axes.push_back(a);
    }
    const char* mode = t.OneOf<const char*>({"sum", "sum_sqr", "min", "max", "mean"});
    t.Expect(t.Add("reduce", {t.Input(shape)}, {{"mode", std::string(mode)}, {"axes", axes}}));
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(GenericScheduleTest, IntegersAndBooleans) {
  for (uint32_t i = 0; i < 6; ++i) {
    ScheduleTester t(1100 + i);
    const Shape shape = RandomShape(t, 3, 12);
    Value* a = t.Input(shape, DTypeKind::kInt32);
    Value* b = t.Coin() ? t.Input(shape, DTypeKind::kInt32) : t.Constant({1}, DTypeKind::kInt32);
    t.Expect(t.Add("max", {t.Add("mul", {a, b}), t.Add("sub", {b, a})}));
    Value* mask = t.Add("less", {a, b});
    t.Expect(mask);
    t.Expect(t.Add("where", {mask, t.Input(shape), t.Input(shape)}));
    t.Expect(t.Add("cast", {t.Add("mul", {t.Input(shape), t.Scalar(30)})}, {{"dtype", std::string("i32")}}));
    t.Expect(t.Add("cast", {a}, {{"dtype", std::string("f32")}}));
    t.Expect(t.Add("cast", {t.Input(shape, DTypeKind::kUint8)}, {{"dtype", std::string("f32")}}));
    t.Expect(t.Add("reduce", {a}, {{"mode", std::string("sum")}, {"axes", Ints{2}}}));
    t.Expect(t.Add("transpose", {t.Input(shape, DTypeKind::kBool)}, {{"perm", Ints{2, 0, 1}}}));
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(GenericScheduleTest, Halves) {
  for (const DTypeKind half : {DTypeKind::kFloat16, DTypeKind::kBFloat16}) {
    ScheduleTester t(1200);
    t.set_tolerance(half == DTypeKind::kFloat16 ? 3e-3 : 3e-2);  // intermediate results may keep more bits
    const Shape shape = {3, 21, 5};
    Value* x = t.Input(shape, half);
    Value* y = t.Add("relu", {t.Add("add", {t.Add("mul", {x, t.Constant({5}, half)}), t.Constant({21, 1}, half)})});
    t.Expect(y);
    t.Expect(t.Add("softmax", {x}, Axis(1)));
    t.Expect(t.Add("reduce", {x}, {{"mode", std::string("mean")}, {"axes", Ints{1}}}));
    t.Expect(t.Add("matmul", {t.Add("reshape", {x}, {{"shape", Ints{63, 5}}}), t.Constant({5, 9}, half)}));
    t.Expect(t.Add("transpose", {x}, {{"perm", Ints{2, 1, 0}}}));
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(GenericScheduleTest, EmptyAndOneElement) {
  const Shape shapes[] = {{}, {1}, {1, 1, 1}, {0}, {3, 0, 2}, {0, 4}};
  for (const Shape& shape : shapes) {
    ScheduleTester t(1300);
    Value* x = t.Input(shape);
    t.Expect(t.Add("add", {t.Add("exp", {x}), t.Scalar(2)}));
    if (!shape.empty()) {
      t.Expect(t.Add("concat", {x, x}, Axis(0)));
      t.Expect(t.Add("reduce", {x}, {{"mode", std::string("sum")}, {"axes", Ints{0}}}));
      Ints perm;
      for (size_t i = shape.size(); i-- > 0;) perm.push_back(static_cast<int64_t>(i));
      t.Expect(t.Add("transpose", {x}, {{"perm", perm}}));
      t.Expect(t.Add("softmax", {x}, Axis(static_cast<int64_t>(shape.size()) - 1)));
    }
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// Long enough to be divided among tasks.
TEST(GenericScheduleTest, ManyTasks) {
  ScheduleTester t(1400);
  t.Expect(t.Add("exp", {t.Input({20011})}));
  t.Expect(t.Add("transpose", {t.Input({131, 97})}, {{"perm", Ints{1, 0}}}));
  t.Expect(t.Add("reduce", {t.Input({97, 211})}, {{"mode", std::string("sum")}, {"axes", Ints{0}}}));
  t.Expect(t.Add("reduce", {t.Input({97, 211})}, {{"mode", std::string("max")}, {"axes", Ints{1}}}));
  t.Expect(t.Add("concat", {t.Input({41, 97}), t.Input({41, 90})}, Axis(1)));
  t.Expect(t.Add("pad", {t.Input({7001})}, {{"before", Ints{3}}, {"after", Ints{5}}, {"mode", std::string("reflect")}}));
  t.Check();
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

}  // namespace
}  // namespace mgec::schedule
