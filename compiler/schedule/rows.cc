#include "compiler/schedule/rows.h"

#include <algorithm>

namespace mgec::schedule {
namespace {

using kernel::Definition;
using kernel::Expr;
using kernel::Op;
using kernel::Stage;

int64_t Product(const std::vector<int64_t>& shape, size_t first, size_t last) {
  int64_t n = 1;
  for (size_t i = first; i < last; ++i) n *= shape[i];
  return n;
}

// The stages read each other at their own indices along the first `dims` dimensions.
bool StagesAgree(const Definition& d, size_t dims) {
  const std::vector<int64_t>& shape = d.stages().back().info.shape;
  bool agree = true;
  for (const Stage& stage : d.stages()) {
    agree = agree && stage.scan < 0 && stage.info.shape.size() == shape.size() &&
            std::equal(shape.begin(), shape.begin() + dims, stage.info.shape.begin());
    if (!agree) return false;
    kernel::Visit(stage.body, [&](const Expr& e) {
      if (e->op != Op::kRead || e->tensor < d.num_inputs()) return;
      for (size_t i = 0; i < dims; ++i) agree = agree && kernel::IsIndexAlong(e->args[i], stage.vars[i], shape[i]);
    });
  }
  return agree;
}

}  // namespace

Rows RowsOf(const Definition& d, int64_t task_elements, int64_t most_tasks) {
  // Fewer rows are better divided otherwise, unless there is little to divide.
  constexpr int64_t kFewestRows = 16, kLargestRow = int64_t{1} << 20;
  const int last = d.num_inputs() + static_cast<int>(d.stages().size()) - 1;
  if (d.stages().size() < 2 || d.outputs() != std::vector<int>{last}) return {};
  const std::vector<int64_t>& shape = d.stages().back().info.shape;
  Rows r;
  r.dims = shape.empty() ? 0 : shape.size() - 1;
  while (r.dims > 0 && !StagesAgree(d, r.dims)) --r.dims;
  int64_t elements = 0;
  for (int t = 0; t <= last; ++t) elements = std::max(elements, Product(d.info(t).shape, 0, d.info(t).shape.size()));
  r.count = Product(shape, 0, r.dims);
  if (r.dims == 0 || r.count == 0 || (r.count < kFewestRows && elements > 4 * task_elements)) return {};
  for (int t = d.num_inputs(); t <= last; ++t) {
    const int64_t row = Product(d.info(t).shape, r.dims, shape.size());
    if (row == 0 || row > kLargestRow) return {};
    r.scratch.push_back(row == 1 || t == last ? 0 : row);
  }
  const int64_t tasks = std::min(r.count, std::clamp<int64_t>(elements / task_elements, 1, most_tasks));
  const int64_t per_task = (r.count + tasks - 1) / tasks;
  r.tasks = (r.count + per_task - 1) / per_task;
  return r;
}

}  // namespace mgec::schedule
