// For tests: what models made by hand compute, by the operators' definitions.
#ifndef MGEC_COMPILER_MGE_TEST_RESULTS_H_
#define MGEC_COMPILER_MGE_TEST_RESULTS_H_

#include <cstring>
#include <numeric>
#include <vector>

#include "compiler/mge/test_model.h"
#include "compiler/ops/evaluate.h"
#include "gtest/gtest.h"

namespace mgec::mge {

using Floats = std::vector<float>;

// The elements of all outputs, one after the other. A model that is refused fails the test and has none.
template <typename T = float>
std::vector<T> Results(const TestModel& m) {
  const auto g = m.Import();
  EXPECT_TRUE(g.ok()) << g.status();
  std::vector<T> values;
  if (!g.ok()) return values;
  const auto outputs = ops::EvaluateGraph(*g, {});
  EXPECT_TRUE(outputs.ok()) << outputs.status();
  if (!outputs.ok()) return values;
  for (const ops::TensorData& data : *outputs) {
    const size_t before = values.size();
    values.resize(before + data->size() / sizeof(T));
    std::memcpy(&values[before], data->data(), data->size());
  }
  return values;
}

// first, first + 1, ..: n numbers.
inline Floats Range(int n, float first = 0) {
  Floats values(n);
  std::iota(values.begin(), values.end(), first);
  return values;
}

}  // namespace mgec::mge

#endif  // MGEC_COMPILER_MGE_TEST_RESULTS_H_
