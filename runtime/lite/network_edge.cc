#include "runtime/lite/network_edge.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace mgec {
namespace {

Status Invalid(std::string message) { return Status(StatusCode::kInvalidArgument, std::move(message)); }

// Takes note of what the runtime expects.
Status Describe(const TensorInfo& info, Port* port) {
  Result<LiteDataType> dtype = ToLite(info.dtype);
  if (!dtype.ok()) return Status(dtype.status().code(), info.name + ": " + dtype.status().message());
  port->dtype = dtype.value();
  port->shape.assign(info.shape.begin(), info.shape.end());
  port->scalar = port->shape.empty();
  if (port->scalar) port->shape.push_back(1);
  port->bytes = info.bytes;
  if (port->shape.size() > TensorImpl::kMaxDims) {
    return Status(StatusCode::kUnsupported, Format("%s has %zu dimensions; tensors have at most %zu", info.name.c_str(),
                                                   port->shape.size(), TensorImpl::kMaxDims));
  }
  return Status();
}

const Port* Find(const std::vector<Port>& ports, const std::string& name) {
  for (const Port& port : ports) {
    if (port.io.name == name) return &port;
  }
  return nullptr;
}

std::string Names(const std::vector<Port>& ports) {
  std::string names;
  for (const Port& port : ports) names += (names.empty() ? "" : ", ") + port.io.name;
  return names;
}

void AddIo(const IoConfig& wanted, bool gpu, IoConfig* io) {
  io->is_host = wanted.is_host || !gpu;  // the CPU has no other memory
  io->io_type = wanted.io_type;
  io->layout = wanted.layout;
}

}  // namespace

Result<std::unique_ptr<NetworkEdge>> NetworkEdge::Make(std::unique_ptr<Network> core, const NetworkIoConfig& io,
                                                       const NetworkConfig& config,
                                                       std::shared_ptr<Allocator> allocator) {
  std::unique_ptr<NetworkEdge> edge(new NetworkEdge);
  edge->core_ = std::move(core);
  edge->discrete_input_ = config.discrete_input;
  edge->user_memory_only_ = config.options.force_output_use_user_specified_memory != 0;
  MGEC_RETURN_IF_ERROR(edge->MakePorts(io, std::move(allocator)));
  return edge;
}

Status NetworkEdge::MakePorts(const NetworkIoConfig& io, std::shared_ptr<Allocator> allocator) {
  const auto make = [&](const TensorInfo& info, const std::shared_ptr<Buffer>& buffer, std::vector<Port>* ports) {
    Port port;
    port.io.name = info.name;
    MGEC_RETURN_IF_ERROR(Describe(info, &port));
    port.tensor = std::make_shared<TensorImpl>();
    port.tensor->set_allocator(allocator);
    MGEC_RETURN_IF_ERROR(port.tensor->SetLayout(port.shape, port.dtype));
    port.tensor->Use(buffer, 0, buffer->size(), /*user_memory=*/false);
    if (buffer->device() != nullptr) port.tensor->UseGpu(buffer->device(), buffer->on_host());
    ports->push_back(std::move(port));
    return Status();
  };
  for (size_t i = 0; i < core_->input_count(); ++i) {
    MGEC_RETURN_IF_ERROR(make(core_->input(i), core_->input_buffer(i), &inputs_));
  }
  for (size_t i = 0; i < core_->output_count(); ++i) {
    MGEC_RETURN_IF_ERROR(make(core_->largest_output(i), core_->output_buffer(i), &outputs_));
  }
  const bool on_gpu = core_->target() == "cuda";
  for (const IoConfig& item : io.outputs) {
    for (Port& port : outputs_) {
      if (port.io.name == item.name) AddIo(item, on_gpu, &port.io);
    }
  }
  for (const IoConfig& item : io.inputs) {
    for (Port& port : inputs_) {
      if (port.io.name != item.name) continue;
      AddIo(item, on_gpu, &port.io);
      if (item.layout.ndim > 0) MGEC_RETURN_IF_ERROR(port.tensor->SetLayout(item.layout));
    }
  }
  if (discrete_input_.empty()) return Status();
  for (Port& port : inputs_) {
    if (port.io.name == discrete_input_) return MakeItems(&port);
  }
  return Invalid(Format("discrete_input_name is %s, but the inputs are: %s", discrete_input_.c_str(),
                        Names(inputs_).c_str()));
}

// The items are parts of the input at first, so that copying to them is all there is to do.
Status NetworkEdge::MakeItems(Port* port) {
  const size_t count = port->tensor->shape()[0];
  for (size_t i = 0; i < count; ++i) {
    const ptrdiff_t start = static_cast<ptrdiff_t>(i), end = start + 1;
    Result<std::shared_ptr<TensorImpl>> item = port->tensor->Slice(&start, &end, nullptr, 1);
    if (!item.ok()) return item.status();
    port->items.push_back(std::move(item.value()));
  }
  return Status();
}

// Items that the user gave memory of their own are copied to their places.
Status NetworkEdge::GatherItems(Port* port) {
  uint8_t* place = nullptr;
  MGEC_RETURN_IF_ERROR(port->tensor->Data(&place));
  std::vector<size_t> shape = port->tensor->shape();
  shape[0] = 1;
  for (size_t i = 0; i < port->items.size(); ++i) {
    TensorImpl& item = *port->items[i];
    if (item.shape() != shape || item.dtype() != port->tensor->dtype()) {
      return Invalid(Format("item %zu of the discrete input %s must have the shape and type of one item of its batch", i,
                            port->io.name.c_str()));
    }
    if (item.data_or_null() != place) {
      const ptrdiff_t start = static_cast<ptrdiff_t>(i), end = start + 1;
      Result<std::shared_ptr<TensorImpl>> part = port->tensor->Slice(&start, &end, nullptr, 1);
      if (!part.ok()) return part.status();
      MGEC_RETURN_IF_ERROR(part.value()->CopyFrom(item));
    }
    place += item.bytes();
  }
  return Status();
}

Status NetworkEdge::Prepare() {
  bool other_shapes = false;
  for (Port& port : inputs_) {
    if (!port.items.empty()) MGEC_RETURN_IF_ERROR(GatherItems(&port));
    const TensorImpl& tensor = *port.tensor;
    if (tensor.dtype() != port.dtype) {
      return Invalid(Format("input %s is %s, but the model takes %s", port.io.name.c_str(), Name(tensor.dtype()),
                            Name(port.dtype)));
    }
    if (!tensor.contiguous()) {
      return Invalid(Format("input %s shares a slice that is not continuous: copy it instead", port.io.name.c_str()));
    }
    other_shapes = other_shapes || tensor.shape() != port.shape;
  }
  if (other_shapes) MGEC_RETURN_IF_ERROR(SelectShapes());
  for (Port& port : outputs_) MGEC_RETURN_IF_ERROR(FitOutput(&port));

  bool rebound = false;
  for (std::vector<Port>* ports : {&inputs_, &outputs_}) {
    for (size_t i = 0; i < ports->size(); ++i) {
      Port& port = (*ports)[i];
      uint8_t* data = nullptr;
      MGEC_RETURN_IF_ERROR(port.tensor->Data(&data));
      if (data == port.bound) continue;
      port.bound = nullptr;
      MGEC_RETURN_IF_ERROR(ports == &inputs_ ? core_->BindInput(i, port.tensor->buffer(), port.tensor->offset())
                                             : core_->BindOutput(i, port.tensor->buffer(), port.tensor->offset()));
      port.bound = data;
      rebound = true;
    }
  }
  return rebound ? CheckOverlap() : Status();
}

Status NetworkEdge::SelectShapes() {
  std::vector<Shape> shapes;
  for (const Port& port : inputs_) {
    const std::vector<size_t>& shape = port.tensor->shape();
    if (port.scalar && shape == port.shape) {
      shapes.emplace_back();
      continue;
    }
    Shape dims;
    for (size_t dim : shape) dims.push_back(dim <= UINT32_MAX ? static_cast<uint32_t>(dim) : UINT32_MAX);
    shapes.push_back(std::move(dims));
  }
  MGEC_RETURN_IF_ERROR(core_->SelectShapes(shapes));
  for (size_t i = 0; i < inputs_.size(); ++i) {
    inputs_[i].bound = nullptr;
    MGEC_RETURN_IF_ERROR(Describe(core_->input(i), &inputs_[i]));
  }
  for (size_t i = 0; i < outputs_.size(); ++i) {
    outputs_[i].bound = nullptr;
    MGEC_RETURN_IF_ERROR(Describe(core_->largest_output(i), &outputs_[i]));
  }
  return Status();
}

// Gives an output's tensor the layout that the model writes, and memory for it.
Status NetworkEdge::FitOutput(Port* port) {
  TensorImpl& tensor = *port->tensor;
  if (!tensor.contiguous()) {
    return Invalid(Format("output %s shares a slice that is not continuous", port->io.name.c_str()));
  }
  if (user_memory_only_ && tensor.user_memory() && tensor.capacity() < port->bytes) {
    return Invalid(Format("output %s needs %zu bytes, but the memory that was given for it has %zu",
                          port->io.name.c_str(), port->bytes, tensor.capacity()));
  }
  if (tensor.shape() == port->shape && tensor.dtype() == port->dtype) return Status();
  return tensor.SetLayout(port->shape, port->dtype);
}

Status NetworkEdge::Finish() {
  for (size_t i = 0; i < outputs_.size(); ++i) {
    const Shape& shape = core_->output(i).shape;
    if (shape == core_->largest_output(i).shape) continue;
    MGEC_RETURN_IF_ERROR(
        outputs_[i].tensor->SetLayout(std::vector<size_t>(shape.begin(), shape.end()), outputs_[i].dtype));
  }
  return Status();
}

Status NetworkEdge::CheckOverlap() {
  for (const Port& output : outputs_) {
    for (std::vector<Port>* ports : {&inputs_, &outputs_}) {
      for (const Port& other : *ports) {
        if (&other == &output || other.bound + other.bytes <= output.bound ||
            output.bound + output.bytes <= other.bound) {
          continue;
        }
        const std::string message =
            Format("output %s and %s share memory", output.io.name.c_str(), other.io.name.c_str());
        for (Port& port : outputs_) port.bound = nullptr;  // so that the next pass looks again
        return Invalid(message);
      }
    }
  }
  return Status();
}

Result<std::shared_ptr<TensorImpl>> NetworkEdge::Find(const std::string& name, LiteTensorPhase phase) const {
  const Port* port = phase != LITE_OUTPUT ? mgec::Find(inputs_, name) : nullptr;
  if (port != nullptr && !port->items.empty()) {
    return Invalid(Format("%s input tensor is in discrete mode, you can use get_discrete_tensors to get this input.",
                          name.c_str()));
  }
  if (port == nullptr && phase != LITE_INPUT) port = mgec::Find(outputs_, name);
  if (port != nullptr) return port->tensor;
  return Status(StatusCode::kNotFound,
                Format("tensor name must be %s input tensor name or the registered output tensor name; inputs: %s, "
                       "outputs: %s",
                       name.c_str(), Names(inputs_).c_str(), Names(outputs_).c_str()));
}

Result<std::shared_ptr<TensorImpl>> NetworkEdge::FindItem(const std::string& name, size_t index,
                                                          LiteTensorPhase phase) const {
  const Port* port = phase == LITE_INPUT ? mgec::Find(inputs_, name) : nullptr;
  if (port == nullptr || port->items.empty()) {
    return Status(StatusCode::kNotFound,
                  Format("tensor name must be %s input tensor name. Only the input that discrete_input_name gives has "
                         "discrete tensors.",
                         name.c_str()));
  }
  if (index >= port->items.size()) {
    return Invalid(Format("n_idx should be less than %zu", port->items.size()));
  }
  return port->items[index];
}

Result<NetworkIoConfig> DescribeIo(const Artifact& artifact) {
  NetworkIoConfig io;
  const fb::Program& program = *artifact.metadata().programs()->Get(0);
  const auto describe = [](const flatbuffers::Vector<flatbuffers::Offset<fb::Tensor>>* tensors, size_t internal,
                           std::vector<IoConfig>* items) {
    for (size_t i = 0; i + internal < Count(tensors); ++i) {
      const TensorInfo info = DescribeTensor(*tensors->Get(i));
      Port port;
      MGEC_RETURN_IF_ERROR(Describe(info, &port));
      IoConfig item;
      item.name = info.name;
      item.layout.ndim = port.shape.size();
      std::copy(port.shape.begin(), port.shape.end(), item.layout.shapes);
      item.layout.data_type = port.dtype;
      items->push_back(std::move(item));
    }
    return Status();
  };
  MGEC_RETURN_IF_ERROR(describe(program.inputs(), 0, &io.inputs));
  MGEC_RETURN_IF_ERROR(describe(program.outputs(), program.internal_outputs(), &io.outputs));
  return io;
}

}  // namespace mgec
