// Schedules for CUDA, run by the emulator, against the operators' definitions.
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

TEST(CudaStageTest, PointwiseAndMovement) {
  ScheduleTester t(1);
  const Shape shape = RandomShape(t, 4, 9);
  Value* x = t.Input(shape);
  Value* y = t.Add("add", {x, t.Input({shape[1], 1, shape[3]})});
  t.Expect(t.Add("mul", {t.Add("sigmoid", {y}), t.Scalar(3)}));
  t.Expect(t.Add("transpose", {t.Add("exp", {x})}, {{"perm", Ints{2, 0, 3, 1}}}));
  t.Expect(t.Add("concat", {x, y, x}, Axis(2)));
  t.Expect(t.Add("slice", {y}, {{"begin", Ints{0, shape[1] - 1, 0, 0}}, {"end", shape}, {"step", Ints{1, 1, 1, 1}}}));
  t.Expect(x);
  t.CheckCuda();
}

TEST(CudaStageTest, IntegersAndHalves) {
  ScheduleTester t(2);
  const Shape shape = {3, 7, 11};
  Value* i = t.Input(shape, DTypeKind::kInt32);
  t.Expect(t.Add("add", {t.Add("mul", {i, i}), t.Constant(shape, DTypeKind::kInt32)}));
  t.Expect(t.Add("floor_div", {i, t.Constant({1}, DTypeKind::kInt32)}));
  t.Expect(t.Add("add", {t.Input(shape, DTypeKind::kInt8), t.Input({11}, DTypeKind::kInt8)}));
  t.Expect(t.Add("add", {t.Input(shape, DTypeKind::kFloat16), t.Input({11}, DTypeKind::kFloat16)}));
  t.set_tolerance(1e-3);
  t.CheckCuda();
}

// One thread, a warp, or a block for each result.
TEST(CudaStageTest, Reductions) {
  uint32_t salt = 100;
  for (const Shape& shape : {Shape{5, 3, 40}, Shape{7, 300}, Shape{2, 5000}, Shape{4100, 9}, Shape{70, 130, 3}}) {
    ScheduleTester t(salt++);
    Value* x = t.Input(shape);
    for (const char* mode : {"sum", "max", "mean", "sum_sqr"}) {
      const int64_t axis = t.Int(0, static_cast<int64_t>(shape.size()) - 1);
      t.Expect(t.Add("reduce", {x}, {{"mode", std::string(mode)}, {"axes", Ints{axis}}}));
    }
    t.set_tolerance(1e-4);
    t.CheckCuda();
  }
}

TEST(CudaStageTest, Softmax) {
  for (int64_t axis = 0; axis < 3; ++axis) {
    ScheduleTester t(static_cast<uint32_t>(200 + axis));
    Shape shape = RandomShape(t, 3, 6);
    shape[axis] = t.OneOf<int64_t>({3, 97, 1000});
    t.Expect(t.Add("softmax", {t.Input(shape)}, Axis(axis)));
    t.Expect(t.Add("argmax", {t.Input(shape)}, Axis(axis)));
    t.CheckCuda();
  }
}

TEST(CudaStageTest, Pooling) {
  ScheduleTester t(300);
  for (const char* mode : {"max", "average", "average_count_exclude_padding"}) {
    t.Expect(t.Add("pool2d", {t.Input({2, 5, 13, 9})},
                   {{"mode", std::string(mode)}, {"window", Ints{3, 3}}, {"stride", Ints{2, 2}}, {"pad", Ints{1, 1}}}));
  }
  t.CheckCuda();
}

TEST(CudaStageTest, Scans) {
  ScheduleTester t(400);
  t.Expect(t.Add("cumsum", {t.Input({3, 50, 4})}, {{"axis", int64_t{1}}, {"exclusive", int64_t{0}}, {"reverse", int64_t{1}}}));
  t.CheckCuda();
}

TEST(CudaStageTest, Convolutions) {
  for (uint32_t i = 0; i < 8; ++i) {
    ScheduleTester t(500 + i);
    const int64_t group = t.OneOf<int64_t>({1, 1, 1, 2, 3}), icg = t.Int(1, 20), ocg = t.Int(1, 40);
    const int64_t k = t.OneOf<int64_t>({1, 3, 3, 5}), pad = t.Int(0, k / 2);
    const Shape x = {t.Int(1, 2), group * icg, t.Int(k, 15), t.Int(k, 15)};
    const Shape w = group == 1 ? Shape{ocg, icg, k, k} : Shape{group, ocg, icg, k, k};
    Value* y = t.Add("conv2d", {t.Input(x), t.Constant(w), t.Constant({1, group * ocg, 1, 1})},
                     {{"group", group}, {"pad", Ints{pad, pad}}, {"stride", Ints{t.Int(1, 2), t.Int(1, 2)}}});
    if (t.Coin()) y = t.Add("relu", {y});
    if (t.Coin()) y = t.Add("add", {y, t.Input(y->type.shape)});
    t.Expect(y);
    t.CheckCuda();
  }
}

// Windows of few channels, and few rows: each tile for these, with all kinds of boxes (sum_box.h).
TEST(CudaStageTest, FewChannels) {
  struct Case {
    int64_t rows, channels, height, width, size;
  };
  uint32_t salt = 550;
  for (const Case& c : {Case{24, 3, 3, 3, 160}, Case{16, 3, 7, 7, 40}, Case{32, 5, 3, 3, 40}, Case{13, 2, 5, 3, 40}, Case{24, 8, 3, 3, 40}}) {
    ScheduleTester t(salt++);
    const int64_t stride = t.Int(1, 2), size = c.size * stride;
    Value* x = t.Input({2, c.channels, size + t.Int(0, 3), t.OneOf<int64_t>({size + 2, size + 3})});
    Value* y = t.Add("conv2d", {x, t.Constant({c.rows, c.channels, c.height, c.width}), t.Constant({1, c.rows, 1, 1})},
                     {{"pad", Ints{c.height / 2, c.width / 2}}, {"stride", Ints{stride, stride}}});
    t.Expect(t.Coin() ? t.Add("relu", {y}) : t.Add("add", {y, t.Input(y->type.shape)}));
    t.CheckCuda();
  }
}

// Neighbours are stored together where rows of the result are divisible, whatever else is computed with them.
TEST(CudaStageTest, StoresOfNeighbours) {
  for (int64_t width : {12, 13}) {
    ScheduleTester t(590);
    Value* y = t.Add("conv2d", {t.Input({3, 16, 5, width}), t.Constant({20, 16, 3, 3}), t.Constant({1, 20, 1, 1})}, {{"pad", Ints{1, 1}}});
    y = t.Add("mul", {t.Add("add", {t.Add("relu", {y}), t.Input({3, 20, 5, width})}), t.Input({width})});
    t.Expect(y);
    t.CheckCudaAfterPasses();
    EXPECT_EQ(t.KernelsContain("concat(acc[0], acc[1])"), width % 4 == 0);
  }
}

// Every size of tile, with and without remainders.
TEST(CudaStageTest, MatrixProducts) {
  struct Case {
    Shape a, b;
  };
  uint32_t salt = 600;
  for (const Case& c : {Case{{33, 17}, {17, 70}}, Case{{64, 32}, {32, 64}}, Case{{6, 40, 9}, {6, 9, 65}},
                        Case{{1, 500}, {500, 300}}, Case{{200, 20}, {20, 900}}, Case{{2040, 9}, {9, 1990}}, Case{{13, 9}, {9, 60000}}}) {
    ScheduleTester t(salt++);
    const bool ta = t.Coin(), tb = t.Coin();
    Shape a = c.a, b = c.b;
    if (ta) std::swap(a[a.size() - 1], a[a.size() - 2]);
    if (tb) std::swap(b[b.size() - 1], b[b.size() - 2]);
    Value* y = t.Add("matmul", {t.Input(a), t.Coin() ? t.Constant(b) : t.Input(b)},
                     {{"transpose_a", int64_t{ta}}, {"transpose_b", int64_t{tb}}});
    t.Expect(t.Add("relu", {t.Add("add", {y, t.Constant({y->type.shape.back()})})}));
    t.CheckCuda();
    if (c.a[0] > 1) EXPECT_TRUE(t.KernelsContain("shared") || t.KernelsContain("rows[")) << "no tiles";
  }
}

TEST(CudaStageTest, Routines) {
  ScheduleTester t(700);
  t.Expect(t.Add("argsort", {t.Input({3, 100})}, {{"count", int64_t{17}}, {"descending", int64_t{1}}}));
  t.Expect(t.Add("matrix_inverse", {t.Input({2, 5, 5})}));
  t.CheckCuda();
}

}  // namespace
}  // namespace mgec::schedule
