// Compiles a MegEngine model:
//   bazel run //tools:compile -- shufflenet.mge
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/usage.h"
#include "absl/flags/usage_config.h"
#include "absl/strings/str_cat.h"
#include "compiler/plan/artifact.h"
#include "tools/arguments.h"
#include "tools/compile_command.h"

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

int Main(int argc, char** argv) {
  absl::SetProgramUsageMessage(kUsage);
  absl::FlagsUsageConfig config;
  config.version_string = [] { return absl::StrCat("mgec ", plan::CompilerVersion(), "\n"); };
  absl::SetFlagsUsageConfig(config);
  Arguments arguments = ParseArguments(argc, argv, {"input_shape"}, {{"tune", "60"}});
  if (arguments.positional.size() != 1) {
    std::fprintf(stderr, "error: give one model file\n\n%s\n", kUsage);
    return 1;
  }
  CompileCommand command;
  command.model = ResolvePath(arguments.positional[0]);
  command.output = ResolvePath(absl::GetFlag(FLAGS_o));
  command.target = absl::GetFlag(FLAGS_target);
  command.emit = absl::GetFlag(FLAGS_emit);
  command.tuning_db = ResolvePath(absl::GetFlag(FLAGS_tuning_db));
  command.input_shapes = std::move(arguments.repeated["input_shape"]);
  command.winograd = absl::GetFlag(FLAGS_winograd);
  command.cuda_tf32 = absl::GetFlag(FLAGS_cuda_tf32);
  command.json = absl::GetFlag(FLAGS_json);
  command.time = absl::GetFlag(FLAGS_time);
  command.threads = absl::GetFlag(FLAGS_threads);
  command.tune_threads = absl::GetFlag(FLAGS_tune_threads);
  command.tune = absl::GetFlag(FLAGS_tune);
  const CommandResult result = RunCompileCommand(command);
  std::fwrite(result.out.data(), 1, result.out.size(), stdout);
  std::fflush(stdout);
  std::fwrite(result.err.data(), 1, result.err.size(), stderr);
  return result.status;
}

}  // namespace
}  // namespace mgec

int main(int argc, char** argv) { return mgec::Main(argc, argv); }
