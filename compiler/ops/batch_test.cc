#include "compiler/ops/batch.h"

#include <functional>

#include "compiler/ops/op.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mgec::ops {
namespace {

using graph::Attributes;
using graph::DTypeKind;
using graph::Graph;
using graph::Shape;
using graph::Value;
using testing::HasSubstr;

// Adds nodes for the input x, f32[n,4,6], and a batch of n; returns the output.
using Make = std::function<Value*(Graph& g, Value* x, int64_t n)>;

Value* Add(Graph& g, const char* op, std::vector<Value*> inputs, Attributes attributes = {}) {
  return g.Add(op, std::move(inputs), std::move(attributes), "node").value();
}

absl::StatusOr<BatchRows> Prove(const Make& make) {
  Graph graphs[2];
  const int64_t sizes[2] = {8, 9};
  for (int i = 0; i < 2; ++i) {
    Value* x = graphs[i].AddInput("x", {DTypeKind::kFloat32, {sizes[i], 4, 6}});
    graphs[i].AddOutput(make(graphs[i], x, sizes[i]), "y");
  }
  return ProveBatch(graphs[0], 8, graphs[1], 9);
}

// Rows of the output for each entry, or -1 and the message.
int64_t Rows(const Make& make, std::string* message = nullptr) {
  const absl::StatusOr<BatchRows> rows = Prove(make);
  if (rows.ok()) return rows->outputs[0];
  if (message != nullptr) *message = std::string(rows.status().message());
  return -1;
}

Value* Reshape(Graph& g, Value* x, Shape shape) { return Add(g, "reshape", {x}, {{"shape", std::move(shape)}}); }
Value* Transpose(Graph& g, Value* x, std::vector<int64_t> perm) { return Add(g, "transpose", {x}, {{"perm", perm}}); }
Value* Reduce(Graph& g, Value* x, std::vector<int64_t> axes) {
  return Add(g, "reduce", {x}, {{"axes", axes}, {"mode", std::string("mean")}});
}
Value* Ones(Graph& g, Shape shape) {
  const int64_t n = graph::NumElements(shape);
  return g.AddConstant({DTypeKind::kFloat32, std::move(shape)}, std::string(n * 4, '\1'));
}

TEST(BatchTest, EntriesOnTheirOwn) {
  EXPECT_EQ(Rows([](Graph& g, Value* x, int64_t) { return Add(g, "relu", {x}); }), 1);
  EXPECT_EQ(Rows([](Graph& g, Value* x, int64_t) { return Reduce(g, x, {1, 2}); }), 1);
  EXPECT_EQ(Rows([](Graph& g, Value* x, int64_t) { return Add(g, "softmax", {x}, {{"axis", int64_t{1}}}); }), 1);
  EXPECT_EQ(Rows([](Graph& g, Value* x, int64_t) { return Add(g, "add", {x, Ones(g, {1, 4, 1})}); }), 1);
  EXPECT_EQ(Rows([](Graph& g, Value* x, int64_t) { return Add(g, "cumsum", {x}, {{"axis", int64_t{2}}}); }), 1);
}

TEST(BatchTest, ReshapesThatMultiplyTheBatch) {
  EXPECT_EQ(Rows([](Graph& g, Value* x, int64_t n) { return Reshape(g, x, {n, 24}); }), 1);
  EXPECT_EQ(Rows([](Graph& g, Value* x, int64_t n) { return Reshape(g, x, {n * 4, 6}); }), 4);
  EXPECT_EQ(Rows([](Graph& g, Value* x, int64_t n) { return Reshape(g, x, {n * 24}); }), 24);
  EXPECT_EQ(Rows([](Graph& g, Value* x, int64_t n) {
    Value* rows = Add(g, "matmul", {Reshape(g, x, {n * 4, 6}), Ones(g, {6, 5})});
    return Reshape(g, rows, {n, 4, 5});
  }), 1);
  // There and back again, with the batch in the middle or at the end.
  EXPECT_EQ(Rows([](Graph& g, Value* x, int64_t) {
    return Transpose(g, Add(g, "relu", {Transpose(g, x, {1, 2, 0})}), {2, 0, 1});
  }), 1);
  EXPECT_EQ(Rows([](Graph& g, Value* x, int64_t n) {
    Value* y = Reshape(g, Transpose(g, x, {1, 0, 2}), {4 * n, 6});  // entries are apart: 4 rows, n from each other
    return Transpose(g, Reshape(g, Add(g, "exp", {y}), {4, n, 6}), {1, 0, 2});
  }), 1);
}

TEST(BatchTest, WithoutABatch) {
  EXPECT_EQ(Rows([](Graph& g, Value*, int64_t) { return Add(g, "relu", {Ones(g, {3})}); }), 0);
  EXPECT_EQ(Rows([](Graph& g, Value* x, int64_t n) {
    Value* same = Add(g, "broadcast", {Ones(g, {1, 4, 6})}, {{"shape", Shape{n, 4, 6}}});
    return Add(g, "concat", {x, same}, {{"axis", int64_t{2}}});
  }), 1);
}

TEST(BatchTest, RefusesWhatMixesEntries) {
  const Make mixing[] = {
      [](Graph& g, Value* x, int64_t) { return Reduce(g, x, {0}); },
      [](Graph& g, Value* x, int64_t) { return Add(g, "softmax", {x}, {{"axis", int64_t{0}}}); },
      [](Graph& g, Value* x, int64_t) { return Add(g, "cumsum", {x}, {{"axis", int64_t{0}}}); },
      [](Graph& g, Value* x, int64_t n) {  // the batch, reversed
        return Add(g, "slice", {x}, {{"begin", Shape{n - 1, 0, 0}}, {"end", Shape{-1, 4, 6}}, {"step", Shape{-1, 1, 1}}});
      },
      [](Graph& g, Value* x, int64_t n) {  // half of it
        return Add(g, "slice", {x}, {{"begin", Shape{0, 0, 0}}, {"end", Shape{4, 4, 6}}, {"step", Shape{1, 1, 1}}});
      },
      [](Graph& g, Value* x, int64_t n) {  // rows that go across entries
        return Reshape(g, Transpose(g, x, {1, 0, 2}), {n, 24});
      },
      [](Graph& g, Value* x, int64_t n) {  // another number for each entry
        std::vector<int64_t> numbers(n);
        for (int64_t i = 0; i < n; ++i) numbers[i] = i;
        Value* v = Add(g, "cast", {g.AddInts(numbers)}, {{"dtype", std::string("f32")}});
        return Add(g, "mul", {x, Reshape(g, v, {n, 1, 1})});
      },
      [](Graph& g, Value* x, int64_t n) { return Add(g, "mul", {x, g.AddScalar(static_cast<float>(n))}); },
  };
  for (const Make& make : mixing) {
    std::string message;
    EXPECT_EQ(Rows(make, &message), -1);
    EXPECT_THAT(message, HasSubstr("several --input-shape"));
  }
  std::string message;
  EXPECT_EQ(Rows(mixing[0], &message), -1);
  EXPECT_THAT(message, HasSubstr("reduce \"node\" mixes the entries of a batch"));
  EXPECT_EQ(Rows([](Graph& g, Value* x, int64_t) { return Transpose(g, x, {1, 0, 2}); }, &message), -1);
  EXPECT_THAT(message, HasSubstr("output \"y\""));
}

}  // namespace
}  // namespace mgec::ops
