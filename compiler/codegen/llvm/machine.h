// LLVM's back end: modules to object files and assembly. Internal to this folder.
#ifndef MGEC_COMPILER_CODEGEN_LLVM_MACHINE_H_
#define MGEC_COMPILER_CODEGEN_LLVM_MACHINE_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "compiler/kernel/target.h"
#include "llvm/IR/Module.h"
#include "llvm/Target/TargetMachine.h"

namespace mgec::codegen {

// A machine serves one thread at a time.
absl::StatusOr<std::unique_ptr<llvm::TargetMachine>> CreateMachine(const kernel::Target& target);

// Checks the module and builds SSA form. No other IR passes run: they would reorder register tiles (and take longer
// than the code generator itself without making kernels faster).
absl::Status Prepare(llvm::Module& module);

enum class Output { kObject, kAssembly };
// Consumes the module's IR. `emitted` is called when the code of a function is done.
absl::StatusOr<std::string> EmitMachineCode(llvm::Module& module, llvm::TargetMachine& machine, Output output,
                                            const std::function<void(llvm::StringRef name)>& emitted = nullptr);

}  // namespace mgec::codegen

#endif  // MGEC_COMPILER_CODEGEN_LLVM_MACHINE_H_
