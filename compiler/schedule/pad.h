// Copies of convolution inputs with a border of zeros.
#ifndef MGEC_COMPILER_SCHEDULE_PAD_H_
#define MGEC_COMPILER_SCHEDULE_PAD_H_

#include <vector>

#include "compiler/ops/conv.h"
#include "compiler/schedule/scheduler.h"

namespace mgec::schedule {

// The planes of a dense [N, C, H, W] tensor, padded: [N, C, Hp, Wp].
plan::StorageId PadPlanes(Scheduler& s, const graph::Node& node, const Placement& in, const graph::Shape& shape,
                          const ops::ConvParams& p);
// The given blocks of an [N, C, H, W] tensor, padded and one after the other: [block][N][Hp][Wp][8].
plan::StorageId PadBlocks(Scheduler& s, const graph::Node& node, const std::vector<BlockUse>& blocks,
                          const graph::Shape& shape, const ops::ConvParams& p);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_PAD_H_
