// Memory for intermediate results that several networks may use, one after the other.
#ifndef MGEC_RUNTIME_ARENA_H_
#define MGEC_RUNTIME_ARENA_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "runtime/buffer.h"
#include "runtime/fork.h"
#include "runtime/status.h"

namespace mgec {

namespace cuda {
class Arena;
}

// As large as the largest of its users has needed. Contents mean nothing between two passes.
class Arena {
 public:
  explicit Arena(std::shared_ptr<Allocator> allocator = nullptr) : allocator_(std::move(allocator)) {}

  // Held during a pass and around the functions below: who shares an arena waits here for the others.
  ForkSafeMutex& mutex() { return mutex_; }

  // Makes it at least this large. data() may change, which the other users find out before their next pass. On error
  // nothing changes.
  Status Reserve(size_t size) {
    if (buffer_ != nullptr && size <= buffer_->size()) return Status();
    Result<std::shared_ptr<Buffer>> buffer = Buffer::Allocate(size, allocator_);
    if (!buffer.ok()) return buffer.status();
    buffer_ = std::move(buffer.value());
    return Status();
  }

  // The same on a GPU, for networks that run there; made by the first of them, with memory from this allocator. Guarded by the
  // mutex.
  std::shared_ptr<cuda::Arena>& on_gpu() { return on_gpu_; }

  const std::shared_ptr<Allocator>& allocator() const { return allocator_; }

  uint8_t* data() const { return buffer_ != nullptr ? buffer_->data() : nullptr; }
  size_t size() const { return buffer_ != nullptr ? buffer_->size() : 0; }

 private:
  const std::shared_ptr<Allocator> allocator_;  // null: the system
  ForkSafeMutex mutex_;
  std::shared_ptr<Buffer> buffer_;
  std::shared_ptr<cuda::Arena> on_gpu_;
};

}  // namespace mgec

#endif  // MGEC_RUNTIME_ARENA_H_
