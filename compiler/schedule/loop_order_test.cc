#include "compiler/schedule/loop_order.h"

#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using kernel::Combiner;
using kernel::Expr;
using kernel::FloorDiv;
using kernel::FloorMod;
using kernel::Int;
using kernel::Scalar;
using kernel::Var;
using Extents = std::vector<int64_t>;

class LoopOrderTest : public testing::Test {
 protected:
  void Make(Extents extents) {
    extents_ = std::move(extents);
    for (int64_t n : extents_) {
      vars_.push_back(kernel::MakeVar("i"));
      ranges_[vars_.back().get()] = {0, n - 1};
    }
  }
  Expr i(size_t k) const { return Use(vars_[k]); }
  // The sum over c in [0, 64) of x[c, ..] * y[c, ..].
  void Sum(const Expr& x, const Expr& y) {
    body_ = kernel::Reduce(Combiner::kSum, {{c_, 64}}, Load(x_, Use(c_) * 5000 + x) * Load(y_, Use(c_) * 5000 + y));
  }
  Extents Ordered() {
    offset_ = Int(0);
    OrderLoops({vars_, extents_, ranges_, body_, offset_});
    return extents_;
  }

  const kernel::Buffer x_ = kernel::ArgumentBuffer("x", Scalar::kFloat32, 1 << 20, 0, 4);
  const kernel::Buffer y_ = kernel::ArgumentBuffer("y", Scalar::kFloat32, 1 << 20, 1, 4);
  const Var c_ = kernel::MakeVar("c");
  std::vector<Var> vars_;
  Extents extents_;
  kernel::Ranges ranges_;
  Expr body_, offset_;
};

TEST_F(LoopOrderTest, DisplacementsOfARowComeBeforeTheNextRow) {
  Make({81, 60, 70});  // displacement, row, column
  Sum(i(1) * 80 + i(2), (i(1) + FloorDiv(i(0), Int(9))) * 80 + i(2) + FloorMod(i(0), Int(9)));
  const Var displacement = vars_[0], column = vars_[2];
  EXPECT_EQ(Ordered(), (Extents{60, 81, 70}));
  EXPECT_EQ(vars_[1], displacement);
  EXPECT_EQ(vars_[2], column) << "vectors stay";
}

TEST_F(LoopOrderTest, ResultsOfTheSameWindowComeBeforeTheNextRow) {
  Make({2, 32, 60, 70});  // image, channel, row, column: only the weight y depends on the channel
  body_ = kernel::Reduce(Combiner::kSum, {{c_, 64}},
                         Load(x_, i(0) * 9000 + Use(c_) * 80 + i(2) * 80 + i(3)) * Load(y_, i(1) * 64 + Use(c_)) *
                             Load(x_, i(0) * 9000 + i(2) * 80 + i(3)));
  EXPECT_EQ(Ordered(), (Extents{2, 60, 32, 70}));
}

TEST_F(LoopOrderTest, KeepsWhatIsEqual) {
  Make({40, 60, 70});
  Sum(i(0) * 100 + i(1) * 80 + i(2), i(2));
  EXPECT_EQ(Ordered(), (Extents{40, 60, 70}));
}

TEST_F(LoopOrderTest, ComputedPlacesMayBeAnywhere) {
  Make({40, 60, 70});
  const kernel::Buffer places = kernel::ArgumentBuffer("places", Scalar::kInt64, 1 << 20, 2, 8);
  Sum(Load(places, i(1)) + i(2), Int(0));
  EXPECT_EQ(Ordered(), (Extents{60, 40, 70})) << "the outer dimension moves nothing, the row who knows where";
}

TEST_F(LoopOrderTest, FewDimensionsHaveOneOrder) {
  Make({40, 70});
  Sum(i(0) * 100 + i(1), i(1));
  EXPECT_EQ(Ordered(), (Extents{40, 70}));
}

}  // namespace
}  // namespace mgec::schedule
