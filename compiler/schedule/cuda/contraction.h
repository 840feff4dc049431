// Sums of products (matrix products, convolutions as implicit matrix products) for GPUs: blocks compute tiles of the result
// from tiles of both operands in shared memory.
#ifndef MGEC_COMPILER_SCHEDULE_CUDA_CONTRACTION_H_
#define MGEC_COMPILER_SCHEDULE_CUDA_CONTRACTION_H_

#include <cstdint>
#include <vector>

#include "compiler/kernel/lower.h"

namespace mgec::schedule {

// A stage on flat buffers: `body`, stored to `out` at `offset`, for all `vars`.
struct GpuStage {
  std::vector<kernel::Var> vars;
  std::vector<int64_t> extents;
  kernel::Ranges ranges;
  kernel::Expr body, offset;
  kernel::Buffer out;
};

// Emits the stage as a kernel (its tasks, threads and body) if it is one sum of products, of float32 or int32, in which both
// factors have dimensions of the result to themselves, large enough for tiles. The products of each element are added up in
// the order of the definition, floats by fma: the result has the interpreter's bits.
bool EmitContraction(const GpuStage& stage, kernel::Kernel* k);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_CUDA_CONTRACTION_H_
