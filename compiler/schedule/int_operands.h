// How integer contractions multiply: zero points and the offsets of stored elements are taken out of the inner loop.
//
//   sum (x - zx) (w - zw)  =  sum stored(x) (w - zw)  -  (zx + bias) sum (w - zw)
//
// where stored(x) = x + bias is what memory holds. The second sum is a constant of each output channel: the accumulators
// start from it, and from spec.bias.
#ifndef MGEC_COMPILER_SCHEDULE_INT_OPERANDS_H_
#define MGEC_COMPILER_SCHEDULE_INT_OPERANDS_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "compiler/graph/graph.h"
#include "compiler/schedule/block_element.h"
#include "compiler/schedule/contraction.h"
#include "compiler/schedule/scheduler.h"

namespace mgec::schedule {

struct IntOperands {
  BlockElement in;               // what the micro-kernel reads
  int zero_point = 0;            // of the input; outside of an image the input has this value
  std::vector<int32_t> weights;  // w - zw, in the order of the constant

  int group() const { return in.stored == kernel::Scalar::kInt16 ? 2 : 4; }
};

// Empty where the micro-kernel cannot multiply values of these types: others than 8- and 16-bit integers, or weights that
// are no constant.
std::optional<IntOperands> IntOperandsOf(const Scheduler& s, const graph::Value* x, const graph::Value* w);

// The index of a weight in the constant, for element k of the reduction and output channel n; -1: none.
using WeightIndexFunction = std::function<int64_t(int64_t k, int64_t n)>;

// Installs the start of the sums in `spec`, as one more argument of the epilogue; nothing where they start from 0.
void AddStart(Scheduler& s, const IntOperands& operands, int64_t k_size, const WeightIndexFunction& weight,
              ContractionSpec& spec, std::vector<plan::Argument>& bindings);
// The same, and packs the weights. Returns their storage.
plan::StorageId AddIntWeights(Scheduler& s, const IntOperands& operands, int64_t k_size,
                              const WeightIndexFunction& weight, ContractionSpec& spec,
                              std::vector<plan::Argument>& bindings);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_INT_OPERANDS_H_
