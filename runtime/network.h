// Runs a compiled model.
//
//   NetworkOptions options;
//   options.threads = 2;
//   Result<std::unique_ptr<Network>> loaded = Network::Load(artifact, options);
//   if (!loaded.ok()) ...
//   Network& network = *loaded.value();
//   memcpy(network.input_data(0), image, network.input(0).bytes);
//   MGEC_RETURN_IF_ERROR(network.Forward());
//   MGEC_RETURN_IF_ERROR(network.Wait());  // for a GPU
//   const float* scores = reinterpret_cast<const float*>(network.output_data(0));
//
// A Network may be used by one thread at a time. Different Networks, also of one Artifact, are independent, except that those
// that share an Arena wait for each other in Forward(). After fork() the child may go on using the Networks on the
// CPU that no thread was using: threads of their own are started again.
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
#include "runtime/executor.h"
#include "runtime/status.h"
#include "runtime/thread_pool.h"

namespace mgec {

struct NetworkOptions {
  int threads = 1;  // 1 to ThreadPool::kMaxThreads; the thread that calls Forward() is one of them
  std::shared_ptr<Arena> arena;          // for intermediate results; null for one of the Network's own
  // For inputs, outputs and the Network's own arena; null for the system's memory. On a GPU it is asked for all that is the GPU's
  // but the weights; pinned memory of the CPU is the driver's.
  std::shared_ptr<Allocator> allocator;

  // A GPU to run on; null for the CPU. `threads` is not used then.
  std::shared_ptr<cuda::Device> gpu;
  int stream = 0;     // networks with the same number on the same GPU run one after the other; others may overlap
  bool graph = true;  // hand a pass to the GPU as one CUDA graph instead of one launch after the other
  // Inputs and outputs whose memory, as the Network allocates it, is the GPU's. The CPU cannot touch that: input_data() and
  // output_data() are addresses for the GPU. The others are pinned memory of the CPU and copied in each pass.
  std::vector<std::string> device_inputs, device_outputs;
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
  size_t input_count() const { return edges_.inputs.size(); }
  size_t output_count() const { return output_count_; }
  const TensorInfo& input(size_t index) const { return edges_.inputs[index].info; }
  const TensorInfo& output(size_t index) const { return edges_.outputs[index].info; }

  // An output with its largest shape and the bytes that its memory needs, whatever Forward() has found.
  const TensorInfo& largest_output(size_t index) const { return edges_.outputs[index].largest; }

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
  uint8_t* input_data(size_t index) const { return edges_.inputs[index].data; }
  uint8_t* output_data(size_t index) const { return edges_.outputs[index].data; }

  // The owner of that memory, to keep or to bind to another network.
  const std::shared_ptr<Buffer>& input_buffer(size_t index) const { return edges_.inputs[index].buffer; }
  const std::shared_ptr<Buffer>& output_buffer(size_t index) const { return edges_.outputs[index].buffer; }

  // Makes the network read or write `buffer`, from `offset` bytes on, without a copy; the network shares its ownership.
  // Errors: fewer bytes than the tensor has, or an address that is not a multiple of the element size. Inputs and
  // outputs must not overlap.
  Status BindInput(size_t index, std::shared_ptr<Buffer> buffer, size_t offset = 0);
  Status BindOutput(size_t index, std::shared_ptr<Buffer> buffer, size_t offset = 0);

  // Computes all outputs. On the CPU this cannot fail, does not allocate (unless another user of the arena has made it grow),
  // takes no lock but that of the arena, and on one thread makes no system call. On a GPU it starts the pass and returns;
  // until Wait() has, inputs and outputs belong to it. Errors there: memory, and what Wait() may say of passes before.
  Status Forward();

  // Waits for the passes that Forward() has started. Outputs are there and have their actual shapes when it returns. Errors:
  // a GPU that has failed. On the CPU there is nothing to wait for.
  Status Wait();

  // Starts the random numbers of models that compute such again, with this seed (0 after loading). The same seed gives the
  // same numbers, pass by pass, on every machine and for every number of threads.
  void SeedRandom(uint64_t seed) { executor_->SeedRandom(seed); }

  // From now on Forward() takes the time of every step, at some cost. Starts counting from zero.
  void EnableProfile(bool enable) { executor_->EnableProfile(enable); }
  // The steps of the selected program, in order; total_ns is over the last profiled_passes() passes. A batch of any size
  // is computed in parts, by several programs: their steps follow each other.
  std::vector<StepInfo> Profile() const;
  uint64_t profiled_passes() const { return executor_->profiled_passes(); }

  // Calls the function on every thread at once, with the thread's number (0 is the caller).
  void RunOnThreads(ThreadPool::Function function, void* argument) { executor_->RunOnThreads(function, argument); }

  int threads() const { return executor_->threads(); }
  size_t arena_size() const { return executor_->arena_size(); }
  // The selected program, an index into the artifact's.
  size_t program() const { return parts_[0].program; }
  // The target whose code runs, for example "x86-64-v3".
  std::string_view target() const;
  const std::shared_ptr<const Artifact>& artifact() const { return artifact_; }

 private:
  Network() = default;

  // Makes ready the program, or all of its group for a batch of `entries`.
  Status Prepare(size_t program, uint32_t entries);
  // The batch for which the group that begins with this program computes these shapes; 0 if it does not.
  Status BatchOf(size_t program, const std::vector<Shape>& shapes, uint32_t* entries) const;
  Status Bind(Edge* edge, std::shared_ptr<Buffer> buffer, size_t offset, const char* what);
  std::string WorkingShapes() const;
  void ReadSizes();

  std::shared_ptr<const Artifact> artifact_;
  std::unique_ptr<Executor> executor_;
  std::vector<Part> parts_;  // with falling batches
  Edges edges_;
  size_t output_count_ = 0;  // without the internal ones
  bool asynchronous_ = false;
  bool dynamic_ = false;     // some output's size depends on values
  bool rebound_ = true;      // since the last pass
  bool waiting_ = false;     // passes were started and not waited for
};

}  // namespace mgec

#endif  // MGEC_RUNTIME_NETWORK_H_
