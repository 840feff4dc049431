#include "compiler/schedule/cuda/plain_factor.h"

#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using kernel::ArgumentBuffer;
using kernel::Buffer;
using kernel::Expr;
using kernel::Float;
using kernel::Int;
using kernel::Load;
using kernel::MakeVar;
using kernel::Op;
using kernel::Scalar;
using kernel::Var;

// A factor x[row, c, r] of sums over c < 6 and r < 3, stored row by row with `pitch` elements from row to row.
class PlainFactorTest : public testing::Test {
 protected:
  Expr Element(const Buffer& b, int64_t pitch, int64_t inner = 3) const {
    return Load(b, Use(row_) * pitch + Use(c_) * inner + Use(r_));
  }
  int Words(const Expr& value, WordKind kind, bool along_sum) {
    Product p;
    p.words = kind;
    p.sum = kernel::Reduce(kernel::Combiner::kSum, {{c_, 6}, {r_, 3}}, value);
    p.depth = 18;
    p.rows = {value, {0}, 8};
    GpuStage s;
    s.vars = {row_};
    s.extents = {8};
    const std::optional<PlainFactor> plain = AsPlainFactor(value, kind);
    return plain ? WordsAtATime(s, p, p.rows, *plain, along_sum) : -1;
  }

  const Var row_ = MakeVar("row"), c_ = MakeVar("c"), r_ = MakeVar("r");
  const Buffer floats_ = ArgumentBuffer("x", Scalar::kFloat32, 1000, 0, 16), halves_ = ArgumentBuffer("h", Scalar::kFloat16, 1000, 1, 16),
               bytes_ = ArgumentBuffer("b", Scalar::kInt8, 1000, 2, 16), loose_ = ArgumentBuffer("l", Scalar::kFloat32, 1000, 3, 8);
};

TEST_F(PlainFactorTest, MemoryAndZerosArePlain) {
  const Expr x = Element(floats_, 18), inside = Use(row_) < 5, whole = Use(c_) < 5;
  EXPECT_EQ(AsPlainFactor(x, WordKind::kOne)->inside, nullptr);
  EXPECT_EQ(AsPlainFactor(Select(inside, x, Float(0)), WordKind::kOne)->inside, inside);
  EXPECT_EQ(ToString(AsPlainFactor(Select(inside, Float(0), Select(whole, x, Float(0))), WordKind::kTf32)->inside),
            "!(row < 5) & (c < 5)");
  EXPECT_TRUE(AsPlainFactor(Cast(Scalar::kFloat32, Element(halves_, 18)), WordKind::kFloat16).has_value());
  EXPECT_TRUE(AsPlainFactor(Cast(Scalar::kInt32, Element(bytes_, 18)), WordKind::kInt8).has_value());
  // What is computed is not; zeros of the other sign are other bits.
  EXPECT_FALSE(AsPlainFactor(x + Float(1), WordKind::kOne).has_value());
  EXPECT_FALSE(AsPlainFactor(Select(inside, x, Float(-0.0)), WordKind::kOne).has_value());
  EXPECT_FALSE(AsPlainFactor(Select(inside, x, Float(1)), WordKind::kOne).has_value());
  EXPECT_FALSE(AsPlainFactor(Cast(Scalar::kFloat32, Element(halves_, 18)), WordKind::kOne).has_value());
  EXPECT_FALSE(AsPlainFactor(x, WordKind::kFloat16).has_value());
}

// Where the zeros are, nothing is read: no index needs to be kept in memory.
TEST_F(PlainFactorTest, ConditionsReplaceClamps) {
  const Expr at = Use(row_) + Use(r_) + Int(-1), clamped = Min(Max(at, Int(0)), Int(17));
  auto load = [&](const Expr& condition) {
    return ToString(AsPlainFactor(Select(condition, Load(floats_, clamped), Float(0)), WordKind::kOne)->load->args[0]);
  };
  const Expr low = Binary(Op::kLe, Int(0), at);
  EXPECT_EQ(load(And(low, at < 18)), ToString(at));
  EXPECT_EQ(load(low), ToString(Min(at, Int(17))));
  EXPECT_EQ(load(at < 18), ToString(clamped)) << "the other clamp keeps the one around it";
  EXPECT_EQ(load(And(Binary(Op::kLe, Int(-1), at), at < 19)), ToString(clamped)) << "other conditions";
  EXPECT_EQ(load(Use(c_) < 5), ToString(clamped));
}

TEST_F(PlainFactorTest, RunsGoOverAxesThatFollowEachOther) {
  EXPECT_EQ(Words(Element(floats_, 20), WordKind::kTf32, true), 2);  // 18 in a row, and rows 20 apart
  EXPECT_EQ(Words(Element(floats_, 19), WordKind::kTf32, true), 1);
  EXPECT_EQ(Words(Element(floats_, 20, 4), WordKind::kTf32, true), 1);  // 3 in a row
  EXPECT_EQ(Words(Cast(Scalar::kFloat32, Element(halves_, 20)), WordKind::kTf32, true), -1);  // computed
  EXPECT_EQ(Words(Cast(Scalar::kFloat32, Element(halves_, 18)), WordKind::kFloat16, true), 1);
  EXPECT_EQ(Words(Cast(Scalar::kFloat32, Element(halves_, 19)), WordKind::kFloat16, true), 0);
  EXPECT_EQ(Words(Cast(Scalar::kInt32, Element(bytes_, 20)), WordKind::kInt8, true), 0);  // 18 are no whole words
}

TEST_F(PlainFactorTest, RunsAlongTheFactor) {
  auto across = [&](const Buffer& b, int64_t pitch) { return Load(b, Use(row_) + Use(c_) * (3 * pitch) + Use(r_) * pitch); };
  EXPECT_EQ(Words(across(floats_, 8), WordKind::kOne, false), 4);
  EXPECT_EQ(Words(across(floats_, 10), WordKind::kOne, false), 2);
  EXPECT_EQ(Words(across(loose_, 8), WordKind::kOne, false), 2);
  EXPECT_EQ(Words(across(floats_, 9), WordKind::kOne, false), 1);
  EXPECT_EQ(Words(Cast(Scalar::kFloat32, across(halves_, 8)), WordKind::kFloat16, false), 4);
  EXPECT_EQ(Words(Cast(Scalar::kFloat32, across(halves_, 10)), WordKind::kFloat16, false), 1);
  EXPECT_EQ(Words(Cast(Scalar::kFloat32, across(halves_, 9)), WordKind::kFloat16, false), 0);  // numbers are no words
  EXPECT_EQ(Words(Cast(Scalar::kInt32, across(bytes_, 8)), WordKind::kInt8, false), 0);        // only float16 is turned
}

// What may be padding begins and ends with runs.
TEST_F(PlainFactorTest, RunsAreInsideAsAWhole) {
  const Expr x = Load(floats_, Use(row_) + Use(c_) * 24 + Use(r_) * 8);
  EXPECT_EQ(Words(Select(Use(c_) < 3, x, Float(0)), WordKind::kOne, false), 4);
  EXPECT_EQ(Words(Select(Use(row_) < 3, x, Float(0)), WordKind::kOne, false), 1);
  EXPECT_EQ(Words(Select(Use(c_) < 3, Element(floats_, 20), Float(0)), WordKind::kTf32, true), 1);
}

}  // namespace
}  // namespace mgec::schedule
