// For tests of passes: graph text before and after, and results that stay.
#ifndef MGEC_COMPILER_PASSES_TESTING_H_
#define MGEC_COMPILER_PASSES_TESTING_H_

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "compiler/graph/graph.h"
#include "compiler/graph/text.h"
#include "compiler/ops/evaluate.h"
#include "compiler/passes/passes.h"
#include "gtest/gtest.h"

namespace mgec::passes {

inline graph::TextOptions AllBytes() {
  graph::TextOptions options;
  options.max_constant_bytes = std::numeric_limits<int64_t>::max();
  return options;
}

inline graph::Graph Parsed(absl::string_view text) {
  auto g = graph::ParseText(text);
  EXPECT_TRUE(g.ok()) << g.status() << "\n" << text;
  return g.ok() ? std::move(*g) : graph::Graph();
}

// Small random numbers for every input; the same for the same seed. Half-precision inputs get bits of small numbers.
inline std::map<std::string, ops::TensorData> RandomInputs(const graph::Graph& g, uint32_t seed) {
  std::mt19937 random(seed);
  std::map<std::string, ops::TensorData> inputs;
  for (const graph::Node* n : g.inputs()) {
    const graph::TensorType& t = n->output()->type;
    std::string bytes(graph::ByteSize(t), '\0');
    for (int64_t i = 0; i < graph::NumElements(t.shape); ++i) {
      const float f = static_cast<float>(static_cast<int>(random() % 65) - 32) / 16;
      const uint16_t half = static_cast<uint16_t>(0x3800 + random() % 0x800);  // 0.5 to 2
      if (t.dtype == graph::DTypeKind::kFloat32) std::memcpy(&bytes[4 * i], &f, 4);
      else if (t.dtype == graph::DTypeKind::kFloat16) std::memcpy(&bytes[2 * i], &half, 2);
      else bytes[i * graph::ByteSize(t.dtype)] = static_cast<char>(random() % 2);
    }
    inputs[n->name] = std::make_shared<const std::string>(std::move(bytes));
  }
  return inputs;
}

// Both graphs give the same results for the same random inputs: floats up to `tolerance` of the largest element, other
// dtypes to the bit. Halves are compared as bits, up to 2 units in the last place.
inline void ExpectSameResults(const graph::Graph& before, const graph::Graph& after, uint32_t seed, float tolerance) {
  ASSERT_EQ(before.outputs().size(), after.outputs().size());
  const auto inputs = RandomInputs(before, seed);
  const auto want = ops::EvaluateGraph(before, inputs), got = ops::EvaluateGraph(after, inputs);
  ASSERT_TRUE(want.ok()) << want.status();
  ASSERT_TRUE(got.ok()) << got.status();
  for (size_t o = 0; o < want->size(); ++o) {
    const std::string &a = *(*want)[o], &b = *(*got)[o];
    const graph::TensorType& t = before.outputs()[o].value->type;
    ASSERT_EQ(t, after.outputs()[o].value->type);
    ASSERT_EQ(before.outputs()[o].name, after.outputs()[o].name);
    if (t.dtype == graph::DTypeKind::kFloat32) {
      std::vector<float> x(a.size() / 4), y(b.size() / 4);
      std::memcpy(x.data(), a.data(), a.size());
      std::memcpy(y.data(), b.data(), b.size());
      float peak = 1;
      for (float v : x) peak = std::max(peak, std::abs(v));
      for (size_t i = 0; i < x.size(); ++i) {
        if (x[i] == y[i] || (std::isnan(x[i]) && std::isnan(y[i]))) continue;
        ASSERT_NEAR(x[i], y[i], tolerance * peak) << "output " << o << "[" << i << "]";
      }
    } else if (t.dtype == graph::DTypeKind::kFloat16) {
      for (size_t i = 0; i < a.size(); i += 2) {
        int16_t x, y;
        std::memcpy(&x, &a[i], 2);
        std::memcpy(&y, &b[i], 2);
        ASSERT_LE(std::abs(x - y), 2) << "output " << o << "[" << i / 2 << "]";
      }
    } else {
      ASSERT_EQ(a, b) << "output " << o;
    }
  }
}

// Runs the pass on `before`; without its dead nodes the result must read like `after` and compute the same. `after`
// null: the pass must leave the graph alone.
inline void ExpectRewrite(PassResult (*pass)(graph::Graph&), absl::string_view before, const char* after,
                          float tolerance = 1e-5f) {
  const graph::Graph original = Parsed(before);
  graph::Graph g = Parsed(before);
  const PassResult changed = pass(g);
  ASSERT_TRUE(changed.ok()) << changed.status();
  EXPECT_EQ(*changed, after != nullptr);
  EXPECT_TRUE(Verify(g).ok()) << Verify(g);
  g.EraseDeadNodes();
  const std::string want = ToText(Parsed(after != nullptr ? after : before), AllBytes());
  EXPECT_EQ(ToText(g, AllBytes()), want);
  ExpectSameResults(original, g, 1, tolerance);
}

}  // namespace mgec::passes

#endif  // MGEC_COMPILER_PASSES_TESTING_H_
