#include "tools/compile_command.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "compiler/base/status_macros.h"
#include "compiler/compile.h"
#include "tools/compile_report.h"
#include "tools/files.h"
#include "tools/tuning/session.h"

namespace mgec {
namespace {

std::string BaseName(const std::string& path) { return path.substr(path.rfind('/') + 1); }

bool IsSameFile(const std::string& a, const std::string& b) {
  struct stat s, t;
  return stat(a.c_str(), &s) == 0 && stat(b.c_str(), &t) == 0 && s.st_dev == t.st_dev && s.st_ino == t.st_ino;
}

absl::StatusOr<std::vector<kernel::Target>> Targets(const std::string& flag) {
  if (flag.empty()) return std::vector<kernel::Target>();
  absl::StatusOr<std::vector<kernel::Target>> targets = kernel::ParseTargets(flag);
  if (targets.ok() && targets->empty()) return absl::InvalidArgumentError("--target names no target");
  return targets;
}

// The k-th use of each name makes the k-th program; names given once hold for all of them.
absl::Status ParseShapes(const std::vector<std::string>& flags, CompileOptions* options) {
  std::map<std::string, std::vector<graph::Shape>> given;
  size_t programs = 1;
  for (const std::string& flag : flags) {
    const absl::Status bad = absl::InvalidArgumentError(
        absl::StrCat("--input-shape ", flag, ": want NAME=DIMxDIMx.., for example data=1x3x224x224, or "
                     "data=Nx3x224x224 for a batch of any size"));
    const size_t equals = flag.rfind('=');
    if (equals == std::string::npos || equals == 0) return bad;
    graph::Shape shape;
    for (absl::string_view dim : absl::StrSplit(flag.substr(equals + 1), 'x')) {
      int64_t n;
      if (dim == "N" && shape.empty()) {
        shape.push_back(kAnyBatch);
        continue;
      }
      if (!absl::SimpleAtoi(dim, &n) || n <= 0) return bad;
      shape.push_back(n);
    }
    std::vector<graph::Shape>& shapes = given[flag.substr(0, equals)];
    shapes.push_back(shape);
    programs = std::max(programs, shapes.size());
  }
  options->input_shapes.assign(programs, {});
  for (const auto& [name, shapes] : given) {
    if (shapes.size() != 1 && shapes.size() != programs) {
      return absl::InvalidArgumentError(absl::StrCat("--input-shape ", name, " is given ", shapes.size(),
                                                     " times, another input ", programs, " times"));
    }
    for (size_t i = 0; i < programs; ++i) options->input_shapes[i][name] = shapes[shapes.size() == 1 ? 0 : i];
  }
  return absl::OkStatus();
}

absl::Status ParseEmit(const std::string& flag, CompileOptions* options) {
  for (absl::string_view what : absl::StrSplit(flag, ',', absl::SkipEmpty())) {
    if (what == "graph") options->emit_graph = true;
    else if (what == "kernels") options->emit_kernels = true;
    else if (what == "llvm") options->emit_llvm = true;
    else if (what == "asm") options->emit_asm = true;
    else if (what == "cuda") options->emit_cuda = true;
    else if (what == "ptx") options->emit_ptx = true;
    else return absl::InvalidArgumentError(absl::StrCat("--emit=", what, ": want graph, kernels, llvm, asm, cuda or ptx"));
  }
  return absl::OkStatus();
}

absl::Status ParseOptions(const CompileCommand& command, CompileOptions* options) {
  ASSIGN_OR_RETURN(options->targets, Targets(command.target));
  RETURN_IF_ERROR(ParseShapes(command.input_shapes, options));
  RETURN_IF_ERROR(ParseEmit(command.emit, options));
  options->threads = command.threads;
  if (options->threads < 0 || options->threads > 1024) return absl::InvalidArgumentError("--threads must be in [0, 1024]");
  if (options->threads == 0) options->threads = static_cast<int>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
  options->schedule.winograd = command.winograd;
  options->schedule.tf32 = command.cuda_tf32;
  if (command.cuda_tf32 && std::none_of(options->targets.begin(), options->targets.end(), [](const auto& t) { return t.cuda; })) {
    return absl::InvalidArgumentError("--cuda-tf32 is for GPUs: name cuda among the targets (--target)");
  }
  if (!(command.tune >= 0 && command.tune <= 1e6)) return absl::InvalidArgumentError("--tune must be in [0, 1000000] seconds");
  if (command.tune_threads < 1 || command.tune_threads > 1024) {
    return absl::InvalidArgumentError("--tune-threads must be in [1, 1024]");
  }
  return absl::OkStatus();
}

// Adds what is printed to `result->out`; an error is the message for stderr.
absl::Status Run(const CompileCommand& command, CommandResult* result) {
  const std::string name = BaseName(command.model);
  std::string output = command.output;
  if (output.empty()) {
    output = absl::StrCat(absl::StripSuffix(command.model, ".mge"), ".mgec");
  }
  if (output == command.model || IsSameFile(output, command.model)) {
    return absl::InvalidArgumentError(absl::StrCat("-o ", output, " is the model itself"));
  }
  CompileOptions options;
  options.source_name = name;
  RETURN_IF_ERROR(ParseOptions(command, &options));
  const bool terminal = isatty(STDERR_FILENO) != 0;
  if (terminal) {
    options.progress = [](const std::string& target, int done, int total) {
      absl::FPrintF(stderr, "\r  %s: %d of %d kernels ", target, done, total);
    };
  }
  const tuning::Request tune = {command.tune, command.tune_threads, command.tuning_db, terminal};
  ASSIGN_OR_RETURN(const std::string bytes, ReadFile(command.model));
  CompileReport report;
  tuning::Report tuned;
  const absl::Status tuning_status = tuning::Apply(bytes, tune, &options, &tuned);
  const absl::StatusOr<std::string> artifact = Compile(bytes, options, &report);
  // What is wrong with the model, compilation says better.
  if (artifact.ok() && !tuning_status.ok()) {
    return absl::Status(tuning_status.code(), absl::StrCat(tuning_status.message(), "; nothing was written"));
  }
  if (terminal) absl::FPrintF(stderr, "\r\033[K");
  if (command.json && !artifact.ok()) result->out = ReportJson(name, report, "", std::string(artifact.status().message()));
  if (!report.unsupported.empty()) {
    const int things = static_cast<int>(report.unsupported.size());
    return absl::UnimplementedError(
        absl::StrFormat("%s needs %d thing%s that %s not supported; nothing was written\n%s", name, things,
                        things == 1 ? "" : "s", things == 1 ? "is" : "are", mge::FormatUnsupported(report.unsupported)));
  }
  if (!artifact.ok()) {
    const bool bug = artifact.status().code() == absl::StatusCode::kInternal;
    return absl::Status(artifact.status().code(), absl::StrCat(name, ": ", artifact.status().message(),
                                                               bug ? " (a bug of the compiler)" : "", "; nothing was written"));
  }
  if (command.json) {
    RETURN_IF_ERROR(WriteFileAtomically(output, *artifact));
    result->out = ReportJson(name, report, output, "");
    return absl::OkStatus();
  }
  for (const std::string* text : {&report.graph, &report.kernels, &report.llvm_ir, &report.assembly, &report.cuda, &report.ptx}) {
    if (!text->empty()) absl::StrAppend(&result->out, *text, "\n");
  }
  absl::StrAppend(&result->out, ReportText(name, report));
  if (command.time) absl::StrAppend(&result->out, TimesText(report));
  absl::StrAppend(&result->out, tuning::ToText(tuned));
  RETURN_IF_ERROR(WriteFileAtomically(output, *artifact));
  absl::StrAppend(&result->out, "wrote ", output, " (", SizeText(static_cast<int64_t>(artifact->size())), ")\n");
  return absl::OkStatus();
}

}  // namespace

CommandResult RunCompileCommand(const CompileCommand& command) {
  CommandResult result;
  if (const absl::Status status = Run(command, &result); !status.ok()) {
    result.status = 1;
    result.err = absl::StrCat("error: ", status.message(), "\n");
  }
  return result;
}

}  // namespace mgec
