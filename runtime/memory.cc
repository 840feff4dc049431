#include "runtime/memory.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>

namespace mgec {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

Status SystemError(const char* what, size_t size) {
  return Status(StatusCode::kResourceExhausted, Format("%s of %zu bytes failed: %s", what, size, std::strerror(errno)));
}

}  // namespace

Mapping::~Mapping() {
  if (base_ != nullptr) munmap(base_, mapped_);
}

Result<Mapping> Mapping::Allocate(size_t size) {
  Mapping mapping;
  if (size == 0) size = 1;
  if (size > (size_t{1} << 47)) return Status(StatusCode::kResourceExhausted, Format("cannot allocate %zu bytes", size));
  const bool huge = size >= kHugePage;
  mapping.mapped_ = huge ? size + kHugePage : size;
  void* base = mmap(nullptr, mapping.mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED) return SystemError("allocation", size);
  mapping.base_ = base;
  mapping.data_ = static_cast<uint8_t*>(base);
  mapping.size_ = size;
  if (huge) {
    const uintptr_t address = reinterpret_cast<uintptr_t>(base);
    mapping.data_ += ((address + kHugePage - 1) & ~(kHugePage - 1)) - address;
    madvise(mapping.data_, size, MADV_HUGEPAGE);  // advice: a system that refuses still works
  }
  return mapping;
}

Result<Mapping> Mapping::FromFile(int fd, uint64_t offset, size_t size, bool executable) {
  Mapping mapping;
  if (size == 0) return mapping;
  void* base = mmap(nullptr, size, PROT_READ | (executable ? PROT_EXEC : 0), MAP_PRIVATE, fd, offset);
  if (base == MAP_FAILED) return SystemError(executable ? "mapping code" : "mapping", size);
  mapping.base_ = base;
  mapping.mapped_ = size;
  mapping.data_ = static_cast<uint8_t*>(base);
  mapping.size_ = size;
  if (size >= kHugePage) madvise(base, size, MADV_HUGEPAGE);
  return mapping;
}

Status Mapping::Protect(bool executable) {
  if (base_ == nullptr) return Status();
  if (mprotect(base_, mapped_, PROT_READ | (executable ? PROT_EXEC : 0)) != 0) {
    return SystemError(executable ? "making code executable" : "protecting memory", size_);
  }
  return Status();
}

}  // namespace mgec
