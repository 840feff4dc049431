#include "compiler/kernel/join_lanes.h"

#include <numeric>

#include "compiler/kernel/interpreter.h"
#include "compiler/kernel/stmt.h"
#include "compiler/kernel/testing.h"
#include "gtest/gtest.h"

namespace mgec::kernel {
namespace {

constexpr int kLanes = 4;
constexpr int64_t kSize = 256;

class JoinLanesTest : public testing::Test {
 protected:
  JoinLanesTest() { std::iota(x_.begin(), x_.end(), -100.0f); }

  Expr At(int64_t i) const { return Load(in_, Int(i), kLanes); }

  // The lanes of all parts, computed one by one or as one vector.
  std::vector<float> Run(const std::vector<Expr>& parts, bool joined) {
    const int64_t lanes = kLanes * static_cast<int64_t>(parts.size());
    const Buffer out = ArgumentBuffer("y", Scalar::kFloat32, lanes, 1, 4);
    Kernel k;
    k.name = "k";
    k.task = MakeVar("task");
    k.arguments = {in_, out};
    Block b;
    if (joined) b.Store(out, Int(0), JoinLanes(parts));
    for (size_t i = 0; !joined && i < parts.size(); ++i) b.Store(out, Int(static_cast<int64_t>(i) * kLanes), parts[i]);
    k.body = b.Take();
    std::vector<float> y(lanes, -1);
    const BufferView views[] = {{x_.data(), kSize * 4}, {y.data(), lanes * 4}};
    const absl::Status s = Interpret(k, views, 0, 1);
    EXPECT_TRUE(s.ok()) << s;
    return y;
  }

  const Buffer in_ = ArgumentBuffer("x", Scalar::kFloat32, kSize, 0, 4);
  std::vector<float> x_ = std::vector<float>(kSize);
};

TEST_F(JoinLanesTest, NeighboursAreOneLoad) {
  const Expr i = Use(MakeVar("i"));
  const Expr joined = JoinLanes({Load(in_, i * 8 + 3, kLanes), Load(in_, i * 8 + 7, kLanes), Load(in_, i * 8 + 11, kLanes)});
  EXPECT_EQ(joined->op, Op::kLoad);
  EXPECT_EQ(joined->type.lanes, 3 * kLanes);
  EXPECT_EQ(JoinLanes({At(0), At(5)})->op, Op::kConcat);
  EXPECT_EQ(JoinLanes({At(4), At(0)})->op, Op::kConcat);
  const Buffer other = ArgumentBuffer("z", Scalar::kFloat32, kSize, 1, 4);
  EXPECT_EQ(JoinLanes({At(0), Load(other, Int(4), kLanes)})->op, Op::kConcat);
}

TEST_F(JoinLanesTest, SlicesBecomeTheirVector) {
  const Buffer acc = RegisterBuffer("acc", Scalar::kFloat32, 2 * kLanes, 2);
  const Expr whole = Reg(acc, 0);
  EXPECT_EQ(JoinLanes({Slice(whole, 0, kLanes), Slice(whole, kLanes, kLanes)}), whole);
  EXPECT_EQ(JoinLanes({Slice(whole, kLanes, kLanes), Slice(whole, 0, kLanes)})->op, Op::kConcat);
  EXPECT_EQ(JoinLanes({Slice(whole, 0, kLanes), Slice(Reg(acc, 1), kLanes, kLanes)})->op, Op::kConcat);
  // Registers are no memory: those with neighbouring numbers are two vectors.
  EXPECT_EQ(JoinLanes({Reg(acc, 0), Reg(acc, 1)})->op, Op::kConcat);
}

TEST_F(JoinLanesTest, EqualConstantsStayConstants) {
  const Expr joined = JoinLanes({At(0) * Float(2), At(4) * Float(2)});
  ASSERT_EQ(joined->op, Op::kMul);
  EXPECT_EQ(joined->args[0]->op, Op::kLoad);
  EXPECT_EQ(joined->args[1]->op, Op::kBroadcast);
  const Expr differ = JoinLanes({At(0) * Float(2), At(4) * Float(3)});
  ASSERT_EQ(differ->op, Op::kMul);
  EXPECT_EQ(differ->args[1]->op, Op::kConcat);
}

TEST_F(JoinLanesTest, JoinsReductionsOverTheSameAxes) {
  const Var k = MakeVar("k");
  auto sum = [&](int64_t first) { return Reduce(Combiner::kSum, {{k, 3}}, Load(in_, Use(k) * 16 + first, kLanes)); };
  const Expr joined = JoinLanes({sum(0), sum(4)});
  ASSERT_EQ(joined->op, Op::kReduce);
  EXPECT_EQ(joined->args[0]->op, Op::kLoad);
  EXPECT_EQ(joined->type.lanes, 2 * kLanes);
  const Expr longer = Reduce(Combiner::kSum, {{k, 4}}, At(4));
  EXPECT_EQ(JoinLanes({sum(0), longer})->op, Op::kConcat);
}

TEST_F(JoinLanesTest, OneScalarConditionPerPartIsNotJoined) {
  const Expr c = Load(in_, Int(0)) < Float(0), d = Load(in_, Int(200)) < Float(0);
  EXPECT_EQ(JoinLanes({Select(c, At(0), At(8)), Select(c, At(4), At(12))})->op, Op::kSelect);
  const std::vector<Expr> parts = {Select(c, At(0), At(8)), Select(d, At(4), At(12))};
  EXPECT_EQ(JoinLanes(parts)->op, Op::kConcat);
  EXPECT_EQ(Run(parts, true), Run(parts, false));
}

TEST_F(JoinLanesTest, JoinsAgainWhatBecameAlike) {
  const Var k = MakeVar("k");
  const Expr a = Select(Use(k) < Int(1), At(0), At(16)), c = Select(Use(k) < Int(5), At(4), At(16));
  const Expr apart = JoinLanes({a, c});
  ASSERT_EQ(apart->op, Op::kConcat);
  auto with = [&](int64_t value) { return RejoinLanes(Substitute(apart, {{k.get(), Int(value)}})); };
  EXPECT_EQ(with(0)->op, Op::kLoad);
  EXPECT_EQ(with(3)->op, Op::kConcat);
  EXPECT_EQ(RejoinLanes(At(0))->op, Op::kLoad);
}

TEST_F(JoinLanesTest, ComputesWhatThePartsCompute) {
  for (uint32_t seed = 1; seed <= 300; ++seed) {
    RandomIndex random(seed, {Int(3)});
    std::vector<Expr> parts;
    const int count = static_cast<int>(random.Number(1, 5));
    const int depth = static_cast<int>(random.Number(1, 4));
    std::vector<int64_t> kinds;
    for (int i = 0; i < depth; ++i) kinds.push_back(random.Number(0, 6));
    for (int p = 0; p < count; ++p) {
      // Mostly alike, with an odd one now and then.
      auto leaf = [&] { return At(random.Number(0, 3) == 0 ? random.Number(0, kSize - kLanes) : 8 + p * kLanes); };
      Expr e = leaf();
      for (int64_t kind : kinds) {
        const Expr x = leaf();
        switch (random.Number(0, 9) == 0 ? random.Number(0, 6) : kind) {
          case 0: e = e + x; break;
          case 1: e = Max(e, x * Float(0.5)); break;
          case 2: e = Select(x < e, e, x); break;
          case 3: e = Fma(e, x, Float(1, kLanes)); break;
          case 4: e = Unary(Op::kFloor, e * Float(0.25)); break;
          case 5: e = Cast(Type(), Cast(Type(Scalar::kInt32), e * Float(0.001))); break;
          default: e = Slice(ConcatLanes(e, x), 2, kLanes);
        }
      }
      parts.push_back(e);
    }
    ASSERT_EQ(Run(parts, true), Run(parts, false)) << "seed " << seed << ": " << ToString(JoinLanes(parts));
  }
}

TEST_F(JoinLanesTest, RepeatedLanes) {
  const Buffer x = ArgumentBuffer("x", Scalar::kFloat32, 4, 0, 4);
  EXPECT_EQ(RepeatLanes(Load(x, Int(0), 2), 6)->shuffle, (std::vector<int>{0, 1, 0, 1, 0, 1}));
  EXPECT_EQ(RepeatLanes(Load(x, Int(0)), 4)->op, Op::kBroadcast);
}

}  // namespace
}  // namespace mgec::kernel
