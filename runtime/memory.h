// Memory straight from the system: aligned, zero filled, counted in pages, given back when the owner goes.
#ifndef MGEC_RUNTIME_MEMORY_H_
#define MGEC_RUNTIME_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <utility>

#include "runtime/status.h"

namespace mgec {

// Owns one mmap()ed range. Movable; an empty one has data() == nullptr.
class Mapping {
 public:
  Mapping() = default;
  Mapping(Mapping&& other) noexcept { *this = std::move(other); }
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(base_, other.base_);
    std::swap(mapped_, other.mapped_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Mapping();

  // Readable and writable zeros, aligned to a page; from 2 MiB up to a huge page, and huge pages are asked for.
  static Result<Mapping> Allocate(size_t size);

  // `size` bytes of the open file `fd` from `offset`, which is a multiple of the page size. Read-only, and executable
  // if asked. The descriptor may be closed afterwards.
  static Result<Mapping> FromFile(int fd, uint64_t offset, size_t size, bool executable);

  // Makes the memory read-only, and executable if asked.
  Status Protect(bool executable);

  uint8_t* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  void* base_ = nullptr;  // what was mapped; data_ lies inside
  size_t mapped_ = 0;
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace mgec

#endif  // MGEC_RUNTIME_MEMORY_H_
