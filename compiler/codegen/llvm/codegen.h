// Kernels to one position-independent code image, through LLVM.
//
// The image has no relocations, imports or writable data: it is mapped at any page-aligned address and called at the
// entry offsets. The same kernels and target give the same bytes, for any number of threads.
#ifndef MGEC_COMPILER_CODEGEN_LLVM_CODEGEN_H_
#define MGEC_COMPILER_CODEGEN_LLVM_CODEGEN_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "compiler/kernel/stmt.h"
#include "compiler/kernel/target.h"

namespace mgec::codegen {

struct CodeImage {
  std::string bytes;                    // to be mapped at a page boundary
  std::vector<uint64_t> entry_offsets;  // one per kernel, in the order given
  std::string elf;                      // the same code as an ELF file with symbols, for perf, gdb and objdump
  std::vector<double> seconds;          // that each kernel took, of one thread
};

struct Options {
  int threads = 1;                               // kernels are generated in parallel
  std::string* llvm_ir = nullptr;                // if set, receives the LLVM IR of all kernels
  std::string* assembly = nullptr;               // if set, receives the assembly of all kernels
  std::function<void(int done, int total)> progress;  // called after each kernel, from any thread, one at a time
};

// Thread-safe. Errors: Internal, naming the kernel, where LLVM or the linker refuses.
absl::StatusOr<CodeImage> Generate(absl::Span<const kernel::Kernel> kernels, const kernel::Target& target,
                                   const Options& options);

}  // namespace mgec::codegen

#endif  // MGEC_COMPILER_CODEGEN_LLVM_CODEGEN_H_
