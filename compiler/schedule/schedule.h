// From a graph to kernels, launches and memory for one target.
#ifndef MGEC_COMPILER_SCHEDULE_SCHEDULE_H_
#define MGEC_COMPILER_SCHEDULE_SCHEDULE_H_

#include "absl/status/statusor.h"
#include "compiler/graph/graph.h"
#include "compiler/kernel/target.h"
#include "compiler/plan/program.h"

namespace mgec::schedule {

struct Options {
  // Allows Winograd's algorithm, whose rounding errors are up to ten times those of direct convolution (winograd.h).
  bool winograd = true;
};

// Chooses a layout for every value and a schedule for every node of a graph that all passes have seen. Does not change
// the graph. Deterministic.
absl::StatusOr<plan::Program> ScheduleGraph(const graph::Graph& g, const kernel::Target& target,
                                            const Options& options = {});

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_SCHEDULE_H_
