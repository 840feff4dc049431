// Scheduled graphs, executed inside a test: by the interpreter, which runs programs of every target on any machine, and
// as generated code.
//
//   ASSIGN_OR_RETURN(RunnableProgram p, RunnableProgram::Make(graph, target));
//   p.Interpret({input bytes..})   // outputs, or what went wrong
//   p.RunNatively({input bytes..}, target)
#ifndef MGEC_COMPILER_SCHEDULE_TESTING_RUN_PROGRAM_H_
#define MGEC_COMPILER_SCHEDULE_TESTING_RUN_PROGRAM_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/graph/graph.h"
#include "compiler/kernel/target.h"
#include "compiler/plan/program.h"
#include "compiler/schedule/schedule.h"

namespace mgec::schedule {

class RunnableProgram {
 public:
  // Schedules the graph and plans its memory.
  static absl::StatusOr<RunnableProgram> Make(const graph::Graph& g, const kernel::Target& target, const Options& options = {},
                                              Alternatives* alternatives = nullptr);

  // The outputs' bytes for the inputs' bytes, both in the graph's order. The arena and the outputs hold NaNs at first, and
  // the tasks of a step run in reverse: results that depend on either show.
  //
  // Errors: Internal or OutOfRange where the interpreter finds a kernel malformed or an access outside its buffers.
  absl::StatusOr<std::vector<std::string>> Interpret(const std::vector<std::string>& inputs) const;
  // The same by code generated for `target`, the program's own or the same limited to other instructions; this CPU must
  // support it. Every buffer ends at a page that cannot be accessed.
  absl::StatusOr<std::vector<std::string>> RunNatively(const std::vector<std::string>& inputs,
                                                       const kernel::Target& target) const;

  // The same for a program for CUDA: printed and run by the emulator (codegen/cuda/testing), with blocks and threads in several
  // orders, which must give the same bits; and with kernels without threads run by the interpreter instead, which finds
  // accesses out of bounds. The outputs for each of EmulatedKernels::kArchitectures; once where kernels are the same for all.
  absl::StatusOr<std::vector<std::vector<std::string>>> Emulate(const std::vector<std::string>& inputs) const;

  const plan::PlannedProgram& program() const { return program_; }
  // What the steps compute, in order: "to_blocked", "conv2d+relu".
  std::vector<std::string> Ops() const;

 private:
  RunnableProgram() = default;

  plan::PlannedProgram program_;
  std::string constants_;
  std::vector<int64_t> output_bytes_;
};

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_TESTING_RUN_PROGRAM_H_
