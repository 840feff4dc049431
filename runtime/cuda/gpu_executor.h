// Runs plans on a GPU.
#ifndef MGEC_RUNTIME_CUDA_GPU_EXECUTOR_H_
#define MGEC_RUNTIME_CUDA_GPU_EXECUTOR_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/arena.h"
#include "runtime/cuda/arena.h"
#include "runtime/cuda/device.h"
#include "runtime/cuda/loaded_artifact.h"
#include "runtime/cuda/pass.h"
#include "runtime/executor.h"

namespace mgec::cuda {

// A pass is a sequence of work for one stream: copies of inputs that lie in memory of the CPU, then all launches of the plan,
// as one CUDA graph, then copies of outputs. The graph is made again when the addresses change that it works with.
class GpuExecutor : public mgec::Executor {
 public:
  // `stream`: which of the device's streams. `graph`: whether to use graphs; the environment variable MGEC_CUDA_GRAPH=0 forbids
  // it. `allocator` (null: the driver) is for memory of the GPU, except the arena, which has its own, and the artifact's constants,
  // which others may share. Errors: those of the driver; an arena of another GPU.
  static Result<std::unique_ptr<mgec::Executor>> Make(std::shared_ptr<const Artifact> artifact, std::shared_ptr<Device> device,
                                                      int stream, bool graph, std::shared_ptr<mgec::Arena> arena,
                                                      std::shared_ptr<Allocator> allocator);
  ~GpuExecutor() override;

  Result<const fb::Plan*> ChoosePlan(size_t program) const override { return artifact_->CudaPlan(program); }
  Result<std::shared_ptr<Buffer>> Allocate(size_t size, bool on_device) override {
    return on_device ? AllocateOnDevice(size) : device_->AllocatePinned(size);
  }
  Status CheckBuffer(const Buffer& buffer) const override;
  Status Prepare(const std::vector<Part>& parts, uint32_t entries, const Edges& edges) override;
  Status Forward(const Edges& edges, bool rebound) override;
  bool asynchronous() const override { return true; }
  Status Wait() override;
  void SeedRandom(uint64_t seed) override;
  void EnableProfile(bool enable) override;
  uint64_t profiled_passes() const override { return profiled_passes_; }
  StepTime Time(size_t part, size_t step) const override { return times_[part][step]; }
  size_t arena_size() const override;

 private:
  struct Program {
    const fb::Plan* plan = nullptr;
    uint32_t batch = 0;
    uint32_t number = 0;
    std::vector<Function> functions;
  };
  struct RandomState {
    uint64_t seed;
    uint64_t run;
  };

  GpuExecutor() = default;
  Result<std::shared_ptr<Buffer>> AllocateOnDevice(size_t size) const { return device_->AllocateMemory(size, allocator_); }
  Status CheckDriver(Error error, const char* what) const { return device_->Check(error, what); }

  // Where the kernels find an edge: its own memory on the GPU, or room on the GPU for what is copied. Both sides in order.
  Status Place(const Edges& edges);
  // What the kernels of a program on the entries from `first` on are to be called with.
  void AddRun(const Program& program, uint32_t first, const Edges& edges, size_t* random_runs, Pass* pass) const;
  Status BuildPass(const Edges& edges);
  Status CopyEdges(const std::vector<Edge>& edges, size_t first_place, bool in);
  Status UploadRandomStates();
  Status LaunchProfiled();
  Status CollectProfile();
  Status Enqueue(const Edges& edges);

  std::shared_ptr<const Artifact> artifact_;
  std::shared_ptr<Device> device_;
  std::shared_ptr<Stream> stream_;
  std::shared_ptr<mgec::Arena> arena_;
  std::shared_ptr<Allocator> allocator_;
  std::shared_ptr<LoadedArtifact> loaded_;
  bool use_graph_ = true;

  std::vector<Program> programs_;  // with falling batches
  uint32_t entries_ = 0;           // of the batch; 0 where its size is fixed
  std::vector<std::shared_ptr<Buffer>> staging_;  // for edges in memory of the CPU; null where not needed (yet)
  std::vector<uint8_t*> places_;                  // addresses on the GPU of all inputs, then all outputs
  std::vector<uint8_t*> built_places_;            // those that the pass works with
  uint8_t* built_arena_ = nullptr;
  std::unique_ptr<Pass> pass_;

  size_t random_runs_ = 0;  // programs in a pass that compute random numbers
  std::shared_ptr<Buffer> random_states_;
  RandomState random_state_ = {0, 0};

  EventHandle done_ = nullptr;  // the end of the last pass
  bool profile_ = false;
  std::vector<EventHandle> events_;  // the beginning of a profiled pass, then the end of each launch
  uint64_t profiled_begin_ns_ = 0;   // of a pass that was not looked at yet; 0: there is none
  uint64_t profiled_passes_ = 0;
  std::vector<std::vector<StepTime>> times_;
};

}  // namespace mgec::cuda

#endif  // MGEC_RUNTIME_CUDA_GPU_EXECUTOR_H_
