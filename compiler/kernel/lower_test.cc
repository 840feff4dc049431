#include "compiler/kernel/lower.h"

#include <cmath>
#include <limits>

#include "compiler/kernel/interpreter.h"
#include "gtest/gtest.h"

namespace mgec::kernel {
namespace {

using Indices = std::vector<Expr>;
using Floats = std::vector<float>;

// The last stage's result; all stages are run one after the other.
Floats Evaluate(const Definition& d, std::vector<Floats> tensors) {
  for (size_t s = 0; s < d.stages().size(); ++s) {
    int64_t size = 1;
    for (int64_t n : d.stages()[s].info.shape) size *= n;
    tensors.emplace_back(size, -77.0f);
    std::vector<BufferView> views;
    for (Floats& t : tensors) views.push_back({t.data(), static_cast<int64_t>(t.size() * 4)});
    const Kernel k = LowerNaive(d, static_cast<int>(s), "k");
    const absl::Status status = Interpret(k, views, 0, k.tasks);
    EXPECT_TRUE(status.ok()) << status << "\n" << ToString(k);
  }
  return tensors.back();
}

TensorInfo F(std::vector<int64_t> shape) { return {Scalar::kFloat32, std::move(shape)}; }

TEST(LowerNaiveTest, MatrixProduct) {
  Definition d({F({2, 3}), F({3, 2})});
  d.AddStage({2, 2}, Scalar::kFloat32, [&](const Indices& i) {
    return d.Reduce(Combiner::kSum, {3}, [&](const Indices& k) {
      return d.At(0, {i[0], k[0]}) * d.At(1, {k[0], i[1]});
    });
  });
  EXPECT_EQ(Evaluate(d, {{1, 2, 3, 4, 5, 6}, {1, 10, 2, 20, 3, 30}}), (Floats{14, 140, 32, 320}));
}

TEST(LowerNaiveTest, StagesReadStages) {  // softmax without exp: x / sum(x)
  Definition d({F({2, 4})});
  const int sum = d.AddStage({2, 1}, Scalar::kFloat32, [&](const Indices& i) {
    return d.Reduce(Combiner::kSum, {4}, [&](const Indices& r) { return d.At(0, {i[0], r[0]}); });
  });
  d.AddStage({2, 4}, Scalar::kFloat32, [&](const Indices& i) { return d.At(0, i) / d.AtBroadcast(sum, i); });
  EXPECT_EQ(Evaluate(d, {{1, 1, 1, 1, 2, 0, 4, 2}}), (Floats{.25, .25, .25, .25, .25, 0, .5, .25}));
}

TEST(LowerNaiveTest, ReadsOutsideAreGuarded) {  // y[i] = x[i - 1] + x[i + 1], -1 outside
  Definition d({F({3})});
  d.AddStage({3}, Scalar::kFloat32, [&](const Indices& i) {
    return d.AtOr(0, {i[0] - 1}, Float(-1)) + d.AtOr(0, {i[0] + 1}, Float(-1));
  });
  EXPECT_EQ(Evaluate(d, {{1, 2, 4}}), (Floats{1, 5, 1}));
}

TEST(LowerNaiveTest, NothingToReadIsNotRead) {
  Definition d({F({0})});
  d.AddStage({2}, Scalar::kFloat32, [&](const Indices& i) { return d.AtOr(0, {i[0] - 1}, Float(5)); });
  EXPECT_EQ(Evaluate(d, {{}}), (Floats{5, 5}));
}

TEST(LowerNaiveTest, ScalarsAndEmptyTensors) {
  Definition scalar({F({})});
  scalar.AddStage({}, Scalar::kFloat32, [&](const Indices&) { return scalar.At(0, {}) + Float(1); });
  EXPECT_EQ(Evaluate(scalar, {{2}}), Floats{3});
  Definition empty({F({0, 3})});
  empty.AddStage({0, 3}, Scalar::kFloat32, [&](const Indices& i) { return empty.At(0, i); });
  EXPECT_EQ(Evaluate(empty, {{}}), Floats());
}

TEST(LowerNaiveTest, CombinersAndTheirNeutralElements) {
  const float inf = std::numeric_limits<float>::infinity();
  const std::pair<Combiner, std::pair<float, float>> kCases[] = {  // of {3, -2, 5}, and of nothing
      {Combiner::kSum, {6, 0}},
      {Combiner::kProduct, {-30, 1}},
      {Combiner::kMin, {-2, inf}},
      {Combiner::kMax, {5, -inf}},
  };
  for (const auto& [combiner, want] : kCases) {
    for (int64_t extent : {3, 0}) {
      Definition d({F({3})});
      d.AddStage({1}, Scalar::kFloat32, [&, c = combiner](const Indices&) {
        return d.Reduce(c, {extent}, [&](const Indices& r) { return d.At(0, {r[0]}); });
      });
      EXPECT_EQ(Evaluate(d, {{3, -2, 5}})[0], extent == 3 ? want.first : want.second);
    }
  }
}

TEST(LowerNaiveTest, NestedReductions) {  // sum over i of max over j of x[i, j]
  Definition d({F({3, 2})});
  d.AddStage({1}, Scalar::kFloat32, [&](const Indices&) {
    return d.Reduce(Combiner::kSum, {3}, [&](const Indices& i) {
      return d.Reduce(Combiner::kMax, {2}, [&](const Indices& j) { return d.At(0, {i[0], j[0]}); });
    });
  });
  EXPECT_EQ(Evaluate(d, {{1, 2, 5, 3, -1, -4}}), Floats{6});
}

TEST(NeutralTest, OfIntegers) {
  int64_t v;
  const std::pair<Scalar, std::pair<int64_t, int64_t>> kCases[] = {  // min's and max's
      {Scalar::kInt8, {127, -128}},
      {Scalar::kUint8, {255, 0}},
      {Scalar::kInt16, {32767, -32768}},
      {Scalar::kUint16, {65535, 0}},
      {Scalar::kInt32, {2147483647, -2147483648LL}},
      {Scalar::kInt64, {std::numeric_limits<int64_t>::max(), std::numeric_limits<int64_t>::min()}},
  };
  for (const auto& [scalar, want] : kCases) {
    ASSERT_TRUE(IsConst(Neutral(Combiner::kMin, scalar), &v));
    EXPECT_EQ(v, want.first) << Name(scalar);
    ASSERT_TRUE(IsConst(Neutral(Combiner::kMax, scalar), &v));
    EXPECT_EQ(v, want.second) << Name(scalar);
    ASSERT_TRUE(IsConst(Neutral(Combiner::kProduct, scalar), &v));
    EXPECT_EQ(v, 1);
  }
}

// How a read's indices arrive at the access.
std::string IndexOf(const Expr& index, const Ranges& ranges) {
  Definition d({F({10})});
  std::string text;
  ReplaceReads(d.At(0, {index}), d, ranges, [&](int t, const Indices& at) {
    EXPECT_EQ(t, 0);
    text = ToString(at[0]);
    return Float(0);
  });
  return text;
}

TEST(ReplaceReadsTest, ClampsWhatMayBeOutside) {
  const Var v = MakeVar("v");
  const Expr e = Use(v);
  EXPECT_EQ(IndexOf(e, {{v.get(), {0, 9}}}), ToString(e));
  EXPECT_EQ(IndexOf(e, {{v.get(), {0, 10}}}), ToString(Min(e, Int(9))));
  EXPECT_EQ(IndexOf(e, {{v.get(), {-1, 9}}}), ToString(Max(e, Int(0))));
  EXPECT_EQ(IndexOf(e, {}), ToString(Min(Max(e, Int(0)), Int(9))));
  EXPECT_EQ(IndexOf(FloorMod(e, Int(10)), {}), ToString(FloorMod(e, Int(10))));
}

TEST(EmitReductionsTest, UnrollsSmallBoxes) {
  Definition d({F({4})});
  const Buffer x = ArgumentBuffer("x", Scalar::kFloat32, 4, 0, 4);
  const Expr sum = Reduce(Combiner::kSum, {{MakeVar("r"), 4}}, Float(0));
  const Expr body = Reduce(Combiner::kSum, sum->reduce_axes, Load(x, Use(sum->reduce_axes[0].var)));
  for (int64_t unroll : {4, 3}) {
    Block b;
    const Expr rest = EmitReductions(b, body * Float(2), unroll, {});
    Visit(rest, [](const Expr& e) { EXPECT_NE(e->op, Op::kReduce); });
    bool loop = false;
    for (const Stmt& s : b.Take()) loop = loop || s->kind == StmtKind::kFor;
    EXPECT_EQ(loop, unroll == 3);
  }
}

TEST(EmitReductionsTest, LeavesOutTermsThatVanish) {
  const Buffer x = ArgumentBuffer("x", Scalar::kFloat32, 4, 0, 4);
  const Var r = MakeVar("r");
  const Expr sum = Reduce(Combiner::kSum, {{r, 4}}, Load(x, Use(r)));
  const auto count = [&](const std::function<bool(const Expr&)>& vanishes) {
    Block b;
    EmitReductions(b, sum, 4, {}, vanishes);
    return b.Take().size();
  };
  const auto reads = [](int64_t place) {
    return [place](const Expr& term) {
      int64_t at = -1;
      return term->op == Op::kLoad && IsConst(term->args[0], &at) && at >= place;
    };
  };
  EXPECT_EQ(count(nullptr), 4u);
  EXPECT_EQ(count(reads(1)), 1u);
  EXPECT_EQ(count(reads(0)), 0u);  // nothing but zero is left
  Block b;
  EXPECT_EQ(ToString(EmitReductions(b, sum, 4, {}, reads(0))), ToString(Float(0)));
}

TEST(EmitReductionsTest, ComputesSharedReductionsOnce) {
  const Buffer x = ArgumentBuffer("x", Scalar::kFloat32, 40, 0, 4);
  const Var r = MakeVar("r");
  const Expr sum = Reduce(Combiner::kSum, {{r, 40}}, Load(x, Use(r)));
  Block b;
  EmitReductions(b, sum * sum + sum, 1, {});
  int loops = 0;
  for (const Stmt& s : b.Take()) loops += s->kind == StmtKind::kFor;
  EXPECT_EQ(loops, 1);
}

TEST(EmitReductionsTest, RoundsProductsOnce) {
  const float a = 1 + std::ldexp(1.0f, -12);  // a * a - 1 needs more bits than one rounding of a * a leaves
  Definition d({F({2}), F({2})});
  d.AddStage({1}, Scalar::kFloat32, [&](const Indices&) {
    return d.Reduce(Combiner::kSum, {2}, [&](const Indices& r) { return d.At(0, {r[0]}) * d.At(1, {r[0]}); });
  });
  EXPECT_EQ(Evaluate(d, {{-1, a}, {1, a}})[0], std::fma(a, a, -1.0f));
}

TEST(FlatIndexTest, IsRowMajor) {
  const Expr a = Use(MakeVar("a")), b = Use(MakeVar("b"));
  EXPECT_EQ(ToString(FlatIndex({a, b, Int(3)}, {2, 5, 7})), ToString(a * 35 + b * 7 + 3));
  int64_t v;
  ASSERT_TRUE(IsConst(FlatIndex({}, {}), &v));
  EXPECT_EQ(v, 0);
}

}  // namespace
}  // namespace mgec::kernel
