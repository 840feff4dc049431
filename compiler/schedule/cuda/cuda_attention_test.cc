// Attention for GPUs, by the emulator, against its operators' definitions.
#include <limits>

#include "compiler/schedule/testing/schedule_tester.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using graph::Shape;
using graph::Value;
using Ints = std::vector<int64_t>;

Value* MatMul(ScheduleTester& t, Value* a, Value* b, bool transpose_b = false) {
  return t.Add("matmul", {a, b}, {{"transpose_b", int64_t{transpose_b}}});
}

Value* Softmax(ScheduleTester& t, Value* x) {
  return t.Add("softmax", {x}, {{"axis", static_cast<int64_t>(x->type.shape.size()) - 1}});
}

// Enough products for a large GPU, of random sizes.
TEST(CudaAttentionTest, RandomShapes) {
  for (uint32_t i = 0; i < 3; ++i) {
    ScheduleTester t(100 + i);
    const int64_t m = t.Int(1, 40), n = i == 1 ? t.Int(65, 140) : t.Int(1, 64), d = t.Int(1, 40), e = t.Int(1, 70);
    const int64_t batch = m > 32 ? 54 : 108;
    Value* scores = t.Add("mul", {MatMul(t, t.Input({batch, m, d}), t.Input({batch, n, d}), true), t.Scalar(0.3f)});
    t.Expect(MatMul(t, Softmax(t, scores), t.Input({batch, n, e})));
    t.CheckCuda();
    EXPECT_EQ(t.CountOps("attention"), 1);
  }
}

// Large tiles, with values of the usual depths.
TEST(CudaAttentionTest, ManyQueries) {
  for (const Ints& de : {Ints{36, 64}, Ints{4, 128}}) {
    ScheduleTester t(200 + static_cast<uint32_t>(de[0]));
    const int64_t batch = 133, m = 33, n = de[0] == 4 ? 20 : 66;
    Value* scores = MatMul(t, t.Input({batch, m, de[0]}), t.Input({batch, n, de[0]}), true);
    t.Expect(MatMul(t, Softmax(t, t.Add("true_div", {scores, t.Scalar(4)})), t.Input({batch, n, de[1]})));
    t.CheckCuda();
    EXPECT_EQ(t.CountOps("attention"), 1);
  }
}

TEST(CudaAttentionTest, HeadsAndMasks) {
  for (uint32_t i = 0; i < 3; ++i) {
    ScheduleTester t(300 + i);
    const int64_t images = 2, heads = 54, m = t.Int(5, 30), d = t.Int(3, 9);
    Value* part[3];
    for (Value*& x : part) {
      x = t.Add("reshape", {t.Input({images, m, heads * d})}, {{"shape", Ints{images, m, heads, d}}});
      x = t.Add("transpose", {x}, {{"perm", Ints{0, 2, 1, 3}}});
      x = t.Add("reshape", {x}, {{"shape", Ints{images * heads, m, d}}});
    }
    Value* x = t.Add("reshape", {MatMul(t, part[0], part[1], true)}, {{"shape", Ints{images, heads, m, m}}});
    x = t.Add("add", {x, i == 0 ? t.Constant({m, m}) : i == 1 ? t.Input({images, 1, 1, m}) : t.Input({heads, m, 1})});
    x = t.Add("reshape", {Softmax(t, x)}, {{"shape", Ints{images * heads, m, m}}});
    x = t.Add("reshape", {MatMul(t, x, part[2])}, {{"shape", Ints{images, heads, m, d}}});
    t.Expect(t.Add("transpose", {x}, {{"perm", Ints{0, 2, 1, 3}}}));
    t.CheckCuda();
    EXPECT_EQ(t.CountOps("attention"), 1);
  }
}

TEST(CudaAttentionTest, InfiniteMasks) {
  ScheduleTester t(400);
  const int64_t batch = 108, m = 11, n = 100;
  std::vector<float> mask(m * n);
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      const bool off = i == 5 || (i % 3 == 0 && j > i) || (i % 3 == 1 && j < n - 2);
      if (off) mask[i * n + j] = -std::numeric_limits<float>::infinity();
    }
  }
  Value* c = t.graph().AddConstant({graph::DTypeKind::kFloat32, {m, n}},
                                   std::string(reinterpret_cast<const char*>(mask.data()), mask.size() * 4));
  Value* scores = MatMul(t, t.Input({batch, m, 8}), t.Input({batch, n, 8}), true);
  t.Expect(MatMul(t, Softmax(t, t.Add("add", {scores, c})), t.Input({batch, n, 16})));
  t.CheckCuda();
  EXPECT_EQ(t.CountOps("attention"), 1);
}

// Values in columns, which the CPU's kernel leaves to others; operands in any orientation.
TEST(CudaAttentionTest, TransposedOperands) {
  ScheduleTester t(500);
  Value* scores = t.Add("matmul", {t.Input({110, 6, 20}), t.Input({110, 6, 33})}, {{"transpose_a", int64_t{1}}});
  t.Expect(MatMul(t, Softmax(t, scores), t.Input({110, 9, 33}), true));
  t.CheckCuda();
  EXPECT_EQ(t.CountOps("attention"), 1);
}

// Too few blocks, values that are too long, float16: as separate kernels.
TEST(CudaAttentionTest, WhatOthersDoBetter) {
  for (const Ints& s : {Ints{3, 20, 8, 8}, Ints{110, 4, 3, 300}}) {
    ScheduleTester t(600 + static_cast<uint32_t>(s[0]));
    Value* scores = MatMul(t, t.Input({s[0], s[1], s[2]}), t.Input({s[0], s[1], s[2]}), true);
    t.Expect(MatMul(t, Softmax(t, scores), t.Input({s[0], s[1], s[3]})));
    t.CheckCuda();
    EXPECT_EQ(t.CountOps("attention"), 0);
  }
}

}  // namespace
}  // namespace mgec::schedule
