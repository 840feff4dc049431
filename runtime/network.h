// Runs a compiled model.
//
//   NetworkOptions options;
//   options.threads = 2;
//   Result<std::unique_ptr<Network>> loaded = Network::Load(artifact, options);
//   if (!loaded.ok()) ...
//   Network& network = *loaded.value();
//   memcpy(network.input_data(0), image, network.input(0).bytes);
//   network.Forward();
//   const float* scores = reinterpret_cast<const float*>(network.output_data(0));
//
// A Network may be used by one thread at a time. Different Networks, also of one Artifact, are independent, except that those
// that share an Arena wait for each other in Forward(). After fork() the child may go on using the Networks that no thread
// was using: threads of their own are started again.
#ifndef MGEC_RUNTIME_NETWORK_H_
#define MGEC_RUNTIME_NETWORK_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/arena.h"
#include "runtime/artifact.h"
#include "runtime/buffer.h"
#include "runtime/data_type.h"
#include "runtime/kernel_abi.h"
#include "runtime/memory.h"
#include "runtime/status.h"
#include "runtime/thread_pool.h"

namespace mgec {

struct NetworkOptions {
  int threads = 1;  // 1 to ThreadPool::kMaxThreads; the thread that calls Forward() is one of them
  std::shared_ptr<Arena> arena;          // for intermediate results; null for one of the Network's own
  std::shared_ptr<Allocator> allocator;  // for inputs, outputs and the Network's own arena; null for the system's memory
};

// One launch of the plan, for profiles. The texts live as long as the Artifact.
struct StepInfo {
  std::string_view name;    // the model's name of the node
  std::string_view op;      // what it computes
  std::string_view kernel;  // the generated function
  uint64_t macs = 0;
  uint64_t bytes = 0;
  uint64_t total_ns = 0;  // over all profiled passes
  // Of the last profiled pass: when it began, by CLOCK_MONOTONIC, and how long it took.
  uint64_t last_begin_ns = 0;
  uint64_t last_ns = 0;
};

class Network {
 public:
  // Prepares the first program of the artifact, with memory of its own for inputs (zeros) and outputs.
  static Result<std::unique_ptr<Network>> Load(std::shared_ptr<const Artifact> artifact, const NetworkOptions& options);
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  // Inputs and outputs in the model's order, for the shapes that are selected. All tensors are dense and row-major.
  // Outputs may have dimensions whose size depends on values: shape and bytes are the largest possible until Forward()
  // has run, and then the actual ones.
  size_t input_count() const { return inputs_.size(); }
  size_t output_count() const { return output_count_; }
  const TensorInfo& input(size_t index) const { return inputs_[index].info; }
  const TensorInfo& output(size_t index) const { return outputs_[index].info; }

  // An output with its largest shape and the bytes that its memory needs, whatever Forward() has found.
  const TensorInfo& largest_output(size_t index) const { return outputs_[index].largest; }

  // The index of a name, or -1.
  int FindInput(std::string_view name) const;
  int FindOutput(std::string_view name) const;

  // Selects the program that was compiled for these shapes, one per input; where the model was compiled for a batch of any
  // size, all inputs that have one must agree on it. Until then the batch has one entry. Memory that was bound to an input or output
  // whose size changes is let go of, and memory of the Network's own takes its place (contents undefined). Costs an
  // allocation the first time a program is selected. On error nothing changes, and the message lists the shapes that
  // work.
  Status SelectShapes(const std::vector<Shape>& input_shapes);

  // The memory that the next Forward() reads or writes: input(index).bytes or largest_output(index).bytes, aligned to 64
  // bytes unless the caller bound other memory.
  uint8_t* input_data(size_t index) const { return inputs_[index].data; }
  uint8_t* output_data(size_t index) const { return outputs_[index].data; }

  // The owner of that memory, to keep or to bind to another network.
  const std::shared_ptr<Buffer>& input_buffer(size_t index) const { return inputs_[index].buffer; }
  const std::shared_ptr<Buffer>& output_buffer(size_t index) const { return outputs_[index].buffer; }

  // Makes the network read or write `buffer`, from `offset` bytes on, without a copy; the network shares its ownership.
  // Errors: fewer bytes than the tensor has, or an address that is not a multiple of the element size. Inputs and
  // outputs must not overlap.
  Status BindInput(size_t index, std::shared_ptr<Buffer> buffer, size_t offset = 0);
  Status BindOutput(size_t index, std::shared_ptr<Buffer> buffer, size_t offset = 0);

  // Computes all outputs. Cannot fail. Does not allocate (unless another user of the arena has made it grow), takes
  // no lock but that of the arena, and on one thread makes no system call.
  void Forward();

  // Starts the random numbers of models that compute such again, with this seed (0 after loading). The same seed gives the
  // same numbers, pass by pass, on every machine and for every number of threads.
  void SeedRandom(uint64_t seed);

  // From now on Forward() takes the time of every step, at some cost. Starts counting from zero.
  void EnableProfile(bool enable);
  // The steps of the selected program, in order; total_ns is over the last profiled_passes() passes. A batch of any size
  // is computed in parts, by several programs: their steps follow each other.
  std::vector<StepInfo> Profile() const;
  uint64_t profiled_passes() const { return profiled_passes_; }

  // Calls the function on every thread at once, with the thread's number (0 is the caller).
  void RunOnThreads(ThreadPool::Function function, void* argument) { pool_->Run(function, argument); }

  int threads() const { return pool_->threads(); }
  size_t arena_size() const;
  // The selected program, an index into the artifact's.
  size_t program() const { return chunks_[0].program; }
  // The target whose code runs, for example "x86-64-v3".
  std::string_view target() const;
  const std::shared_ptr<const Artifact>& artifact() const { return artifact_; }

 private:
  // An entry of the pointer table that depends on an input's or output's address.
  struct Patch {
    uint32_t slot;
    uint64_t offset;
  };

  struct Edge {
    TensorInfo info;
    TensorInfo largest;
    const fb::Tensor* source = nullptr;  // with the dynamic dimensions and the rows of a batch
    size_t entry_bytes = 0;              // of each entry of the batch; 0 where there is none
    std::shared_ptr<Buffer> buffer;
    uint8_t* data = nullptr;
  };

  struct Step {
    KernelFunction function;
    KernelContext context;
    uint32_t tasks;
    bool serial;
    bool barrier_after;  // between steps that different threads may run
  };

  struct StepTime {
    uint64_t total_ns = 0;
    uint64_t last_begin_ns = 0;
    uint64_t last_ns = 0;
  };

  // A program that is ready to run: the only one, or one of those that compute a part of the batch each.
  struct Chunk {
    size_t program = 0;
    const fb::Plan* plan = nullptr;
    uint32_t batch = 0;            // entries
    std::vector<void*> pointers;   // the arguments of all steps, one after the other
    std::vector<Step> steps;
    std::vector<std::vector<Patch>> input_patches, output_patches;
    std::vector<StepTime> step_times;
  };

  Network() = default;

  // Makes ready the program, or all of its group for a batch of `entries`.
  Status Prepare(size_t program, uint32_t entries);
  void BuildSteps(Chunk* chunk);
  // The batch for which the group that begins with this program computes these shapes; 0 if it does not.
  Status BatchOf(size_t program, const std::vector<Shape>& shapes, uint32_t* entries) const;
  Status Bind(Edge* edge, std::shared_ptr<Buffer> buffer, size_t offset, const char* what);
  // Lets the chunk work on the entries from `first` on.
  void Point(Chunk* chunk, uint32_t first);
  void Run(Chunk* chunk);
  std::string WorkingShapes() const;
  void ReadSizes();
  void RunSteps(const Chunk& chunk, int thread);
  void RunStepsProfiled(Chunk* chunk, int thread);

  std::shared_ptr<const Artifact> artifact_;
  std::unique_ptr<ThreadPool> pool_;
  std::vector<Chunk> chunks_;  // with falling batches
  Chunk* running_ = nullptr;
  uint32_t entries_ = 0;  // of the batch; 0 where its size is fixed
  bool pointed_ = false;  // the only chunk points to the memory that is bound
  std::vector<Edge> inputs_;
  std::vector<Edge> outputs_;  // the internal ones last
  size_t output_count_ = 0;    // without these
  std::shared_ptr<Arena> arena_;
  std::shared_ptr<Allocator> allocator_;
  uint8_t* arena_data_ = nullptr;  // what the steps point to
  uint64_t random_state_[2] = {0, 0};  // seed, number of the run of a program
  bool profile_ = false;
  uint64_t profiled_passes_ = 0;
};

}  // namespace mgec

#endif  // MGEC_RUNTIME_NETWORK_H_
