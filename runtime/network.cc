#include "runtime/network.h"

#include <ctime>
#include <mutex>
#include <utility>

namespace mgec {
namespace {

using Tensors = flatbuffers::Vector<flatbuffers::Offset<fb::Tensor>>;

std::string_view View(const flatbuffers::String* text) { return text == nullptr ? std::string_view() : text->string_view(); }

bool SameShape(const fb::Tensor& tensor, const Shape& shape) {
  if (Count(tensor.shape()) != shape.size()) return false;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (tensor.shape()->Get(i) != shape[i]) return false;
  }
  return true;
}

bool SameShapes(const Tensors* tensors, const std::vector<Shape>& shapes) {
  if (Count(tensors) != shapes.size()) return false;
  for (size_t i = 0; i < shapes.size(); ++i) {
    if (!SameShape(*tensors->Get(i), shapes[i])) return false;
  }
  return true;
}

uint64_t NowNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000000u + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace

Result<std::unique_ptr<Network>> Network::Load(std::shared_ptr<const Artifact> artifact,
                                               const NetworkOptions& options) {
  Result<std::unique_ptr<ThreadPool>> pool = ThreadPool::Create(options.threads);
  if (!pool.ok()) return pool.status();
  std::unique_ptr<Network> network(new Network);
  network->artifact_ = std::move(artifact);
  network->allocator_ = options.allocator;
  network->arena_ = options.arena != nullptr ? options.arena : std::make_shared<Arena>(options.allocator);
  network->pool_ = std::move(pool.value());
  const fb::Program& program = *network->artifact_->metadata().programs()->Get(0);
  network->inputs_.resize(Count(program.inputs()));
  network->outputs_.resize(Count(program.outputs()));
  MGEC_RETURN_IF_ERROR(network->Prepare(0));
  return network;
}

Network::~Network() = default;

// Everything that can fail comes first; then the network is changed.
Status Network::Prepare(size_t index) {
  const fb::Program& program = *artifact_->metadata().programs()->Get(index);
  Result<const fb::Plan*> plan = artifact_->ChoosePlan(index);
  if (!plan.ok()) return plan.status();

  const auto new_edges = [this](const Tensors* tensors, const std::vector<Edge>& old, std::vector<Edge>* edges) {
    for (size_t i = 0; i < old.size(); ++i) {
      Edge edge;
      edge.info = DescribeTensor(*tensors->Get(i));
      if (old[i].buffer != nullptr && old[i].info.bytes == edge.info.bytes) {
        edge.buffer = old[i].buffer;
        edge.data = old[i].data;
      } else {
        Result<std::shared_ptr<Buffer>> buffer = Buffer::Allocate(edge.info.bytes, allocator_);
        if (!buffer.ok()) return buffer.status();
        edge.buffer = std::move(buffer.value());
        edge.data = edge.buffer->data();
      }
      edges->push_back(std::move(edge));
    }
    return Status();
  };
  std::vector<Edge> inputs, outputs;
  MGEC_RETURN_IF_ERROR(new_edges(program.inputs(), inputs_, &inputs));
  MGEC_RETURN_IF_ERROR(new_edges(program.outputs(), outputs_, &outputs));

  const std::lock_guard<ForkSafeMutex> lock(arena_->mutex());
  MGEC_RETURN_IF_ERROR(arena_->Reserve(plan.value()->arena_size()));
  inputs_ = std::move(inputs);
  outputs_ = std::move(outputs);
  program_ = index;
  plan_ = plan.value();
  BuildSteps(*plan_);
  return Status();
}

void Network::BuildSteps(const fb::Plan& plan) {
  pointers_.clear();
  steps_.clear();
  for (std::vector<Edge>* edges : {&inputs_, &outputs_}) {
    for (Edge& edge : *edges) edge.patches.clear();
  }
  arena_data_ = arena_->data();
  const size_t count = Count(plan.steps());
  std::vector<size_t> first(count);
  for (size_t i = 0; i < count; ++i) {
    first[i] = pointers_.size();
    const auto* bindings = plan.steps()->Get(i)->bindings();
    for (size_t j = 0; j < Count(bindings); ++j) {
      const fb::Binding& binding = *bindings->Get(j);
      const uint32_t slot = static_cast<uint32_t>(pointers_.size());
      uint8_t* base = nullptr;
      switch (binding.space()) {
        case fb::BufferSpace::Arena:
          base = arena_data_;
          break;
        case fb::BufferSpace::Constant:
          base = artifact_->constants();
          break;
        case fb::BufferSpace::Input:
        case fb::BufferSpace::Output: {
          Edge& edge = (binding.space() == fb::BufferSpace::Input ? inputs_ : outputs_)[binding.index()];
          edge.patches.push_back({slot, binding.offset()});
          base = edge.data;
          break;
        }
      }
      pointers_.push_back(base + binding.offset());
    }
  }
  const uint8_t* code = artifact_->code(plan);
  for (size_t i = 0; i < count; ++i) {
    const fb::Step& source = *plan.steps()->Get(i);
    Step step;
    step.function = reinterpret_cast<KernelFunction>(
        reinterpret_cast<uintptr_t>(code + plan.kernels()->Get(source.kernel())->code_offset()));
    step.context.buffers = pointers_.data() + first[i];
    step.tasks = source.tasks();
    step.serial = source.serial() || source.tasks() <= 1;
    step.barrier_after = false;
    if (i > 0) steps_.back().barrier_after = !steps_.back().serial || !step.serial;
    steps_.push_back(step);
  }
  step_times_.assign(count, {});
  profiled_passes_ = 0;
}

size_t Network::arena_size() const {
  const std::lock_guard<ForkSafeMutex> lock(arena_->mutex());
  return arena_->size();
}

int Network::FindInput(std::string_view name) const {
  for (size_t i = 0; i < inputs_.size(); ++i) {
    if (inputs_[i].info.name == name) return static_cast<int>(i);
  }
  return -1;
}

int Network::FindOutput(std::string_view name) const {
  for (size_t i = 0; i < outputs_.size(); ++i) {
    if (outputs_[i].info.name == name) return static_cast<int>(i);
  }
  return -1;
}

Status Network::SelectShapes(const std::vector<Shape>& input_shapes) {
  const auto& programs = *artifact_->metadata().programs();
  if (SameShapes(programs.Get(program_)->inputs(), input_shapes)) return Status();
  for (size_t i = 0; i < programs.size(); ++i) {
    if (SameShapes(programs.Get(i)->inputs(), input_shapes)) return Prepare(i);
  }
  std::string wanted;
  for (size_t i = 0; i < input_shapes.size(); ++i) {
    wanted += (i ? ", " : "") + (i < inputs_.size() ? inputs_[i].info.name + " " : std::string()) +
              ShapeToString(input_shapes[i]);
  }
  return Status(StatusCode::kUnsupported,
                Format("%s was not compiled for the input shapes %s; it was for %s; for others compile the model again "
                       "with --input-shape",
                       artifact_->name().c_str(), wanted.c_str(), WorkingShapes().c_str()));
}

std::string Network::WorkingShapes() const {
  std::string text;
  for (const fb::Program* program : *artifact_->metadata().programs()) {
    if (!text.empty()) text += "; or ";
    for (size_t i = 0; i < Count(program->inputs()); ++i) {
      const TensorInfo info = DescribeTensor(*program->inputs()->Get(i));
      text += (i ? ", " : "") + info.name + " " + ShapeToString(info.shape);
    }
  }
  return text;
}

Status Network::Bind(Edge* edge, std::shared_ptr<Buffer> buffer, size_t offset, const char* what) {
  if (offset > buffer->size() || buffer->size() - offset < edge->info.bytes) {
    return Status(StatusCode::kInvalidArgument,
                  Format("%s %s needs %zu bytes; the memory given has %zu", what, edge->info.name.c_str(),
                         edge->info.bytes, offset > buffer->size() ? 0 : buffer->size() - offset));
  }
  uint8_t* data = buffer->data() + offset;
  const unsigned element = (BitsPerElement(edge->info.dtype) + 7) / 8;
  if (reinterpret_cast<uintptr_t>(data) % element != 0) {
    return Status(StatusCode::kInvalidArgument,
                  Format("%s %s: the memory given is not aligned to %u bytes", what, edge->info.name.c_str(), element));
  }
  edge->buffer = std::move(buffer);
  edge->data = data;
  for (const Patch& patch : edge->patches) pointers_[patch.slot] = data + patch.offset;
  return Status();
}

Status Network::BindInput(size_t index, std::shared_ptr<Buffer> buffer, size_t offset) {
  return Bind(&inputs_[index], std::move(buffer), offset, "input");
}

Status Network::BindOutput(size_t index, std::shared_ptr<Buffer> buffer, size_t offset) {
  return Bind(&outputs_[index], std::move(buffer), offset, "output");
}

void Network::Forward() {
  const std::lock_guard<ForkSafeMutex> lock(arena_->mutex());
  if (arena_->data() != arena_data_) BuildSteps(*plan_);  // another network has made it grow
  pool_->Run([](void* self, int thread) {
    Network* network = static_cast<Network*>(self);
    if (network->profile_) {
      network->RunStepsProfiled(thread);
    } else {
      network->RunSteps(thread);
    }
  }, this);
  if (profile_) ++profiled_passes_;
}

void Network::RunSteps(int thread) {
  const int threads = pool_->threads();
  for (const Step& step : steps_) {
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
void Network::RunStepsProfiled(int thread) {
  const int threads = pool_->threads();
  for (size_t i = 0; i < steps_.size(); ++i) {
    const Step& step = steps_[i];
    const uint64_t start = thread == 0 ? NowNs() : 0;
    const TaskRange range = step.serial ? TaskRange{0, thread == 0 ? step.tasks : 0}
                                        : SplitTasks(step.tasks, thread, threads);
    if (range.begin < range.end) step.function(&step.context, range.begin, range.end);
    pool_->Barrier();
    if (thread == 0) {
      const uint64_t duration = NowNs() - start;
      step_times_[i] = {step_times_[i].total_ns + duration, start, duration};
    }
  }
}

void Network::EnableProfile(bool enable) {
  profile_ = enable;
  profiled_passes_ = 0;
  step_times_.assign(steps_.size(), {});
}

std::vector<StepInfo> Network::Profile() const {
  std::vector<StepInfo> profile;
  for (size_t i = 0; i < steps_.size(); ++i) {
    const fb::Step& step = *plan_->steps()->Get(i);
    profile.push_back({View(step.name()), View(step.op()), View(plan_->kernels()->Get(step.kernel())->name()),
                       step.macs(), step.bytes(), step_times_[i].total_ns, step_times_[i].last_begin_ns,
                       step_times_[i].last_ns});
  }
  return profile;
}

std::string_view Network::target() const { return View(plan_->target()); }

}  // namespace mgec
