// Copies of blocked tensors to where their channels are neighbours: runs of channels that are neighbours in a block, too.
#ifndef MGEC_COMPILER_SCHEDULE_CHANNEL_RUNS_H_
#define MGEC_COMPILER_SCHEDULE_CHANNEL_RUNS_H_

#include "compiler/kernel/stmt.h"
#include "compiler/schedule/placement.h"

namespace mgec::schedule {

// out[to] = arena[from], for all values of `channel`.
struct ChannelCopy {
  kernel::Expr value;  // the load from the arena
  kernel::Buffer out;
  kernel::Expr to;
  kernel::Var channel;
  // Where the load looks up the places of the channels, and what the table holds.
  kernel::Buffer table;
  const std::vector<ChannelRef>* channels = nullptr;
};

// Emits the copy, run by run; returns false, and emits nothing, where it is of another kind.
bool EmitChannelRuns(kernel::Block& b, const ChannelCopy& copy);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_CHANNEL_RUNS_H_
