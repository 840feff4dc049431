#include "compiler/schedule/cuda/tensor_order.h"

#include "compiler/kernel/simplify.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using kernel::Cast;
using kernel::Combiner;
using kernel::Definition;
using kernel::Expr;
using kernel::Int;
using kernel::Op;
using kernel::Scalar;
using Indices = std::vector<Expr>;

// y[n, o, h, w] = sum over c, i, j of x[n, c, h + i, w + j] v[o, c, i, j], of `factor` numbers.
Definition Conv(Scalar factor, int64_t channels = 16) {
  const bool integers = factor == Scalar::kInt8;
  const Scalar sum = integers ? Scalar::kInt32 : Scalar::kFloat32;
  Definition d({{factor, {2, channels, 10, 11}}, {factor, {24, channels, 3, 2}}});
  d.AddStage({2, 24, 8, 10}, sum, [&](const Indices& i) {
    return d.Reduce(Combiner::kSum, {channels, 3, 2}, [&](const Indices& r) {
      return Cast(sum, d.At(0, {i[0], r[0], i[2] + r[1], i[3] + r[2]})) * Cast(sum, d.At(1, {i[1], r[0], r[1], r[2]}));
    });
  });
  return d;
}

const std::vector<bool> kPlain = {false, false, false};

std::vector<int64_t> AxesOf(const Definition& d) {
  std::vector<int64_t> extents;
  kernel::Visit(d.stages()[0].body, [&](const Expr& n) {
    for (const kernel::ReduceAxis& a : n->reduce_axes) extents.push_back(a.extent);
  });
  return extents;
}

TEST(TensorOrderTest, DataIsPermuted) {
  // [2, 3, 2] as [3, 2, 2].
  std::string data;
  for (char c = 0; c < 12; ++c) data.push_back(c);
  EXPECT_EQ(DataInOrder(data, {2, 3, 2}, {1, 2, 0}), std::string({0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11}));
  // Of two bytes each.
  EXPECT_EQ(DataInOrder("aabbccddeeff", {2, 3}, {1, 0}), "aaddbbeeccff");
  EXPECT_EQ(DataInOrder("", {0, 3}, {1, 0}), "");
}

TEST(TensorOrderTest, ReadsAndStagesFollow) {
  const Definition d = InOrders(Conv(Scalar::kInt8), {{0, ChannelsLast()}, {2, ChannelsLast()}});
  EXPECT_EQ(d.info(0).shape, (std::vector<int64_t>{2, 10, 11, 16}));
  EXPECT_EQ(d.info(1).shape, (std::vector<int64_t>{24, 16, 3, 2}));
  EXPECT_EQ(d.info(2).shape, (std::vector<int64_t>{2, 8, 10, 24}));
  const kernel::Stage& stage = d.stages()[0];
  int reads = 0;
  kernel::Visit(stage.body, [&](const Expr& n) {
    if (n->op != Op::kRead) return;
    ++reads;
    // Rows of weights, and columns of the image.
    const Expr index = n->args[n->tensor == 1 ? 0 : 2];
    EXPECT_TRUE(kernel::DependsOn(index, stage.vars[n->tensor == 1 ? 3 : 2]));
  });
  EXPECT_EQ(reads, 2);
}

TEST(TensorOrderTest, ChannelsAreInnermostForTensorCores) {
  const std::vector<bool> last = {true, false, false};
  for (Scalar s : {Scalar::kInt8, Scalar::kFloat16}) {
    const Definition d = InOrders(Conv(s), {{0, ChannelsLast()}});
    EXPECT_EQ(AxesOf(WithOrderedSums(d, {false, true}, last)), (std::vector<int64_t>{3, 2, 16}));
    EXPECT_EQ(AxesOf(WithOrderedSums(d, {false, true}, kPlain)), (std::vector<int64_t>{16, 3, 2}));
  }
}

// Without tensor cores, too, where weights can follow; few channels stay inside of the window's rows.
TEST(TensorOrderTest, ChannelsAreInnermostInBoxes) {
  EXPECT_EQ(AxesOf(WithOrderedSums(Conv(Scalar::kFloat32), {false, true}, kPlain)), (std::vector<int64_t>{3, 2, 16}));
  EXPECT_EQ(AxesOf(WithOrderedSums(Conv(Scalar::kFloat32), {false, false}, kPlain)), (std::vector<int64_t>{16, 3, 2}));
  EXPECT_EQ(AxesOf(WithOrderedSums(Conv(Scalar::kFloat32, 3), {false, true}, kPlain)), (std::vector<int64_t>{3, 3, 2}));
  const Definition d = WithOrderedSums(Conv(Scalar::kFloat32, 5), {false, true}, kPlain);
  EXPECT_EQ(AxesOf(d), (std::vector<int64_t>{3, 5, 2}));
  EXPECT_EQ(PackedOrders(d, {false, true}, kPlain).at(1), (TensorOrder{2, 1, 3, 0}));
}

TEST(TensorOrderTest, WeightsLieAlongTheSum) {
  const Definition d = WithOrderedSums(InOrders(Conv(Scalar::kInt8), {{0, ChannelsLast()}}), {false, true}, {true, false, false});
  const auto orders = PackedOrders(d, {false, true}, kPlain);
  ASSERT_EQ(orders.size(), 1u);
  EXPECT_EQ(orders.at(1), (TensorOrder{0, 2, 3, 1}));
  EXPECT_TRUE(PackedOrders(d, {false, false}, kPlain).empty());
  EXPECT_TRUE(PackedOrders(Conv(Scalar::kInt8), {false, true}, kPlain).empty()) << "they do already";
}

// Without tensor cores rows of them are multiplied at once.
TEST(TensorOrderTest, WeightsLieAcrossTheSum) {
  const Definition d = WithOrderedSums(Conv(Scalar::kFloat32), {false, true}, kPlain);
  const auto orders = PackedOrders(d, {false, true}, kPlain);
  ASSERT_EQ(orders.size(), 1u);
  EXPECT_EQ(orders.at(1), (TensorOrder{2, 3, 1, 0}));
  EXPECT_TRUE(PackedOrders(d, {false, false}, kPlain).empty());
}

TEST(TensorOrderTest, ColumnsOfAMatrixBecomeRows) {
  Definition d({{Scalar::kInt8, {64, 40}}, {Scalar::kInt8, {40, 48}}});
  d.AddStage({64, 48}, Scalar::kInt32, [&](const Indices& i) {
    return d.Reduce(Combiner::kSum, {40}, [&](const Indices& k) {
      return Cast(Scalar::kInt32, d.At(0, {i[0], k[0]})) * Cast(Scalar::kInt32, d.At(1, {k[0], i[1]}));
    });
  });
  const auto orders = PackedOrders(d, {true, true}, kPlain);
  ASSERT_EQ(orders.size(), 1u);
  EXPECT_EQ(orders.at(1), (TensorOrder{1, 0}));
}

// What neighbours read lies together: weights of a depthwise convolution, but nothing of plain results.
TEST(TensorOrderTest, WeightsOfChannels) {
  Definition plain({{Scalar::kFloat32, {2, 16, 10, 11}}, {Scalar::kFloat32, {16, 3, 3}}});
  plain.AddStage({2, 16, 8, 9}, Scalar::kFloat32, [&](const Indices& i) {
    return plain.Reduce(Combiner::kSum, {3, 3}, [&](const Indices& r) {
      return plain.At(0, {i[0], i[1], i[2] + r[0], i[3] + r[1]}) * plain.At(1, {i[1], r[0], r[1]});
    });
  });
  const Definition d = InOrders(plain, {{0, ChannelsLast()}, {2, ChannelsLast()}});
  const auto orders = PackedOrders(d, {false, true}, {true, false, true});
  ASSERT_EQ(orders.size(), 1u);
  EXPECT_EQ(orders.at(1), (TensorOrder{1, 2, 0}));
  EXPECT_TRUE(PackedOrders(plain, {false, true}, kPlain).empty());
}

}  // namespace
}  // namespace mgec::schedule
