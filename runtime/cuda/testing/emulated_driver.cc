// The functions of NVIDIA's driver library that the runtime calls, over the GPUs of emulated_gpu.h: devices, contexts, memory.
// MGEC_CUDA_DRIVER names the library. emulated_work.cc has the rest.
//
// Tests steer it by the functions emulated_*() below.
#include <cstdio>
#include <cstring>

#include "runtime/cuda/testing/emulated_calls.h"

using namespace mgec::cuda;            // NOLINT: the functions have no namespace
using namespace mgec::cuda::emulated;  // NOLINT

EXPORT Error cuInit(unsigned) {
  ENTER(false);
  return m.devices() > 0 ? kSuccess : kNoDevice;
}
EXPORT Error cuDriverGetVersion(int* version) {
  *version = Machine::Get().version();
  return kSuccess;
}
EXPORT Error cuGetErrorName(Error error, const char** name) {
  static thread_local std::string text;
  text = "EMULATED_ERROR_" + std::to_string(error);
  *name = error == kOutOfMemory ? "CUDA_ERROR_OUT_OF_MEMORY" : text.c_str();
  return kSuccess;
}
EXPORT Error cuGetErrorString(Error error, const char** text) {
  *text = error == kOutOfMemory ? "out of memory" : error == kLaunchFailed ? "unspecified launch failure" : "some error";
  return kSuccess;
}
EXPORT Error cuDeviceGetCount(int* count) {
  ENTER(false);
  *count = m.devices();
  return kSuccess;
}
EXPORT Error cuDeviceGet(int* device, int ordinal) {
  ENTER(false);
  *device = ordinal;
  return ordinal >= 0 && ordinal < m.devices() ? kSuccess : kInvalidDevice;
}
EXPORT Error cuDeviceGetName(char* name, int size, int) {
  ENTER(false);
  std::snprintf(name, static_cast<size_t>(size), "Emulated GPU");
  return kSuccess;
}
EXPORT Error cuDeviceGetAttribute(int* value, int attribute, int) {
  ENTER(false);
  *value = attribute == kComputeCapabilityMajor ? m.architecture() / 10 : m.architecture() % 10;
  return attribute == kComputeCapabilityMajor || attribute == kComputeCapabilityMinor ? kSuccess : kInvalidValue;
}
EXPORT Error cuDevicePrimaryCtxRetain(Context* context, int device) {
  ENTER(false);
  *context = m.context(device);
  ++(*context)->retained;
  return kSuccess;
}
EXPORT Error cuDevicePrimaryCtxRelease_v2(int device) {
  ENTER(false);
  ContextObject* const context = m.context(device);
  if (context->retained == 0) return kInvalidContext;
  if (--context->retained == 0) m.Reset(context);
  return kSuccess;
}
EXPORT Error cuCtxPushCurrent_v2(Context context) {
  ENTER(false);
  if (context == nullptr || context->retained == 0) return kInvalidContext;
  current.push_back(context);
  return kSuccess;
}
EXPORT Error cuCtxPopCurrent_v2(Context* context) {
  ENTER(false);
  if (current.empty()) return kInvalidContext;
  *context = current.back();
  current.pop_back();
  return kSuccess;
}
EXPORT Error cuCtxSynchronize() {
  ENTER(true);
  m.RunAll(Current());
  return Current()->error;
}

EXPORT Error cuMemAlloc_v2(Pointer* memory, size_t size) {
  ENTER(true);
  return m.Allocate(Current()->device, size, memory);
}
EXPORT Error cuMemFree_v2(Pointer memory) {
  ENTER(false);  // also in a context that has failed
  return m.Free(memory) ? kSuccess : kInvalidValue;
}
EXPORT Error cuMemHostAlloc(void** memory, size_t size, unsigned) {
  ENTER(true);
  return m.AllocateHost(size, memory);
}
EXPORT Error cuMemFreeHost(void* memory) {
  ENTER(false);
  return m.FreeHost(memory) ? kSuccess : kInvalidValue;
}
EXPORT Error cuMemcpyHtoD_v2(Pointer to, const void* from, size_t size) {
  ENTER(true);
  return CopyIn(to, from, size, nullptr);
}
EXPORT Error cuMemcpyDtoH_v2(void* to, Pointer from, size_t size) {
  ENTER(true);
  const Error error = CopyOut(to, from, size, nullptr);
  return error != kSuccess ? error : RunStream(nullptr);
}
EXPORT Error cuMemcpyDtoD_v2(Pointer to, Pointer from, size_t size) {
  ENTER(true);
  return Later(nullptr, CopyWithin(Current(), to, from, size));
}
EXPORT Error cuMemcpy2DUnaligned_v2(const Copy2D* copy) {
  ENTER(true);
  if (copy->source_pitch < copy->width || copy->destination_pitch < copy->width) return kInvalidValue;
  for (size_t row = 0; row < copy->height; ++row) {
    const size_t from = row * copy->source_pitch, to = row * copy->destination_pitch;
    Error error;
    if (copy->source_type == kHostMemory) {
      if (copy->destination_type == kHostMemory) return kInvalidValue;
      error = CopyIn(copy->destination_device + to, static_cast<const uint8_t*>(copy->source_host) + from, copy->width, nullptr);
    } else if (copy->destination_type == kHostMemory) {
      error = CopyOut(static_cast<uint8_t*>(copy->destination_host) + to, copy->source_device + from, copy->width, nullptr);
    } else {
      error = Later(nullptr, CopyWithin(Current(), copy->destination_device + to, copy->source_device + from, copy->width));
    }
    if (error != kSuccess) return error;
  }
  return copy->destination_type == kHostMemory ? RunStream(nullptr) : kSuccess;
}
// After everything that both contexts were given before.
EXPORT Error cuMemcpy3DPeer(const Copy3D* copy) {
  ENTER(true);
  ContextObject *const to = copy->destination_context, *const from = copy->source_context;
  if (to == nullptr || from == nullptr || to->retained == 0 || from->retained == 0) return kInvalidContext;
  if (copy->source_type != kDeviceMemory || copy->destination_type != kDeviceMemory || copy->depth != 1 ||
      (copy->height > 1 && (copy->source_pitch < copy->width || copy->destination_pitch < copy->width))) {
    return kInvalidValue;
  }
  m.RunAll(from);
  m.RunAll(to);
  if (from->error != kSuccess) return from->error;
  const Copy3D c = *copy;
  return Later(nullptr, [c, to, from]() -> Error {
    for (size_t row = 0; row < c.height; ++row) {
      uint8_t* const destination = Machine::Get().Storage(to, c.destination_device + row * c.destination_pitch, c.width);
      const uint8_t* const source = Machine::Get().Storage(from, c.source_device + row * c.source_pitch, c.width);
      if (destination == nullptr || source == nullptr) return kIllegalAddress;
      std::memcpy(destination, source, c.width);
    }
    return kSuccess;
  });
}
EXPORT Error cuDeviceCanAccessPeer(int* can, int device, int peer) {
  ENTER(false);
  if (device < 0 || peer < 0 || device >= m.devices() || peer >= m.devices()) return kInvalidDevice;
  *can = m.peers() && device != peer ? 1 : 0;
  return kSuccess;
}
EXPORT Error cuCtxEnablePeerAccess(Context peer, unsigned flags) {
  ENTER(true);
  if (flags != 0 || peer == nullptr || peer == Current() || peer->retained == 0 || !m.peers()) return kInvalidValue;
  return Current()->reached.insert(peer).second ? kSuccess : kPeerAccessAlreadyEnabled;
}
EXPORT Error cuMemsetD8_v2(Pointer memory, unsigned char value, size_t size) {
  ENTER(true);
  ContextObject* const context = Current();
  return Later(nullptr, [=]() -> Error {
    uint8_t* const storage = Machine::Get().Storage(context, memory, size);
    if (storage == nullptr) return kIllegalAddress;
    std::memset(storage, value, size);
    return kSuccess;
  });
}
EXPORT Error cuMemsetD2D8_v2(Pointer memory, size_t pitch, unsigned char value, size_t width, size_t height) {
  ENTER(true);
  if (pitch < width) return kInvalidValue;
  for (size_t row = 0; row < height; ++row) {
    const Error error = cuMemsetD8_v2(memory + row * pitch, value, width);
    if (error != kSuccess) return error;
  }
  return kSuccess;
}
EXPORT Error cuMemcpyHtoDAsync_v2(Pointer to, const void* from, size_t size, StreamHandle stream) {
  ENTER(true);
  return CopyIn(to, from, size, stream);
}
EXPORT Error cuMemcpyDtoHAsync_v2(void* to, Pointer from, size_t size, StreamHandle stream) {
  ENTER(true);
  return CopyOut(to, from, size, stream);
}
EXPORT Error cuMemcpyDtoDAsync_v2(Pointer to, Pointer from, size_t size, StreamHandle stream) {
  ENTER(true);
  return Later(stream, CopyWithin(Current(), to, from, size));
}
EXPORT Error cuPointerGetAttribute(void* value, int attribute, Pointer memory) {
  ENTER(true);
  const int device = m.DeviceOf(memory);
  if (device < 0) return kInvalidValue;
  const int result = attribute == kPointerMemoryType ? static_cast<int>(kDeviceMemory) : device;
  std::memcpy(value, &result, sizeof(result));
  return kSuccess;
}

// For tests.

// Call number `nth` from now on of the function fails with `error`; of "kernel", the work of one.
EXPORT void emulated_fail(const char* function, int nth, int error) {
  LOCK;
  Machine::Get().Fail(function, nth, static_cast<Error>(error));
}
// How often a function was called.
EXPORT int emulated_calls(const char* function) {
  LOCK;
  return Machine::Get().calls[function];
}
// How many objects were made and not given back: memory, pinned memory, streams, events, modules, graphs.
EXPORT int emulated_live() {
  LOCK;
  const Machine& m = Machine::Get();
  return static_cast<int>(m.memory_count() + m.host_count() + m.streams.size() + m.events.size() + m.modules.size() +
                          m.graphs.size() + m.graph_execs.size());
}
