#include "compiler/kernel/simplify.h"

#include <cmath>

#include "compiler/kernel/testing.h"
#include "gtest/gtest.h"

namespace mgec::kernel {
namespace {

class SimplifyTest : public testing::Test {
 protected:
  SimplifyTest() {
    ranges_[c_.get()] = {0, 57};
    ranges_[i_.get()] = {0, 783};
    ranges_[s_.get()] = {-30, 30};
    ranges_[one_.get()] = {4, 4};
  }
  void Expect(const Expr& e, const Expr& want) { EXPECT_EQ(ToString(Simplify(e, ranges_)), ToString(want)); }

  const Var c_ = MakeVar("c"), i_ = MakeVar("i"), s_ = MakeVar("s"), one_ = MakeVar("one"), u_ = MakeVar("u");
  const Expr c = Use(c_), i = Use(i_), s = Use(s_), one = Use(one_), u = Use(u_);  // nothing is known of u
  Ranges ranges_;
};

TEST_F(SimplifyTest, DividesWhatIsAMultiple) {
  Expect(FloorDiv(c * 784 + i, Int(784)), c);
  Expect(FloorMod(c * 784 + i, Int(784)), i);
  Expect((c * 784 + i) / Int(784), c);
  Expect(Binary(Op::kMod, c * 784 + i, Int(784)), i);
  Expect(FloorDiv(u * 8 + 19, Int(8)), u + 2);
  Expect(FloorMod(u * 8 + 19, Int(8)), Int(3));
  Expect(FloorDiv(s * 64 + c, Int(64)), s);
  Expect(FloorMod(s * 64 - 5, Int(64)), Int(59));
}

TEST_F(SimplifyTest, LeavesOutWhatDoesNotReachTheNextMultiple) {
  Expect(FloorDiv(u * 784 + i, Int(784 * 4)), FloorDiv(u, Int(4)));
  Expect(FloorMod(u * 784 + i, Int(784 * 4)), i + FloorMod(u, Int(4)) * 784);
  Expect(FloorDiv(c * 784 + i, Int(784 * 4)), c / Int(4));
  Expect(FloorMod(c * 6 + 20, Int(12)), Binary(Op::kMod, c + 1, Int(2)) * 6 + 2);
  Expect(FloorDiv(u * 12 + one * 2, Int(24)), FloorDiv(u, Int(2)));
  const Expr reached = FloorDiv(u * 783 + i, Int(783 * 4));  // i may be 783
  Expect(reached, reached);
}

TEST_F(SimplifyTest, DividesTwice) {
  Expect(FloorDiv(FloorDiv(i, Int(28)), Int(4)), i / Int(112));
  Expect(FloorDiv(FloorDiv(u, Int(28)), Int(4)), FloorDiv(u, Int(112)));
  const Expr truncated = FloorDiv(u / Int(28), Int(4));  // rounds twice in different directions below zero
  Expect(truncated, truncated);
}

TEST_F(SimplifyTest, KeepsTruncationOfNegatives) {
  Expect(s / Int(7), s / Int(7));
  Expect(Binary(Op::kMod, s, Int(7)), Binary(Op::kMod, s, Int(7)));
  Expect(FloorDiv(i, Int(28)), i / Int(28));  // cheaper where both are the same
  Expect(FloorMod(i, Int(28)), Binary(Op::kMod, i, Int(28)));
}

TEST_F(SimplifyTest, RejoinsQuotientAndRemainder) {
  Expect(FloorDiv(u, Int(28)) * 28 + FloorMod(u, Int(28)), u);
  Expect(FloorMod(i, Int(28)) * 5 + FloorDiv(i, Int(28)) * 140 + c, i * 5 + c);
  Expect((u / Int(28)) * 28 + Binary(Op::kMod, u, Int(28)), u);
  const Expr mixed = (u / Int(28)) * 28 + FloorMod(u, Int(28));  // not u below zero
  Expect(mixed, mixed);
  const Expr other = FloorDiv(u, Int(28)) * 27 + FloorMod(u, Int(28));
  Expect(other, other);
}

TEST_F(SimplifyTest, AddsUp) {
  Expect(c * 3 + i - c * 2 - c, i);
  Expect(c - c, Int(0));
  Expect(one + c, c + 4);
  Expect(one * 3, Int(12));
}

TEST_F(SimplifyTest, DecidesComparisons) {
  Expect(c < Int(58), Bool(true));
  Expect(c < Int(57), c < Int(57));
  Expect(c >= int64_t{0}, Bool(true));
  Expect(Int(58) <= c, Bool(false));
  Expect(c + i < c, Bool(false));
  Expect(Binary(Op::kEq, c, Int(58)), Bool(false));
  Expect(Binary(Op::kNe, c, Int(58)), Bool(true));
  Expect(Binary(Op::kEq, one, Int(4)), Bool(true));
  Expect(u < Int(58), u < Int(58));
  Expect(And(c >= int64_t{0}, u < Int(4)), u < Int(4));
  Expect(Select(c < Int(58), c, Int(57)), c);
}

TEST_F(SimplifyTest, DropsClampsThatDoNothing) {
  Expect(Min(c, Int(57)), c);
  Expect(Max(c, Int(0)), c);
  Expect(Max(Min(s, Int(9)), Int(-40)), Min(s, Int(9)));
  Expect(Min(c, Int(-1)), Int(-1));
}

TEST_F(SimplifyTest, KnowsTheRangesOfReductionVariables) {
  const Var k = MakeVar("k");
  const Expr e = Reduce(Combiner::kSum, {{k, 4}}, Read(0, Scalar::kFloat32, {FloorDiv(c * 4 + Use(k), Int(4))}));
  const Expr simple = Simplify(e, ranges_);
  EXPECT_EQ(simple->args[0]->args[0], c);
}

TEST_F(SimplifyTest, Bounds) {
  auto expect = [&](const Expr& e, int64_t lo, int64_t hi) {
    const std::optional<Range> r = BoundsOf(e, ranges_);
    ASSERT_TRUE(r.has_value()) << ToString(e);
    EXPECT_EQ(r->lo, lo) << ToString(e);
    EXPECT_EQ(r->hi, hi) << ToString(e);
  };
  expect(c * -2 + 5, -109, 5);
  expect(c - c, 0, 0);
  expect(FloorDiv(s, Int(7)), -5, 4);
  expect(s / Int(7), -4, 4);
  expect(FloorMod(s, Int(7)), 0, 6);
  expect(Binary(Op::kMod, s, Int(7)), -6, 6);
  expect(FloorMod(u, Int(7)), 0, 6);
  expect(FloorMod(c, Int(100)), 0, 57);
  expect(Min(s, c), -30, 30);
  expect(Max(s, c), 0, 57);
  expect(Max(Min(u, Int(9)), Int(0)), 0, 9);
  expect(Select(u < c, s, c), -30, 57);
  EXPECT_FALSE(BoundsOf(u, ranges_).has_value());
  EXPECT_FALSE(BoundsOf(u + c, ranges_).has_value());
  EXPECT_FALSE(BoundsOf(c * c, ranges_).has_value());
  EXPECT_FALSE(BoundsOf(Int(int64_t{1} << 60), ranges_).has_value());
}

// Places in images: floats in between.
TEST_F(SimplifyTest, BoundsOfFloats) {
  const Type f32(Scalar::kFloat32);
  auto index = [](const Expr& e) { return Cast(kIndexType, e); };
  for (int out = 1; out < 60; ++out) {
    for (int in : {1, 7, 30, 1000}) {
      const float scale = static_cast<float>(out) / static_cast<float>(in);
      const Expr place = (Cast(f32, i) + Float(0.5)) / Float(scale) - Float(0.5);
      const std::optional<Range> r = BoundsOf(index(Unary(Op::kFloor, place)), ranges_);
      ASSERT_TRUE(r.has_value());
      for (int at : {0, 1, 400, 783}) {
        const float want = std::floor((static_cast<float>(at) + 0.5f) / scale - 0.5f);
        EXPECT_LE(r->lo, static_cast<int64_t>(want)) << in << " to " << out;
        EXPECT_GE(r->hi, static_cast<int64_t>(want)) << in << " to " << out;
      }
      EXPECT_GE(r->lo, -2);
      EXPECT_LE(r->hi, static_cast<int64_t>(784 / scale) + 2);
    }
  }
  const Expr any = Load(ArgumentBuffer("x", Scalar::kFloat32, 1, 0, 4), Int(0));
  EXPECT_FALSE(BoundsOf(index(any), ranges_).has_value());
  EXPECT_FALSE(BoundsOf(index(any + Float(1)), ranges_).has_value());
  EXPECT_FALSE(BoundsOf(index(Max(any, Float(0))), ranges_).has_value());
  EXPECT_FALSE(BoundsOf(index(Cast(f32, i) / Cast(f32, i)), ranges_).has_value()) << "by zero";
  const std::optional<Range> clamped = BoundsOf(index(Min(Max(any, Float(-5.5)), Float(40.5))), ranges_);
  ASSERT_TRUE(clamped.has_value());
  EXPECT_EQ(clamped->lo, -6);
  EXPECT_EQ(clamped->hi, 41);
}

TEST_F(SimplifyTest, Strides) {
  EXPECT_EQ(StrideOf(c * 3 + i - c, c_), 2);
  EXPECT_EQ(StrideOf(i, c_), 0);
  EXPECT_EQ(StrideOf(FloorDiv(c, Int(2)), c_), std::nullopt);
  EXPECT_EQ(StrideOf(FloorDiv(i, Int(2)) + c, c_), 1);
  EXPECT_TRUE(DependsOn(FloorDiv(c, Int(2)), c_));
  EXPECT_FALSE(DependsOn(i, c_));
}

TEST_F(SimplifyTest, TellsTreesApart) {
  EXPECT_TRUE(Equal(c + i, Use(c_) + Use(i_)));
  EXPECT_FALSE(Equal(c + i, i + c));
  EXPECT_FALSE(Equal(c, Use(MakeVar("c"))));
  EXPECT_FALSE(Equal(Float(0.0), Float(-0.0)));
  EXPECT_TRUE(Equal(Float(0.5), Float(0.5)));
}

// The simplified expression has the value of the original everywhere, and its bounds hold.
TEST(SimplifyPropertyTest, KeepsValuesAndBounds) {
  constexpr int kRounds = 4000;
  for (uint32_t seed = 1; seed <= kRounds; ++seed) {
    const Var a = MakeVar("a"), b = MakeVar("b"), c = MakeVar("c");
    RandomIndex random(seed, {Use(a), Use(b), Use(c)});
    Ranges ranges;
    for (const Var& v : {a, b, c}) {
      const int64_t lo = random.Number(0, 2) == 0 ? random.Number(-9, 9) : 0;
      ranges[v.get()] = {lo, lo + random.Number(0, 12)};
    }
    const Expr e = random.Number(0, 4) == 0 ? random.Condition(3) : random(4);
    const Expr simple = Simplify(e, ranges);
    const std::optional<Range> bounds = BoundsOf(e, ranges), simple_bounds = BoundsOf(simple, ranges);
    Environment at;
    for (at[a.get()] = ranges[a.get()].lo; at[a.get()] <= ranges[a.get()].hi; ++at[a.get()]) {
      for (at[b.get()] = ranges[b.get()].lo; at[b.get()] <= ranges[b.get()].hi; ++at[b.get()]) {
        for (at[c.get()] = ranges[c.get()].lo; at[c.get()] <= ranges[c.get()].hi; ++at[c.get()]) {
          const int64_t want = EvaluateIndex(e, at);
          ASSERT_EQ(EvaluateIndex(simple, at), want)
              << "seed " << seed << ": " << ToString(e) << "\n  became " << ToString(simple) << "\n  at "
              << at[a.get()] << ", " << at[b.get()] << ", " << at[c.get()];
          for (const auto& r : {bounds, simple_bounds}) {
            ASSERT_TRUE(!r || (r->lo <= want && want <= r->hi)) << "seed " << seed << ": " << ToString(e);
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace mgec::kernel
