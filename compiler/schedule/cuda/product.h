// Stages that are one sum of products, taken apart: which dimensions of the result each factor has to itself.
#ifndef MGEC_COMPILER_SCHEDULE_CUDA_PRODUCT_H_
#define MGEC_COMPILER_SCHEDULE_CUDA_PRODUCT_H_

#include <cstdint>
#include <vector>

#include "compiler/kernel/tensor_expr.h"
#include "compiler/schedule/cuda/gpu_stage.h"
#include "compiler/schedule/cuda/tile.h"

namespace mgec::schedule {

// One factor: its value and the dimensions of the result that it alone depends on.
struct Factor {
  kernel::Expr value;  // of kTf32 before it is rounded
  std::vector<size_t> dims;  // indices into GpuStage::vars
  int64_t extent = 1;
};

// What tensor cores multiply. They take words of 32 bits, each with neighbours along the sum.
enum class WordKind : uint8_t {
  kOne,      // anything else: single numbers, without tensor cores
  kInt8,     // int32 products of factors that are always in [-128, 127], four in a word
  kFloat16,  // float32 products of factors that are float16 numbers, two in a word
  kTf32,     // float32 products of factors that are rounded to TF32 (kRoundTf32), by GPUs that can: one in a word
};
inline bool OnTensorCores(WordKind k) { return k != WordKind::kOne; }
inline int ElementsOf(WordKind k) { return k == WordKind::kInt8 ? 4 : k == WordKind::kFloat16 ? 2 : 1; }

// The values of a float32 expression are float16 numbers.
bool IsFloat16Number(const kernel::Expr& e);

struct Product {
  kernel::Expr sum;  // the kReduce in the body
  Factor rows, cols;
  std::vector<size_t> batch;
  int64_t batches = 1, depth = 1;
  WordKind words = WordKind::kOne;
};

// What tiles are chosen by.
ProductSize SizeOf(const Product& p);

// Splits variables that occur divided by a constant, as the channels of grouped convolutions do, in two.
GpuStage SplitGroups(GpuStage s);

// Whether the stage is one sum of products, of float32 or int32, in which both factors have dimensions of the result to
// themselves, large enough for tiles. Works on bodies that read tensors (kRead) as well; `offset` and `out` are not looked at.
bool FindProduct(const GpuStage& s, Product* p);

// The same for a stage of a definition.
bool FindProduct(const kernel::Stage& stage, Product* p);

// `body` with `value` in place of `sum`, a node in it.
kernel::Expr WithSum(const kernel::Expr& body, const kernel::Expr& sum, const kernel::Expr& value);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_CUDA_PRODUCT_H_
