// Operators whose natural form is a sequence of steps over whole tensors (sorting, elimination, writing at computed
// places) rather than an expression for each element.
//
//   RoutineBuilder r(c, {{DTypeKind::kInt32, shape}});
//   const Buffer keys = r.Scratch("keys", Scalar::kInt32, n);
//   r.AddKernel("sort", rows, [&](Block& b, const Expr& row) { ... b.Store(r.output(0), ...); });
//   return r.Take(work);
//
// An operator with a definition as well is scheduled as its routine; tests compare the two.
#ifndef MGEC_COMPILER_OPS_ROUTINE_H_
#define MGEC_COMPILER_OPS_ROUTINE_H_

#include <functional>
#include <string>
#include <vector>

#include "compiler/ops/op.h"

namespace mgec::ops {

// Collects the kernels of a routine. Buffers are dense and row-major, as the tensors are.
class RoutineBuilder {
 public:
  RoutineBuilder(const OpContext& c, const std::vector<graph::TensorType>& outputs);

  const kernel::Buffer& input(int i) const { return arguments_[i]; }
  const kernel::Buffer& output(int i) const { return arguments_[num_inputs_ + i]; }
  // Memory of the routine's own, with arbitrary contents at first; all kernels see it.
  kernel::Buffer Scratch(const std::string& name, kernel::Scalar scalar, int64_t elements);
  // Kernels run one after the other; the tasks of one in any order and at the same time.
  void AddKernel(const std::string& name, int64_t tasks,
                 const std::function<void(kernel::Block&, const kernel::Expr& task)>& body);
  // `work`: how many elementary operations it takes, about.
  Routine Take(double work);

 private:
  int num_inputs_;
  std::vector<kernel::Buffer> arguments_;
  Routine routine_;
};

// Calls body(b, i, lanes) for i in [begin, end): in steps of `lanes` as far as they fit, of 1 then.
void ForVectors(kernel::Block& b, kernel::Expr begin, kernel::Expr end, int lanes,
                const std::function<void(kernel::Block&, const kernel::Expr& i, int lanes)>& body);

// The half-open range of the `total` items that belong to a task.
struct TaskRange {
  kernel::Expr begin, end;
};
TaskRange RangeOf(const kernel::Expr& task, int64_t tasks, int64_t total);

// For routines that handle one row after the other: into how many tasks to divide them.
int64_t RowTasks(int64_t rows);

}  // namespace mgec::ops

#endif  // MGEC_COMPILER_OPS_ROUTINE_H_
