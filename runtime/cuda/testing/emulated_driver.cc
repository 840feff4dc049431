// The functions of NVIDIA's driver library that the runtime calls, over the GPUs of emulated_gpu.h. MGEC_CUDA_DRIVER names the
// library. Its "machine code" is that of emulated_nvrtc.cc.
//
// Tests steer it by the functions emulated_*() below.
#include <dlfcn.h>

#include <cstdio>
#include <cstring>
#include <utility>

#include "runtime/cuda/testing/emulated_gpu.h"
#include "runtime/cuda/testing/emulated_module.h"

using namespace mgec::cuda;  // NOLINT: the functions have no namespace
using mgec::cuda::emulated::IsPtx;
using mgec::cuda::emulated::Machine;
using mgec::cuda::emulated::OpenModule;

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

thread_local std::vector<ContextObject*> current;

ContextObject* Current() { return current.empty() ? nullptr : current.back(); }

// Counts the call and lets injected failures happen; those of contexts that cannot go on, too.
Error Enter(const char* function, bool needs_context) {
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

Error Later(StreamHandle stream, Work work) {
  StreamObject* const s = Machine::Get().Resolve(Current(), stream);
  if (s == nullptr || s->context != Current()) return kInvalidHandle;
  s->Give(std::move(work));
  return kSuccess;
}

Error RunStream(StreamHandle stream) {
  StreamObject* const s = Machine::Get().Resolve(Current(), stream);
  if (s == nullptr) return kInvalidHandle;
  Machine::Get().Run(s, s->given);
  return s->context->error;
}

Error CopyIn(Pointer to, const void* from, size_t size, StreamHandle stream) {
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

Error CopyOut(void* to, Pointer from, size_t size, StreamHandle stream) {
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

Work CopyWithin(ContextObject* context, Pointer to, Pointer from, size_t size) {
  return [=]() -> Error {
    uint8_t* const destination = Machine::Get().Storage(context, to, size);
    const uint8_t* const source = Machine::Get().Storage(context, from, size);
    if (destination == nullptr || source == nullptr) return kIllegalAddress;
    std::memmove(destination, source, size);
    return kSuccess;
  };
}

}  // namespace

#define LOCK const std::lock_guard<std::recursive_mutex> lock(Machine::Get().mutex)
#define ENTER(needs_context)                                            \
  LOCK;                                                                 \
  {                                                                     \
    const Error entered = Enter(__func__, needs_context);               \
    if (entered != kSuccess) return entered;                            \
  }                                                                     \
  [[maybe_unused]] Machine& m = Machine::Get()

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

EXPORT Error cuStreamCreate(StreamHandle* stream, unsigned) {
  ENTER(true);
  *stream = new StreamObject;
  (*stream)->context = Current();
  m.streams.insert(*stream);
  return kSuccess;
}
// What is in it is done first: events may refer to it, so it stays.
EXPORT Error cuStreamDestroy_v2(StreamHandle stream) {
  ENTER(false);
  if (m.streams.count(stream) == 0) return kInvalidHandle;
  m.Run(stream, stream->given);
  m.streams.erase(stream);
  return kSuccess;
}
EXPORT Error cuStreamSynchronize(StreamHandle stream) {
  ENTER(true);
  return RunStream(stream);
}
EXPORT Error cuStreamWaitEvent(StreamHandle stream, EventHandle event, unsigned) {
  ENTER(true);
  if (m.events.count(event) == 0) return kInvalidHandle;
  StreamObject* const other = event->record->stream;
  const uint64_t place = event->record->place;
  return Later(stream, [=]() -> Error {
    if (other != nullptr) Machine::Get().Run(other, place);
    return kSuccess;
  });
}
EXPORT Error cuEventCreate(EventHandle* event, unsigned) {
  ENTER(true);
  *event = new EventObject;
  (*event)->context = Current();
  m.events.insert(*event);
  return kSuccess;
}
EXPORT Error cuEventDestroy_v2(EventHandle event) {
  ENTER(false);
  if (m.events.erase(event) == 0) return kInvalidHandle;
  delete event;
  return kSuccess;
}
EXPORT Error cuEventRecord(EventHandle event, StreamHandle stream) {
  ENTER(true);
  StreamObject* const s = m.Resolve(Current(), stream);
  if (m.events.count(event) == 0 || s == nullptr) return kInvalidHandle;
  const std::shared_ptr<EventObject::Record> record = std::make_shared<EventObject::Record>();
  record->stream = s;
  event->record = record;
  record->place = s->Give([record]() -> Error {
    record->ms = Machine::Get().NowMs();
    return kSuccess;
  });
  return kSuccess;
}
EXPORT Error cuEventSynchronize(EventHandle event) {
  ENTER(true);
  if (m.events.count(event) == 0) return kInvalidHandle;
  if (event->record->stream != nullptr) m.Run(event->record->stream, event->record->place);
  return Current()->error;
}
EXPORT Error cuEventElapsedTime(float* ms, EventHandle begin, EventHandle end) {
  ENTER(true);
  if (m.events.count(begin) == 0 || m.events.count(end) == 0) return kInvalidHandle;
  if (begin->record->ms < 0 || end->record->ms < 0) return static_cast<Error>(600);  // not ready
  *ms = static_cast<float>(end->record->ms - begin->record->ms);
  return kSuccess;
}

EXPORT Error cuModuleLoadDataEx(Module* module, const void* image, unsigned count, int* options, void** values) {
  ENTER(true);
  std::string log;
  void* library = nullptr;
  const Error error = OpenModule(static_cast<const char*>(image), &log, &library);
  size_t room = 0;
  for (unsigned i = 0; i < count; ++i) {
    if (options[i] == kJitErrorLogBufferSize) room = reinterpret_cast<size_t>(values[i]);
  }
  for (unsigned i = 0; i < count && room > 0; ++i) {
    if (options[i] == kJitErrorLogBuffer) std::snprintf(static_cast<char*>(values[i]), room, "%s", log.c_str());
  }
  if (error != kSuccess) return error;
  const int* architecture = static_cast<const int*>(dlsym(library, "emulated_architecture"));
  const bool ptx = IsPtx(static_cast<const char*>(image));
  const int mine = m.architecture();
  if (architecture == nullptr || *architecture > mine || (!ptx && *architecture / 10 != mine / 10)) {
    dlclose(library);
    return kNoBinaryForGpu;
  }
  *module = new ModuleObject;
  (*module)->context = Current();
  (*module)->library = library;
  m.modules.insert(*module);
  return kSuccess;
}
EXPORT Error cuModuleUnload(Module module) {
  ENTER(false);
  if (m.modules.erase(module) == 0) return kInvalidHandle;
  dlclose(module->library);
  delete module;
  return kSuccess;
}
EXPORT Error cuModuleGetFunction(Function* function, Module module, const char* name) {
  ENTER(true);
  if (m.modules.count(module) == 0) return kInvalidHandle;
  std::unique_ptr<FunctionObject>& found = module->functions[name];
  if (found == nullptr) {
    const auto symbol = [&](const char* prefix) { return dlsym(module->library, (std::string(prefix) + name).c_str()); };
    if (symbol("run_") == nullptr) return kSymbolNotFound;
    found = std::make_unique<FunctionObject>();
    found->name = name;
    found->entry = reinterpret_cast<FunctionObject::Entry>(symbol("run_"));
    found->parameters = *static_cast<const int*>(symbol("emulated_parameters_"));
    found->fibers = *static_cast<const int*>(symbol("emulated_fibers_")) != 0;
  }
  *function = found.get();
  return kSuccess;
}
EXPORT Error cuFuncSetAttribute(Function, int attribute, int value) {
  ENTER(true);
  return attribute == kMaxDynamicSharedBytes && value <= 227 * 1024 ? kSuccess : kInvalidValue;
}
EXPORT Error cuLaunchKernel(Function function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                            unsigned block_y, unsigned block_z, unsigned, StreamHandle stream, void** parameters, void**) {
  ENTER(true);
  if (grid_x == 0 || block_x == 0 || block_x > 1024 || grid_y * grid_z * block_y * block_z != 1) return kInvalidValue;
  return Later(stream, m.Launch(Current(), function, grid_x, block_x, parameters));
}

EXPORT Error cuGraphCreate(Graph* graph, unsigned) {
  ENTER(true);
  *graph = new GraphObject;
  m.graphs.insert(*graph);
  return kSuccess;
}
EXPORT Error cuGraphDestroy(Graph graph) {
  ENTER(false);
  if (m.graphs.erase(graph) == 0) return kInvalidHandle;
  delete graph;
  return kSuccess;
}
// Nodes form a chain: each comes after the one before.
EXPORT Error cuGraphAddKernelNode(GraphNode* node, Graph graph, const GraphNode* after, size_t count, const KernelNode* kernel) {
  ENTER(true);
  if (m.graphs.count(graph) == 0 || count != (graph->nodes.empty() ? 0u : 1u)) return kInvalidValue;
  if (count == 1 && reinterpret_cast<uintptr_t>(*after) != graph->nodes.size()) return kInvalidValue;
  graph->nodes.push_back(m.Launch(Current(), kernel->function, kernel->grid_x, kernel->block_x, kernel->parameters));
  *node = reinterpret_cast<GraphNode>(graph->nodes.size());
  return kSuccess;
}
EXPORT Error cuGraphAddMemcpyNode(GraphNode* node, Graph graph, const GraphNode* after, size_t count, const Copy3D* copy,
                                  Context context) {
  ENTER(true);
  if (m.graphs.count(graph) == 0 || count != (graph->nodes.empty() ? 0u : 1u)) return kInvalidValue;
  if (count == 1 && reinterpret_cast<uintptr_t>(*after) != graph->nodes.size()) return kInvalidValue;
  if (copy->source_type != kDeviceMemory || copy->destination_type != kDeviceMemory || copy->height != 1 || copy->depth != 1) {
    return kInvalidValue;
  }
  graph->nodes.push_back(CopyWithin(context, copy->destination_device, copy->source_device, copy->width));
  *node = reinterpret_cast<GraphNode>(graph->nodes.size());
  return kSuccess;
}
EXPORT Error cuGraphInstantiateWithFlags(GraphExec* exec, Graph graph, unsigned long long) {
  ENTER(true);
  if (m.graphs.count(graph) == 0) return kInvalidHandle;
  *exec = new GraphExecObject;
  (*exec)->context = Current();
  (*exec)->nodes = graph->nodes;
  m.graph_execs.insert(*exec);
  return kSuccess;
}
EXPORT Error cuGraphLaunch(GraphExec exec, StreamHandle stream) {
  ENTER(true);
  if (m.graph_execs.count(exec) == 0) return kInvalidHandle;
  for (const Work& work : exec->nodes) {
    const Error error = Later(stream, work);
    if (error != kSuccess) return error;
  }
  return kSuccess;
}
EXPORT Error cuGraphExecDestroy(GraphExec exec) {
  ENTER(false);
  if (m.graph_execs.erase(exec) == 0) return kInvalidHandle;
  delete exec;
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
