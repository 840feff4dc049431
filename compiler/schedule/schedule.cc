#include "compiler/schedule/schedule.h"

#include "compiler/base/status_macros.h"
#include "compiler/schedule/scheduler.h"

namespace mgec::schedule {

absl::StatusOr<plan::Program> ScheduleGraph(const graph::Graph& g, const kernel::Target& target) {
  Scheduler scheduler(g, target);
  RETURN_IF_ERROR(scheduler.Run());
  return scheduler.TakeProgram();
}

}  // namespace mgec::schedule
