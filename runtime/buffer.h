// Memory with shared owners: what tensors, inputs and outputs of networks live in.
#ifndef MGEC_RUNTIME_BUFFER_H_
#define MGEC_RUNTIME_BUFFER_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "runtime/memory.h"
#include "runtime/status.h"

namespace mgec {

namespace cuda {
class Device;
}

// Who may touch memory.
enum class MemoryKind : uint8_t {
  kHost,    // the CPU
  kPinned,  // the CPU, and a GPU copies to and from it while the CPU does other things
  kDevice,  // a GPU only: data() is an address for it
};

// The user's own source of memory. Called by whichever thread needs or drops memory.
class Allocator {
 public:
  static constexpr int kCpu = -1;

  virtual ~Allocator() = default;
  // At least `size` bytes, aligned to `alignment`, a power of two; null if there are none. Memory of the GPU with this number, whose
  // context is current during the call, or of the CPU for kCpu.
  virtual void* Allocate(int gpu, size_t size, size_t alignment) = 0;
  virtual void Free(int gpu, void* memory) = 0;
};

// Memory from a user's allocator. Errors: it gives none, or not aligned.
Result<void*> AllocateFrom(Allocator& allocator, int gpu, size_t size, size_t alignment);

// A range of memory that lives as long as somebody holds the Buffer. The range never changes; its contents belong to
// whoever holds it, and writing is not synchronized.
class Buffer {
 public:
  // New memory, zero filled, from the system and aligned to a page, or from `allocator` and aligned to kBufferAlignment.
  // The Buffer keeps the allocator.
  static Result<std::shared_ptr<Buffer>> Allocate(size_t size, std::shared_ptr<Allocator> allocator = nullptr);

  // Memory of the caller. `owner` is dropped with the Buffer and may be null if the memory outlives it anyway.
  static std::shared_ptr<Buffer> Wrap(void* data, size_t size, std::shared_ptr<void> owner);

  // Memory of a GPU, or pinned for it: see cuda::Device. The Buffer keeps the device.
  static std::shared_ptr<Buffer> Wrap(void* data, size_t size, std::shared_ptr<void> owner, MemoryKind kind,
                                      std::shared_ptr<cuda::Device> device);

  uint8_t* data() const { return data_; }
  size_t size() const { return size_; }
  MemoryKind kind() const { return kind_; }
  bool on_host() const { return kind_ != MemoryKind::kDevice; }
  // Null for the CPU's own memory.
  const std::shared_ptr<cuda::Device>& device() const { return device_; }

 private:
  Buffer() = default;

  Mapping mapping_;
  std::shared_ptr<cuda::Device> device_;  // goes after the owner, which needs it to free the memory
  std::shared_ptr<void> owner_;
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
  MemoryKind kind_ = MemoryKind::kHost;
};

}  // namespace mgec

#endif  // MGEC_RUNTIME_BUFFER_H_
