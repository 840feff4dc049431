#include "compiler/codegen/llvm/testing/run_image.h"

#include <sys/mman.h>

#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "runtime/kernel_abi.h"

namespace mgec::codegen {

absl::StatusOr<MappedImage> MappedImage::Map(const CodeImage& image) {
  MappedImage m;
  m.size_ = image.bytes.size();
  m.entries_ = image.entry_offsets;
  if (m.size_ == 0) return m;
  void* base = mmap(nullptr, m.size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED) return absl::InternalError("mmap failed");
  m.base_ = base;
  std::memcpy(base, image.bytes.data(), m.size_);
  if (mprotect(base, m.size_, PROT_READ | PROT_EXEC) != 0) return absl::InternalError("mprotect failed");
  return m;
}

MappedImage::MappedImage(MappedImage&& other) noexcept
    : base_(std::exchange(other.base_, nullptr)), size_(other.size_), entries_(std::move(other.entries_)) {}

MappedImage::~MappedImage() {
  if (base_) munmap(base_, size_);
}

void MappedImage::Run(size_t kernel, const std::vector<void*>& buffers, uint32_t begin, uint32_t end) const {
  const KernelContext context{buffers.data()};
  auto* function = reinterpret_cast<KernelFunction>(static_cast<char*>(base_) + entries_.at(kernel));
  function(&context, begin, end);
}

bool CanRun(const kernel::Target& target, std::string* why_not) {
  *why_not = "";
  if (!target.has_avx2) *why_not = "is for another kind of CPU";
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) *why_not = "needs AVX2 and FMA";
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (target.has_avx512 && !avx512) *why_not = "needs AVX-512";
  if (target.has_vnni && !__builtin_cpu_supports("avx512vnni")) *why_not = "needs AVX-512 VNNI";
  return why_not->empty();
}

kernel::Target InAvx2(kernel::Target target) {
  const kernel::Target avx2 = *kernel::FindTarget("x86-64-v3");
  target.name += " in AVX2";
  target.triple = avx2.triple;
  target.cpu = avx2.cpu;
  target.features = avx2.features;
  target.has_avx2 = true;
  target.has_avx512 = target.has_vnni = target.has_dotprod = false;
  return target;
}

}  // namespace mgec::codegen
