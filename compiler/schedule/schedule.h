// From a graph to kernels, launches and memory for one target.
#ifndef MGEC_COMPILER_SCHEDULE_SCHEDULE_H_
#define MGEC_COMPILER_SCHEDULE_SCHEDULE_H_

#include "absl/status/statusor.h"
#include "compiler/graph/graph.h"
#include "compiler/kernel/target.h"
#include "compiler/plan/program.h"
#include "compiler/schedule/choice.h"

namespace mgec::schedule {

struct Options {
  // Allows Winograd's algorithm, whose rounding errors are up to ten times those of direct convolution (winograd.h).
  bool winograd = true;
  // Allows GPUs to round factors of float32 products to TF32, which their tensor cores multiply (cuda/tf32_factors.h).
  bool tf32 = false;
  // What measurements say (compiler/tune); null where there are none. Has to be a function of its arguments.
  Chooser choose;
};

// Chooses a layout for every value and a schedule for every node of a graph that all passes have seen. Does not change
// the graph. Deterministic.
//
// With `alternatives` also what could have been chosen instead; steps then tell the key of their node.
absl::StatusOr<plan::Program> ScheduleGraph(const graph::Graph& g, const kernel::Target& target,
                                            const Options& options = {}, Alternatives* alternatives = nullptr);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_SCHEDULE_H_
