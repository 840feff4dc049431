#include "runtime/cuda/arena.h"

namespace mgec::cuda {

Result<std::shared_ptr<Arena>> Arena::Make(std::shared_ptr<Device> device, std::shared_ptr<Allocator> allocator) {
  std::shared_ptr<Arena> arena(new Arena(std::move(device), std::move(allocator)));
  const Device& d = *arena->device_;
  const Device::Scope scope(d);
  MGEC_RETURN_IF_ERROR(scope.status());
  MGEC_RETURN_IF_ERROR(d.Check(d.driver().cuEventCreate(&arena->used_, kEventDisableTiming), "make an event"));
  return arena;
}

Arena::~Arena() {
  const Device::Scope scope(*device_);
  if (scope.status().ok() && used_ != nullptr) device_->driver().cuEventDestroy_v2(used_);
}

Status Arena::Reserve(size_t size) {
  if (buffer_ != nullptr && size <= buffer_->size()) return Status();
  Result<std::shared_ptr<Buffer>> buffer = device_->AllocateMemory(size, allocator_);
  if (!buffer.ok()) return buffer.status();
  buffer_ = std::move(buffer.value());
  return Status();
}

Status Arena::Acquire(StreamHandle stream) {
  return device_->Check(device_->driver().cuStreamWaitEvent(stream, used_, 0), "wait for the arena");
}

Status Arena::Release(StreamHandle stream) {
  return device_->Check(device_->driver().cuEventRecord(used_, stream), "record an event");
}

}  // namespace mgec::cuda
