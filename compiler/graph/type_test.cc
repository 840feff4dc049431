#include "compiler/graph/type.h"

#include <limits>

#include "gtest/gtest.h"

namespace mgec::graph {
namespace {

TEST(DTypeTest, PrintsAndParsesBack) {
  for (int kind = 0; kind <= static_cast<int>(DTypeKind::kQuantized4Asymm); ++kind) {
    DType d(static_cast<DTypeKind>(kind));
    const bool asymmetric = d.kind == DTypeKind::kQuantized8Asymm || d.kind == DTypeKind::kQuantized4Asymm;
    for (float scale : {0.05f, 1.0f, 0.1f / 3, 1e-30f, std::numeric_limits<float>::max()}) {
      if (IsQuantized(d)) d.scale = scale;
      if (asymmetric) d.zero_point = 128;
      const absl::StatusOr<DType> parsed = ParseDType(ToString(d));
      ASSERT_TRUE(parsed.ok()) << parsed.status();
      EXPECT_EQ(*parsed, d) << ToString(d);
    }
  }
}

TEST(DTypeTest, HasNames) {
  EXPECT_EQ(ToString(DType(DTypeKind::kFloat32)), "f32");
  EXPECT_EQ(ToString(DType(DTypeKind::kQuantizedS8, 0.5f)), "qs8(0.5)");
  EXPECT_EQ(ToString(DType(DTypeKind::kQuantized8Asymm, 0.25f, 128)), "qu8(0.25,128)");
  EXPECT_EQ(ToString(TensorType{DTypeKind::kInt32, {1, 3, 0}}), "i32[1,3,0]");
  EXPECT_EQ(ToString(TensorType{DTypeKind::kBool, {}}), "bool[]");
}

TEST(DTypeTest, KnowsFloats) {
  for (DTypeKind kind : {DTypeKind::kFloat16, DTypeKind::kBFloat16}) EXPECT_TRUE(IsFloating(kind) && IsHalf(kind));
  EXPECT_TRUE(IsFloating(DTypeKind::kFloat32) && !IsHalf(DTypeKind::kFloat32));
  for (DTypeKind kind : {DTypeKind::kInt16, DTypeKind::kUint16, DTypeKind::kQuantizedS16}) {
    EXPECT_FALSE(IsFloating(kind) || IsHalf(kind));
  }
}

TEST(DTypeTest, RefusesWhatIsNone) {
  for (const char* text :
       {"", "f33", "f32(1)", "qs8", "qs8()", "qs8(x)", "qs8(1,2)", "qs8(1,2,3)", "qu8(1)", "qu8(1,x)", "qu8(1,2,3)",
        "qs8(nan)", "qs8(-1)", "qs8(0)", "qs8(inf)", "qs8(1", "f32)", "F32"}) {
    const absl::StatusOr<DType> parsed = ParseDType(text);
    EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_EQ(parsed.status().message(), "'" + std::string(text) + "' is not a dtype");
  }
}

TEST(ShapeTest, CountsElementsAndStrides) {
  EXPECT_EQ(NumElements({}), 1);
  EXPECT_EQ(NumElements({2, 3, 4}), 24);
  EXPECT_EQ(NumElements({2, 0, 4}), 0);
  EXPECT_EQ(Strides({2, 3, 4}), (std::vector<int64_t>{12, 4, 1}));
  EXPECT_EQ(Strides({}), std::vector<int64_t>());
  EXPECT_EQ(ByteSize(TensorType{DTypeKind::kFloat16, {3, 5}}), 30);
  EXPECT_EQ(ByteSize(TensorType{DType(DTypeKind::kQuantizedS4, 0.5f), {3}}), 3);  // unpacked
}

TEST(ShapeTest, Broadcasts) {
  const struct {
    Shape a, b, result;
  } kCases[] = {
      {{2, 3}, {2, 3}, {2, 3}},
      {{2, 3}, {3}, {2, 3}},
      {{2, 1}, {1, 3}, {2, 3}},
      {{1}, {4, 5}, {4, 5}},
      {{}, {4, 5}, {4, 5}},
      {{1}, {}, {}},
      {{1, 1}, {7}, {1, 7}},
      {{0}, {1}, {0}},
      {{2, 0}, {1, 1}, {2, 0}},
      {{5, 1, 4, 1}, {3, 1, 6}, {5, 3, 4, 6}},
  };
  for (const auto& c : kCases) {
    for (const auto& got : {BroadcastShapes(c.a, c.b), BroadcastShapes(c.b, c.a)}) {
      ASSERT_TRUE(got.ok()) << got.status();
      EXPECT_EQ(*got, c.result) << ToString(c.a) << " and " << ToString(c.b);
    }
  }
}

TEST(ShapeTest, RefusesToBroadcastOthers) {
  for (const auto& [a, b] : std::vector<std::pair<Shape, Shape>>{{{2}, {3}}, {{2, 3}, {2}}, {{0}, {2}}}) {
    EXPECT_EQ(BroadcastShapes(a, b).status().code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(BroadcastShapes({2, 3}, {4}).status().message(), "shapes [2,3] and [4] do not broadcast");
}

}  // namespace
}  // namespace mgec::graph
