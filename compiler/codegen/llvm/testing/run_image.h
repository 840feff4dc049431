// Runs generated code inside a test.
//
//   absl::StatusOr<MappedImage> code = MappedImage::Map(image);
//   code->Run(/*kernel=*/0, {input.data(), output.data()}, 0, tasks);
#ifndef MGEC_COMPILER_CODEGEN_LLVM_TESTING_RUN_IMAGE_H_
#define MGEC_COMPILER_CODEGEN_LLVM_TESTING_RUN_IMAGE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/codegen/llvm/codegen.h"
#include "compiler/kernel/target.h"

namespace mgec::codegen {

class MappedImage {
 public:
  static absl::StatusOr<MappedImage> Map(const CodeImage& image);
  MappedImage(MappedImage&& other) noexcept;
  MappedImage& operator=(MappedImage&&) = delete;
  ~MappedImage();

  // Runs tasks [begin, end) of a kernel on the given argument pointers.
  void Run(size_t kernel, const std::vector<void*>& buffers, uint32_t begin, uint32_t end) const;

 private:
  MappedImage() = default;
  void* base_ = nullptr;
  size_t size_ = 0;
  std::vector<uint64_t> entries_;
};

// Whether this CPU can run code for the target. Otherwise `*why_not` says what it lacks: "needs AVX-512".
bool CanRun(const kernel::Target& target, std::string* why_not);

// The same target, with generated code that keeps to AVX2: what a schedule for wide registers and special instructions
// computes can then be checked on CPUs that lack them, slowly. Its name says so.
kernel::Target InAvx2(kernel::Target target);

}  // namespace mgec::codegen

#endif  // MGEC_COMPILER_CODEGEN_LLVM_TESTING_RUN_IMAGE_H_
