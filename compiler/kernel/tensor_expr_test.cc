#include "compiler/kernel/tensor_expr.h"

#include "gtest/gtest.h"

namespace mgec::kernel {
namespace {

const TensorInfo kImage{Scalar::kFloat32, {2, 3, 5}};

TEST(DefinitionTest, NumbersTensors) {
  Definition d({kImage, {Scalar::kInt32, {4}}});
  EXPECT_EQ(d.num_inputs(), 2);
  const int a = d.AddStage({7}, Scalar::kFloat32, [&](const std::vector<Expr>& i) {
    return d.At(0, {i[0], Int(0), Int(0)});
  });
  const int b = d.AddStage({7}, Scalar::kFloat32, [&](const std::vector<Expr>& i) { return d.At(a, {i[0]}); });
  EXPECT_EQ(a, 2);
  EXPECT_EQ(b, 3);
  EXPECT_EQ(d.info(1).scalar, Scalar::kInt32);
  EXPECT_EQ(d.info(b).shape, std::vector<int64_t>{7});
  EXPECT_EQ(d.stages()[1].body->tensor, a);
  EXPECT_EQ(d.outputs(), std::vector<int>{b});  // the last one unless told otherwise
  d.SetOutputs({b, a});
  EXPECT_EQ(d.outputs(), (std::vector<int>{b, a}));
}

TEST(DefinitionTest, EveryStageHasItsOwnVariables) {
  Definition d({kImage});
  for (int s = 0; s < 2; ++s)
    d.AddStage({2, 3, 5}, Scalar::kFloat32, [&](const std::vector<Expr>& i) { return d.At(0, i); });
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_NE(d.stages()[0].vars[i], d.stages()[1].vars[i]);
    EXPECT_EQ(d.stages()[1].body->args[i]->var, d.stages()[1].vars[i]);
  }
}

TEST(DefinitionTest, AScanReadsItself) {
  Definition d({kImage});
  const int scan = d.AddScan({2, 3, 5}, Scalar::kFloat32, 1, [&](const std::vector<Expr>& i, int self) {
    return d.At(0, i) + d.At(self, {i[0], i[1] - 1, i[2]});
  });
  EXPECT_EQ(scan, 1);
  EXPECT_EQ(d.stages()[0].scan, 1);
  EXPECT_EQ(d.stages()[0].body->args[1]->tensor, scan);
}

TEST(DefinitionTest, InsertsStages) {
  Definition d({kImage});
  auto read = [&](int t) {
    return [&d, t](const std::vector<Expr>& i) { return d.At(t, i); };
  };
  const int a = d.AddStage(kImage.shape, Scalar::kFloat32, read(0));
  const int b = d.AddStage(kImage.shape, Scalar::kFloat32, read(a));
  d.AddScan(kImage.shape, Scalar::kFloat32, 1, [&](const std::vector<Expr>& i, int self) {
    return d.At(self, {i[0], i[1] - 1, i[2]}) + d.At(a, i) * d.At(b, i);
  });
  d.SetOutputs({3, a});
  d.InsertStages(1, {MakeStage(kImage.shape, Scalar::kFloat32, read(a)), MakeStage({2}, Scalar::kInt32, [](const auto& i) {
                       return Read(2, Scalar::kInt32, {i[0], Int(0), Int(0)});
                     })});
  ASSERT_EQ(d.stages().size(), 5u);
  EXPECT_EQ(d.info(3).shape, std::vector<int64_t>{2});
  EXPECT_EQ(d.stages()[0].body->tensor, 0);
  EXPECT_EQ(d.stages()[1].body->tensor, a);  // as they were
  EXPECT_EQ(d.stages()[2].body->tensor, 2);
  EXPECT_EQ(d.stages()[3].body->tensor, a);
  const Stage& scan = d.stages()[4];
  EXPECT_EQ(scan.scan, 1);
  EXPECT_EQ(scan.body->args[0]->tensor, 5);
  EXPECT_EQ(scan.body->args[1]->args[0]->tensor, a);
  EXPECT_EQ(scan.body->args[1]->args[1]->tensor, 4);
  EXPECT_EQ(d.outputs(), (std::vector<int>{5, a}));
  d.InsertStages(0, {});
  EXPECT_EQ(d.outputs(), (std::vector<int>{5, a}));
}

TEST(DefinitionTest, BroadcastsReads) {
  Definition d(
      {{Scalar::kFloat32, {3, 1}}, {Scalar::kFloat32, {1}}, {Scalar::kFloat32, {}}, {Scalar::kFloat32, {1, 1}}});
  const std::vector<Expr> i = {Use(MakeVar("a")), Use(MakeVar("b")), Use(MakeVar("c"))};
  const Expr column = d.AtBroadcast(0, i);
  ASSERT_EQ(column->args.size(), 2u);
  EXPECT_EQ(column->args[0], i[1]);
  EXPECT_TRUE(IsConst(column->args[1]));
  EXPECT_TRUE(IsConst(d.AtBroadcast(1, i)->args[0]));
  EXPECT_TRUE(d.AtBroadcast(2, i)->args.empty());
  EXPECT_EQ(d.AtBroadcast(3, {i[0]})->args.size(), 2u);  // one element joins any rank
}

TEST(DefinitionTest, GuardsReads) {
  Definition d({kImage});
  const Expr i = Use(MakeVar("i"));
  const Expr e = d.AtOr(0, {Int(0), i, i - 1}, Float(-1));
  ASSERT_EQ(e->op, Op::kSelect);
  EXPECT_EQ(e->args[1]->op, Op::kRead);
  EXPECT_EQ(e->args[2]->float_value, -1);
  EXPECT_EQ(d.AtOr(0, {Int(1), Int(2), Int(4)}, Float(-1))->op, Op::kRead);     // inside
  EXPECT_EQ(d.AtOr(0, {Int(1), Int(2), Int(5)}, Float(-1))->op, Op::kFloat);    // outside
  EXPECT_EQ(d.AtOr(0, {Int(-1), Int(2), Int(4)}, Float(-1))->op, Op::kFloat);
}

TEST(DefinitionTest, Reduces) {
  Definition d({kImage});
  const Expr sum = d.Reduce(Combiner::kMax, {3, 5}, [&](const std::vector<Expr>& r) {
    return d.At(0, {Int(1), r[0], r[1]});
  });
  ASSERT_EQ(sum->op, Op::kReduce);
  EXPECT_EQ(sum->combiner, Combiner::kMax);
  ASSERT_EQ(sum->reduce_axes.size(), 2u);
  EXPECT_EQ(sum->reduce_axes[1].extent, 5);
  EXPECT_EQ(sum->args[0]->args[2]->var, sum->reduce_axes[1].var);
  EXPECT_EQ(sum->type, Type(Scalar::kFloat32));
}

}  // namespace
}  // namespace mgec::kernel
