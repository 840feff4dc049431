#include "runtime/buffer.h"

#include <cstring>
#include <utility>

#include "runtime/artifact_format.h"

namespace mgec {

Result<void*> AllocateFrom(Allocator& allocator, int gpu, size_t size, size_t alignment) {
  void* const memory = allocator.Allocate(gpu, size, alignment);
  const std::string where = gpu == Allocator::kCpu ? "" : Format(" of gpu%d", gpu);
  if (memory == nullptr || reinterpret_cast<uintptr_t>(memory) % alignment != 0) {
    if (memory != nullptr) allocator.Free(gpu, memory);
    return Status(StatusCode::kResourceExhausted,
                  Format("the memory allocator of the network gave %s for %zu bytes%s aligned to %zu",
                         memory == nullptr ? "nothing" : "memory that is not aligned", size, where.c_str(), alignment));
  }
  return memory;
}

Result<std::shared_ptr<Buffer>> Buffer::Allocate(size_t size, std::shared_ptr<Allocator> allocator) {
  if (allocator != nullptr) {
    const size_t bytes = size > 0 ? size : 1;
    const Result<void*> memory = AllocateFrom(*allocator, Allocator::kCpu, bytes, kBufferAlignment);
    if (!memory.ok()) return memory.status();
    std::memset(memory.value(), 0, bytes);
    return Wrap(memory.value(), size,
                std::shared_ptr<void>(memory.value(), [allocator](void* m) { allocator->Free(Allocator::kCpu, m); }));
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
