// Every operator, scalar and vector, against the interpreter.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "compiler/codegen/llvm/testing/compare.h"

namespace mgec::codegen {
namespace {

using namespace kernel;  // NOLINT: these tests are written in its language

constexpr int64_t kSize = 96;
const int kLanes[] = {1, 4, 8, 16, 3};
const Scalar kAll[] = {Scalar::kBool,  Scalar::kInt8,  Scalar::kUint8,   Scalar::kInt16,    Scalar::kUint16,
                       Scalar::kInt32, Scalar::kInt64, Scalar::kFloat16, Scalar::kBFloat16, Scalar::kFloat32};
const Scalar kIntegers[] = {Scalar::kInt8,   Scalar::kUint8, Scalar::kInt16,
                            Scalar::kUint16, Scalar::kInt32, Scalar::kInt64};

bool IsMath(Op op) { return (op >= Op::kSqrt && op <= Op::kSigmoid) || op == Op::kPow || op == Op::kAtan2; }

// out[i] = f(x[i], y[i], z[i]) for vectors of all sizes, each with an output of its own.
template <typename F>
void CompareLanewise(Scalar in, Scalar out, const std::string& what, F f, double ulps = 0) {
  Comparison c;
  c.set_ulps(ulps);
  Buffer x = c.Input(in, kSize), y = c.Input(in, kSize), z = c.Input(in, kSize);
  Block b;
  for (int lanes : kLanes) {
    Buffer o = c.Output(out, kSize);
    b.For("i", Int(0), Int(kSize), lanes, [&](Block& b, Expr i) {
      b.Store(o, i, f(Load(x, i, lanes), Load(y, i, lanes), Load(z, i, lanes)));
    });
  }
  EXPECT_EQ(c.Run(std::move(b)), "") << what << " of " << Name(in);
}

TEST(ExprTest, FloatUnary) {
  for (int n = static_cast<int>(Op::kNeg); n <= static_cast<int>(Op::kIsInf); ++n) {
    const Op op = static_cast<Op>(n);
    if (op == Op::kNot || op == Op::kRoundTf32) continue;  // for GPUs only
    const Scalar out = op == Op::kIsNan || op == Op::kIsInf ? Scalar::kBool : Scalar::kFloat32;
    // Close to zeros of sin and cos one rounding of the argument's reduction is many units; math_test.cc is exact.
    CompareLanewise(Scalar::kFloat32, out, Name(op), [&](Expr x, Expr, Expr) {
      const bool periodic = op == Op::kSin || op == Op::kCos || op == Op::kTan;
      if (periodic) x = Select(Unary(Op::kAbs, x) < Broadcast(Float(1e6), x->type.lanes), x, Float(0.25));
      if (op == Op::kSigmoid) x = Max(Float(-80), x);
      return Unary(op, x);
    }, IsMath(op) ? 5 : 0);
  }
}

TEST(ExprTest, IntegerUnary) {
  for (Scalar s : kIntegers) {
    for (Op op : {Op::kNeg, Op::kAbs, Op::kSign, Op::kNot, Op::kFloor, Op::kRound}) {
      CompareLanewise(s, s, Name(op), [&](Expr x, Expr, Expr) { return Unary(op, x); });
    }
  }
  CompareLanewise(Scalar::kBool, Scalar::kBool, "not", [&](Expr x, Expr, Expr) { return Unary(Op::kNot, x); });
}

TEST(ExprTest, FloatBinary) {
  for (Op op : {Op::kAdd, Op::kSub, Op::kMul, Op::kDiv, Op::kMod, Op::kMin, Op::kMax, Op::kPow, Op::kAtan2}) {
    CompareLanewise(
        Scalar::kFloat32, Scalar::kFloat32, Name(op), [&](Expr x, Expr y, Expr) { return Binary(op, x, y); },
        IsMath(op) ? 1 : 0);
  }
  for (Op op : {Op::kLt, Op::kLe, Op::kEq, Op::kNe}) {
    CompareLanewise(Scalar::kFloat32, Scalar::kBool, Name(op), [&](Expr x, Expr y, Expr) { return Binary(op, x, y); });
  }
}

TEST(ExprTest, IntegerBinary) {
  for (Scalar s : kIntegers) {
    for (Op op : {Op::kAdd, Op::kSub, Op::kMul, Op::kMin, Op::kMax, Op::kAnd, Op::kOr, Op::kXor}) {
      CompareLanewise(s, s, Name(op), [&](Expr x, Expr y, Expr) {
        // Index arithmetic must not overflow.
        if (s == Scalar::kInt64) {
          x = Binary(Op::kShr, x, Int(34, x->type));
          y = Binary(Op::kShr, y, Int(34, y->type));
        }
        return Binary(op, x, y);
      });
    }
    for (Op op : {Op::kLt, Op::kLe, Op::kEq, Op::kNe}) {
      CompareLanewise(s, Scalar::kBool, Name(op), [&](Expr x, Expr y, Expr) { return Binary(op, x, y); });
    }
    for (Op op : {Op::kShl, Op::kShr}) {
      CompareLanewise(s, s, Name(op), [&](Expr x, Expr y, Expr) {
        return Binary(op, x, Binary(Op::kAnd, y, Int(8 * SizeOf(s) - 1, y->type)));
      });
    }
    for (Op op : {Op::kDiv, Op::kMod, Op::kFloorDiv, Op::kFloorMod}) {
      CompareLanewise(s, s, Name(op), [&](Expr x, Expr y, Expr) {
        // Neither zero nor the one overflow that there is.
        const Expr bad = Or(Binary(Op::kEq, y, Int(0, y->type)), Binary(Op::kEq, y, Int(-1, y->type)));
        return Binary(op, x, Select(bad, Int(3, y->type), y));
      });
      for (int64_t divisor : {1, 2, 7, 16, 100}) {
        CompareLanewise(s, s, Name(op), [&](Expr x, Expr, Expr) { return Binary(op, x, Int(divisor, x->type)); });
      }
    }
  }
}

TEST(ExprTest, BoolBinary) {
  for (Op op : {Op::kAnd, Op::kOr, Op::kXor, Op::kEq, Op::kNe}) {
    CompareLanewise(Scalar::kBool, Scalar::kBool, Name(op), [&](Expr x, Expr y, Expr) { return Binary(op, x, y); });
  }
}

TEST(ExprTest, Ternary) {
  CompareLanewise(Scalar::kFloat32, Scalar::kFloat32, "fma", [](Expr x, Expr y, Expr z) { return Fma(x, y, z); });
  for (Scalar s : kAll) {
    CompareLanewise(s, s, "select", [&](Expr x, Expr y, Expr z) {
      const Expr bit = Cast(Type(Scalar::kBool), z);
      return Select(bit, x, y);
    });
    CompareLanewise(s, s, "select by a scalar", [&](Expr x, Expr y, Expr z) {
      const Expr bit = Cast(Type(Scalar::kBool), z->type.lanes == 1 ? z : Slice(z, 0, 1));
      return Select(bit, x, y);
    });
  }
}

TEST(ExprTest, CastsBetweenAllTypes) {
  for (Scalar from : kAll) {
    for (Scalar to : kAll) {
      CompareLanewise(from, to, "cast to " + Name(to), [&](Expr x, Expr, Expr) { return Cast(Type(to), x); });
    }
  }
}

TEST(ExprTest, Bitcasts) {
  for (Scalar from : kAll) {
    for (Scalar to : kAll) {
      if (SizeOf(from) != SizeOf(to) || to == Scalar::kBool) continue;
      CompareLanewise(from, to, "bitcast to " + Name(to), [&](Expr x, Expr, Expr) { return Bitcast(Type(to), x); });
    }
  }
}

TEST(ExprTest, LanesMove) {
  for (Scalar s : kAll) {
    Comparison c;
    Buffer x = c.Input(s, 64), o = c.Output(s, 200);
    Block b;
    const Expr v = b.Let("v", Load(x, Int(3), 16));
    b.Store(o, Int(0), Slice(v, 5, 8));
    b.Store(o, Int(10), Slice(v, 15, 1));
    b.Store(o, Int(20), ConcatLanes(Slice(v, 0, 8), Slice(v, 4, 8)));
    b.Store(o, Int(40), ConcatLanes(Slice(v, 0, 8), Slice(v, 9, 3)));
    b.Store(o, Int(60), ConcatLanes(Slice(v, 2, 1), Slice(v, 8, 4)));
    b.Store(o, Int(70), ConcatLanes(Slice(v, 2, 1), Slice(v, 9, 1)));
    b.Store(o, Int(80), Shuffle(v, {15, 0, 0, 7, 3}));
    b.Store(o, Int(90), Shuffle(v, {6}));
    b.Store(o, Int(100), Broadcast(Load(x, Int(9)), 16));
    b.Store(o, Int(120), Shuffle(Load(x, Int(9)), {0, 0, 0}));
    EXPECT_EQ(c.Run(std::move(b)), "") << Name(s);
  }
}

TEST(ExprTest, HorizontalReductionsHaveOneOrder) {
  for (Scalar s : {Scalar::kFloat32, Scalar::kInt32, Scalar::kInt8, Scalar::kUint16}) {
    for (Op op : {Op::kReduceAdd, Op::kReduceMax, Op::kReduceMin}) {
      for (int lanes : {1, 2, 3, 6, 8, 16, 12}) {
        Comparison c(static_cast<uint32_t>(lanes));
        Buffer x = c.Input(s, kSize), o = c.Output(s, kSize);
        Block b;
        b.For("i", 0, kSize - 16, [&](Block& b, Expr i) { b.Store(o, i, HorizontalReduce(op, Load(x, i, lanes))); });
        EXPECT_EQ(c.Run(std::move(b)), "") << Name(op) << " of " << Name(Type(s, lanes));
      }
    }
  }
}

TEST(ExprTest, Ramps) {
  Comparison c;
  Buffer x = c.Input(Scalar::kInt8, kSize), o = c.Output(Scalar::kInt8, 16 * kSize), p = c.Output(Scalar::kInt64, 64);
  Block b;
  b.For("i", 0, kSize, [&](Block& b, Expr i) { b.Store(o, i * 16, Ramp(Load(x, i), 37, 16)); });
  b.Store(p, Int(0), Ramp(c.task() + 5, -3, 8));
  EXPECT_EQ(c.Run(std::move(b)), "");
}

// Masks come from comparing a ramp of indices with a bound, which is done in 32 bits.
TEST(ExprTest, RampComparisons) {
  const int64_t far = int64_t{1} << 40;
  const std::vector<int64_t> bounds = {-1000, -1, 0, 1, 2, 7, 8, 9, 15, 16, 17, 100, far, -far};
  for (int64_t stride : {1, 2, 5, -1, 0}) {
    Comparison c;
    Buffer n = c.InputOf(Scalar::kInt64, bounds), o = c.Output(Scalar::kBool, 4096);
    Block b;
    b.For("i", 0, static_cast<int64_t>(bounds.size()), [&](Block& b, Expr i) {
      const Expr bound = b.Let("bound", Load(n, i)), ramp = Ramp(Int(3), stride, 16);
      b.Store(o, i * 64, ramp < bound);
      b.Store(o, i * 64 + 16, ramp <= bound);
      b.Store(o, i * 64 + 32, ramp > bound);
      b.Store(o, i * 64 + 48, ramp >= bound);
    });
    EXPECT_EQ(c.Run(std::move(b)), "") << stride;
  }
}

// Says which targets the tests above have left out.
TEST(ExprTest, OnEveryTarget) {
  Comparison c;
  Buffer o = c.Output(Scalar::kFloat32, 1);
  Block b;
  b.Store(o, Int(0), Float(1));
  EXPECT_EQ(c.Run(std::move(b)), "");
  if (!c.skipped().empty()) GTEST_SKIP() << "skipped: " << c.skipped();
}

// Sums of `lanes` groups of products of random and of extreme values; a machine that saturates shows.
void CompareDot(Scalar left, Scalar right, int group, int lanes) {
  const int64_t n = lanes * group;
  for (const int extreme : {0, -1, 1}) {
    Comparison c(static_cast<uint32_t>(lanes));
    auto operand = [&](Scalar s, bool highest) {
      if (extreme == 0) return c.Input(s, n);
      std::vector<char> bytes(static_cast<size_t>(n * SizeOf(s)), static_cast<char>(highest ? 0xff : 0));
      const auto last = static_cast<size_t>(SizeOf(s)) - 1;  // the sign's byte
      for (size_t i = last; i < bytes.size(); i += last + 1) {
        if (IsSigned(s)) bytes[i] = static_cast<char>(highest ? 0x7f : 0x80);
      }
      return c.InputOf(s, bytes);
    };
    Buffer x = operand(left, left == Scalar::kUint8 || extreme > 0), y = operand(right, extreme > 0);
    Buffer z = c.Input(Scalar::kInt32, lanes), o = c.Output(Scalar::kInt32, lanes);
    Block b;
    const int in = static_cast<int>(n);
    b.Store(o, Int(0), Dot(Load(x, Int(0), in), Load(y, Int(0), in), Load(z, Int(0), lanes)));
    EXPECT_EQ(c.Run(std::move(b)), "") << Name(left) << " " << Name(right) << " " << lanes << " extreme " << extreme;
  }
}

TEST(ExprTest, DotProducts) {
  for (int lanes : {1, 2, 3, 4, 6, 8, 16, 32}) {
    CompareDot(Scalar::kInt16, Scalar::kInt16, 2, lanes);
    CompareDot(Scalar::kUint8, Scalar::kInt8, 4, lanes);
  }
}

// What requantization ends with: rounded, clamped, and narrow. Values beyond what every step holds, and close to the bounds.
TEST(ExprTest, ClampedFloatsBecomeSmallIntegers) {
  std::vector<int32_t> values = {INT32_MIN, INT32_MAX, INT32_MIN + 1, 1 << 24, -(1 << 24), 8388607, -8388608, 1000000, -1000000};
  for (int32_t v = -40000; static_cast<int64_t>(values.size()) < 512; v += 159) values.push_back(v);
  struct Case {
    Scalar to;
    double lowest, highest;
    int64_t offset;
  };
  const Case cases[] = {{Scalar::kUint8, 0, 255, 0},      {Scalar::kInt8, -128, 127, 0}, {Scalar::kUint8, -17, 238, 17},
                        {Scalar::kInt8, 0, 100, 0},       {Scalar::kInt8, -28, 200, -100}, {Scalar::kUint8, 3, 200, 5},
                        {Scalar::kInt16, -1000, 3000, 9}, {Scalar::kInt16, -16384, 16384, 0}};
  for (const Case& t : cases) {
    for (const float scale : {0.5f, 0.0131f, 1e-7f, 3.0f, -0.25f}) {
      for (const bool is_signed : {false, true}) {
        for (const int lanes : {1, 4, 8, 16, 32, 64, 128}) {
          Comparison c;
          Buffer x = c.InputOf(Scalar::kInt32, values), o = c.Output(t.to, 512), stored = c.Output(Scalar::kInt16, 512);
          Block b;
          b.For("i", Int(0), Int(512), lanes, [&](Block& b, Expr i) {
            const Type word(Scalar::kInt32, lanes);
            const Expr f = Cast(Scalar::kFloat32, Load(x, i, lanes)) * Float(scale);
            const Expr half = Float(0.49999997f, lanes), sign = Binary(Op::kAnd, Bitcast(word.scalar, f), Int(INT32_MIN, word));
            const Expr y = f + (is_signed ? Bitcast(Scalar::kFloat32, Binary(Op::kOr, sign, Bitcast(word.scalar, half))) : half);
            Expr q = Cast(word.scalar, Min(Max(y, Float(t.lowest)), Float(t.highest)));
            if (t.offset != 0) q = q + Int(t.offset, word);
            q = ExactCast(t.to, q);
            b.Store(o, i, q);
            b.Store(stored, i, Cast(Scalar::kInt16, q));
          });
          EXPECT_EQ(c.Run(std::move(b)), "") << Name(t.to) << " " << t.lowest << " " << scale << " x" << lanes;
        }
      }
    }
  }
}

// A product that overflows on the way saturates, whatever it is multiplied with later.
TEST(ExprTest, ClampedInfinities) {
  const std::vector<int32_t> values = {INT32_MIN, INT32_MAX, 1000000, -1000000, 0, 3, -3, 2000000000};
  for (const int lanes : {1, 8, 64}) {
    Comparison c;
    Buffer x = c.InputOf(Scalar::kInt32, values), o = c.Output(Scalar::kUint8, 64);
    Block b;
    const Expr v = Load(x, Int(0), 8), all = lanes == 1 ? Slice(v, 1, 1) : lanes == 8 ? v : [&] {
      std::vector<int> order;
      for (int i = 0; i < 64; ++i) order.push_back(i % 8);
      return Shuffle(v, order);
    }();
    const Expr y = Cast(Scalar::kFloat32, all) * Float(1e32f) * Float(1e-32f) + Float(0.49999997f);
    b.Store(o, Int(0), ExactCast(Scalar::kUint8, Cast(Scalar::kInt32, Min(Max(y, Float(0)), Float(255)))));
    EXPECT_EQ(c.Run(std::move(b)), "") << lanes;
  }
}

// A group that meets every lane is one broadcast.
TEST(ExprTest, RepeatedGroups) {
  for (const auto& [s, group] : {std::pair(Scalar::kInt16, 2), std::pair(Scalar::kUint8, 4), std::pair(Scalar::kUint8, 8),
                                 std::pair(Scalar::kBool, 4), std::pair(Scalar::kInt16, 3)}) {
    Comparison c;
    const int lanes = 8 * group;
    Buffer x = c.Input(s, group), o = c.Output(s, lanes);
    std::vector<int> order, rotated;
    for (int i = 0; i < lanes; ++i) {
      order.push_back(i % group);
      rotated.push_back((i + 1) % group);
    }
    Buffer r = c.Output(s, lanes);
    Block b;
    b.Store(o, Int(0), Shuffle(Load(x, Int(0), group), order));
    b.Store(r, Int(0), Shuffle(Load(x, Int(0), group), rotated));
    EXPECT_EQ(c.Run(std::move(b)), "") << Name(s) << " " << group;
  }
}

}  // namespace
}  // namespace mgec::codegen
