// What runs a plan: HostExecutor on the CPU's threads, cuda::Executor on a GPU. A Network chooses programs and keeps the memory
// of inputs and outputs; its executor does the rest.
#ifndef MGEC_RUNTIME_EXECUTOR_H_
#define MGEC_RUNTIME_EXECUTOR_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "runtime/artifact.h"
#include "runtime/buffer.h"
#include "runtime/data_type.h"
#include "runtime/status.h"
#include "runtime/thread_pool.h"

namespace mgec {

// An input or output.
struct Edge {
  TensorInfo info;
  TensorInfo largest;
  const fb::Tensor* source = nullptr;  // with the dynamic dimensions and the rows of a batch
  size_t entry_bytes = 0;              // of each entry of the batch; 0 where there is none
  std::shared_ptr<Buffer> buffer;
  uint8_t* data = nullptr;             // inside the buffer; largest.bytes of it belong to the edge
  bool on_device = false;              // where the network's own memory for it is
};

struct Edges {
  std::vector<Edge> inputs;
  std::vector<Edge> outputs;  // the internal ones last
};

// A program: the only one, or one of those that compute a part of the batch each.
struct Part {
  size_t program = 0;
  const fb::Plan* plan = nullptr;
  uint32_t batch = 0;  // entries
};

// Calls run(part, first entry) for the parts of a batch of `entries`, the largest first; 0 if its size is fixed. `parts` are
// in the order of falling batches.
template <typename Parts, typename Run>
void ForEachPart(Parts& parts, uint32_t entries, const Run& run) {
  if (entries == 0) run(parts[0], 0u);
  uint32_t done = 0;
  for (auto& part : parts) {
    while (entries - done >= part.batch && done < entries) {
      run(part, done);
      done += part.batch;
    }
  }
}

// What a step has taken, over all profiled passes and in the last one.
struct StepTime {
  uint64_t total_ns = 0;
  uint64_t last_begin_ns = 0;
  uint64_t last_ns = 0;
};

// For one thread at a time.
class Executor {
 public:
  virtual ~Executor() = default;

  // The plan of program `program` that this executor runs best. Error: there is none.
  virtual Result<const fb::Plan*> ChoosePlan(size_t program) const = 0;

  // Memory for an input or output, zero filled: of the GPU if `on_device`, or else what the CPU may touch.
  virtual Result<std::shared_ptr<Buffer>> Allocate(size_t size, bool on_device) = 0;

  // Whether the executor can read and write this memory as an input or output.
  virtual Status CheckBuffer(const Buffer& buffer) const = 0;

  // Makes ready the parts that compute a batch of `entries` (0: a fixed size), with falling batches, for edges of these sizes.
  // On error nothing changes.
  virtual Status Prepare(const std::vector<Part>& parts, uint32_t entries, const Edges& edges) = 0;

  // Starts a pass over the memory of `edges`. `rebound`: some of it is another than that of the pass before, or the parts are.
  virtual Status Forward(const Edges& edges, bool rebound) = 0;
  // Whether Forward() returns before the outputs are there; then Wait() waits for all passes.
  virtual bool asynchronous() const = 0;
  virtual Status Wait() = 0;

  virtual void SeedRandom(uint64_t seed) = 0;
  // Starts counting from zero.
  virtual void EnableProfile(bool enable) = 0;
  virtual uint64_t profiled_passes() const = 0;
  virtual StepTime Time(size_t part, size_t step) const = 0;

  virtual size_t arena_size() const = 0;
  virtual int threads() const { return 1; }
  // Calls the function on every thread at once, with the thread's number (0 is the caller).
  virtual void RunOnThreads(ThreadPool::Function function, void* argument) { function(argument, 0); }
};

}  // namespace mgec

#endif  // MGEC_RUNTIME_EXECUTOR_H_
