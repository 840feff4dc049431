// The inputs and outputs of a loaded network: keeps the tensors that users hold and the runtime's pointers in step.
#ifndef MGEC_RUNTIME_LITE_NETWORK_EDGE_H_
#define MGEC_RUNTIME_LITE_NETWORK_EDGE_H_

#include <memory>
#include <string>
#include <vector>

#include "runtime/lite/config.h"
#include "runtime/lite/tensor_impl.h"
#include "runtime/network.h"

namespace mgec {

// One input or output.
struct Port {
  IoConfig io;  // the name, and what the user has said of it
  std::shared_ptr<TensorImpl> tensor;
  // Of an input that is given item by item: one tensor each, at first a part of `tensor`.
  std::vector<std::shared_ptr<TensorImpl>> items;

  // What the runtime expects for the shapes that are selected; of outputs whose size depends on values, the largest.
  std::vector<size_t> shape;
  bool scalar = false;  // the model's shape is [], which users see as [1]
  LiteDataType dtype = LITE_FLOAT;
  size_t bytes = 0;

  const uint8_t* bound = nullptr;  // the address that the runtime uses
};

class NetworkEdge {
 public:
  // Errors: an element type that tensors cannot hold, a discrete input that does not exist, a bad layout in `io`.
  static Result<std::unique_ptr<NetworkEdge>> Make(std::unique_ptr<Network> core, const NetworkIoConfig& io,
                                                   const NetworkConfig& config, std::shared_ptr<Allocator> allocator);

  // Makes the runtime use the shapes and the memory that the tensors have now. On error nothing may run.
  Status Prepare();

  // After a pass: gives outputs whose size depends on values the shape that they have now.
  Status Finish();

  // The tensor behind a name; with LITE_IO inputs come first.
  Result<std::shared_ptr<TensorImpl>> Find(const std::string& name, LiteTensorPhase phase) const;
  // Item `index` of the discrete input.
  Result<std::shared_ptr<TensorImpl>> FindItem(const std::string& name, size_t index, LiteTensorPhase phase) const;

  Network& core() { return *core_; }
  const std::vector<Port>& inputs() const { return inputs_; }
  const std::vector<Port>& outputs() const { return outputs_; }

 private:
  NetworkEdge() = default;

  Status MakePorts(const NetworkIoConfig& io, std::shared_ptr<Allocator> allocator);
  Status MakeItems(Port* port);
  Status GatherItems(Port* port);
  Status SelectShapes();
  Status FitOutput(Port* port);
  Status CheckOverlap();

  std::unique_ptr<Network> core_;
  std::vector<Port> inputs_;
  std::vector<Port> outputs_;
  std::string discrete_input_;
  bool user_memory_only_ = false;  // force_output_use_user_specified_memory
};

// Names and layouts of an artifact's inputs and outputs. Error: a type that tensors cannot hold.
Result<NetworkIoConfig> DescribeIo(const Artifact& artifact);

}  // namespace mgec

#endif  // MGEC_RUNTIME_LITE_NETWORK_EDGE_H_
