// What the compiler knows of a CPU target. Nothing else in the compiler knows lane counts or feature names.
#ifndef MGEC_COMPILER_KERNEL_TARGET_H_
#define MGEC_COMPILER_KERNEL_TARGET_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mgec::kernel {

struct Target {
  std::string name;      // "x86-64-v3", "x86-64-v4": what users write and artifacts record
  std::string triple;    // LLVM's
  std::string cpu;       // LLVM's -mcpu
  std::string features;  // LLVM's -mattr
  int vector_lanes;      // float32 lanes of the widest register
  int vector_registers;
  bool broadcast_folds;  // an arithmetic instruction can take a broadcast memory operand
};

// The targets that an artifact gets by default, the most demanding first.
std::vector<Target> DefaultTargets();
// The target of that name; InvalidArgument that lists the known names otherwise.
absl::StatusOr<Target> FindTarget(absl::string_view name);

}  // namespace mgec::kernel

#endif  // MGEC_COMPILER_KERNEL_TARGET_H_
