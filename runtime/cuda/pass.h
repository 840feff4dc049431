// The launches of one forward pass, with their arguments: to be given to a stream one by one, or as a CUDA graph.
#ifndef MGEC_RUNTIME_CUDA_PASS_H_
#define MGEC_RUNTIME_CUDA_PASS_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/cuda/device.h"

namespace mgec::cuda {

// To be used in a Device::Scope.
class Pass {
 public:
  // Where a launch comes from, for profiles.
  struct Origin {
    uint32_t part;
    uint32_t step;
  };

  explicit Pass(std::shared_ptr<Device> device) : device_(std::move(device)) {}
  ~Pass();
  Pass(const Pass&) = delete;
  Pass& operator=(const Pass&) = delete;

  // Adds the launch of a kernel: a parameter for each pointer, then `tasks`.
  void AddKernel(Function function, unsigned grid, unsigned block, unsigned shared_bytes, const std::vector<Pointer>& pointers,
                 uint32_t tasks, Origin origin);
  // Adds a copy within the GPU's memory.
  void AddCopy(Pointer to, Pointer from, size_t size);

  // Makes the graph of what was added, each node after the one before; graph() is null if the driver has no graphs.
  Status MakeGraph();
  bool graph() const { return graph_ != nullptr; }

  // Gives everything to the stream: as the graph where there is one.
  Status Launch(StreamHandle stream);
  // The same without the graph. Records events[i] after launch number i.
  Status LaunchEach(StreamHandle stream, const std::vector<EventHandle>* events);

  size_t size() const { return launches_.size(); }
  // Null for copies.
  const Origin* origin(size_t launch) const {
    return launches_[launch].function != nullptr ? &launches_[launch].origin : nullptr;
  }

 private:
  struct Launched {
    Function function = nullptr;  // null: a copy of `tasks` bytes from the second to the first value
    unsigned grid = 0, block = 0, shared_bytes = 0;
    size_t first_value = 0;  // the pointers' values lie one after the other
    size_t pointers = 0;
    uint32_t tasks = 0;
    Origin origin = {0, 0};
  };

  // Addresses of a launch's parameters, valid until the next call.
  void** Parameters(Launched* launch);
  Status BuildGraph(Graph graph);

  const std::shared_ptr<Device> device_;
  std::vector<Launched> launches_;
  std::vector<Pointer> values_;
  std::vector<void*> parameters_;
  GraphExec graph_ = nullptr;
};

}  // namespace mgec::cuda

#endif  // MGEC_RUNTIME_CUDA_PASS_H_
