// Blocked tensors to dense ones whose last dimension is the channel: lanes that are neighbours in a block are so there, too, and are
// copied together.
#ifndef MGEC_COMPILER_SCHEDULE_CHANNELS_LAST_H_
#define MGEC_COMPILER_SCHEDULE_CHANNELS_LAST_H_

#include <vector>

#include "compiler/kernel/stmt.h"
#include "compiler/schedule/block_element.h"
#include "compiler/schedule/placement.h"

namespace mgec::schedule {

// Channels [first, first + count) that are consecutive lanes of one block.
struct ChannelRun {
  int64_t first;
  int count;
};
// All channels in order.
std::vector<ChannelRun> RunsOf(const Placement& p);
// Whether copying runs is better than gathering channels one by one: there are few, or many that are whole blocks.
bool CopiesRuns(const std::vector<ChannelRun>& runs);

// The channels of one pixel, whose elements begin `pixel` elements behind those of its block's first; `table` holds the offset of
// each channel's first element in `arena`.
void EmitRuns(kernel::Block& b, const std::vector<ChannelRun>& runs, const BlockElement& element, const kernel::Buffer& arena,
              const kernel::Buffer& table, const kernel::Expr& pixel, const kernel::Buffer& out, const kernel::Expr& to);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_CHANNELS_LAST_H_
