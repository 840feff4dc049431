// Compiles a MegEngine model:
//   bazel run //tools:compile -- shufflenet.mge
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/usage.h"
#include "absl/flags/usage_config.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "compiler/compile.h"
#include "compiler/plan/artifact.h"
#include "nlohmann/json.hpp"
#include "tools/arguments.h"
#include "tools/files.h"
#include "tools/tuning/session.h"

ABSL_FLAG(std::string, o, "", "Where the artifact goes; MODEL.mgec beside the model if not given.");
ABSL_FLAG(std::string, target, "",
          "Comma-separated targets, for example x86-64-v3; x86-64-v4,x86-64-v3 if not given, and x86-64-v4-vnni for models with "
          "integer contractions. The runtime picks the best that its CPU has. aarch64 and aarch64-dotprod are for 64-bit Arm. "
          "cuda is code for NVIDIA GPUs (sm_75, sm_80, sm_90, and PTX for later ones), cuda:sm_80,sm_86 that for these "
          "architectures; it needs NVIDIA's NVRTC.");
ABSL_FLAG(std::vector<std::string>, input_shape, {},
          "NAME=1x3x224x224: the shape of an input, instead of the model's. Repeated for the same input: the artifact runs "
          "all of these shapes, and the runtime picks the one that it is given. NAME=Nx3x224x224: a batch of any size.");
ABSL_FLAG(bool, winograd, true, "Compute convolutions by Winograd's algorithm where that is faster; --nowinograd for the "
                               "last digits of accuracy.");
ABSL_FLAG(bool, cuda_tf32, false,
          "Let the tensor cores of NVIDIA GPUs, from sm_80 on, multiply float32 numbers: factors of convolutions and matrix products "
          "keep 11 of their 24 significant bits (TF32), so that each result is off by up to 0.1 % of the sum of its products' "
          "magnitudes, besides the rounding of float32. GPUs of sm_75 have no such tensor cores and compute in float32.");
ABSL_FLAG(bool, json, false, "Print the report as JSON, also where the model is not supported or damaged.");
ABSL_FLAG(int, threads, 0, "Threads that generate code; all CPUs if 0.");
ABSL_FLAG(double, tune, 0, "Measure on this machine for about so many seconds (60 for --tune alone) which schedules are fastest, "
                           "and use them. Ctrl-C ends it early and keeps the results.");
ABSL_FLAG(std::string, tuning_db, "", "A file of measurements: used, and with --tune added to. Holds for all models; may be copied.");
ABSL_FLAG(int, tune_threads, 1, "The number of threads that the network will run on, for --tune and --tuning-db.");
ABSL_FLAG(bool, time, false, "Also print where the time went: by stage, and the kernels whose code took longest.");
ABSL_FLAG(std::string, emit, "", "Also print, comma-separated: graph (after all passes), kernels, llvm, asm, cuda, ptx.");

namespace mgec {
namespace {

constexpr char kUsage[] =
    "compiles a MegEngine model (.mge) into an artifact (.mgec) that the runtime and megenginelite load.\n\n"
    "  compile MODEL.mge [-o MODEL.mgec] [--target=x86-64-v3] [--input-shape data=8x3x224x224] [--threads=2]\n"
    "          [--nowinograd] [--cuda-tf32]\n"
    "          [--emit=graph,kernels,llvm,asm,cuda,ptx] [--time] [--json]\n"
    "          [--tune[=SECONDS]] [--tuning-db=FILE] [--tune-threads=1]\n\n"
    "The artifact is written only when everything succeeded. A model that needs something unsupported is listed with "
    "everything it needs.";

std::string BaseName(const std::string& path) { return path.substr(path.rfind('/') + 1); }

int Fail(const std::string& message) {
  absl::FPrintF(stderr, "error: %s\n", message);
  return 1;
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

std::string Size(int64_t bytes) {
  if (bytes < 10 * 1024) return absl::StrFormat("%d B", bytes);
  if (bytes < 1024 * 1024) return absl::StrFormat("%d KB", bytes / 1024);
  return absl::StrFormat("%.1f MB", bytes / 1048576.0);
}

std::string Time(double seconds) {
  return seconds < 1 ? absl::StrFormat("%.0f ms", seconds * 1e3) : absl::StrFormat("%.1f s", seconds);
}

// A type, with the first dimension in terms of N where `rows` says how many of its rows each entry of the batch has.
std::string TypeText(const graph::TensorType& type, const std::vector<int64_t>& rows, size_t i) {
  std::string text = graph::ToString(type);
  if (i >= rows.size() || rows[i] == 0) return text;
  const size_t begin = text.find('[') + 1, end = text.find_first_of(",]", begin);
  return text.replace(begin, end - begin, rows[i] == 1 ? "N" : absl::StrCat(rows[i], "N"));
}

void PrintModel(const std::string& name, const CompileReport& r) {
  absl::PrintF("%s   MegEngine %s, container %s, %d operators\n", name, r.mge_version, r.container, r.operators);
  for (size_t i = 0; i < r.inputs.size(); ++i) {
    absl::PrintF("  input   %-10s %s\n", r.inputs[i].first, TypeText(r.inputs[i].second, r.input_rows, i));
  }
  for (size_t i = 0; i < r.outputs.size(); ++i) {
    const auto& [output, type] = r.outputs[i];
    absl::PrintF("  output  %-10s %s", output, TypeText(type, r.output_rows, i));
    if (!r.dynamic[i].empty()) absl::PrintF(", at most: the values decide dimension %s", absl::StrJoin(r.dynamic[i], ", "));
    absl::PrintF("\n");
  }
}

void PrintSummary(const CompileReport& r) {
  absl::PrintF("  import %s, passes %s", Time(r.import_seconds), Time(r.passes_seconds));
  if (!r.targets.empty()) {
    absl::PrintF(" (%d operators -> %d steps, %d kernels)", r.operators, r.targets[0].steps, r.targets[0].kernels);
  }
  std::string code;
  int64_t arena = 0, bound = 0;
  for (const CompileReport::Target& t : r.targets) {
    absl::PrintF(", %s %s", t.name, Time(t.seconds));
    absl::StrAppend(&code, code.empty() ? "" : " + ", Size(t.code_bytes));
    if (t.arena_bytes >= arena) {
      arena = t.arena_bytes;
      bound = t.arena_lower_bound;
    }
  }
  absl::PrintF("\n  %.1f M multiply-adds, weights %s, arena %s (lower bound %s), code %s\n", r.macs / 1e6,
               Size(r.constant_bytes), Size(arena), Size(bound), code);
}

// Stages follow each other; kernels are generated by all threads at once.
void PrintTimes(const CompileReport& r) {
  double total = 0;
  for (const auto& [stage, seconds] : r.times.stages()) total += seconds;
  absl::PrintF("  %9s %6s  stage\n", "ms", "%");
  for (const auto& [stage, seconds] : r.times.stages()) {
    absl::PrintF("  %9.1f %6.1f  %s\n", seconds * 1e3, 100 * seconds / total, stage);
  }
  absl::PrintF("  %9.1f\n", total * 1e3);
  for (const CompileReport::Target& t : r.targets) {
    constexpr size_t kShown = 10;
    auto kernels = t.kernel_seconds;
    std::stable_sort(kernels.begin(), kernels.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
    double all = 0;
    for (const auto& [name, seconds] : kernels) all += seconds;
    absl::PrintF("  %9.1f         code of %d kernels for %s, of all threads together; the longest:\n", all * 1e3, kernels.size(), t.name);
    for (size_t i = 0; i < std::min(kShown, kernels.size()); ++i) {
      absl::PrintF("  %9.1f %6.1f  %s\n", kernels[i].second * 1e3, 100 * kernels[i].second / all, kernels[i].first);
    }
  }
}

// `rows` and `dynamic` as in CompileReport; keys as tools/inspect has them.
nlohmann::ordered_json TensorsJson(const std::vector<std::pair<std::string, graph::TensorType>>& tensors,
                                   const std::vector<int64_t>& rows, const std::vector<std::vector<int>>& dynamic) {
  nlohmann::ordered_json j = nlohmann::ordered_json::array();
  for (size_t i = 0; i < tensors.size(); ++i) {
    const auto& [name, type] = tensors[i];
    j.push_back({{"name", name}, {"dtype", graph::ToString(type.dtype)}, {"shape", type.shape}});
    if (i < rows.size() && rows[i] > 0) j.back()["rows_per_batch_entry"] = rows[i];
    if (i < dynamic.size() && !dynamic[i].empty()) j.back()["dynamic_axes"] = dynamic[i];
  }
  return j;
}

// `error` is empty on success.
void PrintJson(const std::string& name, const CompileReport& r, const std::string& output, const std::string& error) {
  nlohmann::ordered_json j = {{"model", name},
                              {"mge_version", r.mge_version},
                              {"container", r.container},
                              {"operators", r.operators},
                              {"inputs", TensorsJson(r.inputs, r.input_rows, {})},
                              {"outputs", TensorsJson(r.outputs, r.output_rows, r.dynamic)},
                              {"unsupported", nlohmann::ordered_json::array()},
                              {"targets", nlohmann::ordered_json::array()}};
  for (const mge::UnsupportedItem& item : r.unsupported) {
    j["unsupported"].push_back({{"operator", item.op}, {"detail", item.detail}, {"uses", item.count},
                                {"nodes", item.nodes}, {"supported", item.supported}});
  }
  for (const CompileReport::Target& t : r.targets) {
    j["targets"].push_back({{"name", t.name}, {"kernels", t.kernels}, {"steps", t.steps}, {"code_bytes", t.code_bytes},
                            {"arena_bytes", t.arena_bytes}, {"arena_lower_bound", t.arena_lower_bound},
                            {"seconds", t.seconds}});
    for (const auto& [kernel, seconds] : t.kernel_seconds) j["targets"].back()["kernel_seconds"][kernel] = seconds;
  }
  for (const auto& [stage, seconds] : r.times.stages()) j["stage_seconds"][stage] = seconds;
  j["macs"] = r.macs;
  j["constant_bytes"] = r.constant_bytes;
  j["import_seconds"] = r.import_seconds;
  j["passes_seconds"] = r.passes_seconds;
  if (error.empty()) j["artifact"] = output;
  else j["error"] = error;
  absl::PrintF("%s\n", j.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

int Main(int argc, char** argv) {
  absl::SetProgramUsageMessage(kUsage);
  absl::FlagsUsageConfig config;
  config.version_string = [] { return absl::StrCat("mgec ", plan::CompilerVersion(), "\n"); };
  absl::SetFlagsUsageConfig(config);
  const Arguments arguments = ParseArguments(argc, argv, {"input_shape"}, {{"tune", "60"}});
  if (arguments.positional.size() != 1) return Fail(absl::StrCat("give one model file\n\n", kUsage));

  const std::string model = ResolvePath(arguments.positional[0]), name = BaseName(model);
  std::string output = ResolvePath(absl::GetFlag(FLAGS_o));
  if (absl::GetFlag(FLAGS_o).empty()) {
    output = absl::EndsWith(model, ".mge") ? model.substr(0, model.size() - 4) : model;
    output += ".mgec";
  }
  if (output == model) return Fail(absl::StrCat("-o ", output, " is the model itself"));
  CompileOptions options;
  options.source_name = name;
  absl::StatusOr<std::vector<kernel::Target>> targets = Targets(absl::GetFlag(FLAGS_target));
  if (!targets.ok()) return Fail(std::string(targets.status().message()));
  options.targets = *std::move(targets);
  const auto shapes = arguments.repeated.find("input_shape");
  if (shapes != arguments.repeated.end()) {
    if (absl::Status s = ParseShapes(shapes->second, &options); !s.ok()) return Fail(std::string(s.message()));
  }
  if (absl::Status s = ParseEmit(absl::GetFlag(FLAGS_emit), &options); !s.ok()) return Fail(std::string(s.message()));
  options.threads = absl::GetFlag(FLAGS_threads);
  if (options.threads < 0 || options.threads > 1024) return Fail("--threads must be in [0, 1024]");
  if (options.threads == 0) options.threads = static_cast<int>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
  options.schedule.winograd = absl::GetFlag(FLAGS_winograd);
  options.schedule.tf32 = absl::GetFlag(FLAGS_cuda_tf32);
  if (options.schedule.tf32 && std::none_of(options.targets.begin(), options.targets.end(), [](const auto& t) { return t.cuda; })) {
    return Fail("--cuda-tf32 is for GPUs: name cuda among the targets (--target)");
  }
  const bool terminal = isatty(STDERR_FILENO) != 0;
  if (terminal) {
    options.progress = [&](const std::string& target, int done, int total) {
      absl::FPrintF(stderr, "\r  %s: %d of %d kernels ", target, done, total);
    };
  }

  tuning::Request tune;
  tune.seconds = absl::GetFlag(FLAGS_tune);
  tune.threads = absl::GetFlag(FLAGS_tune_threads);
  tune.database = ResolvePath(absl::GetFlag(FLAGS_tuning_db));
  tune.terminal = terminal;
  if (!(tune.seconds >= 0 && tune.seconds <= 1e6)) return Fail("--tune must be in [0, 1000000] seconds");
  if (tune.threads < 1 || tune.threads > 1024) return Fail("--tune-threads must be in [1, 1024]");

  absl::StatusOr<std::string> bytes = ReadFile(model);
  if (!bytes.ok()) return Fail(std::string(bytes.status().message()));
  CompileReport report;
  tuning::Report tuned;
  const absl::Status tuning_status = tuning::Apply(*bytes, tune, &options, &tuned);
  const absl::StatusOr<std::string> artifact = Compile(*bytes, options, &report);
  // What is wrong with the model, compilation says better.
  if (artifact.ok() && !tuning_status.ok()) return Fail(absl::StrCat(tuning_status.message(), "; nothing was written"));
  if (terminal) absl::FPrintF(stderr, "\r\033[K");
  const bool json = absl::GetFlag(FLAGS_json);
  if (json && !artifact.ok()) PrintJson(name, report, "", std::string(artifact.status().message()));
  if (!report.unsupported.empty()) {
    int things = static_cast<int>(report.unsupported.size());
    return Fail(absl::StrFormat("%s needs %d thing%s that %s not supported; nothing was written\n%s", name, things,
                                things == 1 ? "" : "s", things == 1 ? "is" : "are",
                                mge::FormatUnsupported(report.unsupported)));
  }
  if (!artifact.ok()) {
    const bool bug = artifact.status().code() == absl::StatusCode::kInternal;
    return Fail(absl::StrCat(name, ": ", artifact.status().message(), bug ? " (a bug of the compiler)" : "",
                             "; nothing was written"));
  }
  if (json) {
    if (absl::Status s = WriteFileAtomically(output, *artifact); !s.ok()) return Fail(std::string(s.message()));
    PrintJson(name, report, output, "");
    return 0;
  }
  for (const std::string* text : {&report.graph, &report.kernels, &report.llvm_ir, &report.assembly, &report.cuda, &report.ptx}) {
    if (!text->empty()) absl::PrintF("%s\n", *text);
  }
  PrintModel(name, report);
  PrintSummary(report);
  if (absl::GetFlag(FLAGS_time)) PrintTimes(report);
  absl::PrintF("%s", tuning::ToText(tuned));
  if (absl::Status s = WriteFileAtomically(output, *artifact); !s.ok()) return Fail(std::string(s.message()));
  absl::PrintF("wrote %s (%s)\n", output, Size(static_cast<int64_t>(artifact->size())));
  return 0;
}

}  // namespace
}  // namespace mgec

int main(int argc, char** argv) { return mgec::Main(argc, argv); }
