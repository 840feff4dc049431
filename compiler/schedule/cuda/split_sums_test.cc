#include "compiler/schedule/cuda/split_sums.h"

#include <set>

#include "compiler/schedule/testing/schedule_tester.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using graph::DTypeKind;
using graph::Shape;
using graph::Value;
using kernel::Combiner;
using kernel::Definition;
using kernel::Expr;
using kernel::Scalar;
using Indices = std::vector<Expr>;
using Ints = std::vector<int64_t>;

// y = relu(a b), then z = y + y's first row.
Definition Products(int64_t rows, int64_t depth, int64_t cols) {
  Definition d({{Scalar::kFloat32, {rows, depth}}, {Scalar::kFloat32, {depth, cols}}});
  const int y = d.AddStage({rows, cols}, Scalar::kFloat32, [&](const Indices& i) {
    const Expr sum = d.Reduce(Combiner::kSum, {depth}, [&](const Indices& k) {
      return d.At(0, {i[0], k[0]}) * d.At(1, {k[0], i[1]});
    });
    return Max(sum, kernel::Float(0));
  });
  d.AddStage({rows, cols}, Scalar::kFloat32,
             [&](const Indices& i) { return d.At(y, i) + d.At(y, {kernel::Int(0), i[1]}); });
  return d;
}

std::set<int> TensorsIn(const Expr& e) {
  std::set<int> tensors;
  kernel::Visit(e, [&](const Expr& n) {
    if (n->op == kernel::Op::kRead) tensors.insert(n->tensor);
  });
  return tensors;
}

TEST(SplitSumsTest, PartsAreAStage) {
  const Definition d = SplitSums(Products(32, 1024, 100));
  ASSERT_EQ(d.stages().size(), 3u);
  const kernel::Stage &parts = d.stages()[0], &y = d.stages()[1];
  ASSERT_EQ(parts.info.shape.size(), 3u);
  const int64_t count = parts.info.shape[0];
  EXPECT_GT(count, 1);
  EXPECT_EQ(parts.info.shape, (Ints{count, 32, 100}));
  EXPECT_EQ(y.info.shape, (Ints{32, 100}));
  EXPECT_EQ(d.outputs(), (std::vector<int>{4}));
  EXPECT_TRUE(AddsProducts(parts.body));
  EXPECT_FALSE(AddsProducts(y.body));
  EXPECT_EQ(TensorsIn(y.body), std::set<int>{2});
  EXPECT_EQ(TensorsIn(d.stages()[2].body), std::set<int>{3});
}

TEST(SplitSumsTest, OthersStayWhole) {
  EXPECT_EQ(SplitSums(Products(32, 64, 100)).stages().size(), 2u);    // short
  EXPECT_EQ(SplitSums(Products(4, 1024, 100)).stages().size(), 2u);   // no tiles
  EXPECT_EQ(SplitSums(Products(32, 1021, 100)).stages().size(), 2u);  // a prime
}

// The emulator's results are those of the definitions, and its checks find nothing.
TEST(SplitSumsTest, ResultsAreThose) {
  ScheduleTester t(1);
  Value* y = t.Add("matmul", {t.Input({9, 640}), t.Constant({640, 70})});
  t.Expect(t.Add("relu", {t.Add("add", {y, t.Constant({70})})}));
  t.Expect(t.Add("conv2d", {t.Input({2, 48, 5, 6}), t.Constant({24, 48, 3, 3})}, {{"pad", Ints{1, 1}}}));
  t.Expect(t.Add("conv2d", {t.Input({1, 80, 7, 4}), t.Constant({2, 16, 40, 3, 3})}, {{"group", int64_t{2}}, {"stride", Ints{2, 1}}}));
  t.Expect(t.Add("matmul", {t.Input({3, 20, 512}), t.Input({3, 33, 512})}, {{"transpose_b", int64_t{1}}}));
  t.CheckCuda();
  EXPECT_EQ(t.CountOps("matmul+add+relu"), 2);
  EXPECT_EQ(t.CountOps("conv2d"), 4);
  EXPECT_EQ(t.CountOps("matmul"), 2);
}

TEST(SplitSumsTest, IntegersAreExact) {
  ScheduleTester t(2);
  t.set_integers(-128, 127);
  t.Expect(t.Add("int_matmul", {t.Input({12, 1600}, DTypeKind::kInt8), t.Input({1600, 40}, DTypeKind::kInt8)},
                 {{"dtype", std::string("i32")}}));
  t.CheckCuda();
  EXPECT_EQ(t.CountOps("int_matmul"), 2);
}

}  // namespace
}  // namespace mgec::schedule
