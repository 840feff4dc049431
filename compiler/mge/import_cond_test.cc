// Conditional execution, from models made by hand to numbers.
#include <cstring>

#include "compiler/mge/test_model.h"
#include "compiler/ops/evaluate.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mgec::mge {
namespace {

namespace param = fbs::param;
using param::CondExecMergeMode;
using param::CondExecPredLogicalMode;
using param::CondExecPredMode;
using testing::HasSubstr;
using Floats = std::vector<float>;

int Pred(TestModel& m, std::vector<int> keys, int value, CondExecPredMode mode, float eps = 1e-4f) {
  keys.push_back(value);
  const int outputs = static_cast<int>(keys.size()) - (mode == CondExecPredMode::CASE ? 1 : 0);
  return m.Op("CondExecPred", keys, [&](auto& b) { return param::CreateCondExecPred(b, mode, eps); }, outputs);
}

int Mark(TestModel& m, int value, int predicate) {
  return m.Op("CondExecMark", {value, predicate}, [](auto& b) { return param::CreateCondExecMark(b); });
}

int Merge(TestModel& m, std::vector<int> values, CondExecMergeMode mode) {
  return m.Op("CondExecMerge", std::move(values), [&](auto& b) { return param::CreateCondExecMerge(b, 1, mode); });
}

int Logical(TestModel& m, std::vector<int> predicates, CondExecPredLogicalMode mode) {
  return m.Op("CondExecPredLogical", std::move(predicates),
              [&](auto& b) { return param::CreateCondExecPredLogical(b, mode); });
}

int Times(TestModel& m, int x, float factor) {
  return m.Op("Elemwise", {x, m.Floats({1}, {factor})},
              [](auto& b) { return param::CreateElemwise(b, param::ElemwiseMode::MUL); });
}

// The first output for the number x.
Floats Of(const TestModel& m, float x) {
  const auto g = m.Import();
  EXPECT_TRUE(g.ok()) << g.status();
  if (!g.ok()) return {};
  const std::string bytes(reinterpret_cast<const char*>(&x), sizeof(x));
  const auto outputs = ops::EvaluateGraph(*g, {{"x", std::make_shared<const std::string>(bytes)}});
  EXPECT_TRUE(outputs.ok()) << outputs.status();
  if (!outputs.ok()) return {};
  Floats values((*outputs)[0]->size() / sizeof(float));
  std::memcpy(values.data(), (*outputs)[0]->data(), values.size() * sizeof(float));
  return values;
}

// Branch i gives 10^i times x.
void MergeBranches(TestModel& m, int x, int predicates, int count, CondExecMergeMode mode) {
  std::vector<int> values;
  float factor = 1;
  for (int i = 0; i < count; ++i, factor *= 10) values.push_back(Times(m, Mark(m, x, predicates + i), factor));
  if (mode == CondExecMergeMode::SUM) values.push_back(m.Ints({1}));
  m.Output(Merge(m, values, mode));
}

TEST(CondTest, Case) {
  TestModel m;
  const int x = m.Input("x", {1});
  const int p = Pred(m, {m.Floats({1}, {3}), m.Floats({1}, {5})}, x, CondExecPredMode::CASE_FALLBACK);
  MergeBranches(m, x, p, 3, CondExecMergeMode::EXACT_ONE);
  EXPECT_EQ(Of(m, 3), Floats{3});
  EXPECT_EQ(Of(m, 3.00001f), Floats{3.00001f}) << "within eps";
  EXPECT_EQ(Of(m, 5), Floats{50});
  EXPECT_EQ(Of(m, 4), Floats{400});
}

TEST(CondTest, Piecewise) {
  TestModel m;
  const int x = m.Input("x", {1});
  const int p = Pred(m, {m.Floats({1}, {-1}), m.Floats({1}, {5})}, x, CondExecPredMode::PIECEWISE);
  MergeBranches(m, x, p, 3, CondExecMergeMode::EXACT_ONE_SAME_SHAPE);
  EXPECT_EQ(Of(m, -2), Floats{-2});
  EXPECT_EQ(Of(m, -1), Floats{-10});
  EXPECT_EQ(Of(m, 4), Floats{40});
  EXPECT_EQ(Of(m, 5), Floats{500});
  EXPECT_EQ(Of(m, 7), Floats{700});
}

TEST(CondTest, Sum) {
  TestModel m;
  const int x = m.Input("x", {1});
  const int p = Pred(m, {m.Floats({1}, {3}), m.Floats({1}, {3.5f})}, x, CondExecPredMode::CASE, 1);
  MergeBranches(m, x, p, 2, CondExecMergeMode::SUM);
  EXPECT_EQ(Of(m, 3.25f), Floats{35.75f}) << "both";
  EXPECT_EQ(Of(m, 4.25f), Floats{42.5f}) << "the second";
  EXPECT_EQ(Of(m, 9), Floats{0}) << "none";
}

TEST(CondTest, Logical) {
  const auto value = [](CondExecPredLogicalMode mode, float x) {
    TestModel m;
    const int in = m.Input("x", {1});
    const int p = Pred(m, {m.Floats({1}, {1}), m.Floats({1}, {2})}, in, CondExecPredMode::CASE, 0.75f);
    const int joined = Logical(m, {p, p + 1}, mode);
    m.Output(Merge(m, {Mark(m, m.Floats({1}, {1}), joined), m.Ints({1})}, CondExecMergeMode::SUM));
    return Of(m, x)[0];
  };
  // At 1 the first predicate holds, at 1.5 both, at 9 none.
  const auto all = [&](CondExecPredLogicalMode mode) { return Floats{value(mode, 9), value(mode, 1), value(mode, 1.5f)}; };
  EXPECT_EQ(all(CondExecPredLogicalMode::OR), (Floats{0, 1, 1}));
  EXPECT_EQ(all(CondExecPredLogicalMode::AND), (Floats{0, 0, 1}));
  EXPECT_EQ(all(CondExecPredLogicalMode::XOR), (Floats{0, 1, 0}));
  EXPECT_EQ(all(CondExecPredLogicalMode::NOR), (Floats{1, 0, 0}));
  EXPECT_EQ(all(CondExecPredLogicalMode::NAND), (Floats{1, 1, 0}));
  EXPECT_EQ(all(CondExecPredLogicalMode::XNOR), (Floats{1, 0, 1}));
}

TEST(CondTest, Nested) {
  TestModel m;
  const int x = m.Input("x", {1}), zero = m.Floats({1}, {0});
  const int outer = Pred(m, {zero}, x, CondExecPredMode::PIECEWISE);  // below 0; from 0 on
  const int inside = Mark(m, x, outer + 1);
  const int inner = Pred(m, {m.Floats({1}, {10})}, inside, CondExecPredMode::PIECEWISE);
  const int merged = Merge(m, {Times(m, Mark(m, inside, inner), 2), Times(m, Mark(m, inside, inner + 1), 3)},
                           CondExecMergeMode::EXACT_ONE);
  m.Output(Merge(m, {Times(m, Mark(m, x, outer), -1), merged}, CondExecMergeMode::EXACT_ONE));
  EXPECT_EQ(Of(m, -4), Floats{4});
  EXPECT_EQ(Of(m, 4), Floats{8});
  EXPECT_EQ(Of(m, 12), Floats{36});
}

TEST(CondTest, SumCondOut) {
  TestModel m;
  const int x = m.Input("x", {1});
  const int p = Pred(m, {m.Floats({1}, {0}), m.Floats({1}, {5})}, x, CondExecPredMode::PIECEWISE);
  const int low = Logical(m, {p, p + 1}, CondExecPredLogicalMode::OR);
  const int sum = Merge(m, {Times(m, Mark(m, x, p), 10), Times(m, Mark(m, x, p + 1), 100), low},
                        CondExecMergeMode::SUM_COND_OUT);
  m.Output(Merge(m, {sum, Mark(m, x, p + 2)}, CondExecMergeMode::EXACT_ONE));
  EXPECT_EQ(Of(m, -1), Floats{-10});
  EXPECT_EQ(Of(m, 2), Floats{200});
  EXPECT_EQ(Of(m, 6), Floats{6});
}

TEST(CondTest, BranchesMayDifferInShape) {
  TestModel m;
  const int x = m.Input("x", {1});
  const int p = Pred(m, {m.Floats({1}, {0})}, x, CondExecPredMode::PIECEWISE);
  m.Output(Merge(m, {Mark(m, m.Floats({2}, {1, 2}), p), Mark(m, m.Floats({3}, {3, 4, 5}), p + 1)},
                 CondExecMergeMode::EXACT_ONE));
  const auto g = m.Import();
  ASSERT_TRUE(g.ok()) << g.status();
  EXPECT_EQ(g->outputs()[0].sizes, std::vector<int>{1});
  EXPECT_EQ(Of(m, 1), (Floats{3, 4, 5}));
  EXPECT_EQ(Of(m, -1), (Floats{1, 2, 0})) << "of which 2 count";
}

TEST(CondTest, Refuses) {
  TestModel conditional;
  const int x = conditional.Input("x", {1});
  const int p = Pred(conditional, {conditional.Floats({1}, {0})}, x, CondExecPredMode::PIECEWISE);
  conditional.Output(Times(conditional, Mark(conditional, x, p), 2));
  EXPECT_THAT(conditional.Text(), HasSubstr("output of the network that exists only on a condition"));

  TestModel mixed;
  const int y = mixed.Input("x", {1});
  const int q = Pred(mixed, {mixed.Floats({1}, {0})}, y, CondExecPredMode::PIECEWISE);
  mixed.Output(mixed.Op("Elemwise", {Mark(mixed, y, q), Mark(mixed, y, q + 1)},
                        [](auto& b) { return param::CreateElemwise(b, param::ElemwiseMode::ADD); }));
  EXPECT_THAT(mixed.Text(), HasSubstr("operands of different branches"));

  TestModel unmarked;
  const int z = unmarked.Input("x", {1});
  unmarked.Output(Merge(unmarked, {z, z}, CondExecMergeMode::EXACT_ONE));
  EXPECT_THAT(unmarked.Text(), HasSubstr("depends on no condition"));
}

}  // namespace
}  // namespace mgec::mge
