// Attention for GPUs, by the emulator, against its operators' definitions.
#include "compiler/schedule/testing/attention_graphs.h"
#include "compiler/schedule/testing/schedule_tester.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using graph::Value;
using Ints = std::vector<int64_t>;

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

// Large tiles, with long values.
TEST(CudaAttentionTest, ManyQueries) {
  ScheduleTester t(200);
  const int64_t batch = 216, m = 61, n = 60;
  Value* scores = MatMul(t, t.Input({batch, m, 4}), t.Input({batch, n, 4}), true);
  t.Expect(MatMul(t, Softmax(t, t.Add("true_div", {scores, t.Scalar(4)})), t.Input({batch, n, 128})));
  t.CheckCuda();
  EXPECT_EQ(t.CountOps("attention"), 1);
  EXPECT_TRUE(t.KernelsContain("scores[31]")) << "eight queries a thread";
}

TEST(CudaAttentionTest, HeadsAndMasks) {
  for (uint32_t i = 0; i < 3; ++i) {
    ScheduleTester t(300 + i);
    const int64_t images = 2, heads = 54, m = t.Int(5, 30), d = t.Int(3, 9);
    Value* part[3];
    for (Value*& x : part) x = Heads(t, t.Input({images, m, heads * d}), heads);
    Value* x = Reshape(t, MatMul(t, part[0], part[1], true), {images, heads, m, m});
    x = t.Add("add", {x, i == 0 ? t.Constant({m, m}) : i == 1 ? t.Input({images, 1, 1, m}) : t.Input({heads, m, 1})});
    x = Reshape(t, Softmax(t, x), {images * heads, m, m});
    x = Reshape(t, MatMul(t, x, part[2]), {images, heads, m, d});
    t.Expect(t.Add("transpose", {x}, {{"perm", Ints{0, 2, 1, 3}}}));
    t.CheckCuda();
    EXPECT_EQ(t.CountOps("attention"), 1);
  }
}

TEST(CudaAttentionTest, InfiniteMasks) {
  ScheduleTester t(400);
  const int64_t batch = 108, m = 11, n = 100;
  Value* scores = MatMul(t, t.Input({batch, m, 8}), t.Input({batch, n, 8}), true);
  t.Expect(MatMul(t, Softmax(t, t.Add("add", {scores, InfiniteMask(t, m, n)})), t.Input({batch, n, 16})));
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

// Where there are few blocks, they have fewer queries, and more of their threads go along keys.
TEST(CudaAttentionTest, FewBlocks) {
  for (const Ints& s : {Ints{2, 37, 100, 20, 64}, Ints{1, 18, 70, 9, 40}, Ints{3, 20, 20, 8, 70}}) {
    ScheduleTester t(550 + static_cast<uint32_t>(s[0]));
    Value* scores = MatMul(t, t.Input({s[0], s[1], s[3]}), t.Input({s[0], s[2], s[3]}), true);
    t.Expect(MatMul(t, Softmax(t, scores), t.Input({s[0], s[2], s[4]})));
    t.CheckCuda();
    EXPECT_EQ(t.CountOps("attention"), 1);
    EXPECT_TRUE(t.KernelsContain("/ 32"));
  }
}

// Too few blocks for so many keys, values that are too long, float16: as separate kernels.
TEST(CudaAttentionTest, WhatOthersDoBetter) {
  for (const Ints& s : {Ints{1, 16, 3000, 16, 16}, Ints{110, 4, 4, 3, 300}}) {
    ScheduleTester t(600 + static_cast<uint32_t>(s[0]));
    Value* scores = MatMul(t, t.Input({s[0], s[1], s[3]}), t.Input({s[0], s[2], s[3]}), true);
    t.Expect(MatMul(t, Softmax(t, scores), t.Input({s[0], s[2], s[4]})));
    t.CheckCuda();
    EXPECT_EQ(t.CountOps("attention"), 0);
  }
}

}  // namespace
}  // namespace mgec::schedule
