// What the compiler knows of a target. Nothing else in the compiler knows lane counts or feature names.
#ifndef MGEC_COMPILER_KERNEL_TARGET_H_
#define MGEC_COMPILER_KERNEL_TARGET_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mgec::kernel {

struct Target {
  // "x86-64-v3", "x86-64-v4", "x86-64-v4-vnni", "aarch64", "aarch64-dotprod", "cuda": what users write and artifacts record
  std::string name;
  // NVIDIA GPUs. Of what follows only vector_lanes means something then: 1.
  bool cuda = false;
  std::vector<int> architectures;  // of GPUs, as users ask for them: 80 for sm_80. None: the code generator's choice
  std::string triple;    // LLVM's
  std::string cpu;       // LLVM's -mcpu
  std::string features;  // LLVM's -mattr
  int vector_lanes = 1;  // float32 lanes of the widest register
  int vector_registers = 0;
  int chains = 1;        // vectors whose chains of dependent operations are best interleaved, as registers allow
  bool broadcast_folds = false;  // an arithmetic instruction can take a broadcast memory operand
  int dot_group = 2;     // 8-bit products that schedules add up at a time: 4 (kDot4) or, widened to 16 bits, 2 (kDot2)
  // Instructions that generated code may use.
  bool has_avx2 = false, has_avx512 = false, has_vnni = false;
  bool has_dotprod = false;  // of Armv8.2

  // Registers that hold `lanes` float32 lanes each, where one such vector may take several.
  int RegistersOf(int lanes) const { return vector_lanes >= lanes ? vector_registers : vector_registers * vector_lanes / lanes; }
};

// Every target for x86-64 CPUs, the most demanding first.
std::vector<Target> X86Targets();
// Every CPU target; those of one architecture are neighbours, the most demanding first.
std::vector<Target> AllTargets();
// The targets that an artifact gets by default, for x86-64, the most demanding first. Those whose only merit is fast integer products
// are there for models that have `integer_contractions`.
std::vector<Target> DefaultTargets(bool integer_contractions = false);
// NVIDIA GPUs of the given architectures.
Target CudaTarget(std::vector<int> architectures = {});
// The target of that name ("cuda", or "cuda:sm_80" with its architectures, several after commas); InvalidArgument that lists
// the known names otherwise.
absl::StatusOr<Target> FindTarget(absl::string_view name);
// Comma-separated names. The architectures of "cuda:sm_80,sm_90" may follow it as names of their own.
absl::StatusOr<std::vector<Target>> ParseTargets(absl::string_view names);

}  // namespace mgec::kernel

#endif  // MGEC_COMPILER_KERNEL_TARGET_H_
