// Vectorize and LargestDecided of lower.h.
#include <numeric>

#include "compiler/kernel/interpreter.h"
#include "compiler/kernel/lower.h"
#include "compiler/kernel/testing.h"
#include "gtest/gtest.h"

namespace mgec::kernel {
namespace {

constexpr int kLanes = 8;
constexpr int64_t kSize = 512;

class VectorizeTest : public testing::Test {
 protected:
  VectorizeTest() { std::iota(x_.begin(), x_.end(), 0.0f); }

  // Runs `e` (of type float) for v in [base, base + kLanes), as scalars or as one vector.
  std::vector<float> Run(const Expr& e, int64_t base, bool vector) {
    Kernel k;
    k.name = "k";
    k.task = MakeVar("task");
    k.arguments = {in_, out_};
    Block b;
    if (vector) {
      b.Store(out_, Int(0), Broadcast(Vectorize(e, v_, Int(base), kLanes), kLanes));
    } else {
      for (int i = 0; i < kLanes; ++i) b.Store(out_, Int(i), Substitute(e, {{v_.get(), Int(base + i)}}));
    }
    k.body = b.Take();
    std::vector<float> y(kLanes, -1);
    const BufferView views[] = {{x_.data(), kSize * 4}, {y.data(), kLanes * 4}};
    const absl::Status s = Interpret(k, views, 0, 1);
    EXPECT_TRUE(s.ok()) << s;
    return y;
  }

  const Var v_ = MakeVar("v");
  const Expr v = Use(v_);
  const Buffer in_ = ArgumentBuffer("x", Scalar::kFloat32, kSize, 0, 4);
  const Buffer out_ = ArgumentBuffer("y", Scalar::kFloat32, kLanes, 1, 4);
  std::vector<float> x_ = std::vector<float>(kSize);
};

TEST_F(VectorizeTest, ChoosesTheLoad) {
  const Expr base = Use(MakeVar("b"));
  const Expr unit = Vectorize(Load(in_, v + 3), v_, base, kLanes);
  EXPECT_EQ(unit->type.lanes, kLanes);
  EXPECT_EQ(unit->args[0]->type.lanes, 1);  // consecutive
  const Expr strided = Vectorize(Load(in_, v * 2), v_, base, kLanes);
  EXPECT_EQ(strided->args[0]->op, Op::kRamp);
  EXPECT_EQ(strided->args[0]->int_value, 2);
  const Expr gather = Vectorize(Load(in_, FloorDiv(v, Int(3))), v_, base, kLanes);
  EXPECT_EQ(gather->args[0]->type.lanes, kLanes);
  const Expr fixed = Load(in_, Int(5));
  EXPECT_EQ(Vectorize(fixed, v_, base, kLanes), fixed);
  EXPECT_EQ(Vectorize(v + 1, v_, base, 1)->type.lanes, 1);
}

TEST_F(VectorizeTest, KeepsMasks) {
  const Expr masked = Load(in_, v, 1, v < Int(4));
  const Expr e = Vectorize(masked, v_, Int(0), kLanes);
  ASSERT_EQ(e->args.size(), 2u);
  EXPECT_EQ(e->args[1]->type, Type(Scalar::kBool, kLanes));
  EXPECT_EQ(Run(masked, 0, true), (std::vector<float>{0, 1, 2, 3, 0, 0, 0, 0}));
  const Expr fixed = Load(in_, Int(7), 1, v < Int(4));  // the mask alone depends on v
  EXPECT_EQ(Run(fixed, 2, true), Run(fixed, 2, false));
}

TEST_F(VectorizeTest, ComputesWhatScalarsCompute) {
  for (uint32_t seed = 1; seed <= 400; ++seed) {
    RandomIndex random(seed, {v, v, Int(3)});
    auto index = [&] { return Max(Min(random(3), Int(kSize - 1)), Int(0)); };
    Expr e = Load(in_, index());
    for (int i = 0; i < 2; ++i) {
      const Expr x = Load(in_, index());
      switch (random.Number(0, 4)) {
        case 0: e = e + x; break;
        case 1: e = Max(e, x * Float(0.5)); break;
        case 2: e = Select(random.Condition(2), e, x); break;
        case 3: e = Fma(e, x, Float(1)); break;
        default: e = e + Cast(Type(), index());
      }
    }
    const int64_t base = random.Number(0, 40);
    ASSERT_EQ(Run(e, base, true), Run(e, base, false)) << "seed " << seed << ": " << ToString(e);
  }
}

class DecidedTest : public testing::Test {
 protected:
  void Expect(const Expr& e, int64_t lo, int64_t hi) {
    const Range r = LargestDecided(e, v_, {0, 99}, ranges_);
    EXPECT_EQ(r.lo, lo) << ToString(e);
    EXPECT_EQ(r.hi, hi) << ToString(e);
  }
  const Var v_ = MakeVar("v"), k_ = MakeVar("k");
  const Expr v = Use(v_), k = Use(k_);
  Ranges ranges_ = {{k_.get(), {0, 2}}};
};

TEST_F(DecidedTest, FindsTheInterior) {
  Expect(v + k < Int(100), 0, 97);                                 // undecided at 98, 99
  Expect(v + k - 1 >= int64_t{0}, 1, 99);                          // undecided at 0
  Expect(And(v + k - 1 >= int64_t{0}, v + k - 1 < Int(100)), 1, 98);
  Expect(v * 2 + k < Int(100), 50, 99);                            // 49 is open; 0 to 48 decide the other way
  Expect(v < Int(30), 30, 99);                                     // decided everywhere, but not as one range
  Expect(Int(30) <= v, 30, 99);
  Expect(k < Int(1), 0, 99);                                       // v takes no part
  Expect(v < Int(200), 0, 99);
  Expect(Min(v, Int(90)) + k, 0, 90);
}

TEST_F(DecidedTest, PassesOverWhatIsNotLinear) {
  Expect(FloorMod(v, Int(7)) < Int(3), 0, 99);
  Expect(And(FloorMod(v, Int(7)) < Int(3), v < Int(90)), 0, 89);
}

// Every comparison has one outcome for every value of the other variable all over the range.
TEST_F(DecidedTest, HoldsForRandomComparisons) {
  int found = 0;
  for (uint32_t seed = 1; seed <= 3000; ++seed) {
    RandomIndex random(seed, {v, v, k});
    Expr e = Bool(true);
    for (int64_t n = random.Number(1, 3); n > 0; --n) {
      const Expr a = v * random.Number(-3, 3) + k * random.Number(-2, 2) + random.Number(-40, 40);
      const Expr b = random.Number(0, 3) == 0 ? random(2) : Int(random.Number(-60, 60));
      Expr compare = random.Number(0, 1) ? a < b : a <= b;
      if (random.Number(0, 4) == 0) compare = Max(a, b) < Int(5);
      e = And(e, compare);
    }
    const Range domain{random.Number(-5, 5), random.Number(6, 50)};
    const Range r = LargestDecided(e, v_, domain, ranges_);
    if (r.lo > r.hi) continue;
    ++found;
    ASSERT_GE(r.lo, domain.lo);
    ASSERT_LE(r.hi, domain.hi);
    Visit(e, [&](const Expr& n) {
      if ((n->op != Op::kLt && n->op != Op::kLe) || !DependsOn(n, v_)) return;
      if (!StrideOf(n->args[0] - n->args[1], v_).has_value()) return;
      for (int64_t other = 0; other <= 2; ++other) {
        const int64_t first = EvaluateIndex(n, {{v_.get(), r.lo}, {k_.get(), 0}});
        for (int64_t at = r.lo; at <= r.hi; ++at) {
          ASSERT_EQ(EvaluateIndex(n, {{v_.get(), at}, {k_.get(), other}}), first)
              << "seed " << seed << ": " << ToString(n) << " in [" << r.lo << ", " << r.hi << "] at " << at;
        }
      }
    });
  }
  EXPECT_GT(found, 1000);
}

}  // namespace
}  // namespace mgec::kernel
