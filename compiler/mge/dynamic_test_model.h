// Models made by hand whose sizes depend on values, run by the definitions: what the tests of such sizes share.
#ifndef MGEC_COMPILER_MGE_DYNAMIC_TEST_MODEL_H_
#define MGEC_COMPILER_MGE_DYNAMIC_TEST_MODEL_H_

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "compiler/mge/test_model.h"
#include "compiler/ops/evaluate.h"
#include "gtest/gtest.h"

namespace mgec::mge {

namespace param = fbs::param;
using fbs::DTypeEnum;
using Floats = std::vector<float>;
using Ints = std::vector<int32_t>;
using param::CondTakeMode;
using Item = param::IndexDescMaskItem;

struct Result {
  graph::Shape shape;  // the actual one
  std::string bytes;   // of the elements that count

  template <typename T>
  std::vector<T> as() const {
    std::vector<T> values(bytes.size() / sizeof(T));
    if (!values.empty()) std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
    return values;
  }
};

// The visible outputs, cut to their sizes, for the input x.
template <typename T>
std::vector<Result> RunModel(const TestModel& m, const std::vector<T>& x) {
  std::vector<Result> results;
  const auto g = m.Import();
  EXPECT_TRUE(g.ok()) << g.status();
  if (!g.ok()) return results;
  const std::string bytes(reinterpret_cast<const char*>(x.data()), x.size() * sizeof(T));
  const auto outputs = ops::EvaluateGraph(*g, {{"x", std::make_shared<const std::string>(bytes)}});
  EXPECT_TRUE(outputs.ok()) << outputs.status();
  for (size_t i = 0; outputs.ok() && i < outputs->size(); ++i) {
    const graph::GraphOutput& o = g->outputs()[i];
    if (o.internal) continue;
    Result r{o.value->type.shape, ""};
    for (size_t axis = 0; axis < o.sizes.size(); ++axis) {
      if (o.sizes[axis] < 0) continue;
      int32_t size;
      std::memcpy(&size, (*outputs)[o.sizes[axis]]->data(), sizeof(size));
      r.shape[axis] = size;
    }
    r.bytes = (*outputs)[i]->substr(0, graph::NumElements(r.shape) * graph::ByteSize(o.value->type.dtype));
    results.push_back(r);
  }
  return results;
}

inline int CondTake(TestModel& m, int data, int mask, CondTakeMode mode, float val = 0, float eps = 1e-6f) {
  return m.Op("CondTake", {data, mask}, [&](auto& b) { return param::CreateCondTake(b, mode, val, eps); }, 2);
}

// The elements of x above 0.
inline int Positive(TestModel& m, int x) { return CondTake(m, x, x, CondTakeMode::GT); }

// An operator with one index tensor, or number, for an axis: the last of its inputs.
inline int At(TestModel& m, const char* op, std::vector<int> inputs, int axis) {
  const std::vector<Item> items = {{static_cast<int8_t>(axis), false, false, false, true}};
  return m.Op(op, std::move(inputs), [&](auto& b) { return param::CreateIndexDescMaskDumpDirect(b, &items); });
}

inline int Column(TestModel& m, int x, int column) { return At(m, "Subtensor", {x, m.Ints({column})}, 1); }

// Rows of x whose first element is above 0.
inline int PositiveRows(TestModel& m, int x) { return At(m, "IndexingMultiAxisVec", {x, Positive(m, Column(m, x, 0)) + 1}, 0); }

inline int InRange(TestModel& m, const char* op, std::vector<int> inputs, const Item& item) {
  const std::vector<Item> items = {item};
  return m.Op(op, std::move(inputs), [&](auto& b) { return param::CreateIndexDescMaskDumpDirect(b, &items); });
}

}  // namespace mgec::mge

#endif  // MGEC_COMPILER_MGE_DYNAMIC_TEST_MODEL_H_
