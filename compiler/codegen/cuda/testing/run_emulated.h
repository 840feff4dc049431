// Printed kernels, compiled with the emulator by the machine's g++ and run in this process.
#ifndef MGEC_COMPILER_CODEGEN_CUDA_TESTING_RUN_EMULATED_H_
#define MGEC_COMPILER_CODEGEN_CUDA_TESTING_RUN_EMULATED_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "compiler/kernel/stmt.h"

namespace mgec::codegen::cuda {

class EmulatedKernels {
 public:
  // Prints and compiles kernels, which must verify. Tests that use it need emulator.h among their data.
  static absl::StatusOr<EmulatedKernels> Compile(absl::Span<const kernel::Kernel> kernels);
  // The same for source that was written by hand: functions of the given names.
  static absl::StatusOr<EmulatedKernels> CompileSource(const std::string& source, const std::vector<std::string>& names);

  static constexpr int kOrders = 3;
  // One of each kind for which kernels may differ.
  static constexpr int kArchitectures[] = {80, 75};
  // One launch of kernel number `i`: its blocks, and the threads of each, in one of kOrders orders. Errors are what the
  // emulator finds wrong. `architecture`: what the code is made for (kernel/expr.h, kArchitecture).
  absl::Status Run(int i, const std::vector<void*>& arguments, int64_t grid, int block, int64_t tasks, int order,
                   int architecture = kArchitectures[0]) const;
  // The same with the launch that the kernel's tasks need.
  absl::Status Run(int i, const std::vector<void*>& arguments, int64_t tasks, int order, int architecture = kArchitectures[0]) const;

 private:
  using Entry = int (*)(void** arguments, unsigned grid, unsigned block, unsigned tasks, int order, int fibers,
                        char* message);
  EmulatedKernels() = default;

  std::vector<std::string> names_;
  std::vector<Entry> entries_;
  void (*set_architecture_)(int) = nullptr;
  std::vector<kernel::Kernel> kernels_;  // where there are
};

}  // namespace mgec::codegen::cuda

#endif  // MGEC_COMPILER_CODEGEN_CUDA_TESTING_RUN_EMULATED_H_
