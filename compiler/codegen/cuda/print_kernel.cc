#include "compiler/codegen/cuda/print_kernel.h"

#include "absl/strings/str_cat.h"
#include "compiler/codegen/cuda/kernel_printer.h"

namespace mgec::codegen::cuda {

LaunchShape LaunchOf(const kernel::Kernel& k, int64_t tasks) {
  if (k.threads > 0) return {tasks, k.threads};
  return {(tasks + kTaskThreads - 1) / kTaskThreads, kTaskThreads};
}

std::string PrintKernel(const kernel::Kernel& k) { return KernelPrinter(k).Run(); }

std::string PrintKernels(absl::Span<const kernel::Kernel> kernels) {
  std::string text;
  for (const kernel::Kernel& k : kernels) absl::StrAppend(&text, "\n", PrintKernel(k));
  return text;
}

}  // namespace mgec::codegen::cuda
