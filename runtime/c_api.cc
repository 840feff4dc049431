#include "runtime/c_api.h"

#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "runtime/artifact.h"
#include "runtime/network.h"

struct mgec_network {
  std::unique_ptr<mgec::Network> network;
};

namespace {

using mgec::Artifact;
using mgec::Network;
using mgec::Result;
using mgec::Status;

// Leaves the message and returns 0 on success, else 1.
int Report(const Status& status, char* error, size_t error_size) {
  if (error != nullptr && error_size > 0) {
    const size_t length = status.message().size() < error_size ? status.message().size() : error_size - 1;
    std::memcpy(error, status.message().data(), length);
    error[length] = '\0';
  }
  return status.ok() ? 0 : 1;
}

mgec_network* Load(const Result<std::shared_ptr<const Artifact>>& artifact, int threads, char* error,
                   size_t error_size) {
  if (Report(artifact.status(), error, error_size) != 0) return nullptr;
  mgec::NetworkOptions options;
  options.threads = threads;
  Result<std::unique_ptr<Network>> network = Network::Load(artifact.value(), options);
  if (Report(network.status(), error, error_size) != 0) return nullptr;
  return new mgec_network{std::move(network.value())};
}

mgec_tensor_info Info(const mgec::TensorInfo& info) {
  mgec_tensor_info result;
  result.name = info.name.c_str();
  result.dtype = mgec::DataTypeName(info.dtype);
  result.shape = info.shape.data();
  result.ndim = static_cast<uint32_t>(info.shape.size());
  result.scale = info.scale;
  result.zero_point = info.zero_point;
  result.bytes = info.bytes;
  return result;
}

Status NoSuch(const char* what, size_t index) {
  return Status(mgec::StatusCode::kInvalidArgument, mgec::Format("there is no %s %zu", what, index));
}

}  // namespace

mgec_network* mgec_load_file(const char* path, int threads, char* error, size_t error_size) {
  return Load(Artifact::Open(path), threads, error, error_size);
}

mgec_network* mgec_load_bytes(const void* data, size_t size, int threads, char* error, size_t error_size) {
  return Load(Artifact::FromBytes(data, size), threads, error, error_size);
}

void mgec_free(mgec_network* network) { delete network; }

size_t mgec_input_count(const mgec_network* network) { return network->network->input_count(); }

size_t mgec_output_count(const mgec_network* network) { return network->network->output_count(); }

mgec_tensor_info mgec_input_info(const mgec_network* network, size_t index) {
  return index < mgec_input_count(network) ? Info(network->network->input(index)) : mgec_tensor_info{};
}

mgec_tensor_info mgec_output_info(const mgec_network* network, size_t index) {
  return index < mgec_output_count(network) ? Info(network->network->output(index)) : mgec_tensor_info{};
}

size_t mgec_output_capacity(const mgec_network* network, size_t index) {
  return index < mgec_output_count(network) ? network->network->largest_output(index).bytes : 0;
}

int mgec_select_shapes(mgec_network* network, const uint32_t* const* shapes, const uint32_t* ndims, char* error,
                       size_t error_size) {
  std::vector<mgec::Shape> list;
  for (size_t i = 0; i < mgec_input_count(network); ++i) list.emplace_back(shapes[i], shapes[i] + ndims[i]);
  return Report(network->network->SelectShapes(list), error, error_size);
}

void* mgec_input_data(mgec_network* network, size_t index) {
  return index < mgec_input_count(network) ? network->network->input_data(index) : nullptr;
}

void* mgec_output_data(mgec_network* network, size_t index) {
  return index < mgec_output_count(network) ? network->network->output_data(index) : nullptr;
}

int mgec_bind_input(mgec_network* network, size_t index, void* data, size_t size, char* error, size_t error_size) {
  if (index >= mgec_input_count(network)) return Report(NoSuch("input", index), error, error_size);
  return Report(network->network->BindInput(index, mgec::Buffer::Wrap(data, size, nullptr)), error, error_size);
}

int mgec_bind_output(mgec_network* network, size_t index, void* data, size_t size, char* error, size_t error_size) {
  if (index >= mgec_output_count(network)) return Report(NoSuch("output", index), error, error_size);
  return Report(network->network->BindOutput(index, mgec::Buffer::Wrap(data, size, nullptr)), error, error_size);
}

void mgec_forward(mgec_network* network) { network->network->Forward(); }
