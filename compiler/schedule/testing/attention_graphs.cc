#include "compiler/schedule/testing/attention_graphs.h"

#include <limits>

namespace mgec::schedule {

using graph::Shape;
using graph::Value;

Value* MatMul(ScheduleTester& t, Value* a, Value* b, bool transpose_b) {
  return t.Add("matmul", {a, b}, {{"transpose_b", int64_t{transpose_b}}});
}

Value* Softmax(ScheduleTester& t, Value* x) {
  return t.Add("softmax", {x}, {{"axis", static_cast<int64_t>(x->type.shape.size()) - 1}});
}

Value* Reshape(ScheduleTester& t, Value* x, const Shape& shape) { return t.Add("reshape", {x}, {{"shape", shape}}); }

Value* Heads(ScheduleTester& t, Value* x, int64_t heads) {
  const Shape s = x->type.shape;
  x = t.Add("transpose", {Reshape(t, x, {s[0], s[1], heads, s[2] / heads})}, {{"perm", std::vector<int64_t>{0, 2, 1, 3}}});
  return Reshape(t, x, {s[0] * heads, s[1], s[2] / heads});
}

Value* InfiniteMask(ScheduleTester& t, int64_t m, int64_t n) {
  std::vector<float> mask(m * n);
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      const bool off = i == 5 || (i % 3 == 0 && j > i) || (i % 3 == 1 && j < n - 2);
      if (off) mask[i * n + j] = -std::numeric_limits<float>::infinity();
    }
  }
  return t.graph().AddConstant({graph::DTypeKind::kFloat32, {m, n}},
                               std::string(reinterpret_cast<const char*>(mask.data()), mask.size() * 4));
}

}  // namespace mgec::schedule
