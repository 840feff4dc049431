// Reading and writing at computed places, sorting, running sums and exact integer sums, scheduled for every target, against
// the definitions.
#include <algorithm>
#include <cstring>

#include "compiler/schedule/testing/schedule_tester.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using graph::Attributes;
using graph::DTypeKind;
using graph::Shape;
using graph::Value;
using Ints = std::vector<int64_t>;

// Numbers in [-extent, extent), as a constant or as the network computes them.
Value* Indices(ScheduleTester& t, const Shape& shape, int64_t extent) {
  Ints values(std::max<int64_t>(1, graph::NumElements(shape)));
  for (int64_t& v : values) v = t.Int(-extent, extent - 1);
  Value* v = t.Add("reshape", {t.graph().AddInts(values)}, {{"shape", shape}});
  if (t.Coin()) return v;
  Value* zero = t.Add("mul", {t.Input({1}, DTypeKind::kInt32), t.graph().AddInts({0})});
  return t.Add("add", {v, zero});
}

Value* Anywhere(ScheduleTester& t, const Shape& shape) { return t.Coin() ? t.Input(shape) : t.Scattered(shape); }

TEST(ComputedScheduleTest, GatherAndScatterOnSeveralAxes) {
  for (uint32_t i = 0; i < 10; ++i) {
    ScheduleTester t(100 + i);
    const Shape x = {t.Int(1, 4), t.Int(1, 11), t.Int(1, 5), t.Int(1, 5)};
    const Ints axes[] = {{0}, {1}, {0, 1}, {1, 3}, {0, 2, 3}, {0, 1, 2, 3}};
    const Ints& on = axes[i % std::size(axes)];
    const Shape points = t.Coin() ? Shape{t.Int(1, 9)} : Shape{t.Int(1, 3), t.Int(1, 4)};
    Value* data = Anywhere(t, x);
    std::vector<Value*> operands = {data};
    for (int64_t axis : on) operands.push_back(Indices(t, points, x[axis]));
    Value* read = t.Add("gather_nd", operands, {{"axes", on}});
    t.Expect(read);
    for (const char* mode : {"set", "add"}) {
      std::vector<Value*> written = operands;
      written.insert(written.begin() + 1, t.Input(read->type.shape));
      t.Expect(t.Add("scatter_nd", written, {{"axes", on}, {"mode", std::string(mode)}}));
    }
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(ComputedScheduleTest, PartsOfTensorsAreReplaced) {
  for (uint32_t i = 0; i < 8; ++i) {
    ScheduleTester t(200 + i);
    const Shape x = {t.Int(1, 3), t.Int(2, 19), t.Int(2, 7), t.Int(2, 7)};
    Shape part;
    Ints begin, step;
    for (int64_t extent : x) {
      part.push_back(t.Int(1, extent));
      step.push_back(part.back() == 1 ? 1 : t.Int(1, (extent - 1) / (part.back() - 1)));
      begin.push_back(t.Int(0, extent - 1 - (part.back() - 1) * step.back()));
      if (t.Int(0, 3) == 0) {  // backwards
        begin.back() += (part.back() - 1) * step.back();
        step.back() = -step.back();
      }
    }
    for (const char* mode : {"set", "add"}) {
      t.Expect(t.Add("slice_update", {Anywhere(t, x), Anywhere(t, part)},
                     {{"begin", begin}, {"step", step}, {"mode", std::string(mode)}}));
    }
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(ComputedScheduleTest, AlongOneAxis) {
  for (int64_t axis = 0; axis < 3; ++axis) {
    ScheduleTester t(300 + static_cast<uint32_t>(axis));
    const Shape x = {t.Int(1, 9), t.Int(1, 20), t.Int(1, 9)};
    Shape many = x, one = x;
    many[axis] = t.Int(1, 12);
    one[axis] = 1;
    t.Expect(t.Add("take_along", {t.Input(x), Indices(t, many, x[axis])}, {{"axis", axis}}));
    t.Expect(t.Add("set_along", {t.Input(x), Indices(t, one, x[axis]), t.Input(one)}, {{"axis", axis}}));
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(ComputedScheduleTest, Sorting) {
  for (uint32_t i = 0; i < 6; ++i) {
    ScheduleTester t(400 + i);
    const Shape x = {t.Int(1, 5), t.Int(1, 40)};
    Value* v = t.Input(x);
    if (t.Coin()) v = t.Add("round", {v});  // equal elements
    t.Expect(t.Add("argsort", {v}, {{"count", t.Int(1, x[1])}, {"descending", t.Int(0, 1)}}));
    t.Expect(t.Add("argsort", {t.Input(x, DTypeKind::kInt32)}, {{"count", x[1]}, {"descending", t.Int(0, 1)}}));
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(ComputedScheduleTest, RunningSums) {
  for (int64_t axis = 0; axis < 4; ++axis) {
    for (const int64_t exclusive : {0, 1}) {
      for (const int64_t reverse : {0, 1}) {
        ScheduleTester t(500 + static_cast<uint32_t>(axis * 4 + exclusive * 2 + reverse));
        const Shape x = {t.Int(1, 3), t.Int(1, 20), t.Int(1, 6), t.Int(1, 20)};
        const Attributes a = {{"axis", axis}, {"exclusive", exclusive}, {"reverse", reverse}};
        t.Expect(t.Add("relu", {t.Add("cumsum", {Anywhere(t, x)}, a)}));
        t.Expect(t.Add("cumsum", {t.Input(x, DTypeKind::kInt32)}, a));
        t.Check();
      }
    }
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(ComputedScheduleTest, IntegerContractions) {
  const Attributes to_int = {{"dtype", std::string("i32")}};
  for (uint32_t i = 0; i < 6; ++i) {
    ScheduleTester t(600 + i);
    const int64_t in = t.Int(1, 20), out = t.Int(1, 20), k = t.Int(1, 3);
    Attributes a = {{"dtype", std::string("i32")}, {"pad", Ints{t.Int(0, 1), t.Int(0, 2)}}, {"stride", Ints{1, t.Int(1, 2)}}};
    t.Expect(t.Add("int_conv2d", {t.Input({2, in, 5, 6}, DTypeKind::kInt8), t.Constant({out, in, k, k}, DTypeKind::kInt8)}, a));
    const int64_t m = t.Int(1, 9), depth = t.Int(1, 40), n = t.Int(1, 20);
    t.Expect(t.Add("int_matmul", {t.Input({m, depth}, DTypeKind::kInt8), t.Constant({depth, n}, DTypeKind::kInt8)}, to_int));
    t.Expect(t.Add("int_matmul", {t.Input({2, m, depth}, DTypeKind::kInt8), t.Input({2, depth, n}, DTypeKind::kInt8)}, to_int));
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(ComputedScheduleTest, QuantizedAndBack) {
  for (const char* dtype : {"qs8(0.02)", "qu8(0.02,128)", "qs32(0.001)"}) {
    ScheduleTester t(700);
    Value* q = t.Add("cast", {Anywhere(t, {1, 13, 5, 7})}, {{"dtype", std::string(dtype)}});
    t.Expect(q);
    t.Expect(t.Add("cast", {q}, {{"dtype", std::string("f32")}}));
    t.Expect(t.Add("transpose", {q}, {{"perm", Ints{0, 2, 3, 1}}}));
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(ComputedScheduleTest, Inverses) {
  for (const int64_t n : {1, 2, 5, 9}) {
    ScheduleTester t(800 + static_cast<uint32_t>(n));
    t.set_tolerance(1e-3);
    Value* x = t.Input({2, n, n});
    std::string eye(n * n * 4, '\0');
    for (int64_t i = 0; i < n; ++i) {
      const float five = 5;
      std::memcpy(&eye[(i * n + i) * 4], &five, 4);
    }
    x = t.Add("add", {x, t.graph().AddConstant({DTypeKind::kFloat32, {n, n}}, eye)});
    t.Expect(t.Add("matrix_inverse", {x}));
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(ComputedScheduleTest, Windows) {
  for (uint32_t i = 0; i < 4; ++i) {
    ScheduleTester t(900 + i);
    const Attributes a = {{"window", Ints{t.Int(1, 3), t.Int(1, 3)}},
                          {"stride", Ints{t.Int(1, 2), t.Int(1, 2)}},
                          {"pad", Ints{t.Int(0, 1), t.Int(0, 1)}}};
    t.Expect(t.Add("images_to_windows", {Anywhere(t, {2, t.Int(1, 12), 6, 7})}, a));
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// A size in [0, most], as the network computes it.
Value* Size(ScheduleTester& t, int64_t most) {
  Value* zero = t.Add("mul", {t.Input({1}, DTypeKind::kInt32), t.graph().AddInts({0})});
  return t.Add("add", {zero, t.graph().AddInts({t.Int(0, most)})});
}

TEST(ComputedScheduleTest, SizesThatDependOnValues) {
  for (uint32_t i = 0; i < 10; ++i) {
    ScheduleTester t(900 + i);
    const Shape shape = {t.Int(1, 5), t.Int(1, 40)};
    Value* x = t.Input(shape);
    Value* rows = Size(t, shape[0]);
    Value* columns = Size(t, shape[1]);
    for (const char* fill : {"zero", "one", "lowest", "highest"}) {
      t.Expect(t.Add("mask_tail", {x, columns}, {{"axis", int64_t{1}}, {"fill", std::string(fill)}}));
      t.Expect(t.Add("mask_tail", {x, rows}, {{"axis", int64_t{0}}, {"fill", std::string(fill)}}));
    }
    const int64_t all = shape[0] * shape[1];
    Value* total = t.Add("mul", {rows, columns});
    Value* flat = t.Add("repack", {x, rows, columns, total},
                        {{"from", Ints{-1, -1}}, {"to", Ints{-1}}, {"shape", Shape{all}}});
    t.Expect(flat);
    Value* zero = t.Add("lt", {flat, t.graph().AddScalar(0)});
    Value* mask = t.Add("mask_tail", {t.Add("cast", {zero}, {{"dtype", std::string("bool")}}), total},
                        {{"axis", int64_t{0}}, {"fill", std::string("zero")}});
    const graph::Node* found = t.graph().AddNode("nonzero", {mask}).value();
    t.Expect(found->output(0));
    t.Expect(found->output(1));
    t.Expect(t.Add("gather", {flat, found->output(0)}, {{"axis", int64_t{0}}}));
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

}  // namespace
}  // namespace mgec::schedule
