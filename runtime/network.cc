#include "runtime/network.h"

#include <algorithm>
#include <cstring>
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
  network->output_count_ = network->outputs_.size() - program.internal_outputs();
  MGEC_RETURN_IF_ERROR(network->Prepare(0, 1));
  return network;
}

Network::~Network() = default;

// Everything that can fail comes first; then the network is changed.
Status Network::Prepare(size_t index, uint32_t entries) {
  const auto& programs = *artifact_->metadata().programs();
  const fb::Program& program = *programs.Get(index);
  if (program.batch() == 0) entries = 0;
  std::vector<Chunk> chunks;
  uint64_t arena_size = 0;
  for (size_t i = index; i < programs.size(); ++i) {
    if (i > index && (entries == 0 || programs.Get(i)->batch_group() != program.batch_group())) break;
    if (programs.Get(i)->batch() > entries) continue;  // larger than the whole batch
    Result<const fb::Plan*> plan = artifact_->ChoosePlan(i);
    if (!plan.ok()) return plan.status();
    Chunk chunk;
    chunk.program = i;
    chunk.plan = plan.value();
    chunk.batch = programs.Get(i)->batch();
    arena_size = std::max(arena_size, chunk.plan->arena_size());
    chunks.push_back(std::move(chunk));
    if (programs.Get(i)->batch() <= 1) break;
  }

  const auto new_edges = [&](const Tensors* tensors, const std::vector<Edge>& old, std::vector<Edge>* edges) {
    for (size_t i = 0; i < old.size(); ++i) {
      Edge edge;
      edge.source = tensors->Get(i);
      if (!DescribeTensor(*edge.source, entries, &edge.info)) {
        return Status(StatusCode::kInvalidArgument,
                      Format("a batch of %u is too large for %s", entries, edge.info.name.c_str()));
      }
      edge.largest = edge.info;
      if (edge.source->batch_rows() > 0) edge.entry_bytes = edge.info.bytes / entries;
      if (old[i].buffer != nullptr && old[i].largest.bytes == edge.info.bytes) {
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
  MGEC_RETURN_IF_ERROR(arena_->Reserve(arena_size));
  arena_data_ = arena_->data();
  inputs_ = std::move(inputs);
  outputs_ = std::move(outputs);
  chunks_ = std::move(chunks);
  entries_ = entries;
  pointed_ = false;
  profiled_passes_ = 0;
  for (Chunk& chunk : chunks_) BuildSteps(&chunk);
  return Status();
}

// Everything but the addresses of inputs and outputs: see Point().
void Network::BuildSteps(Chunk* chunk) {
  const fb::Plan& plan = *chunk->plan;
  chunk->pointers.clear();
  chunk->steps.clear();
  chunk->input_patches.assign(inputs_.size(), {});
  chunk->output_patches.assign(outputs_.size(), {});
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

void Network::Point(Chunk* chunk, uint32_t first) {
  const auto point = [&](const std::vector<Edge>& edges, const std::vector<std::vector<Patch>>& patches) {
    for (size_t i = 0; i < edges.size(); ++i) {
      uint8_t* const data = edges[i].data + first * edges[i].entry_bytes;
      for (const Patch& patch : patches[i]) chunk->pointers[patch.slot] = data + patch.offset;
    }
  };
  point(inputs_, chunk->input_patches);
  point(outputs_, chunk->output_patches);
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
  for (size_t i = 0; i < output_count_; ++i) {
    if (outputs_[i].info.name == name) return static_cast<int>(i);
  }
  return -1;
}

Status Network::SelectShapes(const std::vector<Shape>& input_shapes) {
  const auto& programs = *artifact_->metadata().programs();
  bool selected = input_shapes.size() == inputs_.size();
  for (size_t i = 0; selected && i < inputs_.size(); ++i) selected = inputs_[i].info.shape == input_shapes[i];
  if (selected) return Status();
  for (size_t i = 0; i < programs.size(); ++i) {
    if (programs.Get(i)->batch() == 0 && SameShapes(programs.Get(i)->inputs(), input_shapes)) return Prepare(i, 0);
  }
  for (size_t i = 0; i < programs.size(); ++i) {
    const bool begins = i == 0 || programs.Get(i - 1)->batch() == 0 ||
                        programs.Get(i - 1)->batch_group() != programs.Get(i)->batch_group();
    if (programs.Get(i)->batch() == 0 || !begins) continue;
    uint32_t entries = 0;
    MGEC_RETURN_IF_ERROR(BatchOf(i, input_shapes, &entries));
    if (entries > 0) return Prepare(i, entries);
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

Status Network::BatchOf(size_t program, const std::vector<Shape>& shapes, uint32_t* entries) const {
  const Tensors& inputs = *artifact_->metadata().programs()->Get(program)->inputs();
  *entries = 0;
  if (shapes.size() != inputs.size()) return Status();
  const TensorInfo* first = nullptr;
  uint32_t batch = 0;
  for (size_t i = 0; i < shapes.size(); ++i) {
    const fb::Tensor& tensor = *inputs.Get(i);
    const uint32_t rows = tensor.batch_rows();
    if (rows == 0) {
      if (!SameShape(tensor, shapes[i])) return Status();
      continue;
    }
    Shape one = shapes[i];
    if (one.empty() || one[0] == 0 || one[0] % rows != 0) return Status();
    const uint32_t own = one[0] / rows;
    one[0] = tensor.shape()->Get(0);
    if (!SameShape(tensor, one)) return Status();
    if (first == nullptr) {
      first = &inputs_[i].info;
      batch = own;
    } else if (batch != own) {
      return Status(StatusCode::kInvalidArgument,
                    Format("%s has a batch of %u, but %s one of %u; give all inputs the same", first->name.c_str(), batch,
                           inputs_[i].info.name.c_str(), own));
    }
  }
  *entries = batch;
  return Status();
}

std::string Network::WorkingShapes() const {
  std::string text;
  for (const fb::Program* program : *artifact_->metadata().programs()) {
    if (program->batch() > 1) continue;  // the last of its group speaks for all
    if (!text.empty()) text += "; or ";
    for (size_t i = 0; i < Count(program->inputs()); ++i) {
      const TensorInfo info = DescribeTensor(*program->inputs()->Get(i));
      std::string shape = ShapeToString(info.shape);
      if (program->inputs()->Get(i)->batch_rows() > 0) shape.replace(1, shape.find_first_of(",]") - 1, "N");
      text += (i ? ", " : "") + info.name + " " + shape;
    }
    if (program->batch() > 0) text += " for any N";
  }
  return text;
}

Status Network::Bind(Edge* edge, std::shared_ptr<Buffer> buffer, size_t offset, const char* what) {
  if (offset > buffer->size() || buffer->size() - offset < edge->largest.bytes) {
    return Status(StatusCode::kInvalidArgument,
                  Format("%s %s needs %zu bytes; the memory given has %zu", what, edge->info.name.c_str(),
                         edge->largest.bytes, offset > buffer->size() ? 0 : buffer->size() - offset));
  }
  uint8_t* data = buffer->data() + offset;
  const unsigned element = (BitsPerElement(edge->info.dtype) + 7) / 8;
  if (reinterpret_cast<uintptr_t>(data) % element != 0) {
    return Status(StatusCode::kInvalidArgument,
                  Format("%s %s: the memory given is not aligned to %u bytes", what, edge->info.name.c_str(), element));
  }
  edge->buffer = std::move(buffer);
  edge->data = data;
  pointed_ = false;
  return Status();
}

Status Network::BindInput(size_t index, std::shared_ptr<Buffer> buffer, size_t offset) {
  return Bind(&inputs_[index], std::move(buffer), offset, "input");
}

Status Network::BindOutput(size_t index, std::shared_ptr<Buffer> buffer, size_t offset) {
  return Bind(&outputs_[index], std::move(buffer), offset, "output");
}

void Network::SeedRandom(uint64_t seed) {
  random_state_[0] = seed;
  random_state_[1] = 0;
}

void Network::Forward() {
  const std::lock_guard<ForkSafeMutex> lock(arena_->mutex());
  if (arena_->data() != arena_data_) {  // another network has made it grow
    arena_data_ = arena_->data();
    pointed_ = false;
    for (Chunk& chunk : chunks_) BuildSteps(&chunk);
  }
  if (entries_ == 0) {
    if (!pointed_) Point(&chunks_[0], 0);
    pointed_ = true;
    Run(&chunks_[0]);
  }
  uint32_t done = 0;
  for (Chunk& chunk : chunks_) {
    while (entries_ - done >= chunk.batch && done < entries_) {
      Point(&chunk, done);
      Run(&chunk);
      done += chunk.batch;
    }
  }
  if (profile_) ++profiled_passes_;
  ReadSizes();
}

void Network::Run(Chunk* chunk) {
  running_ = chunk;
  if (chunk->plan->random()) {
    std::memcpy(arena_data_ + chunk->plan->random_state(), random_state_, sizeof(random_state_));
    ++random_state_[1];
  }
  pool_->Run([](void* self, int thread) {
    Network* network = static_cast<Network*>(self);
    if (network->profile_) {
      network->RunStepsProfiled(network->running_, thread);
    } else {
      network->RunSteps(*network->running_, thread);
    }
  }, this);
}

// The sizes that depend on values, as the kernels left them in internal outputs.
void Network::ReadSizes() {
  for (size_t i = 0; i < output_count_; ++i) {
    Edge& edge = outputs_[i];
    const auto* dynamic = edge.source->dynamic();
    if (Count(dynamic) == 0) continue;
    for (const fb::DynamicDimension* dim : *dynamic) {
      int32_t size = 0;
      std::memcpy(&size, outputs_[dim->output()].data, sizeof(size));
      const uint32_t most = edge.largest.shape[dim->axis()];
      edge.info.shape[dim->axis()] = size < 0 ? 0 : std::min(static_cast<uint32_t>(size), most);
    }
    uint64_t bytes = 0;  // at most those of the largest shape
    TensorBytes(edge.info.dtype, edge.info.shape.data(), edge.info.shape.size(), &bytes);
    edge.info.bytes = bytes;
  }
}

void Network::RunSteps(const Chunk& chunk, int thread) {
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
void Network::RunStepsProfiled(Chunk* chunk, int thread) {
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

void Network::EnableProfile(bool enable) {
  profile_ = enable;
  profiled_passes_ = 0;
  for (Chunk& chunk : chunks_) chunk.step_times.assign(chunk.steps.size(), {});
}

std::vector<StepInfo> Network::Profile() const {
  std::vector<StepInfo> profile;
  for (const Chunk& chunk : chunks_) {
    for (size_t i = 0; i < chunk.steps.size(); ++i) {
      const fb::Step& step = *chunk.plan->steps()->Get(i);
      profile.push_back({View(step.name()), View(step.op()), View(chunk.plan->kernels()->Get(step.kernel())->name()),
                         step.macs(), step.bytes(), chunk.step_times[i].total_ns, chunk.step_times[i].last_begin_ns,
                         chunk.step_times[i].last_ns});
    }
  }
  return profile;
}

std::string_view Network::target() const { return View(chunks_[0].plan->target()); }

}  // namespace mgec
