// Memory of a GPU for intermediate results that several networks may use, one after the other.
#ifndef MGEC_RUNTIME_CUDA_ARENA_H_
#define MGEC_RUNTIME_CUDA_ARENA_H_

#include <memory>
#include <utility>

#include "runtime/cuda/device.h"

namespace mgec::cuda {

// Who holds the mutex of the mgec::Arena around it may call it.
class Arena {
 public:
  // `allocator` may be null, as for Device::AllocateMemory().
  static Result<std::shared_ptr<Arena>> Make(std::shared_ptr<Device> device, std::shared_ptr<Allocator> allocator);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Makes it at least this large; data() may change. On error nothing changes.
  Status Reserve(size_t size);
  uint8_t* data() const { return buffer_ != nullptr ? buffer_->data() : nullptr; }
  size_t size() const { return buffer_ != nullptr ? buffer_->size() : 0; }
  const std::shared_ptr<Device>& device() const { return device_; }

  // Lets the stream's work wait for the use that was marked last; then marks the end of its own. In a Device::Scope.
  Status Acquire(StreamHandle stream);
  Status Release(StreamHandle stream);

 private:
  Arena(std::shared_ptr<Device> device, std::shared_ptr<Allocator> allocator)
      : device_(std::move(device)), allocator_(std::move(allocator)) {}

  const std::shared_ptr<Device> device_;
  const std::shared_ptr<Allocator> allocator_;
  std::shared_ptr<Buffer> buffer_;
  EventHandle used_ = nullptr;
};

}  // namespace mgec::cuda

#endif  // MGEC_RUNTIME_CUDA_ARENA_H_
