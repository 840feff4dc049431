#include "compiler/kernel/expr.h"

#include "gtest/gtest.h"

namespace mgec::kernel {
namespace {

class ExprTest : public testing::Test {
 protected:
  const Var v_ = MakeVar("v"), w_ = MakeVar("w");
  const Expr v = Use(v_), w = Use(w_);
};

void ExpectInt(const Expr& e, int64_t want) {
  int64_t got;
  ASSERT_TRUE(IsConst(e, &got)) << ToString(e);
  EXPECT_EQ(got, want);
}

TEST_F(ExprTest, FoldsIntegerConstants) {
  ExpectInt(Int(7) + Int(-9), -2);
  ExpectInt(Int(7) - Int(9), -2);
  ExpectInt(Int(7) * Int(-9), -63);
  ExpectInt(Int(-7) / Int(2), -3);
  ExpectInt(Binary(Op::kMod, Int(-7), Int(2)), -1);
  ExpectInt(FloorDiv(Int(-7), Int(2)), -4);
  ExpectInt(FloorDiv(Int(7), Int(-2)), -4);
  ExpectInt(FloorDiv(Int(-8), Int(2)), -4);
  ExpectInt(FloorMod(Int(-7), Int(2)), 1);
  ExpectInt(FloorMod(Int(7), Int(-2)), -1);
  ExpectInt(Min(Int(3), Int(4)), 3);
  ExpectInt(Max(Int(3), Int(4)), 4);
  ExpectInt(Int(3) < Int(4), 1);
  ExpectInt(Int(4) <= Int(3), 0);
  ExpectInt(Binary(Op::kEq, Int(3), Int(3)), 1);
  ExpectInt(Binary(Op::kNe, Int(3), Int(3)), 0);
}

TEST_F(ExprTest, LeavesDivisionByZeroToTheProgram) {
  for (Op op : {Op::kDiv, Op::kMod, Op::kFloorDiv, Op::kFloorMod}) EXPECT_EQ(Binary(op, Int(1), Int(0))->op, op);
}

TEST_F(ExprTest, GathersConstantsToTheRight) {
  EXPECT_EQ(ToString(Int(3) + v), ToString(v + 3));
  EXPECT_EQ(ToString((v + 3) + 4), ToString(v + 7));
  EXPECT_EQ(ToString((v + 3) - 3), ToString(v));
  EXPECT_EQ(ToString((v + 3) + w), ToString((v + w) + 3));
  EXPECT_EQ(ToString(v + (w + 3)), ToString((v + w) + 3));
  EXPECT_EQ(ToString(Int(3) * v), ToString(v * 3));
  EXPECT_EQ(ToString((v * 3) * 4), ToString(v * 12));
  EXPECT_EQ(ToString((v + 3) * 4), ToString(v * 4 + 12));
}

TEST_F(ExprTest, DropsWhatDoesNothing) {
  EXPECT_EQ(v + 0, v);
  EXPECT_EQ(v - 0, v);
  EXPECT_EQ(v * 1, v);
  EXPECT_EQ(v / Int(1), v);
  EXPECT_EQ(FloorDiv(v, Int(1)), v);
  ExpectInt(v * 0, 0);
  ExpectInt(FloorMod(v, Int(1)), 0);
  ExpectInt(Binary(Op::kMod, v, Int(1)), 0);
}

TEST_F(ExprTest, FoldsLogic) {
  const Expr c = v < w;
  EXPECT_EQ(And(Bool(true), c), c);
  EXPECT_EQ(And(c, Bool(true)), c);
  ExpectInt(And(c, Bool(false)), 0);
  EXPECT_EQ(Or(Bool(false), c), c);
  ExpectInt(Or(c, Bool(true)), 1);
  ExpectInt(Unary(Op::kNot, Bool(true)), 0);
  EXPECT_EQ(Select(Bool(true), v, w), v);
  EXPECT_EQ(Select(Bool(false), v, w), w);
}

TEST_F(ExprTest, DoesNotFoldFloats) {  // the sign of zero, NaN, rounding
  const Expr x = Read(0, Scalar::kFloat32, {v});
  EXPECT_EQ((x + Float(0))->op, Op::kAdd);
  EXPECT_EQ((x * Float(0))->op, Op::kMul);
  EXPECT_EQ((Float(1) + Float(2))->op, Op::kAdd);
}

TEST_F(ExprTest, CastsConstants) {
  ExpectInt(Cast(kIndexType, Int(5, Scalar::kInt32)), 5);
  EXPECT_EQ(Cast(kIndexType, Int(5, Scalar::kInt32))->type, kIndexType);
  EXPECT_EQ(Cast(Type(), Int(5))->op, Op::kFloat);
  EXPECT_EQ(Cast(Type(), Int((int64_t{1} << 24) + 1))->float_value, 16777216.0);
  EXPECT_EQ(Cast(kIndexType, v), v);
  EXPECT_EQ(Cast(Scalar::kInt8, Int(300, Scalar::kInt32))->op, Op::kCast);  // wraps when it runs
  EXPECT_EQ(Float(1.0 / 3)->float_value, static_cast<double>(1.0f / 3));
}

TEST_F(ExprTest, BroadcastsScalars) {
  const Expr x = Load(ArgumentBuffer("x", Scalar::kFloat32, 64, 0, 4), v, 8);
  EXPECT_EQ((x + Float(1))->type, Type(Scalar::kFloat32, 8));
  EXPECT_EQ((Float(1) + x)->type, Type(Scalar::kFloat32, 8));
  EXPECT_EQ((x < Float(1))->type, Type(Scalar::kBool, 8));
  EXPECT_EQ(Select(x < Float(1), Float(0), x)->type.lanes, 8);
  EXPECT_EQ(Select(v < w, Float(0), x)->type.lanes, 8);
  EXPECT_EQ(Fma(Float(2), x, Float(1))->type.lanes, 8);
  EXPECT_EQ(HorizontalReduce(Op::kReduceAdd, x)->type.lanes, 1);
  EXPECT_EQ(Unary(Op::kIsNan, x)->type, Type(Scalar::kBool, 8));
  EXPECT_EQ(Cast(Scalar::kInt32, x)->type, Type(Scalar::kInt32, 8));
  EXPECT_EQ(Slice(x, 0, 8), x);
  EXPECT_EQ(Broadcast(x, 8), x);
}

TEST_F(ExprTest, SubstitutesAndFoldsAgain) {
  const Expr e = FloorDiv(v * 8 + w, Int(4));
  ExpectInt(Substitute(e, {{v_.get(), Int(3)}, {w_.get(), Int(5)}}), 7);
  EXPECT_EQ(Substitute(e, {{MakeVar("u").get(), Int(3)}}), e);  // nothing to replace: the same tree
  // Both at once: v becomes w and w becomes v.
  EXPECT_EQ(ToString(Substitute(v * 2 + w, {{v_.get(), w}, {w_.get(), v}})), ToString(w * 2 + v));
}

TEST_F(ExprTest, RebuildsWithTheRightLanes) {
  const Buffer x = ArgumentBuffer("x", Scalar::kFloat32, 64, 0, 4);
  const Expr scalar = Load(x, v), vector = Load(x, v, 8);
  for (const Expr& e : {Unary(Op::kExp, scalar), scalar + Float(1), Cast(Scalar::kInt32, scalar),
                        Bitcast(Scalar::kInt32, scalar), Fma(scalar, Float(1), Float(2)),
                        Select(scalar < Float(0), Float(0), scalar)}) {
    const Expr wide = Rewrite(e, [&](const Expr& n) { return n == scalar ? vector : n; });
    EXPECT_EQ(wide->type, e->type.WithLanes(8)) << ToString(wide);
  }
}

TEST_F(ExprTest, VisitsSharedNodesOnce) {
  Expr e = v + w;
  for (int i = 0; i < 60; ++i) e = Min(e, e + 1);  // 2^60 paths
  int count = 0;
  Visit(e, [&](const Expr&) { ++count; });
  EXPECT_LT(count, 300);
  EXPECT_EQ(Rewrite(e, [](const Expr& n) { return n; }), e);
}

TEST_F(ExprTest, KnowsIdentityIndices) {
  EXPECT_TRUE(IsIndexAlong(v, v_, 5));
  EXPECT_FALSE(IsIndexAlong(w, v_, 5));
  EXPECT_TRUE(IsIndexAlong(Int(0), v_, 1));
  EXPECT_FALSE(IsIndexAlong(Int(0), v_, 2));
  EXPECT_FALSE(IsIndexAlong(Int(1), v_, 1));
}

TEST_F(ExprTest, ReplaceSeesNodesBeforeTheirArguments) {
  const Expr x = Use(MakeVar("x")), inner = Reduce(Combiner::kSum, {{MakeVar("r"), 3}}, x);
  const Expr outer = Reduce(Combiner::kMax, {{MakeVar("r"), 4}, {MakeVar("s"), 5}}, inner);
  EXPECT_EQ(Points(outer), 20);
  int seen = 0;
  const Expr result = Replace(outer + outer * x, [&](const Expr& n) {
    if (n->op != Op::kReduce) return Expr();
    ++seen;
    return Int(7);
  });
  EXPECT_EQ(seen, 1) << "once, and not what is inside";
  EXPECT_EQ(ToString(result), ToString(Int(7) + Int(7) * x));
}

}  // namespace
}  // namespace mgec::kernel
