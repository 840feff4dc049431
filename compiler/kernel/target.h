// What the compiler knows of a CPU target. Nothing else in the compiler knows lane counts or feature names.
#ifndef MGEC_COMPILER_KERNEL_TARGET_H_
#define MGEC_COMPILER_KERNEL_TARGET_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mgec::kernel {

struct Target {
  std::string name;      // "x86-64-v3", "x86-64-v4", "x86-64-v4-vnni": what users write and artifacts record
  std::string triple;    // LLVM's
  std::string cpu;       // LLVM's -mcpu
  std::string features;  // LLVM's -mattr
  int vector_lanes;      // float32 lanes of the widest register
  int vector_registers;
  int chains;            // vectors whose chains of dependent operations are best interleaved, as registers allow
  bool broadcast_folds;  // an arithmetic instruction can take a broadcast memory operand
  int dot_group;         // 8-bit products that schedules add up at a time: 4 (kDot4) or, widened to 16 bits, 2 (kDot2)
  // Instructions that generated code may use.
  bool has_avx512 = false, has_vnni = false;
};

// Every target, the most demanding first.
std::vector<Target> AllTargets();
// The targets that an artifact gets by default, the most demanding first. Those whose only merit is fast integer products
// are there for models that have `integer_contractions`.
std::vector<Target> DefaultTargets(bool integer_contractions = false);
// The target of that name; InvalidArgument that lists the known names otherwise.
absl::StatusOr<Target> FindTarget(absl::string_view name);

}  // namespace mgec::kernel

#endif  // MGEC_COMPILER_KERNEL_TARGET_H_
