// The compiler as the Python package sees it, through ctypes: no Python headers, so one library serves every version of
// Python. Not for other programs; changes with the package.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "compiler/compile.h"
#include "compiler/kernel/target.h"
#include "compiler/plan/artifact.h"
#include "tools/compile_command.h"

#define MGECPY_API extern "C" __attribute__((visibility("default")))

namespace {

char* Copy(const std::string& bytes) {
  char* copy = static_cast<char*>(std::malloc(bytes.size() + 1));
  if (copy != nullptr) std::memcpy(copy, bytes.c_str(), bytes.size() + 1);
  return copy;
}

}  // namespace

// The compiler's version.
MGECPY_API const char* mgecpy_compiler_version() {
  static const std::string version(mgec::plan::CompilerVersion());
  return version.c_str();
}

MGECPY_API void mgecpy_compiler_free(char* memory) { std::free(memory); }

// Compiles a model for `targets`, as --target of tools/compile has them ("": the default); `winograd` and `tf32` are its --winograd
// and --cuda-tf32, 0 or 1. Program p of the artifact has `entries[p]` input shapes; names, ndims and dims have those of all programs
// one after the other. Returns 0 and the artifact, or -1 and a text; either is freed with mgecpy_compiler_free(), and null where there
// is no memory for it.
MGECPY_API int mgecpy_compile(const void* model, size_t size, const char* name, size_t programs, const size_t* entries,
                              const char* const* names, const size_t* ndims, const int64_t* dims, const char* targets,
                              int threads, int winograd, int tf32, char** result, size_t* result_size) {
  mgec::CompileOptions options;
  options.source_name = name;
  options.threads = threads;
  options.schedule.winograd = winograd != 0;
  options.schedule.tf32 = tf32 != 0;
  if (programs > 0) options.input_shapes.clear();
  for (size_t p = 0; p < programs; ++p) {
    std::map<std::string, std::vector<int64_t>> shapes;
    for (size_t i = 0; i < entries[p]; ++i, ++names, ++ndims) {
      shapes[*names] = std::vector<int64_t>(dims, dims + *ndims);
      dims += *ndims;
    }
    options.input_shapes.push_back(std::move(shapes));
  }
  const auto parsed = mgec::kernel::ParseTargets(targets);
  if (parsed.ok()) options.targets = *parsed;
  mgec::CompileReport report;
  const auto artifact = parsed.ok() ? mgec::Compile({static_cast<const char*>(model), size}, options, &report)
                                    : absl::StatusOr<std::string>(parsed.status());
  const std::string bytes =
      artifact.ok() ? *artifact : std::string(name) + ": " + std::string(artifact.status().message());
  *result = Copy(bytes);  // null where there is no memory left
  *result_size = bytes.size();
  return artifact.ok() ? 0 : -1;
}

// The flags of the command line, as tools/compile_command.h has them; Python has the same in compiler_binding.py.
struct mgecpy_command {
  const char *model, *output, *target, *emit, *tuning_db;
  const char* const* input_shapes;
  size_t num_input_shapes;
  int winograd, cuda_tf32, json, time, threads, tune_threads;
  double tune;
};

// Runs the command and returns the status of the process. What it prints is freed with mgecpy_compiler_free(); null where there is
// no memory for it.
MGECPY_API int mgecpy_compile_command(const mgecpy_command* c, char** out, char** err) {
  mgec::CompileCommand command;
  command.model = c->model;
  command.output = c->output;
  command.target = c->target;
  command.emit = c->emit;
  command.tuning_db = c->tuning_db;
  command.input_shapes.assign(c->input_shapes, c->input_shapes + c->num_input_shapes);
  command.winograd = c->winograd != 0;
  command.cuda_tf32 = c->cuda_tf32 != 0;
  command.json = c->json != 0;
  command.time = c->time != 0;
  command.threads = c->threads;
  command.tune_threads = c->tune_threads;
  command.tune = c->tune;
  const mgec::CommandResult result = mgec::RunCompileCommand(command);
  *out = Copy(result.out);
  *err = Copy(result.err);
  return result.status;
}
