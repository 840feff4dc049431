#include "compiler/ops/routine.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace mgec::ops {

using kernel::Block;
using kernel::Buffer;
using kernel::Expr;
using kernel::Int;

RoutineBuilder::RoutineBuilder(const OpContext& c, const std::vector<graph::TensorType>& outputs)
    : num_inputs_(static_cast<int>(c.inputs.size())) {
  auto add = [&](const char* what, const graph::TensorType& t) {
    const int i = static_cast<int>(arguments_.size());
    const kernel::Scalar s = StorageOf(t.dtype);
    arguments_.push_back(kernel::ArgumentBuffer(absl::StrCat(what, i), s, graph::NumElements(t.shape), i, SizeOf(s)));
  };
  for (const graph::TensorType& t : c.inputs) add("in", t);
  for (const graph::TensorType& t : outputs) add("out", t);
}

Buffer RoutineBuilder::Scratch(const std::string& name, kernel::Scalar scalar, int64_t elements) {
  const int i = static_cast<int>(arguments_.size());
  arguments_.push_back(kernel::ArgumentBuffer(name, scalar, elements, i, 64));
  routine_.scratch.push_back(elements * SizeOf(scalar));
  return arguments_.back();
}

void RoutineBuilder::AddKernel(const std::string& name, int64_t tasks,
                               const std::function<void(Block&, const Expr& task)>& body) {
  kernel::Kernel k;
  k.name = name;
  k.task = kernel::MakeVar("task");
  k.tasks = tasks;
  Block b;
  body(b, kernel::Use(k.task));
  k.body = b.Take();
  routine_.kernels.push_back(std::move(k));
}

Routine RoutineBuilder::Take(double work) {
  for (kernel::Kernel& k : routine_.kernels) k.arguments = arguments_;
  routine_.work = static_cast<int64_t>(std::min(work, 0x1p62));
  return std::move(routine_);
}

void ForVectors(Block& b, Expr begin, Expr end, int lanes,
                const std::function<void(Block&, const Expr& i, int lanes)>& body) {
  const Expr whole = b.Let("whole", begin + (end - begin) / Int(lanes) * lanes);
  b.For("i", begin, whole, lanes, [&](Block& b, const Expr& i) { body(b, i, lanes); });
  b.For("i", whole, end, 1, [&](Block& b, const Expr& i) { body(b, i, 1); });
}

TaskRange RangeOf(const Expr& task, int64_t tasks, int64_t total) {
  if (tasks == total) return {task, task + 1};
  return {task * total / Int(tasks), (task + 1) * total / Int(tasks)};
}

int64_t RowTasks(int64_t rows) {
  constexpr int64_t kMost = 16;  // enough to balance the threads of any machine that this is for
  return std::min(rows, kMost);
}

}  // namespace mgec::ops
