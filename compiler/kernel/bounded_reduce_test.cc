#include "compiler/kernel/bounded_reduce.h"

#include "compiler/kernel/interpreter.h"
#include "compiler/kernel/lower.h"
#include "gtest/gtest.h"

namespace mgec::kernel {
namespace {

constexpr int64_t kRows = 6, kColumns = 7;

class BoundedReduceTest : public testing::Test {
 protected:
  BoundedReduceTest() {
    for (int i = 0; i < kRows * kColumns; ++i) x_.push_back(static_cast<float>((i * 29) % 43) - 20);
  }
  Expr At(const Expr& row, const Expr& column) const { return Load(in_, row * kColumns + column); }
  Expr Over(Combiner c, const Expr& condition, double outside) const {
    return Reduce(c, {{r_, kRows}, {q_, kColumns}}, Select(condition, At(Use(r_), Use(q_)), Float(outside)));
  }
  // What statements compute, and how many elements the innermost loop visits.
  float Run(const Expr& e, const std::vector<int32_t>& limits) {
    Kernel k;
    k.name = "k";
    k.task = MakeVar("task");
    k.arguments = {in_, limits_, out_};
    Block b;
    b.Store(out_, Int(0), EmitReductions(b, e, /*unroll=*/1, {}));
    k.body = b.Take();
    std::vector<int32_t> bounds = limits;
    float y = -777;
    const BufferView views[] = {{x_.data(), kRows * kColumns * 4}, {bounds.data(), 16}, {&y, 4}};
    const absl::Status s = Interpret(k, views, 0, 1);
    EXPECT_TRUE(s.ok()) << s << "\n" << ToString(k);
    return y;
  }
  Expr Limit(int i) const { return Cast(kIndexType, Load(limits_, Int(i))); }
  Expr Inside() const {
    return And(And(Limit(0) <= r, r < Limit(1)), And(Limit(2) <= q, q < Limit(3)));
  }

  const Var r_ = MakeVar("r"), q_ = MakeVar("q");
  const Expr r = Use(r_), q = Use(q_);
  const Buffer in_ = ArgumentBuffer("x", Scalar::kFloat32, kRows * kColumns, 0, 4);
  const Buffer limits_ = ArgumentBuffer("limits", Scalar::kInt32, 4, 1, 4);
  const Buffer out_ = ArgumentBuffer("y", Scalar::kFloat32, 1, 2, 4);
  std::vector<float> x_;
};

TEST_F(BoundedReduceTest, FindsBoundsOfBothAxes) {
  const std::optional<BoundedReduce> b = BoundsOfReduce(Over(Combiner::kMax, Inside(), -1e30));
  ASSERT_TRUE(b.has_value());
  EXPECT_FALSE(b->axes[0].whole);
  EXPECT_FALSE(b->axes[1].whole);
  EXPECT_EQ(b->body->op, Op::kLoad) << "no test is left: " << ToString(b->body);
  ASSERT_NE(b->outside, nullptr);
  EXPECT_EQ(b->outside->float_value, static_cast<float>(-1e30));
}

TEST_F(BoundedReduceTest, KeepsOtherConditions) {
  const Expr odd = Binary(Op::kEq, FloorMod(q, Int(2)), Int(1));
  const std::optional<BoundedReduce> b = BoundsOfReduce(Over(Combiner::kSum, And(r < Limit(0), odd), 0));
  ASSERT_TRUE(b.has_value());
  EXPECT_FALSE(b->axes[0].whole);
  EXPECT_TRUE(b->axes[1].whole);
  EXPECT_EQ(b->body->op, Op::kSelect);
  EXPECT_EQ(b->outside, nullptr);
}

TEST_F(BoundedReduceTest, LeavesWhatIsNoBound) {
  EXPECT_FALSE(BoundsOfReduce(Over(Combiner::kSum, r < Limit(0), 1)).has_value()) << "what is left out counts";
  EXPECT_FALSE(BoundsOfReduce(Over(Combiner::kSum, r < Limit(0), -0.0)).has_value());
  EXPECT_FALSE(BoundsOfReduce(Over(Combiner::kProduct, r < Limit(0), 1)).has_value());
  EXPECT_FALSE(BoundsOfReduce(Over(Combiner::kSum, r < q, 0)).has_value()) << "bounds that differ from row to row";
  EXPECT_FALSE(BoundsOfReduce(Over(Combiner::kSum, r * 2 < Limit(0), 0)).has_value());
  EXPECT_FALSE(BoundsOfReduce(Reduce(Combiner::kSum, {{r_, kRows}}, At(r, Int(0)))).has_value());
}

TEST_F(BoundedReduceTest, ComputesWhatTheWholeBoxDoes) {
  int left_out = 0;
  for (int seed = 0; seed < 400; ++seed) {
    auto number = [&, state = static_cast<uint32_t>(seed) * 2654435761u + 1](int below) mutable {
      state = state * 1664525u + 1013904223u;
      return static_cast<int>((state >> 8) % static_cast<uint32_t>(below));
    };
    const std::vector<int32_t> limits = {number(9) - 2, number(10) - 2, number(9) - 2, number(11) - 2};
    for (Combiner c : {Combiner::kSum, Combiner::kMin, Combiner::kMax}) {
      const float outside = c == Combiner::kSum ? 0.0f : c == Combiner::kMax ? -5.0f : 5.0f;
      float want = c == Combiner::kSum ? 0 : c == Combiner::kMax ? -1e30f : 1e30f;
      for (int i = 0; i < kRows; ++i) {
        for (int j = 0; j < kColumns; ++j) {
          const bool in = limits[0] <= i && i < limits[1] && limits[2] <= j && j < limits[3];
          const float term = in ? x_[static_cast<size_t>(i * kColumns + j)] : outside;
          left_out += in ? 0 : 1;
          want = c == Combiner::kSum ? want + term : c == Combiner::kMax ? std::max(want, term) : std::min(want, term);
        }
      }
      ASSERT_EQ(Run(Over(c, Inside(), outside), limits), want) << "limits of seed " << seed;
    }
  }
  EXPECT_GT(left_out, 1000);
}

}  // namespace
}  // namespace mgec::kernel
