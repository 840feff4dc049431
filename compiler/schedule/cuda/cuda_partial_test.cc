// Reductions that are computed in parts, run by the emulator, against the operators' definitions.
#include "compiler/schedule/testing/schedule_tester.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using graph::Attributes;
using graph::DTypeKind;
using graph::Shape;
using graph::Value;
using Ints = std::vector<int64_t>;

Attributes Reduction(const std::string& mode, Ints axes) { return {{"mode", mode}, {"axes", std::move(axes)}}; }

struct Case {
  Shape shape;
  Ints axes;
  int steps;
};

// Along memory, across it, and both; parts of equal size and not.
TEST(CudaPartialTest, Reductions) {
  uint32_t salt = 1;
  for (const Case& c : {Case{{100003}, {0}, 2}, Case{{65536}, {0}, 2}, Case{{3, 20011}, {1}, 2}, Case{{37, 41, 43}, {0, 1, 2}, 2},
                        Case{{5003, 17}, {0}, 2}, Case{{1024, 64}, {0}, 2}, Case{{2, 1031, 40}, {1}, 2},
                        Case{{30011, 3}, {0}, 2}, Case{{10007, 5}, {0, 1}, 2}, Case{{1, 1, 9000}, {0, 2}, 2},
                        // Not worth it: little to do, enough results, or none.
                        Case{{8000}, {0}, 1}, Case{{300, 1000}, {1}, 1}, Case{{8, 20000}, {0}, 1}, Case{{1, 20000}, {0}, 1},
                        Case{{0, 100000}, {1}, 0}}) {
    SCOPED_TRACE(salt);
    ScheduleTester t(salt++);
    Value* x = t.Input(c.shape);
    t.Expect(t.Add("reduce", {x}, Reduction(t.Coin() ? "sum" : "sum_sqr", c.axes)));
    t.set_tolerance(1e-4);
    t.CheckCuda();
    ASSERT_EQ(t.ops().size(), static_cast<size_t>(c.steps));
  }
}

// Extremes tell NaNs apart by a reduction of their own: one step computes the parts of both. Square roots, a step here, give NaNs.
TEST(CudaPartialTest, Extremes) {
  ScheduleTester t(40);
  t.Expect(t.Add("reduce", {t.Add("sqrt", {t.Input({33000})})}, Reduction("max", {0})));
  t.Expect(t.Add("reduce", {t.Input({3000, 24})}, Reduction("min", {0})));
  t.CheckCuda();
  EXPECT_EQ(t.ops().size(), 5u);
}

TEST(CudaPartialTest, NoElements) {
  ScheduleTester t(50);
  t.Expect(t.Add("reduce", {t.Input({0, 100000})}, Reduction("sum", {0, 1})));
  t.Expect(t.Add("reduce", {t.Input({100000, 0})}, Reduction("product", {0, 1})));
  t.CheckCuda();
}

// Bit by bit: integers wrap.
TEST(CudaPartialTest, Integers) {
  ScheduleTester t(60);
  t.set_integers(-2000000000, 2000000000);
  Value* x = t.Input({70001}, DTypeKind::kInt32);
  for (const char* mode : {"sum", "product", "max"}) t.Expect(t.Add("reduce", {x}, Reduction(mode, {0})));
  t.Expect(t.Add("reduce", {t.Input({3001, 24}, DTypeKind::kInt8)}, Reduction("min", {0})));
  t.CheckCuda();
}

// Whatever elements are, sums and extremes of them are divided. 16-bit floats are float32 while they are added up.
TEST(CudaPartialTest, EveryType) {
  for (const bool half : {false, true}) {
    ScheduleTester t(200 + half);
    std::vector<DTypeKind> kinds = {DTypeKind::kInt8, DTypeKind::kUint8, DTypeKind::kInt16, DTypeKind::kUint16, DTypeKind::kInt32};
    if (half) kinds = {DTypeKind::kFloat16, DTypeKind::kBFloat16};
    for (DTypeKind kind : kinds) {
      t.Expect(t.Add("reduce", {t.Input({20011}, kind)}, Reduction("sum", {0})));
      t.Expect(t.Add("reduce", {t.Input({2003, 40}, kind)}, Reduction("max", {0})));
    }
    if (half) t.set_tolerance(1e-2);
    t.CheckCuda();
    EXPECT_EQ(t.CountOps("reduce"), static_cast<int>(4 * kinds.size()));
  }
}

// The extreme; the first place of it and the last NaN's, whose parts are one step.
TEST(CudaPartialTest, SeveralReductionsOfOneStage) {
  ScheduleTester t(300);
  t.Expect(t.Add("argmax", {t.Input({40009})}, {{"axis", int64_t{0}}}));
  t.CheckCuda();
  EXPECT_EQ(t.ops().size(), 4u);
}

// Every stage of an operator is divided, and those that read it find it.
TEST(CudaPartialTest, OperatorsOfSeveralStages) {
  ScheduleTester t(70);
  t.Expect(t.Add("softmax", {t.Input({2, 20011})}, {{"axis", int64_t{1}}}));
  t.Expect(t.Add("softmax", {t.Input({5000, 20})}, {{"axis", int64_t{0}}}));
  for (const char* op : {"argmax", "argmin"}) {
    t.Expect(t.Add(op, {t.Input({30011})}, {{"axis", int64_t{0}}}));
    t.Expect(t.Add(op, {t.Input({4099, 18})}, {{"axis", int64_t{0}}}));
  }
  t.CheckCuda();
}

TEST(CudaPartialTest, Fused) {
  ScheduleTester t(80);
  Value* x = t.Input({113, 307});
  Value* y = t.Add("exp", {t.Add("add", {x, t.Input({307})})});
  Value* sum = t.Add("reduce", {y}, Reduction("sum", {0, 1}));
  t.Expect(t.Add("sqrt", {t.Add("add", {sum, t.Scalar(3)})}));
  t.Expect(t.Add("reduce", {y}, Reduction("mean", {0, 1})));
  t.set_tolerance(1e-4);
  t.CheckCuda();
}

// One row of a matrix product: no tiles, but rows of the weights are read in order.
TEST(CudaPartialTest, OneRow) {
  ScheduleTester t(90);
  Value* y = t.Add("matmul", {t.Input({1, 300}), t.Constant({300, 1000})});
  t.Expect(t.Add("relu", {t.Add("add", {y, t.Constant({1000})})}));
  t.Expect(t.Add("matmul", {t.Input({1, 20011}), t.Input({20011, 1})}));
  t.set_tolerance(1e-4);
  t.CheckCuda();
}

// Weights whose rows are summed along memory stay one step; the bias, which is read across, does not change that.
TEST(CudaPartialTest, OneRowByTransposedWeights) {
  ScheduleTester t(100);
  Value* y = t.Add("matmul", {t.Input({1, 300}), t.Constant({1000, 300})}, {{"transpose_b", int64_t{1}}});
  t.Expect(t.Add("add", {y, t.Constant({1000})}));
  t.set_tolerance(1e-4);
  t.CheckCuda();
  EXPECT_EQ(t.ops().size(), 1u);
}

}  // namespace
}  // namespace mgec::schedule
