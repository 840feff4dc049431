#include "runtime/host_executor.h"

#include <algorithm>
#include <cstring>
#include <ctime>
#include <mutex>
#include <utility>

namespace mgec {
namespace {

uint64_t NowNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000000u + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace

Result<std::unique_ptr<Executor>> HostExecutor::Make(std::shared_ptr<const Artifact> artifact, int threads,
                                                     std::shared_ptr<Arena> arena, std::shared_ptr<Allocator> allocator) {
  Result<std::unique_ptr<ThreadPool>> pool = ThreadPool::Create(threads);
  if (!pool.ok()) return pool.status();
  std::unique_ptr<HostExecutor> executor(new HostExecutor);
  executor->artifact_ = std::move(artifact);
  executor->pool_ = std::move(pool.value());
  executor->arena_ = std::move(arena);
  executor->allocator_ = std::move(allocator);
  return std::unique_ptr<Executor>(std::move(executor));
}

Result<std::shared_ptr<Buffer>> HostExecutor::Allocate(size_t size, bool on_device) {
  if (on_device) return Status(StatusCode::kInvalidArgument, "a network on the CPU has no memory of a GPU");
  return Buffer::Allocate(size, allocator_);
}

Status HostExecutor::CheckBuffer(const Buffer& buffer) const {
  if (buffer.on_host()) return Status();
  return Status(StatusCode::kInvalidArgument, "is memory of a GPU, but the network runs on the CPU: copy it instead");
}

// Everything that can fail comes first; then the executor is changed.
Status HostExecutor::Prepare(const std::vector<Part>& parts, uint32_t entries, const Edges& edges) {
  uint64_t arena_size = 0;
  for (const Part& part : parts) arena_size = std::max(arena_size, part.plan->arena_size());
  const std::lock_guard<ForkSafeMutex> lock(arena_->mutex());
  MGEC_RETURN_IF_ERROR(arena_->Reserve(arena_size));
  arena_data_ = arena_->data();
  inputs_ = edges.inputs.size();
  outputs_ = edges.outputs.size();
  chunks_.clear();
  for (const Part& part : parts) {
    Chunk chunk;
    chunk.plan = part.plan;
    chunk.batch = part.batch;
    chunks_.push_back(std::move(chunk));
  }
  entries_ = entries;
  pointed_ = false;
  profiled_passes_ = 0;
  for (Chunk& chunk : chunks_) BuildSteps(&chunk);
  return Status();
}

// Everything but the addresses of inputs and outputs: see Point().
void HostExecutor::BuildSteps(Chunk* chunk) {
  const fb::Plan& plan = *chunk->plan;
  chunk->pointers.clear();
  chunk->steps.clear();
  chunk->input_patches.assign(inputs_, {});
  chunk->output_patches.assign(outputs_, {});
  const size_t count = Count(plan.steps());
  std::vector<size_t> first(count);
  for (size_t i = 0; i < count; ++i) {
    first[i] = chunk->pointers.size();
    const auto* bindings = plan.steps()->Get(i)->bindings();
    for (size_t j = 0; j < Count(bindings); ++j) {
      const fb::Binding& binding = *bindings->Get(j);
      const Patch patch = {static_cast<uint32_t>(chunk->pointers.size()), binding.offset()};
      void* pointer = nullptr;
      switch (binding.space()) {
        case fb::BufferSpace::Arena:
          pointer = arena_data_ + binding.offset();
          break;
        case fb::BufferSpace::Constant:
          pointer = artifact_->constants() + binding.offset();
          break;
        case fb::BufferSpace::Input:
          chunk->input_patches[binding.index()].push_back(patch);
          break;
        case fb::BufferSpace::Output:
          chunk->output_patches[binding.index()].push_back(patch);
          break;
      }
      chunk->pointers.push_back(pointer);
    }
  }
  const uint8_t* code = artifact_->code(plan);
  for (size_t i = 0; i < count; ++i) {
    const fb::Step& source = *plan.steps()->Get(i);
    Step step;
    step.function = reinterpret_cast<KernelFunction>(
        reinterpret_cast<uintptr_t>(code + plan.kernels()->Get(source.kernel())->code_offset()));
    step.context.buffers = chunk->pointers.data() + first[i];
    step.tasks = source.tasks();
    step.serial = source.serial() || source.tasks() <= 1;
    step.barrier_after = false;
    if (i > 0) chunk->steps.back().barrier_after = !chunk->steps.back().serial || !step.serial;
    chunk->steps.push_back(step);
  }
  chunk->step_times.resize(count);
}

void HostExecutor::Point(Chunk* chunk, const Edges& edges, uint32_t first) {
  const auto point = [&](const std::vector<Edge>& side, const std::vector<std::vector<Patch>>& patches) {
    for (size_t i = 0; i < side.size(); ++i) {
      uint8_t* const data = side[i].data + first * side[i].entry_bytes;
      for (const Patch& patch : patches[i]) chunk->pointers[patch.slot] = data + patch.offset;
    }
  };
  point(edges.inputs, chunk->input_patches);
  point(edges.outputs, chunk->output_patches);
}

size_t HostExecutor::arena_size() const {
  const std::lock_guard<ForkSafeMutex> lock(arena_->mutex());
  return arena_->size();
}

void HostExecutor::SeedRandom(uint64_t seed) {
  random_state_[0] = seed;
  random_state_[1] = 0;
}

Status HostExecutor::Forward(const Edges& edges, bool rebound) {
  const std::lock_guard<ForkSafeMutex> lock(arena_->mutex());
  if (rebound) pointed_ = false;
  if (arena_->data() != arena_data_) {  // another network has made it grow
    arena_data_ = arena_->data();
    pointed_ = false;
    for (Chunk& chunk : chunks_) BuildSteps(&chunk);
  }
  ForEachPart(chunks_, entries_, [&](Chunk& chunk, uint32_t first) {
    if (!pointed_) Point(&chunk, edges, first);
    pointed_ = entries_ == 0;
    Run(&chunk);
  });
  if (profile_) ++profiled_passes_;
  return Status();
}

void HostExecutor::Run(Chunk* chunk) {
  running_ = chunk;
  if (chunk->plan->random()) {
    std::memcpy(arena_data_ + chunk->plan->random_state(), random_state_, sizeof(random_state_));
    ++random_state_[1];
  }
  pool_->Run([](void* self, int thread) {
    HostExecutor* executor = static_cast<HostExecutor*>(self);
    if (executor->profile_) {
      executor->RunStepsProfiled(executor->running_, thread);
    } else {
      executor->RunSteps(*executor->running_, thread);
    }
  }, this);
}

void HostExecutor::RunSteps(const Chunk& chunk, int thread) {
  const int threads = pool_->threads();
  for (const Step& step : chunk.steps) {
    if (step.serial) {
      if (thread == 0) step.function(&step.context, 0, step.tasks);
    } else {
      const TaskRange range = SplitTasks(step.tasks, thread, threads);
      if (range.begin < range.end) step.function(&step.context, range.begin, range.end);
    }
    if (step.barrier_after) pool_->Barrier();
  }
}

// As RunSteps(), with a barrier after every step, so that the caller's clock sees all threads' work.
void HostExecutor::RunStepsProfiled(Chunk* chunk, int thread) {
  const int threads = pool_->threads();
  for (size_t i = 0; i < chunk->steps.size(); ++i) {
    const Step& step = chunk->steps[i];
    const uint64_t start = thread == 0 ? NowNs() : 0;
    const TaskRange range = step.serial ? TaskRange{0, thread == 0 ? step.tasks : 0}
                                        : SplitTasks(step.tasks, thread, threads);
    if (range.begin < range.end) step.function(&step.context, range.begin, range.end);
    pool_->Barrier();
    if (thread == 0) {
      const uint64_t duration = NowNs() - start;
      StepTime& time = chunk->step_times[i];
      time = {time.total_ns + duration, start, duration};
    }
  }
}

void HostExecutor::EnableProfile(bool enable) {
  profile_ = enable;
  profiled_passes_ = 0;
  for (Chunk& chunk : chunks_) chunk.step_times.assign(chunk.steps.size(), {});
}

}  // namespace mgec
