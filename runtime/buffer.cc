#include "runtime/buffer.h"

#include <utility>

namespace mgec {

Result<std::shared_ptr<Buffer>> Buffer::Allocate(size_t size) {
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

}  // namespace mgec
