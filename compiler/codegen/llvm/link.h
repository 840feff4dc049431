// Object files to one flat image, with LLD inside this process. Internal to this folder.
#ifndef MGEC_COMPILER_CODEGEN_LLVM_LINK_H_
#define MGEC_COMPILER_CODEGEN_LLVM_LINK_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace mgec::codegen {

struct LinkedImage {
  std::string bytes;                        // code and constants; to be mapped at a page boundary
  std::string elf;                          // the same as an ELF file with symbols
  std::map<std::string, uint64_t> symbols;  // functions, by offset in `bytes`
};

// Thread-safe: links run one at a time, as LLD needs. Internal error where the objects need anything that an image does
// not have: undefined symbols, writable data, relocations at load time.
absl::StatusOr<LinkedImage> Link(absl::Span<const std::string> objects);

}  // namespace mgec::codegen

#endif  // MGEC_COMPILER_CODEGEN_LLVM_LINK_H_
