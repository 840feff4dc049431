#include "runtime/buffer.h"

#include <cstring>
#include <utility>

#include "runtime/artifact_format.h"

namespace mgec {

Result<std::shared_ptr<Buffer>> Buffer::Allocate(size_t size, std::shared_ptr<Allocator> allocator) {
  if (allocator != nullptr) {
    const size_t bytes = size > 0 ? size : 1;
    void* memory = allocator->Allocate(bytes, kBufferAlignment);
    if (memory == nullptr || reinterpret_cast<uintptr_t>(memory) % kBufferAlignment != 0) {
      if (memory != nullptr) allocator->Free(memory);
      return Status(StatusCode::kResourceExhausted,
                    Format("the memory allocator of the network gave %s for %zu bytes aligned to %zu",
                           memory == nullptr ? "nothing" : "memory that is not aligned", bytes,
                           static_cast<size_t>(kBufferAlignment)));
    }
    std::memset(memory, 0, bytes);
    return Wrap(memory, size, std::shared_ptr<void>(memory, [allocator](void* m) { allocator->Free(m); }));
  }
  Result<Mapping> mapping = Mapping::Allocate(size);
  if (!mapping.ok()) return mapping.status();
  std::shared_ptr<Buffer> buffer(new Buffer);
  buffer->mapping_ = std::move(mapping.value());
  buffer->data_ = buffer->mapping_.data();
  buffer->size_ = size;
  return buffer;
}

std::shared_ptr<Buffer> Buffer::Wrap(void* data, size_t size, std::shared_ptr<void> owner) {
  std::shared_ptr<Buffer> buffer(new Buffer);
  buffer->owner_ = std::move(owner);
  buffer->data_ = static_cast<uint8_t*>(data);
  buffer->size_ = size;
  return buffer;
}

std::shared_ptr<Buffer> Buffer::Wrap(void* data, size_t size, std::shared_ptr<void> owner, MemoryKind kind,
                                     std::shared_ptr<cuda::Device> device) {
  std::shared_ptr<Buffer> buffer = Wrap(data, size, std::move(owner));
  buffer->kind_ = kind;
  buffer->device_ = std::move(device);
  return buffer;
}

}  // namespace mgec
