// The steps of a planned program, run in memory that shows wrong accesses.
#ifndef MGEC_COMPILER_SCHEDULE_TESTING_RUN_STEPS_H_
#define MGEC_COMPILER_SCHEDULE_TESTING_RUN_STEPS_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/plan/program.h"

namespace mgec::schedule {

// The kernel of a step. Steps with the same code share a kernel, although they may have more tasks and larger buffers than
// the step that it was made for: a step's bindings say what it may touch.
kernel::Kernel KernelOf(const plan::PlannedProgram& program, const plan::PlannedStep& step);

using RunStep = std::function<absl::Status(const plan::PlannedStep& step, const std::vector<char*>& pointers)>;

// Calls run_step for every step, with a pointer for each binding, and returns the outputs. Every buffer ends at a page that
// cannot be accessed; the arena and the outputs hold NaNs at first. Internal error where inputs or constants change.
absl::StatusOr<std::vector<std::string>> RunSteps(const plan::PlannedProgram& program, const std::string& constants,
                                                  const std::vector<int64_t>& output_bytes,
                                                  const std::vector<std::string>& inputs, const RunStep& run_step);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_TESTING_RUN_STEPS_H_
