#include "compiler/schedule/schedule.h"

#include "compiler/base/status_macros.h"
#include "compiler/schedule/scheduler.h"

namespace mgec::schedule {

absl::StatusOr<plan::Program> ScheduleGraph(const graph::Graph& g, const kernel::Target& target,
                                            const Options& options, Alternatives* alternatives) {
  Scheduler scheduler(g, target, options, alternatives);
  RETURN_IF_ERROR(scheduler.Run());
  return scheduler.TakeProgram();
}

}  // namespace mgec::schedule
