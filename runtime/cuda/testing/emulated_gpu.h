// GPUs that the CPU plays, behind emulated_driver.cc. For tests only.
//
// Work is done as late as the driver API allows: what is given to a stream waits there until somebody synchronizes, so that a
// missing synchronization shows as a wrong result. Device memory has addresses that nothing can be read from or written to;
// kernels and copies find its storage elsewhere, so that the CPU crashes where it touches it. Addresses are never given twice.
// What a GPU would not survive makes the context unusable, as it would there, and is explained on the standard error stream.
#ifndef MGEC_RUNTIME_CUDA_TESTING_EMULATED_GPU_H_
#define MGEC_RUNTIME_CUDA_TESTING_EMULATED_GPU_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "runtime/cuda/driver_api.h"

namespace mgec::cuda {

// A piece of work; its error, if any, is the context's from then on.
using Work = std::function<Error()>;

struct ContextObject {
  int device = 0;
  int retained = 0;
  Error error = kSuccess;  // after which nothing works
  std::set<const ContextObject*> reached;  // whose memory it can reach
};

struct StreamObject {
  ContextObject* context = nullptr;
  std::deque<Work> queue;
  uint64_t given = 0, done = 0;  // pieces of work

  uint64_t Give(Work work) {
    queue.push_back(std::move(work));
    return ++given;
  }
};

struct EventObject {
  // Shared with work that may outlive the event.
  struct Record {
    StreamObject* stream = nullptr;  // null: never recorded
    uint64_t place = 0;              // in the stream's work
    double ms = -1;                  // when it happened; below 0 before
  };
  ContextObject* context = nullptr;
  std::shared_ptr<Record> record = std::make_shared<Record>();
};

// A kernel, in a shared library that emulated_nvrtc.cc has made.
struct FunctionObject {
  using Entry = int (*)(void** arguments, unsigned grid, unsigned block, unsigned tasks, int order, int fibers, char* message);
  std::string name;
  Entry entry = nullptr;
  int parameters = 0;  // pointers, and the number of tasks
  bool fibers = false;
};

struct ModuleObject {
  ContextObject* context = nullptr;
  void* library = nullptr;
  std::map<std::string, std::unique_ptr<FunctionObject>> functions;
};

struct GraphObject {
  std::vector<Work> nodes;
};

struct GraphExecObject {
  ContextObject* context = nullptr;
  std::vector<Work> nodes;
};

namespace emulated {

// Everything there is. Who holds the mutex may use it.
class Machine {
 public:
  static Machine& Get();

  std::recursive_mutex mutex;

  // From the environment: MGEC_EMULATED_GPUS (2), MGEC_EMULATED_VERSION (12040), MGEC_EMULATED_ARCHITECTURE (80), and whether GPUs
  // reach each other's memory, MGEC_EMULATED_PEERS (1).
  int devices() const;
  int version() const;
  int architecture() const;
  bool peers() const;

  ContextObject* context(int device);
  void Reset(ContextObject* context);  // all that it owns goes

  // Memory. Storage() finds the bytes behind an address; null if they are not all in one allocation of the device.
  Error Allocate(int device, size_t size, Pointer* memory);
  bool Free(Pointer memory);
  uint8_t* Storage(const ContextObject* context, Pointer memory, size_t size);
  bool IsDevice(const void* memory) const;
  int DeviceOf(Pointer memory) const;  // -1: of none
  Error AllocateHost(size_t size, void** memory);
  bool FreeHost(void* memory);
  bool IsPinned(const void* memory, size_t size) const;

  // Streams. The default stream of a context is number null.
  StreamObject* Resolve(ContextObject* context, StreamObject* stream);
  // Does the stream's work up to a place in it.
  void Run(StreamObject* stream, uint64_t place);
  void RunAll(ContextObject* context);
  double NowMs() const;

  // The launch of a kernel with these parameter values.
  Work Launch(ContextObject* context, FunctionObject* function, unsigned grid, unsigned block, void** parameters);

  // Failures to come: call number `nth` from now on of a function of the driver, or of "kernel", the work of one.
  void Fail(const std::string& function, int nth, Error error);
  Error Injected(const char* function);

  std::map<std::string, int> calls;
  std::set<StreamObject*> streams;
  std::set<EventObject*> events;
  std::set<ModuleObject*> modules;
  std::set<GraphObject*> graphs;
  std::set<GraphExecObject*> graph_execs;
  size_t memory_count() const { return memory_.size(); }
  size_t host_count() const { return host_.size(); }

 private:
  struct Allocation {
    int device;
    size_t size;
    uint8_t* storage;   // of the first byte
    uint8_t* mapping;   // with a page before and after that cannot be touched
    size_t mapped;
    size_t padding;     // bytes between the end and the page after, which nobody may write
  };
  struct Failure {
    int nth;
    Error error;
  };

  Machine();
  Allocation* Find(Pointer memory, size_t size, Pointer* offset);
  bool PaddingIntact(const Allocation& a) const;

  std::map<int, std::unique_ptr<ContextObject>> contexts_;
  std::map<ContextObject*, std::unique_ptr<StreamObject>> default_streams_;
  std::map<Pointer, Allocation> memory_;
  std::map<uintptr_t, size_t> host_;
  std::map<std::string, Failure> failures_;
  uint8_t* addresses_ = nullptr;
  size_t used_ = 0;
  unsigned launches_ = 0;
};

}  // namespace emulated
}  // namespace mgec::cuda

#endif  // MGEC_RUNTIME_CUDA_TESTING_EMULATED_GPU_H_
