// Routines against the definitions of their operators, or what is known of their results.
#include "compiler/ops/routine.h"

#include <cmath>
#include <cstring>
#include <random>

#include "compiler/kernel/interpreter.h"
#include "compiler/ops/testing.h"

namespace mgec::ops {
namespace {

using graph::DTypeKind;

template <typename T>
std::string BytesOf(const std::vector<T>& v) {
  return std::string(reinterpret_cast<const char*>(v.data()), v.size() * sizeof(T));
}

template <typename T>
std::vector<T> ValuesOf(const std::string& bytes) {
  std::vector<T> v(bytes.size() / sizeof(T));
  std::memcpy(v.data(), bytes.data(), bytes.size());
  return v;
}

// The results of a node's routine, computed by the interpreter with memory that holds garbage at first.
std::vector<std::string> RunRoutine(const graph::Node& node, const std::vector<std::string>& inputs, int lanes) {
  absl::StatusOr<std::optional<Routine>> routine = RoutineOf(node, lanes);
  EXPECT_TRUE(routine.ok()) << routine.status();
  EXPECT_TRUE(routine->has_value()) << node.op << " has no routine here";
  if (!routine.ok() || !routine->has_value()) return {};
  std::vector<std::string> memory = inputs;
  for (const auto& v : node.outputs) memory.emplace_back(graph::ByteSize(v->type), '\x7f');
  for (int64_t bytes : (*routine)->scratch) memory.emplace_back(bytes, '\x7f');
  std::vector<kernel::BufferView> views;
  for (std::string& m : memory) views.push_back({&m[0], static_cast<int64_t>(m.size())});
  for (const kernel::Kernel& k : (*routine)->kernels) {
    for (int64_t t = k.tasks; t-- > 0;) {
      const absl::Status s = kernel::Interpret(k, views, t, t + 1);
      EXPECT_TRUE(s.ok()) << s;
    }
  }
  return {memory.begin() + inputs.size(), memory.begin() + inputs.size() + node.outputs.size()};
}

// A node over inputs of the given types.
struct OneNode {
  graph::Graph g;
  const graph::Node* node = nullptr;
  OneNode(const char* op, const std::vector<graph::TensorType>& types, const graph::Attributes& attributes) {
    std::vector<graph::Value*> in;
    for (size_t i = 0; i < types.size(); ++i) in.push_back(g.AddInput("x" + std::to_string(i), types[i]));
    const auto added = g.AddNode(op, in, attributes);
    EXPECT_TRUE(added.ok()) << added.status();
    if (added.ok()) node = *added;
  }
};

// The routine's results are the definition's, to the bit.
void ExpectAsDefined(const char* op, const std::vector<graph::TensorType>& types, const graph::Attributes& attributes,
                     const std::vector<std::string>& inputs) {
  SCOPED_TRACE(op);
  OneNode n(op, types, attributes);
  ASSERT_NE(n.node, nullptr);
  std::vector<TensorData> operands;
  for (const std::string& in : inputs) operands.push_back(std::make_shared<const std::string>(in));
  const auto want = EvaluateNode(*n.node, operands);
  ASSERT_TRUE(want.ok()) << want.status();
  for (int lanes : {8, 16}) {
    const std::vector<std::string> got = RunRoutine(*n.node, inputs, lanes);
    ASSERT_EQ(got.size(), want->size());
    for (size_t i = 0; i < got.size(); ++i) EXPECT_TRUE(got[i] == *(*want)[i]) << "result " << i << ", lanes " << lanes;
  }
}

std::vector<float> RandomFloats(int64_t n, uint32_t seed, float low = -2, float high = 2) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> d(low, high);
  std::vector<float> v(n);
  for (float& x : v) x = d(random);
  return v;
}

std::vector<int32_t> RandomInts(int64_t n, uint32_t seed, int low, int high) {
  std::mt19937 random(seed);
  std::uniform_int_distribution<int> d(low, high);
  std::vector<int32_t> v(n);
  for (int32_t& x : v) x = d(random);
  return v;
}

TEST(RoutineTest, SortsFloatsWithTies) {
  std::vector<float> x = RandomFloats(3 * 100, 1);
  for (size_t i = 0; i < x.size(); i += 3) x[i] = std::round(x[i]);  // ties, 0 and -0 among them
  x[7] = std::numeric_limits<float>::infinity();
  x[11] = -std::numeric_limits<float>::infinity();
  x[12] = 1e-42f;  // denormal
  x[13] = -0.0f;
  for (int64_t count : {1, 17, 100}) {
    for (int64_t descending : {0, 1}) {
      ExpectAsDefined("argsort", {{DTypeKind::kFloat32, {3, 100}}}, {{"count", count}, {"descending", descending}},
                      {BytesOf(x)});
    }
  }
}

TEST(RoutineTest, SortsIntegers) {
  const std::vector<int32_t> wide = RandomInts(2 * 70, 2, -2000000000, 2000000000);
  ExpectAsDefined("argsort", {{DTypeKind::kInt32, {2, 70}}}, {{"count", int64_t{70}}}, {BytesOf(wide)});
  std::vector<int8_t> i8;
  std::vector<uint8_t> u8;
  std::vector<int16_t> i16;
  for (int32_t v : wide) {
    i8.push_back(static_cast<int8_t>(v));
    u8.push_back(static_cast<uint8_t>(v));
    i16.push_back(static_cast<int16_t>(v));
  }
  const graph::Attributes down = {{"count", int64_t{65}}, {"descending", int64_t{1}}};
  ExpectAsDefined("argsort", {{DTypeKind::kInt8, {2, 70}}}, down, {BytesOf(i8)});
  ExpectAsDefined("argsort", {{DTypeKind::kUint8, {2, 70}}}, down, {BytesOf(u8)});
  ExpectAsDefined("argsort", {{DTypeKind::kInt16, {2, 70}}}, down, {BytesOf(i16)});
}

TEST(RoutineTest, SortsTheFirstElementsOnly) {
  const std::string x = BytesOf(RandomFloats(2 * 80, 11));
  for (int32_t size : {0, 1, 33, 80}) {
    for (int64_t count : {20, 80}) {
      for (int64_t descending : {0, 1}) {
        ExpectAsDefined("argsort", {{DTypeKind::kFloat32, {2, 80}}, {DTypeKind::kInt32, {1}}},
                        {{"count", count}, {"descending", descending}}, {x, BytesOf(std::vector<int32_t>{size})});
      }
    }
  }
}

TEST(RoutineTest, SuppressesBoxes) {
  std::vector<float> boxes;
  const std::vector<float> corners = RandomFloats(2 * 37 * 4, 3, 0, 10);
  for (size_t i = 0; i < corners.size(); i += 4) {
    boxes.insert(boxes.end(), {corners[i], corners[i + 1], corners[i] + corners[i + 2], corners[i + 1] + corners[i + 3]});
  }
  for (int64_t most : {1, 5, 100}) {
    ExpectAsDefined("nms_keep", {{DTypeKind::kFloat32, {2, 37, 4}}}, {{"iou_threshold", 0.3}, {"max_output", most}},
                    {BytesOf(boxes)});
    for (int32_t size : {0, 1, 20}) {
      ExpectAsDefined("nms_keep", {{DTypeKind::kFloat32, {2, 37, 4}}, {DTypeKind::kInt32, {1}}},
                      {{"iou_threshold", 0.3}, {"max_output", most}}, {BytesOf(boxes), BytesOf(std::vector<int32_t>{size})});
    }
  }
}

TEST(RoutineTest, FindsWhatIsNotZero) {
  for (int n : {1, 7, 100}) {
    std::vector<uint8_t> mask(n, 0);
    ExpectAsDefined("nonzero", {{DTypeKind::kBool, {n}}}, {}, {BytesOf(mask)});
    for (int i = 0; i < n; ++i) mask[i] = i % 3 != 1;
    ExpectAsDefined("nonzero", {{DTypeKind::kBool, {n}}}, {}, {BytesOf(mask)});
    mask.assign(n, 1);
    ExpectAsDefined("nonzero", {{DTypeKind::kBool, {n}}}, {}, {BytesOf(mask)});
  }
}

TEST(RoutineTest, SumsAlongRows) {
  for (int64_t rows : {1, 8, 21}) {
    const std::string x = BytesOf(RandomFloats(rows * 13, 4)), ints = BytesOf(RandomInts(rows * 13, 5, -9, 9));
    for (int64_t exclusive : {0, 1}) {
      for (int64_t reverse : {0, 1}) {
        const graph::Attributes a = {{"axis", int64_t{1}}, {"exclusive", exclusive}, {"reverse", reverse}};
        ExpectAsDefined("cumsum", {{DTypeKind::kFloat32, {rows, 13}}}, a, {x});
        ExpectAsDefined("cumsum", {{DTypeKind::kInt32, {rows, 13}}}, a, {ints});
      }
    }
  }
}

TEST(RoutineTest, InvertsMatrices) {
  for (int64_t n : {1, 5, 19}) {
    ExpectAsDefined("matrix_inverse", {{DTypeKind::kFloat32, {3, n, n}}}, {}, {BytesOf(RandomFloats(3 * n * n, 6))});
  }
}

TEST(RoutineTest, WritesPoints) {
  const std::string x = BytesOf(RandomInts(5 * 6 * 7, 7, 0, 99));
  for (const char* mode : {"set", "add"}) {
    const std::string m = mode;
    // Rows; a negative index, an index twice (the last counts), one outside.
    ExpectAsDefined("scatter_nd",
                    {{DTypeKind::kInt32, {5, 6, 7}}, {DTypeKind::kInt32, {4, 6, 7}}, {DTypeKind::kInt32, {4}}},
                    {{"axes", std::vector<int64_t>{0}}, {"mode", m}},
                    {x, BytesOf(RandomInts(4 * 6 * 7, 8, 100, 199)), BytesOf(std::vector<int32_t>{-1, 2, 2, 9})});
    // Two axes that are not adjacent, with indices that broadcast.
    ExpectAsDefined("scatter_nd",
                    {{DTypeKind::kInt32, {5, 6, 7}}, {DTypeKind::kInt32, {2, 3, 6}}, {DTypeKind::kInt32, {2, 1}},
                     {DTypeKind::kInt32, {3}}},
                    {{"axes", std::vector<int64_t>{0, 2}}, {"mode", m}},
                    {x, BytesOf(RandomInts(2 * 3 * 6, 9, 100, 199)), BytesOf(std::vector<int32_t>{4, 0}),
                     BytesOf(std::vector<int32_t>{6, -7, 1})});
    // The last axis.
    ExpectAsDefined("scatter_nd",
                    {{DTypeKind::kInt32, {5, 6, 7}}, {DTypeKind::kInt32, {5, 6, 3}}, {DTypeKind::kInt32, {3}}},
                    {{"axes", std::vector<int64_t>{2}}, {"mode", m}},
                    {x, BytesOf(RandomInts(5 * 6 * 3, 10, 100, 199)), BytesOf(std::vector<int32_t>{6, 6, -1})});
  }
}

// U diag(S) V^T is the matrix; U and V^T have orthonormal columns and rows; S descends.
void CheckSvd(int64_t m, int64_t n, bool full, const std::vector<float>& x) {
  SCOPED_TRACE(std::to_string(m) + "x" + std::to_string(n) + (full ? " full" : ""));
  OneNode node("svd", {{DTypeKind::kFloat32, {m, n}}}, {{"full_matrices", int64_t{full}}});
  const std::vector<std::string> got = RunRoutine(*node.node, {BytesOf(x)}, 8);
  ASSERT_EQ(got.size(), 3u);
  const std::vector<float> u = ValuesOf<float>(got[0]), s = ValuesOf<float>(got[1]), v = ValuesOf<float>(got[2]);
  const int64_t k = std::min(m, n), uk = full ? m : k, vk = full ? n : k;
  ASSERT_EQ(static_cast<int64_t>(u.size()), m * uk);
  ASSERT_EQ(static_cast<int64_t>(v.size()), vk * n);
  double scale = 1e-3;
  for (float e : x) scale = std::max<double>(scale, std::abs(e));
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (int64_t r = 0; r < k; ++r) sum += double{u[i * uk + r]} * s[r] * v[r * n + j];
      EXPECT_NEAR(sum, x[i * n + j], 1e-5 * scale * k);
    }
  }
  for (int64_t a = 0; a < uk; ++a) {
    for (int64_t b = 0; b < uk; ++b) {
      double dot = 0;
      for (int64_t i = 0; i < m; ++i) dot += double{u[i * uk + a]} * u[i * uk + b];
      EXPECT_NEAR(dot, a == b, 2e-5) << "columns " << a << " and " << b << " of U";
    }
  }
  for (int64_t a = 0; a < vk; ++a) {
    for (int64_t b = 0; b < vk; ++b) {
      double dot = 0;
      for (int64_t i = 0; i < n; ++i) dot += double{v[a * n + i]} * v[b * n + i];
      EXPECT_NEAR(dot, a == b, 2e-5) << "rows " << a << " and " << b << " of V^T";
    }
  }
  for (int64_t r = 1; r < k; ++r) EXPECT_GE(s[r - 1], s[r]);
}

TEST(RoutineTest, DecomposesMatrices) {
  for (bool full : {false, true}) {
    for (const auto& [m, n] : {std::pair<int64_t, int64_t>{1, 1}, {4, 4}, {7, 3}, {3, 7}, {1, 9}, {20, 11}}) {
      CheckSvd(m, n, full, RandomFloats(m * n, static_cast<uint32_t>(m * 100 + n)));
    }
    CheckSvd(3, 4, full, std::vector<float>(12, 1.0f));  // rank 1
    CheckSvd(4, 3, full, std::vector<float>(12, 0.0f));  // rank 0
    std::vector<float> identity(16, 0.0f);
    for (int i = 0; i < 4; ++i) identity[i * 5] = 1;
    CheckSvd(4, 4, full, identity);
  }
}

}  // namespace
}  // namespace mgec::ops
