// The emulated driver's streams, events, modules, launches and graphs. Its "machine code" is that of emulated_nvrtc.cc.
#include <dlfcn.h>

#include <cstdio>
#include <cstring>
#include <string>

#include "runtime/cuda/testing/emulated_calls.h"
#include "runtime/cuda/testing/emulated_module.h"

using namespace mgec::cuda;            // NOLINT: the functions have no namespace
using namespace mgec::cuda::emulated;  // NOLINT

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
