// Matrix products of random shapes, scheduled for every target, against their definition.
#include "compiler/schedule/testing/schedule_tester.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using graph::Attributes;
using graph::Shape;
using graph::Value;

Attributes Transposes(bool a, bool b) { return {{"transpose_a", int64_t{a}}, {"transpose_b", int64_t{b}}}; }
Shape Matrix(int64_t rows, int64_t cols, bool transposed) {
  return transposed ? Shape{cols, rows} : Shape{rows, cols};
}

TEST(MatMulScheduleTest, ConstantRightOperand) {
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      for (uint32_t i = 0; i < 3; ++i) {
        ScheduleTester t(100 + i * 4 + ta * 2 + tb);
        const int64_t m = t.Int(1, 20), k = t.Int(1, 70), n = t.Int(1, 90);
        t.Expect(t.Add("matmul", {t.Input(Matrix(m, k, ta)), t.Constant(Matrix(k, n, tb))}, Transposes(ta, tb)));
        t.Check();
        EXPECT_EQ(t.CountOps("matmul"), 1);
      }
    }
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// The sum over K is divided into parts that go through the output, whose last channels are masked.
TEST(MatMulScheduleTest, LongSums) {
  for (const int64_t n : {3, 8, 37}) {
    ScheduleTester t(200 + static_cast<uint32_t>(n));
    const int64_t m = t.Int(1, 14), k = t.Int(1030, 2100);
    Value* y = t.Add("matmul", {t.Input({m, k}), t.Constant({k, n})});
    t.Expect(t.Add("relu", {t.Add("add", {y, t.Constant({n})})}));
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(MatMulScheduleTest, Epilogues) {
  for (uint32_t i = 0; i < 12; ++i) {
    ScheduleTester t(300 + i);
    const int64_t m = t.Int(1, 20), k = t.Int(1, 40), n = t.Int(1, 50);
    Value* y = t.Add("matmul", {t.Input({m, k}), t.Constant({k, n})});
    for (int64_t count = t.Int(1, 4); count > 0; --count) {
      switch (t.Int(0, 5)) {
        case 0: y = t.Add("add", {y, t.Constant(t.Coin() ? Shape{n} : Shape{1, n})}); break;
        case 1: y = t.Add(t.OneOf<const char*>({"relu", "abs", "sigmoid", "tanh", "gelu"}), {y}); break;
        case 2: y = t.Add("add", {t.Input({m, n}), y}); break;
        case 3: y = t.Add("mul", {y, t.Scalar(-0.5f)}); break;
        case 4: y = t.Add("max", {t.Input({1}), y}); break;
        case 5: y = t.Add("sub", {t.Constant({m, 1}), y}); break;
      }
    }
    t.Expect(y);
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// Both operands known at run time only, and batches.
TEST(MatMulScheduleTest, ComputedRightOperand) {
  for (uint32_t i = 0; i < 6; ++i) {
    ScheduleTester t(400 + i);
    const bool ta = t.Coin(), tb = t.Coin(), batched = t.Coin();
    const int64_t m = t.Int(1, 20), k = t.Int(1, 40), n = t.Int(1, 40);
    Shape a = Matrix(m, k, ta), b = Matrix(k, n, tb);
    if (batched) {
      a.insert(a.begin(), 3);
      b.insert(b.begin(), 3);
    }
    Value* y = t.Add("matmul", {t.Input(a), t.Input(b)}, Transposes(ta, tb));
    t.Expect(t.Add("softmax", {t.Add("mul", {y, t.Scalar(0.3f)})}, {{"axis", int64_t{batched ? 2 : 1}}}));
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// Enough rows that the right operand is packed, with what follows in the same kernel.
TEST(MatMulScheduleTest, PacksTheRightOperand) {
  for (uint32_t i = 0; i < 16; ++i) {
    ScheduleTester t(450 + i);
    const bool ta = t.Coin(), tb = t.Coin();
    const int64_t batch = i % 2 == 0 ? 0 : t.Int(1, 4);
    const int64_t m = t.Int(8, 30), k = t.Int(1, 80), n = t.Int(1, 110);
    Shape a = Matrix(m, k, ta), b = Matrix(k, n, tb), out = {m, n};
    if (batch > 0) {
      for (Shape* s : {&a, &b, &out}) s->insert(s->begin(), batch);
    }
    Value* right = i % 5 == 4 ? t.Constant(b) : t.Input(b);
    Value* y = t.Add("matmul", {i % 7 == 6 ? t.Constant(a) : t.Input(a), right}, Transposes(ta, tb));
    if (t.Coin()) y = t.Add("add", {y, t.Constant({n})});
    if (t.Coin()) y = t.Add("mul", {y, t.Scalar(0.5f)});
    if (t.Coin()) y = t.Add("add", {y, t.Input(out)});
    if (t.Coin()) y = t.Add("gelu", {y});
    t.Expect(y);
    t.Check();
    EXPECT_EQ(t.CountOps("pack"), i % 5 == 4 ? 0 : 1);
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(MatMulScheduleTest, AfterConvolution) {
  ScheduleTester t(500);
  Value* x = t.Blocked({3, 11, 4, 5});
  Value* pooled = t.Add("reduce", {x}, {{"mode", std::string("mean")}, {"axes", std::vector<int64_t>{2, 3}}});
  Value* rows = t.Add("reshape", {pooled}, {{"shape", std::vector<int64_t>{3, 11}}});
  t.Expect(t.Add("matmul", {rows, t.Constant({11, 17})}));
  Value* all = t.Add("reshape", {x}, {{"shape", std::vector<int64_t>{3, 220}}});
  t.Expect(t.Add("matmul", {all, t.Constant({9, 220})}, Transposes(false, true)));
  t.Check();
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(MatMulScheduleTest, Empty) {
  for (const auto& [m, k, n] : {std::tuple(0, 3, 4), std::tuple(3, 0, 4), std::tuple(3, 4, 0)}) {
    ScheduleTester t(600);
    t.Expect(t.Add("relu", {t.Add("matmul", {t.Input({m, k}), t.Constant({k, n})})}));
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

}  // namespace
}  // namespace mgec::schedule
