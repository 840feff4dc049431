// An artifact's constants and kernels on a GPU.
#ifndef MGEC_RUNTIME_CUDA_LOADED_ARTIFACT_H_
#define MGEC_RUNTIME_CUDA_LOADED_ARTIFACT_H_

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "runtime/artifact.h"
#include "runtime/cuda/device.h"

namespace mgec::cuda {

// Which of a plan's modules a GPU of this compute capability gets: the machine code of the highest architecture that it runs
// (the same major number, no higher minor one), or else the PTX of the highest architecture up to its own. Error
// (kUnsupported): there is neither.
Result<std::vector<const fb::Module*>> ChooseModules(const fb::Plan& plan, int architecture, const std::string& artifact);

// Any thread may call any method.
class LoadedArtifact {
 public:
  // The same for all networks of an artifact on a device, as long as one of them has it. The constants are uploaded by the
  // first.
  static Result<std::shared_ptr<LoadedArtifact>> Get(const std::shared_ptr<Device>& device,
                                                     const std::shared_ptr<const Artifact>& artifact);
  ~LoadedArtifact();
  LoadedArtifact(const LoadedArtifact&) = delete;
  LoadedArtifact& operator=(const LoadedArtifact&) = delete;

  // The address on the GPU of the constant at this offset, which a plan for GPUs uses.
  uint64_t ConstantAddress(uint64_t offset) const {
    return constants_ != nullptr ? reinterpret_cast<uintptr_t>(constants_->data()) + (offset - first_constant_) : 0;
  }

  // The functions of a plan's kernels, in order; its modules are loaded when they are first asked for. Errors: no code for this
  // GPU, or the driver refuses it (with what the driver's compiler says of PTX).
  Result<std::vector<Function>> Functions(const fb::Plan& plan);

 private:
  LoadedArtifact(std::shared_ptr<Device> device, std::shared_ptr<const Artifact> artifact)
      : device_(std::move(device)), artifact_(std::move(artifact)) {}
  Result<Module> Load(const fb::Module& module, uint64_t file_offset);

  const std::shared_ptr<Device> device_;
  const std::shared_ptr<const Artifact> artifact_;
  std::shared_ptr<Buffer> constants_;  // from this offset on
  uint64_t first_constant_ = 0;
  std::mutex mutex_;
  std::map<uint64_t, Module> modules_;  // by their place in the file
};

}  // namespace mgec::cuda

#endif  // MGEC_RUNTIME_CUDA_LOADED_ARTIFACT_H_
