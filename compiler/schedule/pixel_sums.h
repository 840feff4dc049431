// Sums of a tensor's pixels, channel by channel, that the step which computes the tensor adds up on its way: what squeezes the
// tensor (global pooling, means) reads these instead of the tensor.
#ifndef MGEC_COMPILER_SCHEDULE_PIXEL_SUMS_H_
#define MGEC_COMPILER_SCHEDULE_PIXEL_SUMS_H_

#include <cstdint>

#include "compiler/kernel/stmt.h"
#include "compiler/schedule/channelwise_stage.h"

namespace mgec::schedule {

// Whether a node sums up the pixels of `v`, a blocked tensor of float32, so that it would read sums where there are any.
bool WantsPixelSums(const Scheduler& s, const graph::Value* v);

// Adds the step that computes stage number `stage` from the sums of its operand's pixels; returns false, and adds nothing, where
// it computes something else or where there are no such sums.
bool EmitFromPixelSums(Scheduler& s, const graph::Node& node, const ChannelwiseNode& n, int stage);

// Emits the summing, task by task: each has some pixels of one block of channels of one image.
class PixelSummer {
 public:
  // `lanes`: of a vector, 8 or a multiple.
  PixelSummer(kernel::Block& b, int lanes);
  // Adds `values`, the channels of any number of pixels. Without the first `left_out` pixels where that is not null.
  void Add(kernel::Block& b, const kernel::Expr& values, const kernel::Expr& left_out = nullptr);
  // Stores the sums: 8 elements of `out` from `at` on.
  void Store(kernel::Block& b, const kernel::Buffer& out, const kernel::Expr& at);

 private:
  kernel::Buffer sums_, single_;  // of whole vectors, and of pixels that fill none
  int lanes_;
};

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_PIXEL_SUMS_H_
