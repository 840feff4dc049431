#include "compiler/base/status_macros.h"
#include "compiler/ops/op.h"
#include "compiler/schedule/scheduler.h"

namespace mgec::schedule {

absl::StatusOr<bool> ScheduleRoutine(Scheduler& s, const graph::Node& node) {
  ASSIGN_OR_RETURN(std::optional<ops::Routine> routine, ops::RoutineOf(node, s.target().vector_lanes));
  if (!routine.has_value()) return false;
  std::vector<plan::Argument> arguments;
  for (const graph::Value* v : node.inputs) {
    const Placement p = s.Plain(v);  // may be a part of a storage
    arguments.push_back({p.storage, p.offset});
  }
  for (const auto& v : node.outputs) {
    const Placement p = s.NewPlain(v.get());
    arguments.push_back({p.storage, p.offset});
    s.Place(v.get(), p);
  }
  for (int64_t bytes : routine->scratch) arguments.push_back({s.program().AddArena(bytes)});
  for (kernel::Kernel& k : routine->kernels) s.program().AddStep(std::move(k), arguments, s.Info(node, OpName(node)));
  return true;
}

}  // namespace mgec::schedule
