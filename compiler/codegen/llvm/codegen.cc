#include "compiler/codegen/llvm/codegen.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "compiler/base/status_macros.h"
#include "compiler/codegen/llvm/emitter.h"
#include "compiler/codegen/llvm/link.h"
#include "compiler/codegen/llvm/machine.h"
#include "compiler/kernel/verify.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Transforms/Utils/Cloning.h"

namespace mgec::codegen {
namespace {

using kernel::Kernel;
using kernel::Target;

// Kernels per LLVM module. Fixed, so that the split does not depend on the number of threads; a module for each kernel
// would take half as long again, and few large modules would leave threads idle at the end.
constexpr size_t kKernelsPerModule = 8;

struct Chunk {
  absl::Span<const Kernel> kernels;
  absl::Status status;
  std::string object, llvm_ir, assembly;
  std::vector<double> seconds;  // one per kernel
};

// Seconds since the last call.
class Lap {
 public:
  double operator()() {
    const auto now = std::chrono::steady_clock::now();
    return std::chrono::duration<double>(now - std::exchange(last_, now)).count();
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

absl::Status GenerateChunk(const Target& target, bool want_ir, bool want_assembly, Chunk& chunk) {
  ASSIGN_OR_RETURN(std::unique_ptr<llvm::TargetMachine> machine, CreateMachine(target));
  llvm::LLVMContext context;
  llvm::Module module("kernels", context);  // the name goes into the symbol table: the same everywhere
  module.setTargetTriple(target.triple);
  module.setDataLayout(machine->createDataLayout());
  Lap lap;
  std::map<std::string, double> seconds;
  for (const Kernel& k : chunk.kernels) {
    KernelEmitter(module, target).Emit(k);
    seconds[k.name] = lap();
  }
  RETURN_IF_ERROR(Prepare(module));
  if (want_ir) {
    llvm::raw_string_ostream stream(chunk.llvm_ir);
    module.print(stream, nullptr);
  }
  if (want_assembly) {
    std::unique_ptr<llvm::Module> copy = llvm::CloneModule(module);
    ASSIGN_OR_RETURN(chunk.assembly, EmitMachineCode(*copy, *machine, Output::kAssembly));
  }
  lap();
  ASSIGN_OR_RETURN(chunk.object, EmitMachineCode(module, *machine, Output::kObject,
                                                 [&](llvm::StringRef name) { seconds[name.str()] += lap(); }));
  for (const Kernel& k : chunk.kernels) chunk.seconds.push_back(seconds[k.name]);
  return absl::OkStatus();
}

std::string NamesOf(absl::Span<const Kernel> kernels) {
  std::string names;
  for (const Kernel& k : kernels) absl::StrAppend(&names, names.empty() ? "" : ", ", k.name);
  return names;
}

absl::Status CheckKernels(absl::Span<const Kernel> kernels) {
  std::set<std::string> names;
  for (const Kernel& k : kernels) {
    RETURN_IF_ERROR(kernel::Verify(k));
    if (k.threads > 0) return absl::InternalError(absl::StrCat("kernel ", k.name, " has threads, which CPU targets do not"));
    if (!names.insert(k.name).second) return absl::InternalError(absl::StrCat("two kernels are called ", k.name));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<CodeImage> Generate(absl::Span<const Kernel> kernels, const Target& target, const Options& options) {
  if (kernels.empty()) return CodeImage{};
  RETURN_IF_ERROR(CheckKernels(kernels));

  std::vector<Chunk> chunks;
  for (size_t i = 0; i < kernels.size(); i += kKernelsPerModule) {
    chunks.emplace_back();
    chunks.back().kernels = kernels.subspan(i, kKernelsPerModule);
  }
  std::atomic<size_t> next{0};
  std::mutex progress_mutex;
  int done = 0;
  auto work = [&] {
    for (size_t i; (i = next.fetch_add(1)) < chunks.size();) {
      Chunk& chunk = chunks[i];
      chunk.status = GenerateChunk(target, options.llvm_ir, options.assembly, chunk);
      if (!options.progress) continue;
      std::lock_guard<std::mutex> lock(progress_mutex);
      for (size_t k = 0; k < chunk.kernels.size(); ++k) options.progress(++done, static_cast<int>(kernels.size()));
    }
  };
  std::vector<std::thread> threads;
  const int count = std::min(options.threads, static_cast<int>(chunks.size()));
  for (int t = 1; t < count; ++t) threads.emplace_back(work);
  work();
  for (std::thread& t : threads) t.join();

  std::vector<std::string> objects;
  for (Chunk& chunk : chunks) {
    if (!chunk.status.ok()) {
      return absl::InternalError(absl::StrCat("generating ", target.name, " code for ", NamesOf(chunk.kernels), ": ",
                                              chunk.status.message()));
    }
    if (options.llvm_ir) options.llvm_ir->append(chunk.llvm_ir);
    if (options.assembly) options.assembly->append(chunk.assembly);
    objects.push_back(std::move(chunk.object));
  }
  ASSIGN_OR_RETURN(LinkedImage linked, Link(objects));
  CodeImage image;
  for (const Chunk& chunk : chunks) image.seconds.insert(image.seconds.end(), chunk.seconds.begin(), chunk.seconds.end());
  for (const Kernel& k : kernels) {
    auto it = linked.symbols.find(k.name);
    if (it == linked.symbols.end()) return absl::InternalError(absl::StrCat("no code for kernel ", k.name));
    image.entry_offsets.push_back(it->second);
  }
  image.bytes = std::move(linked.bytes);
  image.elf = std::move(linked.elf);
  return image;
}

}  // namespace mgec::codegen
