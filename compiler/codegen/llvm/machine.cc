#include "compiler/codegen/llvm/machine.h"

#include <mutex>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "llvm-c/Target.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/DiagnosticPrinter.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/Pass.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/raw_ostream.h"

namespace mgec::codegen {
namespace {

void InitializeTargets() {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeX86AsmParser();
    LLVMInitializeAArch64TargetInfo();
    LLVMInitializeAArch64Target();
    LLVMInitializeAArch64TargetMC();
    LLVMInitializeAArch64AsmPrinter();
    LLVMInitializeAArch64AsmParser();
    // The machine combiner turns a + b + c into a + (b + c) to shorten chains of integer sums. In a register tile that is
    // no gain, and it keeps so many values alive that the accumulators spill. There is no other switch than this option. It
    // is the default that changes: the linker sets all options to their defaults.
    llvm::StringMap<llvm::cl::Option*>& options = llvm::cl::getRegisteredOptions();
    const auto combiner = options.find("x86-machine-combiner");
    if (combiner != options.end()) static_cast<llvm::cl::opt<bool>*>(combiner->second)->setInitialValue(false);
  });
}

// Behind the code generator's passes, which take one function after the other: says when each is done.
class Announce : public llvm::FunctionPass {
 public:
  explicit Announce(const std::function<void(llvm::StringRef)>& done) : FunctionPass(id_), done_(done) {}
  bool runOnFunction(llvm::Function& f) override {
    done_(f.getName());
    return false;
  }
  void getAnalysisUsage(llvm::AnalysisUsage& usage) const override { usage.setPreservesAll(); }

 private:
  static char id_;
  const std::function<void(llvm::StringRef)>& done_;
};
char Announce::id_ = 0;

}  // namespace

absl::StatusOr<std::unique_ptr<llvm::TargetMachine>> CreateMachine(const kernel::Target& target) {
  InitializeTargets();
  std::string error;
  const llvm::Target* backend = llvm::TargetRegistry::lookupTarget(target.triple, error);
  if (!backend) return absl::InternalError(absl::StrCat("LLVM has no back end for ", target.name, ": ", error));
  llvm::TargetOptions options;
  // PIC and the small code model give relative addresses only; the order of instructions in a tile needs the optimizing
  // instruction selector and scheduler (without them accumulators spill).
  std::unique_ptr<llvm::TargetMachine> machine(
      backend->createTargetMachine(target.triple, target.cpu, target.features, options, llvm::Reloc::PIC_,
                                   llvm::CodeModel::Small, llvm::CodeGenOptLevel::Default));
  if (!machine) return absl::InternalError(absl::StrCat("LLVM cannot generate code for ", target.name));
  return machine;
}

absl::Status Prepare(llvm::Module& module) {
  std::string problem;
  llvm::raw_string_ostream stream(problem);
  if (llvm::verifyModule(module, &stream)) return absl::InternalError(absl::StrCat("malformed LLVM IR: ", problem));

  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager sccs;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder;
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(sccs);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, sccs, modules);
  llvm::ModulePassManager passes;
  if (llvm::Error e = builder.parsePassPipeline(passes, "function(sroa,early-cse)")) {
    return absl::InternalError(llvm::toString(std::move(e)));
  }
  passes.run(module, modules);
  return absl::OkStatus();
}

absl::StatusOr<std::string> EmitMachineCode(llvm::Module& module, llvm::TargetMachine& machine, Output output,
                                            const std::function<void(llvm::StringRef name)>& emitted) {
  std::string problems;
  module.getContext().setDiagnosticHandlerCallBack(
      [](const llvm::DiagnosticInfo* info, void* out) {
        if (info->getSeverity() != llvm::DS_Error) return;
        llvm::raw_string_ostream stream(*static_cast<std::string*>(out));
        llvm::DiagnosticPrinterRawOStream printer(stream);
        info->print(printer);
        stream << "; ";
      },
      &problems);
  llvm::SmallString<0> bytes;
  {
    llvm::raw_svector_ostream stream(bytes);
    llvm::legacy::PassManager passes;
    const auto type =
        output == Output::kObject ? llvm::CodeGenFileType::ObjectFile : llvm::CodeGenFileType::AssemblyFile;
    if (machine.addPassesToEmitFile(passes, stream, nullptr, type, /*DisableVerify=*/true)) {
      return absl::InternalError("LLVM cannot emit this kind of file");
    }
    if (emitted) passes.add(new Announce(emitted));
    passes.run(module);
  }
  module.getContext().setDiagnosticHandlerCallBack(nullptr, nullptr);
  if (!problems.empty()) return absl::InternalError(absl::StrCat("LLVM: ", problems));
  return std::string(bytes.str());
}

}  // namespace mgec::codegen
