// Matrix products of integers and quantized numbers, scheduled for every target, against their definition: bit by bit.
#include "compiler/schedule/testing/schedule_tester.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using graph::Attributes;
using graph::DType;
using graph::DTypeKind;
using graph::Shape;
using graph::Value;

const DType kS8(DTypeKind::kQuantizedS8, 0.05f), kU8(DTypeKind::kQuantized8Asymm, 0.05f, 131);
const DType kS32(DTypeKind::kQuantizedS32, 0.0025f);

Shape Matrix(int64_t rows, int64_t cols, bool transposed) {
  return transposed ? Shape{cols, rows} : Shape{rows, cols};
}
Attributes ProductOf(const DType& d, bool ta, bool tb) {
  return {{"transpose_a", int64_t{ta}},
          {"transpose_b", int64_t{tb}},
          {"dtype", graph::IsQuantized(d) ? ToString(kS32) : std::string("i32")}};
}

TEST(IntMatMulScheduleTest, ConstantRightOperand) {
  for (uint32_t i = 0; i < 16; ++i) {
    ScheduleTester t(100 + i);
    t.set_integers(-400, 400);
    const bool ta = i % 2 != 0, tb = i % 4 > 1;
    const int64_t m = t.Int(1, 20), k = t.Int(1, 70), n = t.Int(1, 90);
    const DType d = t.OneOf<DType>({kS8, kU8, DTypeKind::kInt8, DTypeKind::kInt16});
    t.Expect(t.Add("int_matmul", {t.Input(Matrix(m, k, ta), d), t.Constant(Matrix(k, n, tb), d)}, ProductOf(d, ta, tb)));
    t.Check();
    EXPECT_TRUE(t.KernelsContain("dot2("));
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(IntMatMulScheduleTest, ExtremeValues) {
  for (const auto& [a, b] : {std::pair(-128, -128), std::pair(-128, 127), std::pair(127, 127), std::pair(255, 0)}) {
    for (const DType& d : {kS8, kU8}) {
      ScheduleTester t(200);
      t.set_integers(a, a);
      Value* x = t.Input({3, 1100}, d);
      t.set_integers(b, b);
      t.Expect(t.Add("int_matmul", {x, t.Constant({1100, 21}, d)}, ProductOf(d, false, false)));
      t.Check();
    }
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(IntMatMulScheduleTest, BiasAndRequantization) {
  for (uint32_t i = 0; i < 8; ++i) {
    ScheduleTester t(300 + i);
    t.set_integers(-128, 127);
    const DType d = t.OneOf<DType>({kS8, kU8});
    const int64_t m = t.Int(1, 9), k = t.Int(1, 40), n = t.Int(1, 50);
    Value* y = t.Add("int_matmul", {t.Input({m, k}, d), t.Constant({k, n}, d)}, ProductOf(d, false, false));
    if (t.Coin()) y = t.Add("add", {y, t.Constant({1, n}, kS32)});
    if (t.Coin()) y = t.Add("relu", {y});
    t.Expect(t.Add("cast", {y}, {{"dtype", ToString(t.OneOf<DType>({DTypeKind::kFloat32, kS8, kU8}))}}));
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(IntMatMulScheduleTest, AfterConvolution) {
  for (const DType& d : {kS8, kU8}) {
    ScheduleTester t(400);
    Value* x = t.Add("cast", {t.Blocked({3, 11, 4, 5})}, {{"dtype", ToString(d)}});
    Value* all = t.Add("reshape", {x}, {{"shape", std::vector<int64_t>{3, 220}}});
    t.Expect(t.Add("int_matmul", {all, t.Constant({9, 220}, d)}, ProductOf(d, false, true)));
    Value* one = t.Add("cast", {t.Blocked({1, 11, 1, 1})}, {{"dtype", ToString(d)}});
    Value* row = t.Add("reshape", {one}, {{"shape", std::vector<int64_t>{1, 11}}});
    t.Expect(t.Add("int_matmul", {row, t.Constant({11, 17}, d)}, ProductOf(d, false, false)));
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(IntMatMulScheduleTest, ComputedRightOperandAndEmptyOnes) {
  {
    ScheduleTester t(500);
    t.Expect(t.Add("int_matmul", {t.Input({2, 5, 7}, kS8), t.Input({2, 7, 9}, kS8)}, ProductOf(kS8, false, false)));
    t.Check();
  }
  for (const auto& [m, k, n] : {std::tuple(0, 3, 4), std::tuple(3, 0, 4), std::tuple(3, 4, 0)}) {
    ScheduleTester t(501);
    t.Expect(t.Add("int_matmul", {t.Input({m, k}, kS8), t.Constant({k, n}, kS8)}, ProductOf(kS8, false, false)));
    t.Check();
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

}  // namespace
}  // namespace mgec::schedule
