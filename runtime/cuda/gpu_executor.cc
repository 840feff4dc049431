#include "runtime/cuda/gpu_executor.h"

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <mutex>
#include <utility>

namespace mgec::cuda {
namespace {

uint64_t NowNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000000u + static_cast<uint64_t>(now.tv_nsec);
}

Pointer Address(const void* memory) { return reinterpret_cast<uintptr_t>(memory); }

bool GraphsAllowed() {
  const char* value = std::getenv("MGEC_CUDA_GRAPH");
  return value == nullptr || std::string(value) != "0";
}

}  // namespace

Result<std::unique_ptr<mgec::Executor>> GpuExecutor::Make(std::shared_ptr<const Artifact> artifact,
                                                          std::shared_ptr<Device> device, int stream, bool graph,
                                                          std::shared_ptr<mgec::Arena> arena,
                                                          std::shared_ptr<Allocator> allocator) {
  std::unique_ptr<GpuExecutor> executor(new GpuExecutor);
  executor->artifact_ = std::move(artifact);
  executor->device_ = device;
  executor->arena_ = std::move(arena);
  executor->allocator_ = std::move(allocator);
  executor->use_graph_ = graph && GraphsAllowed();
  Result<const fb::Plan*> plan = executor->ChoosePlan(0);  // before anything is loaded
  if (!plan.ok()) return plan.status();
  Result<std::shared_ptr<Stream>> opened = device->OpenStream(stream);
  if (!opened.ok()) return opened.status();
  executor->stream_ = std::move(opened.value());
  Result<std::shared_ptr<LoadedArtifact>> loaded = LoadedArtifact::Get(device, executor->artifact_);
  if (!loaded.ok()) return loaded.status();
  executor->loaded_ = std::move(loaded.value());
  const Device::Scope scope(*device);
  MGEC_RETURN_IF_ERROR(scope.status());
  MGEC_RETURN_IF_ERROR(
      device->Check(device->driver().cuEventCreate(&executor->done_, kEventDisableTiming), "make an event"));
  const std::lock_guard<ForkSafeMutex> lock(executor->arena_->mutex());
  std::shared_ptr<Arena>& on_gpu = executor->arena_->on_gpu();
  if (on_gpu == nullptr) {
    Result<std::shared_ptr<Arena>> made = Arena::Make(device, executor->arena_->allocator());
    if (!made.ok()) return made.status();
    on_gpu = std::move(made.value());
  } else if (on_gpu->device() != device) {
    return Status(StatusCode::kInvalidArgument,
                  Format("networks on gpu%d and gpu%d cannot share runtime memory", on_gpu->device()->id(), device->id()));
  }
  return std::unique_ptr<mgec::Executor>(std::move(executor));
}

GpuExecutor::~GpuExecutor() {
  const Device::Scope scope(*device_);
  if (!scope.status().ok()) return;
  const Driver& d = device_->driver();
  if (done_ != nullptr) {
    d.cuEventSynchronize(done_);  // the pass may be writing to memory of the caller's
    d.cuEventDestroy_v2(done_);
  }
  for (EventHandle event : events_) d.cuEventDestroy_v2(event);
}

Status GpuExecutor::CheckBuffer(const Buffer& buffer) const {
  if (buffer.on_host() || buffer.device() == device_) return Status();
  return Status(StatusCode::kInvalidArgument, Format("is on gpu%d, but the network runs on gpu%d: copy it instead",
                                                     buffer.device()->id(), device_->id()));
}

Status GpuExecutor::Prepare(const std::vector<Part>& parts, uint32_t entries, const Edges& edges) {
  std::vector<Program> programs;
  uint64_t arena_size = 0;
  for (const Part& part : parts) {
    arena_size = std::max(arena_size, part.plan->arena_size());
    Result<std::vector<Function>> functions = loaded_->Functions(*part.plan);
    if (!functions.ok()) return functions.status();
    programs.push_back(
        {part.plan, part.batch, static_cast<uint32_t>(programs.size()), std::move(functions.value())});
  }
  const std::lock_guard<ForkSafeMutex> lock(arena_->mutex());
  MGEC_RETURN_IF_ERROR(arena_->on_gpu()->Reserve(arena_size));
  programs_ = std::move(programs);
  entries_ = entries;
  pass_ = nullptr;
  staging_.assign(edges.inputs.size() + edges.outputs.size(), nullptr);
  EnableProfile(profile_);
  return Status();
}

Status GpuExecutor::Place(const Edges& edges) {
  places_.clear();
  for (const std::vector<Edge>* side : {&edges.inputs, &edges.outputs}) {
    for (const Edge& edge : *side) {
      std::shared_ptr<Buffer>& staging = staging_[places_.size()];
      if (!edge.buffer->on_host()) {
        staging = nullptr;
        places_.push_back(edge.data);
        continue;
      }
      if (staging == nullptr) {
        Result<std::shared_ptr<Buffer>> memory = AllocateOnDevice(edge.largest.bytes);
        if (!memory.ok()) return memory.status();
        staging = std::move(memory.value());
      }
      places_.push_back(staging->data());
    }
  }
  return Status();
}

void GpuExecutor::AddRun(const Program& program, uint32_t first, const Edges& edges, size_t* random_runs, Pass* pass) const {
  const fb::Plan& plan = *program.plan;
  uint8_t* const arena = arena_->on_gpu()->data();
  if (plan.random()) {
    pass->AddCopy(Address(arena + plan.random_state()),
                  Address(random_states_->data() + *random_runs * sizeof(RandomState)), sizeof(RandomState));
    ++*random_runs;
  }
  const auto place = [&](const std::vector<Edge>& side, size_t first_place, const fb::Binding& binding) {
    const Edge& edge = side[binding.index()];
    return Address(places_[first_place + binding.index()]) + first * edge.entry_bytes + binding.offset();
  };
  std::vector<Pointer> pointers;
  for (uint32_t i = 0; i < Count(plan.steps()); ++i) {
    const fb::Step& step = *plan.steps()->Get(i);
    pointers.clear();
    for (size_t j = 0; j < Count(step.bindings()); ++j) {
      const fb::Binding& binding = *step.bindings()->Get(j);
      Pointer address = 0;
      switch (binding.space()) {
        case fb::BufferSpace::Arena:
          address = Address(arena) + binding.offset();
          break;
        case fb::BufferSpace::Constant:
          address = loaded_->ConstantAddress(binding.offset());
          break;
        case fb::BufferSpace::Input:
          address = place(edges.inputs, 0, binding);
          break;
        case fb::BufferSpace::Output:
          address = place(edges.outputs, edges.inputs.size(), binding);
          break;
      }
      pointers.push_back(address);
    }
    const fb::Kernel& kernel = *plan.kernels()->Get(step.kernel());
    pass->AddKernel(program.functions[step.kernel()], step.grid(), kernel.block(), kernel.shared_bytes(), pointers,
                    step.tasks(), {program.number, i});
  }
}

// On error there is no pass, and the next Forward() tries again.
Status GpuExecutor::BuildPass(const Edges& edges) {
  pass_ = nullptr;
  random_runs_ = 0;
  ForEachPart(programs_, entries_, [&](const Program& program, uint32_t) { random_runs_ += program.plan->random() ? 1 : 0; });
  if (random_runs_ > 0 && (random_states_ == nullptr || random_states_->size() < random_runs_ * sizeof(RandomState))) {
    Result<std::shared_ptr<Buffer>> states = AllocateOnDevice(random_runs_ * sizeof(RandomState));
    if (!states.ok()) return states.status();
    random_states_ = std::move(states.value());
  }
  auto pass = std::make_unique<Pass>(device_);
  size_t random_runs = 0;
  ForEachPart(programs_, entries_,
              [&](const Program& program, uint32_t first) { AddRun(program, first, edges, &random_runs, pass.get()); });
  // A profiled pass is launched step by step.
  if (use_graph_ && !profile_) MGEC_RETURN_IF_ERROR(pass->MakeGraph());
  if (profile_) {
    while (events_.size() < pass->size() + 1) {
      EventHandle event = nullptr;
      MGEC_RETURN_IF_ERROR(CheckDriver(device_->driver().cuEventCreate(&event, kEventDefault), "make an event"));
      events_.push_back(event);
    }
  }
  pass_ = std::move(pass);
  built_places_ = places_;
  built_arena_ = arena_->on_gpu()->data();
  return Status();
}

Status GpuExecutor::CopyEdges(const std::vector<Edge>& edges, size_t first_place, bool in) {
  const Driver& d = device_->driver();
  for (size_t i = 0; i < edges.size(); ++i) {
    const Edge& edge = edges[i];
    if (staging_[first_place + i] == nullptr || edge.largest.bytes == 0) continue;
    const Pointer place = Address(places_[first_place + i]);
    MGEC_RETURN_IF_ERROR(
        in ? CheckDriver(d.cuMemcpyHtoDAsync_v2(place, edge.data, edge.largest.bytes, stream_->handle()), "copy an input")
           : CheckDriver(d.cuMemcpyDtoHAsync_v2(edge.data, place, edge.largest.bytes, stream_->handle()), "copy an output"));
  }
  return Status();
}

// The driver has copied pageable memory when it returns.
Status GpuExecutor::UploadRandomStates() {
  if (random_runs_ == 0) return Status();
  std::vector<RandomState> states(random_runs_, random_state_);
  for (RandomState& state : states) state.run = random_state_.run++;
  return CheckDriver(device_->driver().cuMemcpyHtoDAsync_v2(Address(random_states_->data()), states.data(),
                                                            states.size() * sizeof(RandomState), stream_->handle()),
                     "copy the state of random numbers");
}

Status GpuExecutor::Forward(const Edges& edges, bool rebound) {
  const Device::Scope scope(*device_);
  MGEC_RETURN_IF_ERROR(scope.status());
  const std::lock_guard<ForkSafeMutex> lock(arena_->mutex());
  if (profile_) MGEC_RETURN_IF_ERROR(CollectProfile());
  if (rebound || pass_ == nullptr) MGEC_RETURN_IF_ERROR(Place(edges));
  if (pass_ == nullptr || places_ != built_places_ || built_arena_ != arena_->on_gpu()->data()) {
    MGEC_RETURN_IF_ERROR(BuildPass(edges));
  }
  MGEC_RETURN_IF_ERROR(arena_->on_gpu()->Acquire(stream_->handle()));
  const Status status = Enqueue(edges);
  // Also after an error: what was started uses the arena and the memory of the edges.
  MGEC_RETURN_IF_ERROR(arena_->on_gpu()->Release(stream_->handle()));
  const Status recorded = CheckDriver(device_->driver().cuEventRecord(done_, stream_->handle()), "record an event");
  return status.ok() ? recorded : status;
}

Status GpuExecutor::Enqueue(const Edges& edges) {
  MGEC_RETURN_IF_ERROR(CopyEdges(edges.inputs, 0, /*in=*/true));
  MGEC_RETURN_IF_ERROR(UploadRandomStates());
  MGEC_RETURN_IF_ERROR(profile_ ? LaunchProfiled() : pass_->Launch(stream_->handle()));
  return CopyEdges(edges.outputs, edges.inputs.size(), /*in=*/false);
}

Status GpuExecutor::Wait() {
  const Device::Scope scope(*device_);
  MGEC_RETURN_IF_ERROR(scope.status());
  MGEC_RETURN_IF_ERROR(CheckDriver(device_->driver().cuEventSynchronize(done_), "finish a pass"));
  return CollectProfile();
}

void GpuExecutor::SeedRandom(uint64_t seed) { random_state_ = {seed, 0}; }

size_t GpuExecutor::arena_size() const {
  const std::lock_guard<ForkSafeMutex> lock(arena_->mutex());
  return arena_->on_gpu()->size();
}

void GpuExecutor::EnableProfile(bool enable) {
  if (profile_ != enable) pass_ = nullptr;
  profile_ = enable;
  profiled_passes_ = 0;
  profiled_begin_ns_ = 0;
  times_.clear();
  for (const Program& program : programs_) times_.emplace_back(Count(program.plan->steps()));
}

Status GpuExecutor::LaunchProfiled() {
  std::vector<EventHandle> ends(events_.begin() + 1, events_.end());
  profiled_begin_ns_ = NowNs();
  MGEC_RETURN_IF_ERROR(CheckDriver(device_->driver().cuEventRecord(events_[0], stream_->handle()), "record an event"));
  return pass_->LaunchEach(stream_->handle(), &ends);
}

// Adds what the events of the last profiled pass say.
Status GpuExecutor::CollectProfile() {
  const uint64_t begin_ns = std::exchange(profiled_begin_ns_, 0);
  if (begin_ns == 0 || pass_ == nullptr) return Status();
  const Driver& d = device_->driver();
  MGEC_RETURN_IF_ERROR(CheckDriver(d.cuEventSynchronize(events_[pass_->size()]), "finish a pass"));
  for (size_t i = 0; i < pass_->size(); ++i) {
    const Pass::Origin* origin = pass_->origin(i);
    if (origin == nullptr) continue;
    float start_ms = 0, ms = 0;
    MGEC_RETURN_IF_ERROR(CheckDriver(d.cuEventElapsedTime(&start_ms, events_[0], events_[i]), "read an event"));
    MGEC_RETURN_IF_ERROR(CheckDriver(d.cuEventElapsedTime(&ms, events_[i], events_[i + 1]), "read an event"));
    StepTime& time = times_[origin->part][origin->step];
    const uint64_t ns = static_cast<uint64_t>(static_cast<double>(ms) * 1e6);
    time = {time.total_ns + ns, begin_ns + static_cast<uint64_t>(static_cast<double>(start_ms) * 1e6), ns};
  }
  ++profiled_passes_;
  return Status();
}

}  // namespace mgec::cuda
