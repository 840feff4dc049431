// What follows a contraction in the same kernel: bias, residual sum, activation, on accumulators in registers.
#ifndef MGEC_COMPILER_SCHEDULE_EPILOGUE_H_
#define MGEC_COMPILER_SCHEDULE_EPILOGUE_H_

#include <vector>

#include "compiler/schedule/contraction.h"
#include "compiler/schedule/scheduler.h"

namespace mgec::schedule {

// Where a pixel of the contraction lies in the output tensor.
struct PixelMap {
  // Output index without the channel (in the order of the tensor's dimensions), for a row and column of the spec.
  std::function<std::vector<kernel::Expr>(kernel::Expr row, kernel::Expr col)> index;
  // The same, flattened row-major.
  std::function<kernel::Expr(kernel::Expr row, kernel::Expr col)> flat;
};

// Of images whose rows, one image after the other, are the rows of the spec.
PixelMap PixelsByRows(int64_t images, int64_t out_h, int64_t out_w);

// Reads the epilogue off `d` (one stage around one reduction) and installs it in `spec`, which says what is multiplied and
// what comes out: its operands become arguments from spec.first_extra on, bound by `bindings`. `blocked`: the output is blocked (channel at dimension 1), otherwise dense
// with the channel last. False, with nothing changed in the program, where an operand does not fit.
bool BuildEpilogue(Scheduler& s, const graph::Node& node, const kernel::Definition& d, bool blocked,
                   const PixelMap& pixels, ContractionSpec& spec, std::vector<plan::Argument>& bindings);

// What the contraction needs beyond its operands and its epilogue's, as the last of the arguments: room for sums that wait between
// the chunks of K, and its input once more, the first of the arguments.
void AddOwnArguments(Scheduler& s, ContractionSpec& spec, std::vector<plan::Argument>& arguments);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_EPILOGUE_H_
