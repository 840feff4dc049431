// For tests of operators and passes: tensors from literals, one node evaluated by its definition.
#ifndef MGEC_COMPILER_OPS_TESTING_H_
#define MGEC_COMPILER_OPS_TESTING_H_

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "compiler/graph/graph.h"
#include "compiler/ops/evaluate.h"
#include "gtest/gtest.h"

namespace mgec::ops {

struct Tensor {
  graph::TensorType type;
  std::string bytes;
};

template <typename T>
Tensor TensorOf(graph::DType dtype, graph::Shape shape, const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return {{dtype, std::move(shape)}, std::move(bytes)};
}
inline Tensor F32(graph::Shape shape, const std::vector<float>& values) {
  return TensorOf(graph::DTypeKind::kFloat32, std::move(shape), values);
}
inline Tensor I32(graph::Shape shape, const std::vector<int32_t>& values) {
  return TensorOf(graph::DTypeKind::kInt32, std::move(shape), values);
}
// A float32 tensor whose elements are distinct small multiples of 1/8, positive and negative.
inline Tensor Counting(graph::Shape shape, int first = -5, int step = 1) {
  std::vector<float> values(graph::NumElements(shape));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = 0.125f * static_cast<float>(first + step * static_cast<int>(i));
  return F32(std::move(shape), values);
}

template <typename T>
std::vector<T> ValuesOf(const Tensor& t) {
  std::vector<T> values(t.bytes.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), t.bytes.data(), values.size() * sizeof(T));
  return values;
}

// What the operator infers for its one output.
inline absl::StatusOr<graph::TensorType> InferOne(absl::string_view op, const std::vector<graph::TensorType>& inputs,
                                                  graph::Attributes attributes = {}) {
  graph::Graph g;
  std::vector<graph::Value*> values;
  for (const graph::TensorType& t : inputs) values.push_back(g.AddInput("x" + std::to_string(values.size()), t));
  auto y = g.Add(op, values, std::move(attributes), "node");
  if (!y.ok()) return y.status();
  return (*y)->type;
}

// The one output of an operator for the given operands.
inline absl::StatusOr<Tensor> RunOp(absl::string_view op, const std::vector<Tensor>& inputs,
                                  graph::Attributes attributes = {}) {
  graph::Graph g;
  std::vector<graph::Value*> values;
  std::vector<TensorData> data;
  for (const Tensor& t : inputs) {
    values.push_back(g.AddInput("x" + std::to_string(values.size()), t.type));
    data.push_back(std::make_shared<const std::string>(t.bytes));
  }
  auto y = g.Add(op, values, std::move(attributes), "node");
  if (!y.ok()) return y.status();
  auto results = EvaluateNode(*(*y)->producer, data);
  if (!results.ok()) return results.status();
  return Tensor{(*y)->type, *(*results)[0]};
}

// The same as floats; fails the test if the operator does not run.
inline std::vector<float> RunFloats(absl::string_view op, const std::vector<Tensor>& inputs,
                                    graph::Attributes attributes = {}) {
  const absl::StatusOr<Tensor> y = RunOp(op, inputs, std::move(attributes));
  EXPECT_TRUE(y.ok()) << op << ": " << y.status();
  return y.ok() ? ValuesOf<float>(*y) : std::vector<float>();
}

inline void ExpectNear(const std::vector<float>& got, const std::vector<float>& want, float tolerance = 1e-5f) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], want[i], tolerance) << "element " << i;
}

// InvalidArgument whose message names the node and holds `part`.
inline void ExpectRefused(const absl::Status& s, absl::string_view part) {
  EXPECT_EQ(s.code(), absl::StatusCode::kInvalidArgument) << s;
  EXPECT_NE(s.message().find("\"node\""), absl::string_view::npos) << s;
  EXPECT_NE(s.message().find(part), absl::string_view::npos) << s;
}

}  // namespace mgec::ops

#endif  // MGEC_COMPILER_OPS_TESTING_H_
