// Copies of convolution inputs with a border.
#ifndef MGEC_COMPILER_SCHEDULE_PAD_H_
#define MGEC_COMPILER_SCHEDULE_PAD_H_

#include <vector>

#include "compiler/ops/conv.h"
#include "compiler/schedule/scheduler.h"

namespace mgec::schedule {

// What is copied: elements are converted on the way; the border holds `outside` (a value, 0 for floats).
struct PadElements {
  BlockElement from = PlainElement(kernel::Scalar::kFloat32), to = from;
  int64_t outside = 0;
};

// The planes of a dense [N, C, H, W] tensor, padded: [N, C, Hp, Wp], and `slack` elements of room behind them.
plan::StorageId PadPlanes(Scheduler& s, const graph::Node& node, const Placement& in, const graph::Shape& shape,
                          const ops::ConvParams& p, const PadElements& elements, int64_t slack);
// The given blocks of an [N, C, H, W] tensor, padded and one after the other: [block][N][Hp][Wp][8], and `slack` elements.
plan::StorageId PadBlocks(Scheduler& s, const graph::Node& node, const std::vector<BlockUse>& blocks,
                          const graph::Shape& shape, const ops::ConvParams& p, const PadElements& elements, int64_t slack = 0);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_PAD_H_
