#include "compiler/schedule/cuda/half_factors.h"

#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using kernel::Combiner;
using kernel::Definition;
using kernel::Expr;
using kernel::Op;
using kernel::Scalar;
using Indices = std::vector<Expr>;

Definition Product(int64_t rows, Scalar scalar) {
  Definition d({{scalar, {rows, 40}}, {scalar, {40, 50}}});
  d.AddStage({rows, 50}, scalar, [&](const Indices& i) {
    return d.Reduce(Combiner::kSum, {40}, [&](const Indices& k) { return d.At(0, {i[0], k[0]}) * d.At(1, {k[0], i[1]}); }) +
           d.At(0, {i[0], kernel::Int(0)});
  });
  return d;
}

int HalvesIn(const Definition& d) {
  int casts = 0;
  kernel::Visit(d.stages()[0].body, [&](const Expr& n) {
    casts += n->op == Op::kCast && n->type == kernel::Type(Scalar::kFloat16) ? 1 : 0;
  });
  return casts;
}

TEST(HalfFactorsTest, FactorsOfProductsAreRounded) {
  const Definition d = WithHalfFactors(Product(30, Scalar::kFloat32));
  EXPECT_EQ(HalvesIn(d), 2);
  EXPECT_EQ(HalvesIn(WithHalfFactors(d)), 2);  // once
}

TEST(HalfFactorsTest, OthersStayAsTheyAre) {
  EXPECT_EQ(HalvesIn(WithHalfFactors(Product(3, Scalar::kFloat32))), 0);  // no tiles
  EXPECT_EQ(HalvesIn(WithHalfFactors(Product(30, Scalar::kInt32))), 0);
}

}  // namespace
}  // namespace mgec::schedule
