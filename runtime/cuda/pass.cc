#include "runtime/cuda/pass.h"

#include <utility>

namespace mgec::cuda {

Pass::~Pass() {
  if (graph_ == nullptr) return;
  const Device::Scope scope(*device_);
  // If it is still running, the driver waits with that.
  if (scope.status().ok()) device_->driver().cuGraphExecDestroy(graph_);
}

void Pass::AddKernel(Function function, unsigned grid, unsigned block, unsigned shared_bytes,
                     const std::vector<Pointer>& pointers, uint32_t tasks, Origin origin) {
  launches_.push_back({function, grid, block, shared_bytes, values_.size(), pointers.size(), tasks, origin});
  values_.insert(values_.end(), pointers.begin(), pointers.end());
}

void Pass::AddCopy(Pointer to, Pointer from, size_t size) {
  launches_.push_back({nullptr, 0, 0, 0, values_.size(), 2, static_cast<uint32_t>(size), {0, 0}});
  values_.push_back(to);
  values_.push_back(from);
}

void** Pass::Parameters(Launched* launch) {
  parameters_.clear();
  for (size_t i = 0; i < launch->pointers; ++i) parameters_.push_back(&values_[launch->first_value + i]);
  parameters_.push_back(&launch->tasks);
  return parameters_.data();
}

Status Pass::MakeGraph() {
  if (launches_.empty()) return Status();
  const Driver& d = device_->driver();
  Graph graph = nullptr;
  MGEC_RETURN_IF_ERROR(device_->Check(d.cuGraphCreate(&graph, 0), "make a graph"));
  Status status = BuildGraph(graph);
  if (status.ok()) {
    const Error error = d.cuGraphInstantiateWithFlags(&graph_, graph, 0);
    if (error != kSuccess) graph_ = nullptr;
    if (error != kNotSupported) status = device_->Check(error, "instantiate a graph");
  }
  d.cuGraphDestroy(graph);
  return status;
}

Status Pass::BuildGraph(Graph graph) {
  const Driver& d = device_->driver();
  GraphNode last = nullptr;
  for (Launched& launch : launches_) {
    GraphNode node = nullptr;
    const size_t after = last != nullptr ? 1 : 0;
    if (launch.function != nullptr) {
      KernelNode kernel;
      kernel.function = launch.function;
      kernel.grid_x = launch.grid;
      kernel.block_x = launch.block;
      kernel.shared_bytes = launch.shared_bytes;
      kernel.parameters = Parameters(&launch);
      MGEC_RETURN_IF_ERROR(device_->Check(d.cuGraphAddKernelNode(&node, graph, &last, after, &kernel), "add to a graph"));
    } else {
      Copy3D copy;
      copy.destination_type = copy.source_type = kDeviceMemory;
      copy.destination_device = values_[launch.first_value];
      copy.source_device = values_[launch.first_value + 1];
      copy.destination_pitch = copy.source_pitch = copy.width = launch.tasks;
      copy.destination_height = copy.source_height = copy.height = copy.depth = 1;
      MGEC_RETURN_IF_ERROR(
          device_->Check(d.cuGraphAddMemcpyNode(&node, graph, &last, after, &copy, device_->context()), "add to a graph"));
    }
    last = node;
  }
  return Status();
}

Status Pass::Launch(StreamHandle stream) {
  if (graph_ == nullptr) return LaunchEach(stream, nullptr);
  return device_->Check(device_->driver().cuGraphLaunch(graph_, stream), "launch a graph");
}

Status Pass::LaunchEach(StreamHandle stream, const std::vector<EventHandle>* events) {
  const Driver& d = device_->driver();
  for (size_t i = 0; i < launches_.size(); ++i) {
    Launched& l = launches_[i];
    if (l.function != nullptr) {
      MGEC_RETURN_IF_ERROR(device_->Check(d.cuLaunchKernel(l.function, l.grid, 1, 1, l.block, 1, 1, l.shared_bytes, stream,
                                                           Parameters(&l), nullptr),
                                          "launch a kernel"));
    } else {
      MGEC_RETURN_IF_ERROR(device_->Check(
          d.cuMemcpyDtoDAsync_v2(values_[l.first_value], values_[l.first_value + 1], l.tasks, stream), "copy memory"));
    }
    if (events != nullptr) MGEC_RETURN_IF_ERROR(device_->Check(d.cuEventRecord((*events)[i], stream), "record an event"));
  }
  return Status();
}

}  // namespace mgec::cuda
