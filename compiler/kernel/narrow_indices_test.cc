#include "compiler/kernel/narrow_indices.h"

#include <numeric>

#include "compiler/kernel/interpreter.h"
#include "compiler/kernel/lower.h"
#include "compiler/kernel/testing.h"
#include "gtest/gtest.h"

namespace mgec::kernel {
namespace {

constexpr int kLanes = 8;
constexpr int64_t kSize = 512;

class NarrowIndicesTest : public testing::Test {
 protected:
  NarrowIndicesTest() { std::iota(x_.begin(), x_.end(), -100.0f); }

  Expr Narrow(const Expr& e) const { return NarrowIndices(e, v_, {{v_.get(), {0, 99}}, {c_.get(), {0, 3}}}); }
  Expr Floor(const Expr& e) const { return Cast(kIndexType, Unary(Op::kFloor, e)); }

  // `e` for v from `base` on and c = 2.
  std::vector<float> Run(const Expr& e, int64_t base) {
    Kernel k;
    k.name = "k";
    k.task = MakeVar("task");
    k.arguments = {in_, out_};
    Block b;
    b.Store(out_, Int(0), Broadcast(Vectorize(Substitute(e, {{c_.get(), Int(2)}}), v_, Int(base), kLanes), kLanes));
    k.body = b.Take();
    std::vector<float> y(kLanes, -1);
    const BufferView views[] = {{x_.data(), kSize * 4}, {y.data(), kLanes * 4}};
    const absl::Status s = Interpret(k, views, 0, 1);
    EXPECT_TRUE(s.ok()) << s << "\n" << ToString(k);
    return y;
  }

  const Var v_ = MakeVar("v"), c_ = MakeVar("c");
  const Expr v = Use(v_), c = Use(c_);
  const Buffer in_ = ArgumentBuffer("x", Scalar::kFloat32, kSize, 0, 4);
  const Buffer out_ = ArgumentBuffer("y", Scalar::kFloat32, kLanes, 1, 4);
  std::vector<float> x_ = std::vector<float>(kSize);
};

TEST_F(NarrowIndicesTest, SplitsTheIndexOfALoad) {
  const Expr place = Floor(Min(Max(Load(in_, v), Float(0)), Float(63)));
  const Expr e = Narrow(Load(in_, place + c * 64 + 1));
  int different = 0;
  for (const auto& [term, factor] : LinearOf(e->args[0]).terms) {
    if (!DependsOn(term, v_)) continue;
    ++different;
    EXPECT_EQ(factor, 1);
    ASSERT_EQ(term->op, Op::kCast) << ToString(e);
    EXPECT_EQ(term->args[0]->type, Type(Scalar::kInt32)) << ToString(e);
  }
  EXPECT_EQ(different, 1) << ToString(e);
  for (int64_t base : {0, 91}) EXPECT_EQ(Run(e, base), Run(Load(in_, place + c * 64 + 1), base));
}

TEST_F(NarrowIndicesTest, KeepsWhatMayNotFit) {
  // A float may be as large as it likes, and saturate differently.
  const Expr any = Load(in_, Min(Max(Floor(Load(in_, v)), Int(0)), Int(63)));
  EXPECT_EQ(Narrow(any), any);
  const Expr far = Load(in_, FloorMod(v * (int64_t{1} << 30), Int(7)));
  EXPECT_EQ(Narrow(far), far);
}

TEST_F(NarrowIndicesTest, KeepsWhatIsLinear) {
  const Expr strided = Load(in_, v * 3 + c);
  EXPECT_EQ(Narrow(strided), strided);
  const Expr border = Select(v < c, Load(in_, v), Float(0));
  EXPECT_EQ(Narrow(border), border);
}

TEST_F(NarrowIndicesTest, NumbersComeFromRamps) {
  const Expr e = Narrow(Cast(Type(Scalar::kFloat32), v * 2 + 1) * Float(0.5));
  const Expr vector = Vectorize(e, v_, Int(5), kLanes);
  Visit(vector, [](const Expr& n) { EXPECT_FALSE(n->type.scalar == Scalar::kInt64 && n->type.lanes > 1) << ToString(n); });
  EXPECT_EQ(Run(e, 5), (std::vector<float>{5.5, 6.5, 7.5, 8.5, 9.5, 10.5, 11.5, 12.5}));
}

TEST_F(NarrowIndicesTest, ComputesWhatWideArithmeticComputes) {
  int narrowed = 0;
  for (uint32_t seed = 1; seed <= 400; ++seed) {
    RandomIndex random(seed, {v, v, c, Floor(Min(Max(Load(in_, v), Float(-5.5)), Float(40.5)))});
    auto index = [&] { return Max(Min(random(3), Int(kSize - 4)), Int(0)); };
    Expr e = Load(in_, index());
    e = Select(random.Condition(2), e, Load(in_, index() + c) + Cast(Type(), random(2)));
    const Expr narrow = Narrow(e);
    narrowed += narrow != e;
    const int64_t base = random.Number(0, 92);
    ASSERT_EQ(Run(narrow, base), Run(e, base)) << "seed " << seed << ": " << ToString(e) << "\n" << ToString(narrow);
  }
  EXPECT_GT(narrowed, 200);
}

}  // namespace
}  // namespace mgec::kernel
