#include "runtime/network.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "runtime/cuda/gpu_executor.h"
#include "runtime/host_executor.h"

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

}  // namespace

Result<std::unique_ptr<Network>> Network::Load(std::shared_ptr<const Artifact> artifact,
                                               const NetworkOptions& options) {
  const std::shared_ptr<Arena> arena = options.arena != nullptr ? options.arena : std::make_shared<Arena>(options.allocator);
  Result<std::unique_ptr<Executor>> executor =
      options.gpu != nullptr ? cuda::GpuExecutor::Make(artifact, options.gpu, options.stream, options.graph, arena, options.allocator)
                             : HostExecutor::Make(artifact, options.threads, arena, options.allocator);
  if (!executor.ok()) return executor.status();
  std::unique_ptr<Network> network(new Network);
  network->artifact_ = std::move(artifact);
  network->executor_ = std::move(executor.value());
  network->asynchronous_ = network->executor_->asynchronous();
  const fb::Program& program = *network->artifact_->metadata().programs()->Get(0);
  network->edges_.inputs.resize(Count(program.inputs()));
  network->edges_.outputs.resize(Count(program.outputs()));
  network->output_count_ = network->edges_.outputs.size() - program.internal_outputs();
  const auto note = [](const Tensors* tensors, const std::vector<std::string>& names, std::vector<Edge>* edges) {
    for (size_t i = 0; i < edges->size(); ++i) {
      (*edges)[i].on_device = std::find(names.begin(), names.end(), tensors->Get(i)->name()->str()) != names.end();
    }
  };
  note(program.inputs(), options.device_inputs, &network->edges_.inputs);
  note(program.outputs(), options.device_outputs, &network->edges_.outputs);
  // The CPU reads the sizes in internal outputs.
  for (size_t i = network->output_count_; i < network->edges_.outputs.size(); ++i) network->edges_.outputs[i].on_device = false;
  MGEC_RETURN_IF_ERROR(network->Prepare(0, 1));
  return network;
}

Network::~Network() = default;

// Everything that can fail comes first; then the network is changed.
Status Network::Prepare(size_t index, uint32_t entries) {
  MGEC_RETURN_IF_ERROR(Wait());
  const auto& programs = *artifact_->metadata().programs();
  const fb::Program& program = *programs.Get(index);
  if (program.batch() == 0) entries = 0;
  std::vector<Part> parts;
  for (size_t i = index; i < programs.size(); ++i) {
    if (i > index && (entries == 0 || programs.Get(i)->batch_group() != program.batch_group())) break;
    if (programs.Get(i)->batch() > entries) continue;  // larger than the whole batch
    Result<const fb::Plan*> plan = executor_->ChoosePlan(i);
    if (!plan.ok()) return plan.status();
    parts.push_back({i, plan.value(), programs.Get(i)->batch()});
    if (programs.Get(i)->batch() <= 1) break;
  }

  const auto new_edges = [&](const Tensors* tensors, const std::vector<Edge>& old, std::vector<Edge>* edges) {
    for (size_t i = 0; i < old.size(); ++i) {
      Edge edge;
      edge.on_device = old[i].on_device;
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
        Result<std::shared_ptr<Buffer>> buffer = executor_->Allocate(edge.info.bytes, edge.on_device);
        if (!buffer.ok()) return buffer.status();
        edge.buffer = std::move(buffer.value());
        edge.data = edge.buffer->data();
      }
      edges->push_back(std::move(edge));
    }
    return Status();
  };
  Edges edges;
  MGEC_RETURN_IF_ERROR(new_edges(program.inputs(), edges_.inputs, &edges.inputs));
  MGEC_RETURN_IF_ERROR(new_edges(program.outputs(), edges_.outputs, &edges.outputs));
  MGEC_RETURN_IF_ERROR(executor_->Prepare(parts, entries, edges));
  dynamic_ = false;
  for (const Edge& edge : edges.outputs) dynamic_ = dynamic_ || Count(edge.source->dynamic()) != 0;
  edges_ = std::move(edges);
  parts_ = std::move(parts);
  rebound_ = true;
  return Status();
}

int Network::FindInput(std::string_view name) const {
  for (size_t i = 0; i < edges_.inputs.size(); ++i) {
    if (edges_.inputs[i].info.name == name) return static_cast<int>(i);
  }
  return -1;
}

int Network::FindOutput(std::string_view name) const {
  for (size_t i = 0; i < output_count_; ++i) {
    if (edges_.outputs[i].info.name == name) return static_cast<int>(i);
  }
  return -1;
}

Status Network::SelectShapes(const std::vector<Shape>& input_shapes) {
  const auto& programs = *artifact_->metadata().programs();
  bool selected = input_shapes.size() == edges_.inputs.size();
  for (size_t i = 0; selected && i < edges_.inputs.size(); ++i) selected = edges_.inputs[i].info.shape == input_shapes[i];
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
    wanted += (i ? ", " : "") + (i < edges_.inputs.size() ? edges_.inputs[i].info.name + " " : std::string()) +
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
      first = &edges_.inputs[i].info;
      batch = own;
    } else if (batch != own) {
      return Status(StatusCode::kInvalidArgument,
                    Format("%s has a batch of %u, but %s one of %u; give all inputs the same", first->name.c_str(), batch,
                           edges_.inputs[i].info.name.c_str(), own));
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
  const Status usable = executor_->CheckBuffer(*buffer);
  if (!usable.ok()) {
    return Status(usable.code(), Format("%s %s: the memory given %s", what, edge->info.name.c_str(), usable.message().c_str()));
  }
  uint8_t* data = buffer->data() + offset;
  const unsigned element = (BitsPerElement(edge->info.dtype) + 7) / 8;
  if (reinterpret_cast<uintptr_t>(data) % element != 0) {
    return Status(StatusCode::kInvalidArgument,
                  Format("%s %s: the memory given is not aligned to %u bytes", what, edge->info.name.c_str(), element));
  }
  edge->buffer = std::move(buffer);
  edge->data = data;
  rebound_ = true;
  return Status();
}

Status Network::BindInput(size_t index, std::shared_ptr<Buffer> buffer, size_t offset) {
  return Bind(&edges_.inputs[index], std::move(buffer), offset, "input");
}

Status Network::BindOutput(size_t index, std::shared_ptr<Buffer> buffer, size_t offset) {
  return Bind(&edges_.outputs[index], std::move(buffer), offset, "output");
}

Status Network::Forward() {
  Status status = executor_->Forward(edges_, rebound_);
  if (!status.ok()) return status;
  rebound_ = false;
  if (asynchronous_) {
    waiting_ = true;
  } else if (dynamic_) {
    ReadSizes();
  }
  return status;
}

Status Network::Wait() {
  if (!waiting_) return Status();
  waiting_ = false;
  MGEC_RETURN_IF_ERROR(executor_->Wait());
  ReadSizes();
  return Status();
}

// The sizes that depend on values, as the kernels left them in internal outputs.
void Network::ReadSizes() {
  for (size_t i = 0; i < output_count_; ++i) {
    Edge& edge = edges_.outputs[i];
    const auto* dynamic = edge.source->dynamic();
    if (Count(dynamic) == 0) continue;
    for (const fb::DynamicDimension* dim : *dynamic) {
      int32_t size = 0;
      std::memcpy(&size, edges_.outputs[dim->output()].data, sizeof(size));
      const uint32_t most = edge.largest.shape[dim->axis()];
      edge.info.shape[dim->axis()] = size < 0 ? 0 : std::min(static_cast<uint32_t>(size), most);
    }
    uint64_t bytes = 0;  // at most those of the largest shape
    TensorBytes(edge.info.dtype, edge.info.shape.data(), edge.info.shape.size(), &bytes);
    edge.info.bytes = bytes;
  }
}

std::vector<StepInfo> Network::Profile() const {
  std::vector<StepInfo> profile;
  for (size_t part = 0; part < parts_.size(); ++part) {
    const fb::Plan& plan = *parts_[part].plan;
    for (size_t i = 0; i < Count(plan.steps()); ++i) {
      const fb::Step& step = *plan.steps()->Get(i);
      const StepTime time = executor_->Time(part, i);
      profile.push_back({View(step.name()), View(step.op()), View(plan.kernels()->Get(step.kernel())->name()), step.macs(),
                         step.bytes(), time.total_ns, time.last_begin_ns, time.last_ns});
    }
  }
  return profile;
}

std::string_view Network::target() const { return View(parts_[0].plan->target()); }

}  // namespace mgec
