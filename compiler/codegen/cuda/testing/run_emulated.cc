#include "compiler/codegen/cuda/testing/run_emulated.h"

#include <dlfcn.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "compiler/base/status_macros.h"
#include "compiler/codegen/cuda/prelude.h"
#include "compiler/codegen/cuda/print_kernel.h"
#include "compiler/kernel/verify.h"

namespace mgec::codegen::cuda {
namespace {

std::string Folder() {
  const char* folder = std::getenv("TEST_TMPDIR");
  return folder != nullptr ? folder : "/tmp";
}

}  // namespace

absl::StatusOr<EmulatedKernels> EmulatedKernels::CompileSource(const std::string& source,
                                                               const std::vector<std::string>& names) {
  static std::atomic<int> count{0};
  const std::string base = absl::StrCat(Folder(), "/emulated_", getpid(), "_", count++);
  {
    std::ofstream file(base + ".cc");
    file << "#include \"compiler/codegen/cuda/testing/emulator.h\"\n" << Arithmetic() << source << "\n";
    for (const std::string& name : names) file << "EMULATED(" << name << ")\n";
    file << "extern \"C\" void set_architecture(int number) { emulator::architecture = number; }\n";
  }
  // As exact as the GPU is asked to be. FMA, as every machine that the generated code is for has it, makes fmaf fast.
  const std::string command =
      absl::StrCat("g++ -std=c++17 -O1 -w ", __builtin_cpu_supports("fma") ? "-mavx2 -mfma " : "",
                   "-ffp-contract=off -fno-math-errno -I. -shared -fPIC -o ", base, ".so ", base, ".cc 2> ", base, ".log");
  if (std::system(command.c_str()) != 0) {
    std::ifstream log(base + ".log");
    const std::string text((std::istreambuf_iterator<char>(log)), std::istreambuf_iterator<char>());
    return absl::InternalError(absl::StrCat("g++ refuses the emulated kernels:\n", text.substr(0, 4000), "\n", source.substr(0, 20000)));
  }
  void* library = dlopen((base + ".so").c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return absl::InternalError(absl::StrCat("cannot open emulated kernels: ", dlerror()));
  for (const char* suffix : {".cc", ".so", ".log"}) std::remove((base + suffix).c_str());
  EmulatedKernels result;
  result.names_ = names;
  for (const std::string& name : names) {
    result.entries_.push_back(reinterpret_cast<Entry>(dlsym(library, absl::StrCat("run_", name).c_str())));
    if (result.entries_.back() == nullptr) return absl::InternalError(absl::StrCat("no kernel ", name));
  }
  result.set_architecture_ = reinterpret_cast<void (*)(int)>(dlsym(library, "set_architecture"));
  return result;  // the library stays for the life of the test
}

absl::StatusOr<EmulatedKernels> EmulatedKernels::Compile(absl::Span<const kernel::Kernel> kernels) {
  std::vector<std::string> names;
  for (const kernel::Kernel& k : kernels) {
    RETURN_IF_ERROR(kernel::Verify(k));
    names.push_back(k.name);
  }
  ASSIGN_OR_RETURN(EmulatedKernels result, CompileSource(PrintKernels(kernels), names));
  result.kernels_.assign(kernels.begin(), kernels.end());
  return result;
}

absl::Status EmulatedKernels::Run(int i, const std::vector<void*>& arguments, int64_t grid, int block, int64_t tasks,
                                  int order, int architecture) const {
  set_architecture_(architecture);
  char message[1024] = "";
  std::vector<void*> all = arguments;
  all.push_back(nullptr);  // the place of the number of tasks
  const bool fibers = kernels_.empty() || kernels_[i].threads > 0;
  if (entries_[i](all.data(), static_cast<unsigned>(grid), static_cast<unsigned>(block), static_cast<unsigned>(tasks), order,
                  fibers, message) == 0) {
    return absl::OkStatus();
  }
  return absl::InternalError(absl::StrCat("kernel ", names_[i], ": ", message));
}

absl::Status EmulatedKernels::Run(int i, const std::vector<void*>& arguments, int64_t tasks, int order, int architecture) const {
  const LaunchShape launch = LaunchOf(kernels_[i], tasks);
  return Run(i, arguments, launch.grid, launch.block, tasks, order, architecture);
}

}  // namespace mgec::codegen::cuda
