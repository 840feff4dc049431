// Attention, softmax(f(Q K')) V, as one kernel for CPUs: the scores of a strip of queries stay in the cache.
//
// A task is a strip of queries of one product. Vectors run along the queries of the strip, so that keys and values are read
// where they are, one by one: scores [key][query] are K Q', with Q turned around once for the strip. Sums and maxima of
// softmax need nothing across lanes, and the weights stand in memory as the second product reads them.
//
// Keys are taken in blocks. The maximum and the sum of exponentials so far go from block to block, and what was added up before
// a larger maximum came is scaled down: the memory of a task does not grow with the number of keys.
#ifndef MGEC_COMPILER_SCHEDULE_ATTENTION_KERNEL_H_
#define MGEC_COMPILER_SCHEDULE_ATTENTION_KERNEL_H_

#include <functional>
#include <vector>

#include "compiler/kernel/stmt.h"
#include "compiler/kernel/target.h"

namespace mgec::schedule {

// Matrices in memory: element (row, col) of the product with indices b at offset + b . batch + row * row_stride + col * col_stride.
struct AttentionMatrix {
  kernel::Scalar scalar = kernel::Scalar::kFloat32;  // or a 16-bit float
  int64_t size = 0;  // elements that the kernel may touch
  int64_t offset = 0;
  std::vector<int64_t> batch;
  int64_t row_stride = 0, col_stride = 0;
};

struct AttentionSpec {
  std::vector<int64_t> batch;  // extents; none: one product
  int64_t queries = 0, keys = 0, depth = 0, value_depth = 0;
  AttentionMatrix q, k, v, out;
  double scale = 1;                    // of the products
  std::vector<kernel::Buffer> extra;   // arguments of `logit`, numbered from kAttentionExtra on
  // What softmax is taken of: the scaled score of a query and a key. Null: the score itself.
  std::function<kernel::Expr(const kernel::Expr& score, const std::vector<kernel::Expr>& batch, const kernel::Expr& query,
                             const kernel::Expr& key)>
      logit;

  int64_t products() const;
};

enum AttentionArgument { kQueries = 0, kKeys = 1, kValues = 2, kAttended = 3, kAttentionExtra = 4 };

// Whether the kernel should compute it, rather than the products and softmax by themselves: rows of values and of the result
// are contiguous, a strip's memory fits the stack, there are queries enough to fill vectors, and depths are those of heads (with
// long sums, scores are little of the work). With 4 queries the kernel took
// between a half and a fifth of the time of separate kernels, from 8 to 512 queries between 1.0 and 0.4 of it (depths of 8 to
// 256, 16 to 512 keys, both x86-64-v3 and x86-64-v4, on a Zen 4); with 3 queries and fewer often more.
bool FusesOnCpu(const AttentionSpec& spec, const kernel::Target& target);

kernel::Kernel AttentionKernel(const AttentionSpec& spec, const kernel::Target& target, const std::string& name);

// The indices of product number `product` along the batch's dimensions.
std::vector<kernel::Expr> BatchIndices(kernel::Block& b, const std::vector<int64_t>& batch, kernel::Expr product);

// The offset of the matrix of a product with the indices `batch`.
kernel::Expr MatrixOffset(const AttentionMatrix& m, const std::vector<kernel::Expr>& batch);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_ATTENTION_KERNEL_H_
