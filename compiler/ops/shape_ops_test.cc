#include <numeric>

#include "compiler/ops/testing.h"

namespace mgec::ops {
namespace {

using graph::DType;
using graph::DTypeKind;
using graph::Shape;
using graph::TensorType;
using Ints = std::vector<int64_t>;
using Values = std::vector<int32_t>;

// 0, 1, 2, ...
Tensor Iota(Shape shape) {
  Values v(graph::NumElements(shape));
  std::iota(v.begin(), v.end(), 0);
  return I32(std::move(shape), v);
}

// The elements of the result; its shape must be `shape`.
Values Run32(absl::string_view op, const std::vector<Tensor>& in, graph::Attributes a, const Shape& shape) {
  const absl::StatusOr<Tensor> y = RunOp(op, in, std::move(a));
  EXPECT_TRUE(y.ok()) << y.status();
  if (!y.ok()) return {};
  EXPECT_EQ(y->type.shape, shape);
  return ValuesOf<int32_t>(*y);
}

TensorType F(Shape s) { return {DTypeKind::kFloat32, std::move(s)}; }

TEST(ConcatTest, AlongEveryAxis) {
  const Tensor a = I32({2, 1}, {1, 2}), b = I32({2, 2}, {3, 4, 5, 6}), none = I32({2, 0}, {});
  EXPECT_EQ(Run32("concat", {a, none, b}, {{"axis", int64_t{1}}}, {2, 3}), (Values{1, 3, 4, 2, 5, 6}));
  EXPECT_EQ(Run32("concat", {b, b}, {{"axis", int64_t{0}}}, {4, 2}), (Values{3, 4, 5, 6, 3, 4, 5, 6}));
  EXPECT_EQ(Run32("concat", {a}, {{"axis", int64_t{0}}}, {2, 1}), (Values{1, 2}));
  EXPECT_EQ(Run32("concat", {none, none}, {{"axis", int64_t{1}}}, {2, 0}), Values());
}

TEST(ConcatTest, Refuses) {
  const TensorType a = F({2, 1}), q1{DType(DTypeKind::kQuantizedS8, 0.5f), {2, 1}},
                   q2{DType(DTypeKind::kQuantizedS8, 1), {2, 1}};
  ExpectRefused(InferOne("concat", {a, F({3, 1})}, {{"axis", int64_t{1}}}).status(),
                "cannot concatenate f32[2,1] and f32[3,1] along axis 1");
  ExpectRefused(InferOne("concat", {a, F({2})}, {{"axis", int64_t{0}}}).status(), "cannot concatenate");
  ExpectRefused(InferOne("concat", {a, {DTypeKind::kInt32, {2, 1}}}, {{"axis", int64_t{0}}}).status(),
                "cannot concatenate");
  ExpectRefused(InferOne("concat", {q1, q2}, {{"axis", int64_t{0}}}).status(), "cannot concatenate");
  ExpectRefused(InferOne("concat", {a, a}, {{"axis", int64_t{2}}}).status(), "axis 2 is not in [0, 2)");
  ExpectRefused(InferOne("concat", {}, {{"axis", int64_t{0}}}).status(), "got 0 inputs, takes 1 to any number");
}

graph::Attributes Range(Ints begin, Ints end, Ints step) { return {{"begin", begin}, {"end", end}, {"step", step}}; }

TEST(SliceTest, StepsUpAndDown) {
  const Tensor x = Iota({2, 5});
  EXPECT_EQ(Run32("slice", {x}, Range({0, 1}, {2, 4}, {1, 1}), {2, 3}), (Values{1, 2, 3, 6, 7, 8}));
  EXPECT_EQ(Run32("slice", {x}, Range({1, 0}, {2, 5}, {1, 2}), {1, 3}), (Values{5, 7, 9}));
  EXPECT_EQ(Run32("slice", {x}, Range({1, 4}, {-1, -1}, {-1, -3}), {2, 2}), (Values{9, 6, 4, 1}));
  EXPECT_EQ(Run32("slice", {x}, Range({0, 3}, {2, 3}, {1, 1}), {2, 0}), Values());
  EXPECT_EQ(Run32("slice", {x}, Range({0, 4}, {2, 1}, {1, 1}), {2, 0}), Values());
}

TEST(SliceTest, Refuses) {
  for (const auto& [begin, end, step] : std::vector<std::tuple<Ints, Ints, Ints>>{
           {{0, 0}, {2, 6}, {1, 1}}, {{-1, 0}, {2, 5}, {1, 1}}, {{0, 0}, {2, 5}, {0, 1}}, {{0, 5}, {2, 0}, {1, -1}},
           {{0, 4}, {2, -2}, {1, -1}}, {{0, 6}, {2, 6}, {1, 1}}}) {
    ExpectRefused(InferOne("slice", {F({2, 5})}, Range(begin, end, step)).status(), "does not fit dimension");
  }
  ExpectRefused(InferOne("slice", {F({2, 5})}, Range({0}, {2}, {1})).status(), "need one element per dimension");
}

TEST(ReshapeTest, KeepsTheOrder) {
  const Tensor x = Iota({2, 3, 4});
  const Values all = ValuesOf<int32_t>(x);
  for (const Shape& to : {Shape{24}, Shape{4, 6}, Shape{3, 2, 2, 2}, Shape{1, 24, 1}, Shape{8, 3}}) {
    EXPECT_EQ(Run32("reshape", {x}, {{"shape", to}}, to), all);
  }
  EXPECT_EQ(Run32("reshape", {I32({1, 1}, {5})}, {{"shape", Ints{}}}, {}), Values{5});
  EXPECT_EQ(Run32("reshape", {I32({}, {5})}, {{"shape", Ints{1, 1}}}, {1, 1}), Values{5});
  EXPECT_EQ(Run32("reshape", {I32({0, 3}, {})}, {{"shape", Ints{7, 0}}}, {7, 0}), Values());
}

TEST(ReshapeTest, Refuses) {
  ExpectRefused(InferOne("reshape", {F({2, 3})}, {{"shape", Ints{5}}}).status(), "cannot reshape [2,3] to [5]");
  ExpectRefused(InferOne("reshape", {F({2, 3})}, {{"shape", Ints{-2, -3}}}).status(), "is out of limits");
  ExpectRefused(InferOne("reshape", {F({1})}, {{"shape", Ints(8, 1)}}).status(), "has over 7 dimensions");
}

TEST(TransposeTest, Permutes) {
  EXPECT_EQ(Run32("transpose", {Iota({2, 3})}, {{"perm", Ints{1, 0}}}, {3, 2}), (Values{0, 3, 1, 4, 2, 5}));
  // y[i, j, k] = x[j, k, i]
  EXPECT_EQ(Run32("transpose", {Iota({2, 2, 3})}, {{"perm", Ints{2, 0, 1}}}, {3, 2, 2}),
            (Values{0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11}));
}

TEST(TransposeTest, Refuses) {
  for (const Ints& perm : {Ints{0}, Ints{0, 0}, Ints{1, 2}, Ints{0, 1, 2}, Ints{-1, 0}}) {
    ExpectRefused(InferOne("transpose", {F({2, 3})}, {{"perm", perm}}).status(), "does not permute [2,3]");
  }
}

TEST(BroadcastTest, Repeats) {
  EXPECT_EQ(Run32("broadcast", {I32({2, 1}, {1, 2})}, {{"shape", Ints{2, 2, 3}}}, {2, 2, 3}),
            (Values{1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2}));
  EXPECT_EQ(Run32("broadcast", {I32({1}, {7})}, {{"shape", Ints{}}}, {}), Values{7});
  EXPECT_EQ(Run32("broadcast", {I32({1, 3}, {1, 2, 3})}, {{"shape", Ints{0, 3}}}, {0, 3}), Values());
}

TEST(BroadcastTest, Refuses) {
  ExpectRefused(InferOne("broadcast", {F({2, 3})}, {{"shape", Ints{3}}}).status(), "cannot broadcast [2,3] to [3]");
  ExpectRefused(InferOne("broadcast", {F({2})}, {{"shape", Ints{3}}}).status(), "do not broadcast");
  ExpectRefused(InferOne("broadcast", {F({1})}, {{"shape", Ints{int64_t{1} << 41}}}).status(), "is out of limits");
}

graph::Attributes Pad(Ints before, Ints after, const char* mode, double value = 0) {
  return {{"before", before}, {"after", after}, {"mode", std::string(mode)}, {"value", value}};
}

TEST(PadTest, EveryMode) {
  const Tensor row = I32({3}, {1, 2, 3});
  EXPECT_EQ(Run32("pad", {row}, Pad({2}, {1}, "constant", 9), {6}), (Values{9, 9, 1, 2, 3, 9}));
  EXPECT_EQ(Run32("pad", {row}, Pad({2}, {1}, "replicate"), {6}), (Values{1, 1, 1, 2, 3, 3}));
  EXPECT_EQ(Run32("pad", {row}, Pad({2}, {2}, "reflect"), {7}), (Values{3, 2, 1, 2, 3, 2, 1}));
  EXPECT_EQ(Run32("pad", {I32({2, 2}, {1, 2, 3, 4})}, Pad({1, 0}, {0, 1}, "constant", -1), {3, 3}),
            (Values{-1, -1, -1, 1, 2, -1, 3, 4, -1}));
  EXPECT_EQ(Run32("pad", {I32({2, 2}, {1, 2, 3, 4})}, Pad({1, 1}, {0, 0}, "reflect"), {3, 3}),
            (Values{4, 3, 4, 2, 1, 2, 4, 3, 4}));
  EXPECT_EQ(Run32("pad", {I32({0}, {})}, Pad({1}, {1}, "constant", 4), {2}), (Values{4, 4}));
  EXPECT_EQ(RunFloats("pad", {F32({1}, {1})}, Pad({0}, {1}, "constant", 0.5)), (std::vector<float>{1, 0.5f}));
}

TEST(PadTest, Refuses) {
  ExpectRefused(InferOne("pad", {F({3})}, Pad({1}, {1}, "wrap")).status(), "there is no padding mode 'wrap'");
  ExpectRefused(InferOne("pad", {F({3})}, Pad({1, 1}, {1, 1}, "constant")).status(), "need one element per dimension");
  ExpectRefused(InferOne("pad", {F({3})}, Pad({-1}, {1}, "constant")).status(), "cannot pad dimension 0 of [3]");
  ExpectRefused(InferOne("pad", {F({3})}, Pad({3}, {0}, "reflect")).status(), "in mode reflect");
  ExpectRefused(InferOne("pad", {F({0})}, Pad({1}, {0}, "replicate")).status(), "in mode replicate");
}

TEST(ShapeOfTest, ListsTheDimensions) {
  EXPECT_EQ(Run32("shape_of", {Counting({2, 1, 3})}, {}, {3}), (Values{2, 1, 3}));
  EXPECT_EQ(Run32("shape_of", {F32({5, 0}, {})}, {}, {2}), (Values{5, 0}));
  EXPECT_EQ(Run32("shape_of", {F32({}, {1})}, {}, {0}), Values());
}

TEST(GatherTest, AlongEveryAxis) {
  const Tensor x = Iota({2, 3});
  EXPECT_EQ(Run32("gather", {x, I32({4}, {2, 0, -1, 1})}, {{"axis", int64_t{1}}}, {2, 4}),
            (Values{2, 0, 2, 1, 5, 3, 5, 4}));
  EXPECT_EQ(Run32("gather", {x, I32({1, 2}, {1, 0})}, {{"axis", int64_t{0}}}, {1, 2, 3}), (Values{3, 4, 5, 0, 1, 2}));
  EXPECT_EQ(Run32("gather", {x, I32({}, {-2})}, {{"axis", int64_t{0}}}, {3}), (Values{0, 1, 2}));
  // Out of range: some element of x, never other memory.
  for (int32_t v : Run32("gather", {x, I32({2}, {99, -99})}, {{"axis", int64_t{1}}}, {2, 2})) {
    EXPECT_GE(v, 0);
    EXPECT_LE(v, 5);
  }
}

TEST(GatherTest, Refuses) {
  const TensorType i{DTypeKind::kInt32, {2}};
  ExpectRefused(InferOne("gather", {F({2, 3}), i}, {{"axis", int64_t{2}}}).status(), "axis 2 is not in [0, 2)");
  ExpectRefused(InferOne("gather", {F({2, 3}), F({2})}, {{"axis", int64_t{0}}}).status(), "the index must be int32");
  ExpectRefused(InferOne("gather", {F({0, 3}), i}, {{"axis", int64_t{0}}}).status(), "nothing to gather");
  ExpectRefused(
      InferOne("gather", {F({1, 1, 1, 1, 1}), {DTypeKind::kInt32, {1, 1, 1, 1}}}, {{"axis", int64_t{0}}}).status(),
      "has over 7 dimensions");
}

// Elements of every width keep their bytes.
TEST(ViewTest, MovesEveryDtype) {
  for (DTypeKind kind : {DTypeKind::kFloat16, DTypeKind::kBFloat16, DTypeKind::kInt8, DTypeKind::kUint16,
                         DTypeKind::kBool, DTypeKind::kQuantized8Asymm}) {
    const TensorType t{kind == DTypeKind::kQuantized8Asymm ? DType(kind, 0.5f, 7) : DType(kind), {2}};
    const std::string bytes = ByteSize(t.dtype) == 2 ? std::string("\1\0\0\1", 4) : std::string("\1\0", 2);
    const absl::StatusOr<Tensor> y = RunOp("slice", {{t, bytes}}, Range({1}, {-1}, {-1}));
    ASSERT_TRUE(y.ok()) << y.status();
    EXPECT_EQ(y->type, t);
    const size_t half = bytes.size() / 2;
    EXPECT_EQ(y->bytes, bytes.substr(half) + bytes.substr(0, half));
  }
}

}  // namespace
}  // namespace mgec::ops
