#include "compiler/schedule/schedule.h"

#include "compiler/base/status_macros.h"
#include "compiler/graph/clone.h"
#include "compiler/passes/passes.h"
#include "compiler/schedule/scheduler.h"

namespace mgec::schedule {

absl::StatusOr<plan::Program> ScheduleGraph(const graph::Graph& g, const kernel::Target& target,
                                            const Options& options, Alternatives* alternatives) {
  auto schedule = [&](const graph::Graph& graph) -> absl::StatusOr<plan::Program> {
    Scheduler scheduler(graph, target, options, alternatives);
    RETURN_IF_ERROR(scheduler.Run());
    return scheduler.TakeProgram();
  };
  if (!target.cuda) return schedule(g);
  graph::Graph own = graph::Clone(g);
  RETURN_IF_ERROR(passes::StoreFloat16OnGpu(own).status());
  return schedule(own);
}

}  // namespace mgec::schedule
