#include "runtime/cuda/testing/emulated_gpu.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <utility>

namespace mgec::cuda::emulated {
namespace {

constexpr size_t kPage = 4096, kAlignment = 256;
constexpr size_t kAddresses = size_t{1} << 40;
constexpr uint8_t kFresh = 0xcd, kPadding = 0xab;

int FromEnvironment(const char* name, int otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? std::atoi(value) : otherwise;
}

size_t RoundUp(size_t n, size_t unit) { return (n + unit - 1) / unit * unit; }

}  // namespace

Machine& Machine::Get() {
  static Machine* const machine = new Machine;
  return *machine;
}

Machine::Machine() {
  void* const range = mmap(nullptr, kAddresses, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (range == MAP_FAILED) std::abort();
  addresses_ = static_cast<uint8_t*>(range);
}

int Machine::devices() const { return FromEnvironment("MGEC_EMULATED_GPUS", 2); }
int Machine::version() const { return FromEnvironment("MGEC_EMULATED_VERSION", 12040); }
int Machine::architecture() const { return FromEnvironment("MGEC_EMULATED_ARCHITECTURE", 80); }

bool Machine::peers() const { return FromEnvironment("MGEC_EMULATED_PEERS", 1) != 0; }

ContextObject* Machine::context(int device) {
  std::unique_ptr<ContextObject>& context = contexts_[device];
  if (context == nullptr) {
    context = std::make_unique<ContextObject>();
    context->device = device;
  }
  return context.get();
}

void Machine::Reset(ContextObject* context) {
  for (auto it = memory_.begin(); it != memory_.end();) {
    const Pointer memory = it->first;
    const bool mine = it->second.device == context->device;
    ++it;
    if (mine) Free(memory);
  }
  for (StreamObject* stream : streams) {
    if (stream->context == context) stream->queue.clear();
  }
  default_streams_.erase(context);
  context->reached.clear();
  context->error = kSuccess;
}

Error Machine::Allocate(int device, size_t size, Pointer* memory) {
  if (size == 0) return kInvalidValue;
  const size_t room = RoundUp(size, kAlignment), mapped = RoundUp(room, kPage) + 2 * kPage;
  if (used_ + mapped > kAddresses) return kOutOfMemory;
  void* const mapping = mmap(nullptr, mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) return kOutOfMemory;
  Allocation a;
  a.device = device;
  a.size = size;
  a.mapping = static_cast<uint8_t*>(mapping);
  a.mapped = mapped;
  a.storage = a.mapping + mapped - kPage - room;  // what is written after the end is found out at once, or by the padding
  a.padding = room - size;
  if (mprotect(a.mapping + kPage, mapped - 2 * kPage, PROT_READ | PROT_WRITE) != 0) return kOutOfMemory;
  std::memset(a.storage, kFresh, size);
  std::memset(a.storage + size, kPadding, a.padding);
  *memory = reinterpret_cast<uintptr_t>(addresses_ + used_);
  used_ += mapped;
  memory_[*memory] = a;
  return kSuccess;
}

bool Machine::Free(Pointer memory) {
  const auto found = memory_.find(memory);
  if (found == memory_.end()) return false;
  munmap(found->second.mapping, found->second.mapped);
  memory_.erase(found);
  return true;
}

Machine::Allocation* Machine::Find(Pointer memory, size_t size, Pointer* offset) {
  auto after = memory_.upper_bound(memory);
  if (after == memory_.begin()) return nullptr;
  --after;
  *offset = memory - after->first;
  if (*offset > after->second.size || after->second.size - *offset < size) return nullptr;
  return &after->second;
}

uint8_t* Machine::Storage(const ContextObject* context, Pointer memory, size_t size) {
  Pointer offset = 0;
  const Allocation* a = Find(memory, size, &offset);
  if (a != nullptr && a->device == context->device) return a->storage + offset;
  std::fprintf(stderr, "emulated GPU: %#llx is no memory of gpu%d for %zu bytes%s\n", memory, context->device, size,
               a != nullptr ? " but of another" : "");
  return nullptr;
}

bool Machine::PaddingIntact(const Allocation& a) const {
  for (size_t i = 0; i < a.padding; ++i) {
    if (a.storage[a.size + i] != kPadding) return false;
  }
  return true;
}

bool Machine::IsDevice(const void* memory) const {
  return memory >= addresses_ && memory < addresses_ + kAddresses;
}

int Machine::DeviceOf(Pointer memory) const {
  Pointer offset = 0;
  const Allocation* a = const_cast<Machine*>(this)->Find(memory, 0, &offset);
  return a != nullptr ? a->device : -1;
}

Error Machine::AllocateHost(size_t size, void** memory) {
  if (size == 0) return kInvalidValue;
  *memory = std::aligned_alloc(kPage, RoundUp(size, kPage));
  if (*memory == nullptr) return kOutOfMemory;
  std::memset(*memory, kFresh, size);
  host_[reinterpret_cast<uintptr_t>(*memory)] = size;
  return kSuccess;
}

bool Machine::FreeHost(void* memory) {
  if (host_.erase(reinterpret_cast<uintptr_t>(memory)) == 0) return false;
  std::free(memory);
  return true;
}

bool Machine::IsPinned(const void* memory, size_t size) const {
  const uintptr_t address = reinterpret_cast<uintptr_t>(memory);
  auto after = host_.upper_bound(address);
  if (after == host_.begin()) return false;
  --after;
  return address - after->first + size <= after->second;
}

StreamObject* Machine::Resolve(ContextObject* context, StreamObject* stream) {
  if (stream != nullptr) return streams.count(stream) != 0 ? stream : nullptr;
  std::unique_ptr<StreamObject>& fallback = default_streams_[context];
  if (fallback == nullptr) {
    fallback = std::make_unique<StreamObject>();
    fallback->context = context;
  }
  return fallback.get();
}

void Machine::Run(StreamObject* stream, uint64_t place) {
  while (stream->done < place && !stream->queue.empty()) {
    const Work work = std::move(stream->queue.front());
    stream->queue.pop_front();
    ++stream->done;
    if (stream->context->error != kSuccess) continue;
    const Error error = work();
    if (error != kSuccess) stream->context->error = error;
  }
}

void Machine::RunAll(ContextObject* context) {
  const std::set<StreamObject*> all = streams;
  for (StreamObject* stream : all) {
    if (stream->context == context) Run(stream, stream->given);
  }
  StreamObject* const fallback = Resolve(context, nullptr);
  Run(fallback, fallback->given);
}

double Machine::NowMs() const {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) * 1e-6;
}

Work Machine::Launch(ContextObject* context, FunctionObject* function, unsigned grid, unsigned block, void** parameters) {
  std::vector<Pointer> pointers;
  for (int i = 0; i + 1 < function->parameters; ++i) pointers.push_back(*static_cast<const Pointer*>(parameters[i]));
  const unsigned tasks = *static_cast<const unsigned*>(parameters[function->parameters - 1]);
  return [this, context, function, grid, block, pointers, tasks]() -> Error {
    const Error injected = Injected("kernel");
    if (injected != kSuccess) return injected;
    std::vector<void*> arguments;
    std::vector<const Allocation*> touched;
    for (Pointer p : pointers) {
      Pointer offset = 0;
      if (p != 0) {
        touched.push_back(Find(p, 0, &offset));
        if (Storage(context, p, 0) == nullptr) {
          std::fprintf(stderr, "emulated GPU: ... which was given to the kernel %s\n", function->name.c_str());
          return kIllegalAddress;
        }
      }
      arguments.push_back(p != 0 ? touched.back()->storage + offset : nullptr);
    }
    arguments.push_back(nullptr);  // the place of the number of tasks
    char message[1024] = "";
    const int order = static_cast<int>(launches_++ % 3);
    if (function->entry(arguments.data(), grid, block, tasks, order, function->fibers, message) != 0) {
      std::fprintf(stderr, "emulated GPU: kernel %s: %s\n", function->name.c_str(), message);
      return kLaunchFailed;
    }
    for (const Allocation* a : touched) {
      if (PaddingIntact(*a)) continue;
      std::fprintf(stderr, "emulated GPU: kernel %s has written behind the end of memory\n", function->name.c_str());
      return kIllegalAddress;
    }
    return kSuccess;
  };
}

void Machine::Fail(const std::string& function, int nth, Error error) { failures_[function] = {nth, error}; }

Error Machine::Injected(const char* function) {
  const auto found = failures_.find(function);
  if (found == failures_.end() || --found->second.nth > 0) return kSuccess;
  const Error error = found->second.error;
  failures_.erase(found);
  return error;
}

}  // namespace mgec::cuda::emulated
