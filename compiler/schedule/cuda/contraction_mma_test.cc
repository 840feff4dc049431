// Contractions with tensor cores, by the emulator, against the operators' definitions.
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

Attributes Transposed(bool a, bool b) { return {{"transpose_a", int64_t{a}}, {"transpose_b", int64_t{b}}}; }
Shape Matrix(int64_t rows, int64_t cols, bool transposed) { return transposed ? Shape{cols, rows} : Shape{rows, cols}; }

// All tiles, with and without remainders in each direction: bit by bit.
TEST(ContractionMmaTest, ProductsOfInt8) {
  uint32_t salt = 0;
  for (const Ints& mkn : {Ints{8, 8, 8}, Ints{33, 17, 70}, Ints{64, 64, 64}, Ints{100, 230, 70}, Ints{200, 40, 900},
                          Ints{2040, 12, 1990}}) {
    ScheduleTester t(salt);
    t.set_integers(-128, 127);
    const bool ta = salt % 2 != 0, tb = salt % 4 > 1;
    Attributes attributes = Transposed(ta, tb);
    attributes.Set("dtype", std::string("i32"));
    t.Expect(t.Add("int_matmul", {t.Input(Matrix(mkn[0], mkn[1], ta), DTypeKind::kInt8),
                                  t.Constant(Matrix(mkn[1], mkn[2], tb), DTypeKind::kInt8)}, attributes));
    t.CheckCuda();
    EXPECT_TRUE(t.KernelsContain("mma("));
    ++salt;
  }
}

TEST(ContractionMmaTest, ExtremesOfInt8) {
  for (int64_t value : {-128, 127}) {
    ScheduleTester t(200);
    t.set_integers(value, value);
    Value* x = t.Input({20, 900}, DTypeKind::kInt8);
    t.set_integers(-128, -128);
    t.Expect(t.Add("int_matmul", {x, t.Constant({900, 40}, DTypeKind::kInt8)}, {{"dtype", std::string("i32")}}));
    t.CheckCuda();
  }
}

// Padding reads the zero point. Factors that may leave 8 bits without it are multiplied as before.
TEST(ContractionMmaTest, QuantizedConvolutions) {
  const DType s8(DTypeKind::kQuantizedS8, 0.05f), u8(DTypeKind::kQuantized8Asymm, 0.05f, 128);
  const DType far(DTypeKind::kQuantized8Asymm, 0.05f, 20);
  uint32_t salt = 300;
  for (const DType& d : {s8, u8, far}) {
    ScheduleTester t(salt);
    t.set_integers(-400, 400);
    const int64_t group = salt % 2 + 1, icg = t.Int(3, 20), ocg = t.Int(8, 40), pad = salt % 3 == 0 ? 1 : 0;
    const Shape w = group == 1 ? Shape{ocg, icg, 3, 3} : Shape{group, ocg, icg, 3, 3};
    t.Expect(t.Add("int_conv2d", {t.Input({2, group * icg, 9, 7}, d), t.Constant(w, d)},
                   {{"group", group}, {"pad", Ints{pad, pad}}, {"dtype", std::string("qs32(0.0025)")}}));
    t.CheckCuda();
    EXPECT_EQ(t.KernelsContain("mma("), d.zero_point != 20);
    ++salt;
  }
}

// As they are, and with all passes, after which networks are computed in float32. What is added up is float32.
TEST(ContractionMmaTest, ProductsOfFloat16) {
  uint32_t salt = 400;
  for (const Ints& mkn : {Ints{33, 17, 70}, Ints{64, 64, 64}, Ints{100, 230, 70}, Ints{200, 40, 900}}) {
    ScheduleTester t(salt++);
    const bool ta = t.Coin(), tb = t.Coin();
    Value* y = t.Add("matmul", {t.Input(Matrix(mkn[0], mkn[1], ta), DTypeKind::kFloat16),
                                t.Input(Matrix(mkn[1], mkn[2], tb), DTypeKind::kFloat16)}, Transposed(ta, tb));
    t.Expect(t.Add("relu", {y}));
    t.set_tolerance(1e-3);
    t.CheckCuda();
    EXPECT_TRUE(t.KernelsContain("mma("));
  }
}

// Factors that lie along their rows or columns are copied as they are, and turned on the way to tensor cores: both, either, 16, 8 or 4
// bytes at a time, with remainders.
TEST(ContractionMmaTest, TurnedFloat16) {
  uint32_t salt = 450;
  for (const Ints& mkn : {Ints{72, 48, 136}, Ints{40, 37, 68}, Ints{34, 130, 38}, Ints{136, 64, 264}}) {
    for (const bool ta : {false, true}) {
      ScheduleTester t(salt++);
      // Results of other steps: the user's memory is aligned to numbers only.
      Value* x = t.Add("relu", {t.Input(Matrix(mkn[0], mkn[1], ta), DTypeKind::kFloat16)});
      Value* y = t.Add("relu", {t.Input({mkn[1], mkn[2]}, DTypeKind::kFloat16)});
      t.Expect(t.Add("relu", {t.Add("matmul", {x, y}, Transposed(ta, false))}));
      t.set_tolerance(1e-3);
      t.CheckCuda();
      EXPECT_TRUE(t.KernelsContain("copy cols["));
      EXPECT_EQ(t.KernelsContain("copy rows["), ta || mkn[1] % 2 == 0);
    }
  }
}

TEST(ContractionMmaTest, Float16Convolutions) {
  for (uint32_t i = 0; i < 2; ++i) {
    ScheduleTester t(500 + i);
    const Shape x = {2, t.Int(5, 20), t.Int(3, 9), t.Int(3, 9)}, w = {t.Int(8, 40), x[1], 3, 3};
    Value* y = t.Add("conv2d", {t.Input(x, DTypeKind::kFloat16), t.Constant(w, DTypeKind::kFloat16)}, {{"pad", Ints{1, 1}}});
    t.Expect(t.Add("conv2d", {y, t.Constant({9, w[0], 1, 1}, DTypeKind::kFloat16)}));
    t.set_tolerance(2e-3);
    t.CheckCuda();
    EXPECT_TRUE(t.KernelsContain("mma("));
  }
}

}  // namespace
}  // namespace mgec::schedule
