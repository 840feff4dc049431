// Attention of random shapes, scheduled for every target, against its operators' definitions.
#include <cmath>

#include "compiler/schedule/testing/attention_graphs.h"
#include "compiler/schedule/testing/schedule_tester.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using graph::Shape;
using graph::Value;

using Ints = std::vector<int64_t>;

Value* Scaled(ScheduleTester& t, Value* x, int64_t depth) {
  const float root = std::sqrt(static_cast<float>(depth));
  return t.Coin() ? t.Add("true_div", {x, t.Scalar(root)}) : t.Add("mul", {t.Scalar(1 / root), x});
}

void ExpectFused(ScheduleTester& t, bool fused = true) {
  EXPECT_EQ(t.CountOps("attention"), fused ? 1 : 0);
  EXPECT_EQ(t.CountOps("softmax"), fused ? 0 : 1);
}

// Strips that are whole, and such that reach back; blocks of keys.
TEST(AttentionScheduleTest, RandomShapes) {
  for (uint32_t i = 0; i < 10; ++i) {
    ScheduleTester t(100 + i);
    const int64_t batch = t.Int(1, 3), m = t.Int(8, 75), n = i % 4 == 0 ? t.Int(130, 300) : t.Int(1, 90);
    const int64_t d = t.Int(1, 40), e = t.Int(1, 70);
    Value* scores = MatMul(t, t.Input({batch, m, d}), t.Input({batch, n, d}), true);
    t.Expect(MatMul(t, Softmax(t, Scaled(t, scores, d)), t.Input({batch, n, e})));
    t.Check();
    ExpectFused(t);
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(AttentionScheduleTest, HeadsAndMasks) {
  for (uint32_t i = 0; i < 12; ++i) {
    ScheduleTester t(200 + i);
    const int64_t images = t.Int(1, 2), heads = t.Int(1, 3), m = t.Int(16, 50), d = t.OneOf<int64_t>({8, 12, 16});
    const int64_t n = t.Coin() ? m : t.Int(1, 60);
    Value* q = Heads(t, t.Input({images, m, heads * d}), heads);
    Value* k = Heads(t, t.Input({images, n, heads * d}), heads);
    Value* v = Heads(t, t.Input({images, n, heads * d}), heads);
    Value* x = Reshape(t, MatMul(t, q, k, true), {images, heads, m, n});
    x = Scaled(t, x, d);
    const Shape shapes[] = {{m, n}, {images, 1, 1, n}, {heads, m, n}, {1, heads, 1, n}, {images, heads, m, n}, {m, 1}};
    for (const Shape& shape : shapes) {
      if (t.Int(0, 2) != 0) continue;
      Value* mask = t.Coin() ? t.Input(shape) : t.Constant(shape);
      x = t.Coin() ? t.Add("add", {x, mask}) : t.Add("sub", {mask, x});
    }
    x = MatMul(t, Reshape(t, Softmax(t, x), {images * heads, m, n}), v);
    x = t.Add("transpose", {Reshape(t, x, {images, heads, m, d})}, {{"perm", Ints{0, 2, 1, 3}}});
    t.Expect(Reshape(t, x, {images * m, heads * d}));
    t.Check();
    ExpectFused(t);
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// Rows that share sets of the cache are copied.
TEST(AttentionScheduleTest, CrowdedRows) {
  ScheduleTester t(250);
  const int64_t heads = 8, d = 64, m = 40;
  Value* part[3];
  for (Value*& x : part) x = Heads(t, t.Input({1, &x == part ? m : 35, heads * d}), heads);
  t.Expect(MatMul(t, Softmax(t, Scaled(t, MatMul(t, part[0], part[1], true), d)), part[2]));
  t.Check();
  ExpectFused(t);
  EXPECT_TRUE(t.KernelsContain("value_rows"));
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// All of queries, keys and values in one tensor, as heads or one after the other.
TEST(AttentionScheduleTest, PackedOperands) {
  for (uint32_t i = 0; i < 4; ++i) {
    ScheduleTester t(300 + i);
    const int64_t images = t.Int(1, 2), heads = t.Int(1, 3), m = t.Int(16, 40), d = t.Int(3, 17);
    Value* x = Reshape(t, t.Input({images, m, 3 * heads * d}), {images, m, 3, heads, d});
    x = t.Add("transpose", {x}, {{"perm", Ints{2, 0, 3, 1, 4}}});
    Value* part[3];
    for (int64_t j = 0; j < 3; ++j) {
      part[j] = t.Add("slice", {x}, {{"begin", Ints{j, 0, 0, 0, 0}}, {"end", Ints{j + 1, images, heads, m, d}}, {"step", Ints{1, 1, 1, 1, 1}}});
      part[j] = Reshape(t, part[j], {images * heads, m, d});
    }
    Value* q = t.Add("mul", {part[0], t.Scalar(0.25f)});
    t.Expect(MatMul(t, Softmax(t, MatMul(t, q, part[1], true)), part[2]));
    t.Check();
    ExpectFused(t);
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

TEST(AttentionScheduleTest, TransposedOperands) {
  for (uint32_t i = 0; i < 4; ++i) {
    ScheduleTester t(400 + i);
    const bool ta = i % 2 == 1, tb = i / 2 == 1;
    const int64_t m = t.Int(16, 50), n = t.Int(5, 50), d = t.Int(1, 20), e = t.Int(1, 20);
    Value* q = t.Input(ta ? Shape{d, m} : Shape{m, d});
    Value* k = t.Input(tb ? Shape{n, d} : Shape{d, n});
    Value* scores = t.Add("matmul", {q, k}, {{"transpose_a", int64_t{ta}}, {"transpose_b", int64_t{tb}}});
    t.Expect(MatMul(t, Softmax(t, scores), t.Input({n, e})));
    t.Check();
    ExpectFused(t);
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// The products are better by themselves where queries do not fill a vector, and where sums are long.
TEST(AttentionScheduleTest, WhatOthersDoBetter) {
  for (const auto& [m, depth] : {std::pair<int64_t, int64_t>{3, 8}, {20, 260}}) {
    ScheduleTester t(550 + static_cast<uint32_t>(m));
    Value* scores = MatMul(t, Heads(t, t.Input({1, m, 2 * depth}), 2), Heads(t, t.Input({1, 10, 2 * depth}), 2), true);
    Value* y = MatMul(t, Softmax(t, Scaled(t, scores, depth)), Heads(t, t.Input({1, 10, 2 * depth}), 2));
    t.Expect(y);
    t.Expect(t.Add("relu", {y}));
    t.Check();
    ExpectFused(t, false);
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// Values whose rows are apart are multiplied by themselves.
TEST(AttentionScheduleTest, ColumnsOfValues) {
  ScheduleTester t(500);
  Value* scores = MatMul(t, t.Input({2, 20, 6}), t.Input({2, 11, 6}), true);
  t.Expect(MatMul(t, Softmax(t, t.Add("add", {scores, t.Constant({20, 11})})), t.Input({2, 9, 11}), true));
  t.Check();
  EXPECT_EQ(t.CountOps("attention"), 0);
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// Masks of -inf: of some keys, of whole blocks of keys, of all keys (which gives NaN).
TEST(AttentionScheduleTest, InfiniteMasks) {
  for (const int64_t n : {24, 300}) {
    ScheduleTester t(600 + static_cast<uint32_t>(n));
    const int64_t m = 37;
    Value* scores = MatMul(t, t.Input({2, m, 8}), t.Input({2, n, 8}), true);
    t.Expect(MatMul(t, Softmax(t, t.Add("add", {scores, InfiniteMask(t, m, n)})), t.Input({2, n, 16})));
    t.Check();
    ExpectFused(t);
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// Masks that choose, of one byte for each score; scores that are used twice.
TEST(AttentionScheduleTest, ChoosingMasks) {
  for (uint32_t i = 0; i < 4; ++i) {
    ScheduleTester t(900 + i);
    const int64_t m = t.Int(17, 40), n = t.Int(5, 50);
    const Shape shape = i % 2 == 0 ? Shape{m, n} : Shape{2, 1, n};
    Value* mask = i < 2 ? t.Constant(shape, graph::DTypeKind::kBool) : t.Input(shape, graph::DTypeKind::kBool);
    Value* scores = MatMul(t, t.Input({2, m, 7}), t.Input({2, n, 7}), true);
    scores = t.Add("where", {mask, t.Add("mul", {scores, scores}), t.Scalar(-10)});
    t.Expect(MatMul(t, Softmax(t, scores), t.Input({2, n, 9})));
    t.Check();
    ExpectFused(t);
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// Operands and results of 16 bits are converted on the way.
TEST(AttentionScheduleTest, HalfOperands) {
  for (uint32_t i = 0; i < 4; ++i) {
    ScheduleTester t(800 + i);
    const int64_t batch = t.Int(1, 2), m = t.Int(8, 40), n = i == 0 ? 140 : t.Int(5, 50), d = t.Int(3, 20), e = t.Int(1, 36);
    auto input = [&](const Shape& shape) {
      return t.Add("cast", {t.Input(shape, i == 1 ? graph::DTypeKind::kBFloat16 : graph::DTypeKind::kFloat16)}, {{"dtype", std::string("f32")}});
    };
    Value* scores = MatMul(t, input({batch, m, d}), input({batch, n, d}), true);
    Value* y = MatMul(t, Softmax(t, t.Add("add", {scores, input({m, n})})), input({batch, n, e}));
    if (i > 1) y = t.Add("cast", {y}, {{"dtype", std::string("f16")}});
    t.Expect(y);
    t.Check();
    ExpectFused(t);
    EXPECT_EQ(t.ops().size(), 1u);
  }
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

// A result that is read in place of a network's output, and one that is read by others.
TEST(AttentionScheduleTest, BetweenOtherNodes) {
  ScheduleTester t(700);
  Value* x = t.Add("relu", {t.Input({33, 12})});
  Value* y = MatMul(t, Softmax(t, MatMul(t, x, x, true)), x);
  t.Expect(y);
  t.Expect(t.Add("add", {x, y}));
  t.Check();
  ExpectFused(t);
  SKIP_IF_TARGETS_WERE_LEFT_OUT();
}

}  // namespace
}  // namespace mgec::schedule
