// Runs plans on the threads of the CPU.
#ifndef MGEC_RUNTIME_HOST_EXECUTOR_H_
#define MGEC_RUNTIME_HOST_EXECUTOR_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/arena.h"
#include "runtime/executor.h"
#include "runtime/kernel_abi.h"

namespace mgec {

class HostExecutor : public Executor {
 public:
  // Starts threads - 1 threads. `arena` may be shared; `allocator` (null: the system) is for inputs and outputs.
  static Result<std::unique_ptr<Executor>> Make(std::shared_ptr<const Artifact> artifact, int threads,
                                                std::shared_ptr<Arena> arena, std::shared_ptr<Allocator> allocator);

  Result<const fb::Plan*> ChoosePlan(size_t program) const override { return artifact_->ChoosePlan(program); }
  Result<std::shared_ptr<Buffer>> Allocate(size_t size, bool on_device) override;
  Status CheckBuffer(const Buffer& buffer) const override;
  Status Prepare(const std::vector<Part>& parts, uint32_t entries, const Edges& edges) override;
  // Cannot fail. Does not allocate (unless another user of the arena has made it grow), takes no lock but that of the arena,
  // and on one thread makes no system call.
  Status Forward(const Edges& edges, bool rebound) override;
  bool asynchronous() const override { return false; }
  Status Wait() override { return Status(); }
  void SeedRandom(uint64_t seed) override;
  void EnableProfile(bool enable) override;
  uint64_t profiled_passes() const override { return profiled_passes_; }
  StepTime Time(size_t part, size_t step) const override { return chunks_[part].step_times[step]; }
  size_t arena_size() const override;
  int threads() const override { return pool_->threads(); }
  void RunOnThreads(ThreadPool::Function function, void* argument) override { pool_->Run(function, argument); }

 private:
  // An entry of the pointer table that depends on an input's or output's address.
  struct Patch {
    uint32_t slot;
    uint64_t offset;
  };

  struct Step {
    KernelFunction function;
    KernelContext context;
    uint32_t tasks;
    bool serial;
    bool barrier_after;  // between steps that different threads may run
  };

  // A part that is ready to run.
  struct Chunk {
    const fb::Plan* plan = nullptr;
    uint32_t batch = 0;            // entries
    std::vector<void*> pointers;   // the arguments of all steps, one after the other
    std::vector<Step> steps;
    std::vector<std::vector<Patch>> input_patches, output_patches;
    std::vector<StepTime> step_times;
  };

  HostExecutor() = default;
  void BuildSteps(Chunk* chunk);
  // Lets the chunk work on the entries from `first` on.
  void Point(Chunk* chunk, const Edges& edges, uint32_t first);
  void Run(Chunk* chunk);
  void RunSteps(const Chunk& chunk, int thread);
  void RunStepsProfiled(Chunk* chunk, int thread);

  std::shared_ptr<const Artifact> artifact_;
  std::unique_ptr<ThreadPool> pool_;
  std::shared_ptr<Arena> arena_;
  std::shared_ptr<Allocator> allocator_;
  std::vector<Chunk> chunks_;  // with falling batches
  Chunk* running_ = nullptr;
  uint32_t entries_ = 0;  // of the batch; 0 where its size is fixed
  size_t inputs_ = 0, outputs_ = 0;
  bool pointed_ = false;  // the only chunk points to the memory that is bound
  uint8_t* arena_data_ = nullptr;  // what the steps point to
  uint64_t random_state_[2] = {0, 0};  // seed, number of the run of a program
  bool profile_ = false;
  uint64_t profiled_passes_ = 0;
};

}  // namespace mgec

#endif  // MGEC_RUNTIME_HOST_EXECUTOR_H_
