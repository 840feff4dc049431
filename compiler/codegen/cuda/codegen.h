// Kernels as machine code for NVIDIA GPUs.
//
//   ASSIGN_OR_RETURN(Code code, Generate(kernels, {80, 90}, Options()));
#ifndef MGEC_COMPILER_CODEGEN_CUDA_CODEGEN_H_
#define MGEC_COMPILER_CODEGEN_CUDA_CODEGEN_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "compiler/kernel/stmt.h"

namespace mgec::codegen::cuda {

// The architectures that code is made for by default: those of these that NVRTC compiles for.
inline constexpr int kDefaultArchitectures[] = {75, 80, 90};

struct Options {
  int threads = 1;
  // Called as kernels get done, from any thread, one call at a time.
  std::function<void(int done, int total)> progress;
};

// A module as the driver loads it: kernels [first_kernel, first_kernel + kernel_count) for one architecture.
struct Module {
  int architecture = 0;  // 80: a cubin for GPUs of compute capability 8.x with x >= 0. PTX: for all from 8.0 on
  bool ptx = false;
  int first_kernel = 0, kernel_count = 0;
  std::string bytes;
};
struct Code {
  std::vector<Module> modules;  // by architecture, ascending; PTX, of the highest, last; then by kernel
  std::string source;           // of all kernels, without the prelude
};

// The architectures named, sorted, each once; kDefaultArchitectures if there is none. InvalidArgument, naming those that
// there are, for one that NVRTC does not compile for; Unavailable without NVRTC.
absl::StatusOr<std::vector<int>> Architectures(std::vector<int> wanted);

// Machine code for all `architectures`, and PTX of the highest. Deterministic, whatever the number of threads.
absl::StatusOr<Code> Generate(absl::Span<const kernel::Kernel> kernels, const std::vector<int>& architectures,
                              const Options& options);

}  // namespace mgec::codegen::cuda

#endif  // MGEC_COMPILER_CODEGEN_CUDA_CODEGEN_H_
