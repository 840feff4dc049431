#include "python/binding/runtime_binding.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/artifact.h"
#include "runtime/buffer.h"
#include "runtime/cuda/device.h"
#include "runtime/data_type.h"
#include "runtime/lite/config.h"
#include "runtime/lite/elements.h"
#include "runtime/lite/model_info.h"
#include "runtime/lite/packed_model.h"
#include "runtime/lite/reports.h"
#include "runtime/lite/tensor_impl.h"
#include "runtime/network.h"

using mgec::Artifact;
using mgec::Network;
using mgec::Result;
using mgec::Status;

struct mgecpy_buffer {
  std::shared_ptr<mgec::Buffer> buffer;
};

struct mgecpy_artifact {
  std::shared_ptr<const Artifact> artifact;
};

struct mgecpy_arena {
  std::shared_ptr<mgec::Arena> arena;
};

struct mgecpy_network {
  std::unique_ptr<Network> network;
  std::string target;
};

struct mgecpy_model {
  mgec::UnpackedModel model;
};

struct mgecpy_settings {
  mgec::ModelSettings settings;
  mgec::NetworkIoArrays arrays;
};

namespace {

thread_local std::string t_error;

int Report(const Status& status) {
  if (status.ok()) return 0;
  t_error = status.message();
  return -1;
}

mgecpy_buffer* NewBuffer(const Result<std::shared_ptr<mgec::Buffer>>& buffer) {
  return Report(buffer.status()) == 0 ? new mgecpy_buffer{buffer.value()} : nullptr;
}

mgecpy_artifact* NewArtifact(const Result<std::shared_ptr<const Artifact>>& artifact) {
  return Report(artifact.status()) == 0 ? new mgecpy_artifact{artifact.value()} : nullptr;
}

mgec::ArtifactOptions Options(int private_constants) {
  mgec::ArtifactOptions options;
  options.private_constants = private_constants != 0;
  return options;
}

void Describe(const mgec::TensorInfo& info, const char* name, mgecpy_tensor* tensor) {
  *tensor = mgecpy_tensor{};
  tensor->name = name;
  tensor->dtype = mgec::DataTypeName(info.dtype);
  tensor->ndim = static_cast<uint32_t>(info.shape.size());
  std::copy(info.shape.begin(), info.shape.end(), tensor->shape);
  tensor->scale = info.scale;
  tensor->zero_point = info.zero_point;
  tensor->bytes = info.bytes;
}

mgecpy_network* NewNetwork(const mgecpy_artifact* artifact, const mgecpy_arena* arena, mgec::NetworkOptions* options) {
  if (arena != nullptr) options->arena = arena->arena;
  Result<std::unique_ptr<Network>> network = Network::Load(artifact->artifact, *options);
  if (Report(network.status()) != 0) return nullptr;
  std::string target(network.value()->target());
  return new mgecpy_network{std::move(network.value()), std::move(target)};
}

// Whether some output has another shape than its largest.
int Shrunk(const Network& network) {
  for (size_t i = 0; i < network.output_count(); ++i) {
    if (network.output(i).shape != network.largest_output(i).shape) return 1;
  }
  return 0;
}

size_t Describe(const flatbuffers::Vector<flatbuffers::Offset<mgec::fb::Tensor>>* list, size_t internal,
                mgecpy_tensor* tensors, size_t capacity) {
  const size_t count = mgec::Count(list) - internal;
  for (size_t i = 0; i < count && i < capacity; ++i) {
    Describe(mgec::DescribeTensor(*list->Get(i)), list->Get(i)->name()->c_str(), &tensors[i]);
  }
  return count;
}

}  // namespace

const char* mgecpy_error() { return t_error.c_str(); }

mgecpy_buffer* mgecpy_buffer_allocate(size_t size) { return NewBuffer(mgec::Buffer::Allocate(size)); }
mgecpy_buffer* mgecpy_buffer_wrap(void* data, size_t size) {
  return new mgecpy_buffer{mgec::Buffer::Wrap(data, size, nullptr)};
}
void* mgecpy_buffer_data(const mgecpy_buffer* buffer) { return buffer->buffer->data(); }
size_t mgecpy_buffer_size(const mgecpy_buffer* buffer) { return buffer->buffer->size(); }
void mgecpy_buffer_free(mgecpy_buffer* buffer) { delete buffer; }
mgecpy_buffer* mgecpy_buffer_allocate_gpu(size_t size, int gpu, int pinned) {
  const Result<std::shared_ptr<mgec::cuda::Device>> device = mgec::OpenGpu(gpu);
  if (Report(device.status()) != 0) return nullptr;
  return NewBuffer(pinned ? device.value()->AllocatePinned(size) : device.value()->AllocateMemory(size));
}
mgecpy_buffer* mgecpy_buffer_wrap_gpu(void* data, size_t size, int gpu) {
  const Result<std::shared_ptr<mgec::cuda::Device>> device = mgec::OpenGpu(gpu);
  return Report(device.status()) == 0 ? NewBuffer(device.value()->WrapMemory(data, size, nullptr)) : nullptr;
}
int mgecpy_buffer_on_host(const mgecpy_buffer* buffer) { return buffer->buffer->on_host(); }
int mgecpy_buffer_gpu(const mgecpy_buffer* buffer) {
  return buffer->buffer->device() != nullptr ? buffer->buffer->device()->id() : -1;
}

int mgecpy_gpu_count() { return mgec::cuda::Device::Count(); }
int mgecpy_gpu_open(int gpu) { return Report(mgec::OpenGpu(gpu).status()); }
int mgecpy_gpu_synchronize(int gpu) {
  const Result<std::shared_ptr<mgec::cuda::Device>> device = mgec::OpenGpu(gpu);
  return Report(device.ok() ? device.value()->Synchronize() : device.status());
}

int mgecpy_copy(const mgecpy_buffer* to, size_t to_offset, const int64_t* to_strides, const mgecpy_buffer* from,
                size_t from_offset, const int64_t* from_strides, const size_t* shape, size_t ndim, size_t size) {
  const std::vector<ptrdiff_t> to_steps(to_strides, to_strides + ndim), from_steps(from_strides, from_strides + ndim);
  return Report(mgec::CopyElements({*to->buffer, to_offset, to_steps}, {*from->buffer, from_offset, from_steps},
                                   std::vector<size_t>(shape, shape + ndim), size));
}
int mgecpy_zero(const mgecpy_buffer* to, size_t offset, const int64_t* strides, const size_t* shape, size_t ndim, size_t size) {
  const std::vector<ptrdiff_t> steps(strides, strides + ndim);
  return Report(mgec::ZeroElements({*to->buffer, offset, steps}, std::vector<size_t>(shape, shape + ndim), size));
}

mgecpy_artifact* mgecpy_artifact_open(const char* path, int private_constants) {
  return NewArtifact(Artifact::Open(path, Options(private_constants)));
}
mgecpy_artifact* mgecpy_artifact_from_bytes(const void* data, size_t size, const char* name, int private_constants) {
  return NewArtifact(Artifact::FromBytes(data, size, name, Options(private_constants)));
}
void mgecpy_artifact_free(mgecpy_artifact* artifact) { delete artifact; }
size_t mgecpy_artifact_inputs(const mgecpy_artifact* artifact, mgecpy_tensor* tensors, size_t capacity) {
  return Describe(artifact->artifact->metadata().programs()->Get(0)->inputs(), 0, tensors, capacity);
}
size_t mgecpy_artifact_outputs(const mgecpy_artifact* artifact, mgecpy_tensor* tensors, size_t capacity) {
  const mgec::fb::Program& program = *artifact->artifact->metadata().programs()->Get(0);
  return Describe(program.outputs(), program.internal_outputs(), tensors, capacity);
}
const char* mgecpy_artifact_name(const mgecpy_artifact* artifact) { return artifact->artifact->name().c_str(); }

mgecpy_arena* mgecpy_arena_new() { return new mgecpy_arena{std::make_shared<mgec::Arena>()}; }
void mgecpy_arena_free(mgecpy_arena* arena) { delete arena; }

mgecpy_network* mgecpy_network_new(const mgecpy_artifact* artifact, int threads, const mgecpy_arena* arena) {
  mgec::NetworkOptions options;
  options.threads = threads;
  return NewNetwork(artifact, arena, &options);
}
mgecpy_network* mgecpy_network_new_gpu(const mgecpy_artifact* artifact, const mgecpy_arena* arena, int gpu, int stream,
                                       const char* const* inputs, size_t input_count, const char* const* outputs,
                                       size_t output_count) {
  const Result<std::shared_ptr<mgec::cuda::Device>> device = mgec::OpenGpu(gpu);
  if (Report(device.status()) != 0) return nullptr;
  mgec::NetworkOptions options;
  options.gpu = device.value();
  options.stream = stream;
  options.device_inputs.assign(inputs, inputs + input_count);
  options.device_outputs.assign(outputs, outputs + output_count);
  return NewNetwork(artifact, arena, &options);
}
void mgecpy_network_free(mgecpy_network* network) { delete network; }
size_t mgecpy_network_inputs(const mgecpy_network* network, mgecpy_tensor* tensors, size_t capacity) {
  const size_t count = network->network->input_count();
  for (size_t i = 0; i < count && i < capacity; ++i) {
    Describe(network->network->input(i), network->network->input(i).name.c_str(), &tensors[i]);
  }
  return count;
}
size_t mgecpy_network_outputs(const mgecpy_network* network, mgecpy_tensor* tensors, size_t capacity) {
  const size_t count = network->network->output_count();
  for (size_t i = 0; i < count && i < capacity; ++i) {
    const mgec::TensorInfo& info = network->network->largest_output(i);
    Describe(info, info.name.c_str(), &tensors[i]);
  }
  return count;
}
int mgecpy_network_select_shapes(mgecpy_network* network, const uint32_t* dims, const uint32_t* ndims, size_t count) {
  std::vector<mgec::Shape> shapes;
  for (size_t i = 0; i < count; dims += ndims[i], ++i) shapes.emplace_back(dims, dims + ndims[i]);
  return Report(network->network->SelectShapes(shapes));
}
int mgecpy_network_bind(mgecpy_network* network, int output, size_t index, const mgecpy_buffer* buffer, size_t offset) {
  return Report(output ? network->network->BindOutput(index, buffer->buffer, offset)
                       : network->network->BindInput(index, buffer->buffer, offset));
}
mgecpy_buffer* mgecpy_network_buffer(const mgecpy_network* network, int output, size_t index) {
  return new mgecpy_buffer{output ? network->network->output_buffer(index) : network->network->input_buffer(index)};
}
int mgecpy_network_forward(mgecpy_network* network) {
  return Report(network->network->Forward()) != 0 ? -1 : Shrunk(*network->network);
}
int mgecpy_network_wait(mgecpy_network* network) {
  return Report(network->network->Wait()) != 0 ? -1 : Shrunk(*network->network);
}
uint32_t mgecpy_network_output_shape(const mgecpy_network* network, size_t index, uint32_t* dims) {
  const mgec::Shape& shape = network->network->output(index).shape;
  std::copy(shape.begin(), shape.end(), dims);
  return static_cast<uint32_t>(shape.size());
}
void mgecpy_network_seed_random(mgecpy_network* network, uint64_t seed) { network->network->SeedRandom(seed); }

void mgecpy_network_enable_profile(mgecpy_network* network, int enable) {
  network->network->EnableProfile(enable != 0);
}
int mgecpy_network_write_profile(mgecpy_network* network, const char* path) {
  return Report(mgec::WriteProfile(path, *network->network));
}
const char* mgecpy_network_target(const mgecpy_network* network) { return network->target.c_str(); }
int mgecpy_network_threads(const mgecpy_network* network) { return network->network->threads(); }
size_t mgecpy_network_arena_size(const mgecpy_network* network) { return network->network->arena_size(); }
size_t mgecpy_network_weights_size(const mgecpy_network* network) {
  return network->network->artifact()->constants_size();
}

mgecpy_model* mgecpy_model_unpack(const void* data, size_t size, const char* cryption) {
  auto model = std::make_unique<mgecpy_model>();
  if (Report(mgec::Unpack(static_cast<const uint8_t*>(data), size, cryption, &model->model)) != 0) return nullptr;
  return model.release();
}
void mgecpy_model_free(mgecpy_model* model) { delete model; }
const void* mgecpy_model_data(const mgecpy_model* model, size_t* size) {
  *size = model->model.model_size;
  return model->model.model;
}
int mgecpy_model_has_info(const mgecpy_model* model) { return !model->model.info.empty(); }

mgecpy_settings* mgecpy_settings_parse(const mgecpy_model* model, const LiteConfig* config, const LiteNetworkIO* io,
                                       int device_id, size_t threads, int inplace) {
  auto result = std::make_unique<mgecpy_settings>();
  mgec::ModelSettings& settings = result->settings;
  settings.config = mgec::FromC(*config);
  if (Report(mgec::FromC(*io, &settings.io)) != 0) return nullptr;
  settings.device_id = device_id;
  settings.threads = threads;
  settings.inplace = inplace != 0;
  const mgec::UnpackedModel& unpacked = model->model;
  if (Report(mgec::ParseInfo(unpacked.info_parser, unpacked.info.data(), unpacked.info.size(), unpacked.name,
                             &settings)) != 0) {
    return nullptr;
  }
  return result.release();
}
void mgecpy_settings_free(mgecpy_settings* settings) { delete settings; }
void mgecpy_settings_get(mgecpy_settings* settings, LiteConfig* config, LiteNetworkIO* io, int* device_id,
                         size_t* threads, int* inplace, const char** extra_info) {
  *config = mgec::ToC(settings->settings.config);
  settings->arrays = mgec::ToC(settings->settings.io);
  *io = settings->arrays.view();
  *device_id = settings->settings.device_id;
  *threads = settings->settings.threads;
  *inplace = settings->settings.inplace;
  *extra_info = settings->settings.extra_info.c_str();
}
