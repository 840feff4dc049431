// The whole compiler: a model file in, an artifact out.
//
//   CompileOptions options;
//   ASSIGN_OR_RETURN(std::string artifact, Compile(mge_bytes, options));
//
// No global state, no printing, never exits. Thread-safe. The same input, options and compiler version give the same bytes.
#ifndef MGEC_COMPILER_COMPILE_H_
#define MGEC_COMPILER_COMPILE_H_

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "compiler/base/stage_times.h"
#include "compiler/graph/graph.h"
#include "compiler/kernel/target.h"
#include "compiler/mge/import.h"
#include "compiler/plan/program.h"
#include "compiler/schedule/schedule.h"

namespace mgec {

// The first dimension of an input shape for a batch of any size, and the sizes of the parts that it is computed in.
inline constexpr int64_t kAnyBatch = -1;
inline constexpr int64_t kBatchParts[] = {8, 1};

struct CompileOptions {
  // Each is taken once; order does not matter. None: kernel::DefaultTargets() for the model.
  std::vector<kernel::Target> targets;
  // Input shapes by name, instead of the file's. The artifact gets one program for each set, in this order; the first is
  // what the runtime starts with. Programs share their weights. A first dimension of kAnyBatch makes several programs,
  // which compute a batch of any size in parts.
  std::vector<std::map<std::string, graph::Shape>> input_shapes = {{}};
  std::string source_name;                                         // recorded in the artifact
  int threads = 1;                                                 // of the code generator
  schedule::Options schedule;
  bool report_alternatives = false;  // for measurements: CompileReport::Target::alternatives and step_keys
  // Called while kernels are generated: target, kernels done, kernels in all. From any thread, one call at a time.
  std::function<void(const std::string& target, int done, int total)> progress;
  // What to write down on the way; see CompileReport.
  bool emit_graph = false, emit_kernels = false, emit_llvm = false, emit_asm = false, emit_cuda = false, emit_ptx = false;
};

// What happened, for people: of the first program, except for times and sizes. Filled as far as compilation came.
struct CompileReport {
  std::string mge_version, container;  // "1.13.0", "v2"
  int operators = 0;
  std::vector<std::pair<std::string, graph::TensorType>> inputs, outputs;  // of outputs the largest shapes
  // Where the batch may have any size: the rows of dimension 0 that each entry has, 0 for what has nothing to do with it.
  // The types are those of one entry. Empty otherwise.
  std::vector<int64_t> input_rows, output_rows;
  std::vector<std::vector<int>> dynamic;  // for each output the dimensions whose size depends on values
  std::vector<mge::UnsupportedItem> unsupported;
  struct Target {
    std::string name;
    int kernels = 0, steps = 0;
    int64_t code_bytes = 0, arena_bytes = 0, arena_lower_bound = 0;
    double seconds = 0;
    std::vector<std::pair<std::string, double>> kernel_seconds;  // generating the code of each, of one thread
    schedule::Alternatives alternatives;  // what schedules could have chosen instead
    std::vector<std::string> step_keys;   // of each step the key of its node among them, or nothing
  };
  std::vector<Target> targets;  // one after the other for each program
  int64_t macs = 0, constant_bytes = 0;
  double import_seconds = 0, passes_seconds = 0;
  StageTimes times;  // of all programs
  std::string graph, kernels, llvm_ir, assembly, cuda, ptx;  // as CompileOptions::emit_* ask
};

// Errors: InvalidArgument and DataLoss for files that are no (whole) models or options that do not fit, Unimplemented
// for models that need what is not supported (all of it in `report`), ResourceExhausted for models of more than 2^44
// elementary operations or 4 GiB of intermediate results, Unavailable for the target cuda where there is no NVRTC, Internal
// for bugs of the compiler.
absl::StatusOr<std::string> Compile(absl::string_view mge, const CompileOptions& options, CompileReport* report = nullptr);

// The same from a graph on, whatever it was made from. Ignores options.input_shapes.
absl::StatusOr<std::string> CompileGraph(graph::Graph graph, const CompileOptions& options, CompileReport* report = nullptr);

// The targets that Compile() generates code for, in the order in which the loader tries them: of the first of the input shapes,
// none of whose dimensions may be kAnyBatch. Errors: those of Compile(), as far as no code is generated.
absl::StatusOr<std::vector<kernel::Target>> TargetsOf(absl::string_view mge, const CompileOptions& options);

}  // namespace mgec

#endif  // MGEC_COMPILER_COMPILE_H_
