#include "compiler/schedule/vector_dimension.h"

#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using kernel::Combiner;
using kernel::Expr;
using kernel::Float;
using kernel::Int;
using kernel::Op;
using kernel::Scalar;

class VectorDimensionTest : public testing::Test {
 protected:
  // A box of the given extents, row-major.
  void Make(std::vector<int64_t> extents) {
    offset_ = Int(0);
    extents_ = std::move(extents);
    for (int64_t n : extents_) {
      vars_.push_back(kernel::MakeVar("i"));
      ranges_[vars_.back().get()] = {0, n - 1};
      offset_ = offset_ * n + Use(vars_.back());
    }
    body_ = Load(x_, offset_);
  }
  Expr i(size_t k) const { return Use(vars_[k]); }
  Box box() { return {vars_, extents_, ranges_, body_, offset_}; }

  const kernel::Buffer x_ = kernel::ArgumentBuffer("x", Scalar::kFloat32, 1 << 20, 0, 4);
  std::vector<kernel::Var> vars_;
  std::vector<int64_t> extents_;
  kernel::Ranges ranges_;
  Expr body_, offset_;
};

TEST_F(VectorDimensionTest, ChannelsOfAPixelAreOneElement) {
  Make({5, 40, 3});
  JoinFewElements(box(), 16);
  EXPECT_EQ(extents_, (std::vector<int64_t>{5, 40}));
  EXPECT_EQ(body_->op, Op::kConcat);
  EXPECT_EQ(body_->type.lanes, 3);
  EXPECT_EQ(kernel::StrideOf(offset_, vars_[1]), 3);
}

TEST_F(VectorDimensionTest, SoIsAWindow) {
  Make({40, 3, 2});
  const Expr window = i(0) + i(1) * 50 + i(2);
  body_ = Load(x_, window);
  JoinFewElements(box(), 8);
  EXPECT_EQ(extents_, (std::vector<int64_t>{40}));
  ASSERT_EQ(body_->type.lanes, 6);
  EXPECT_TRUE(kernel::Equal(body_->args[1]->args[0], kernel::Use(vars_[0]) + 101)) << ToString(body_);
}

TEST_F(VectorDimensionTest, KeepsLongRowsAndFewPixels) {
  Make({40, 16});
  JoinFewElements(box(), 16);
  EXPECT_EQ(extents_, (std::vector<int64_t>{40, 16}));
  vars_.clear();
  Make({5, 7, 3});
  JoinFewElements(box(), 16);
  EXPECT_EQ(extents_, (std::vector<int64_t>{5, 7, 3})) << "a vector would not be full";
}

TEST_F(VectorDimensionTest, WeightsThatDifferFromPlaceToPlace) {
  Make({8, 30, 40});  // y[o, h, w] = sum of x[h + r, w] * weight[h, w, r, o]
  const kernel::Buffer weights = kernel::ArgumentBuffer("w", Scalar::kFloat32, 1 << 20, 1, 4);
  const kernel::Var r = kernel::MakeVar("r");
  const Expr weight = Load(weights, ((i(1) * 40 + i(2)) * 30 + Use(r)) * 8 + i(0));
  body_ = kernel::Reduce(Combiner::kSum, {{r, 30}}, Load(x_, (i(1) + Use(r)) * 40 + i(2)) * weight);
  const kernel::Var o = vars_[0];
  ChooseVectorDimension(box());
  EXPECT_EQ(extents_, (std::vector<int64_t>{30, 40, 8}));
  EXPECT_EQ(vars_[2], o);
}

TEST_F(VectorDimensionTest, KeepsWhatRunsAlongMemory) {
  Make({8, 40});  // sums of columns
  const kernel::Var r = kernel::MakeVar("r");
  body_ = kernel::Reduce(Combiner::kSum, {{r, 30}}, Load(x_, Use(r) * 320 + i(0) * 40 + i(1)));
  ChooseVectorDimension(box());
  EXPECT_EQ(extents_, (std::vector<int64_t>{8, 40}));
}

}  // namespace
}  // namespace mgec::schedule
