// What the functions of the emulated driver have in common: the current context, failures on demand, and work that waits in streams.
#ifndef MGEC_RUNTIME_CUDA_TESTING_EMULATED_CALLS_H_
#define MGEC_RUNTIME_CUDA_TESTING_EMULATED_CALLS_H_

#include <cstring>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "runtime/cuda/testing/emulated_gpu.h"

namespace mgec::cuda::emulated {

inline thread_local std::vector<ContextObject*> current;

inline ContextObject* Current() { return current.empty() ? nullptr : current.back(); }

// Counts the call and lets injected failures happen; those of contexts that cannot go on, too.
inline Error Enter(const char* function, bool needs_context) {
  Machine& m = Machine::Get();
  ++m.calls[function];
  if (needs_context) {
    if (Current() == nullptr) return kInvalidContext;
    if (Current()->error != kSuccess) return Current()->error;
  }
  const Error injected = m.Injected(function);
  if (needs_context && injected >= kIllegalAddress && injected <= kLaunchFailed) Current()->error = injected;
  return injected;
}

inline Error Later(StreamHandle stream, Work work) {
  StreamObject* const s = Machine::Get().Resolve(Current(), stream);
  if (s == nullptr || s->context != Current()) return kInvalidHandle;
  s->Give(std::move(work));
  return kSuccess;
}

inline Error RunStream(StreamHandle stream) {
  StreamObject* const s = Machine::Get().Resolve(Current(), stream);
  if (s == nullptr) return kInvalidHandle;
  Machine::Get().Run(s, s->given);
  return s->context->error;
}

inline Error CopyIn(Pointer to, const void* from, size_t size, StreamHandle stream) {
  Machine& m = Machine::Get();
  if (m.IsDevice(from) || m.DeviceOf(to) < 0) return kInvalidValue;
  ContextObject* const context = Current();
  // Pinned memory is read when its turn comes.
  auto staged = std::make_shared<std::vector<uint8_t>>();
  const uint8_t* const bytes = static_cast<const uint8_t*>(from);
  if (!m.IsPinned(from, size)) staged->assign(bytes, bytes + size);
  return Later(stream, [=]() -> Error {
    uint8_t* const storage = Machine::Get().Storage(context, to, size);
    if (storage == nullptr || (staged->empty() && size > 0 && !Machine::Get().IsPinned(from, size))) return kIllegalAddress;
    std::memcpy(storage, staged->empty() ? bytes : staged->data(), size);
    return kSuccess;
  });
}

inline Error CopyOut(void* to, Pointer from, size_t size, StreamHandle stream) {
  Machine& m = Machine::Get();
  if (m.IsDevice(to) || m.DeviceOf(from) < 0) return kInvalidValue;
  ContextObject* const context = Current();
  const bool pinned = m.IsPinned(to, size);
  const Error error = Later(stream, [=]() -> Error {
    const uint8_t* const storage = Machine::Get().Storage(context, from, size);
    if (storage == nullptr || (pinned && !Machine::Get().IsPinned(to, size))) return kIllegalAddress;
    std::memcpy(to, storage, size);
    return kSuccess;
  });
  return error != kSuccess || pinned ? error : RunStream(stream);
}

inline Work CopyWithin(ContextObject* context, Pointer to, Pointer from, size_t size) {
  return [=]() -> Error {
    uint8_t* const destination = Machine::Get().Storage(context, to, size);
    const uint8_t* const source = Machine::Get().Storage(context, from, size);
    if (destination == nullptr || source == nullptr) return kIllegalAddress;
    std::memmove(destination, source, size);
    return kSuccess;
  };
}

}  // namespace mgec::cuda::emulated

// A function of the driver.
#define EXPORT extern "C" __attribute__((visibility("default")))

#define LOCK const std::lock_guard<std::recursive_mutex> lock(Machine::Get().mutex)
#define ENTER(needs_context)                                            \
  LOCK;                                                                 \
  {                                                                     \
    const Error entered = Enter(__func__, needs_context);               \
    if (entered != kSuccess) return entered;                            \
  }                                                                     \
  [[maybe_unused]] Machine& m = Machine::Get()

#endif  // MGEC_RUNTIME_CUDA_TESTING_EMULATED_CALLS_H_
