// A compiled model: the verified, read-only contents of one artifact file, shared by any number of networks.
//
//   Result<std::shared_ptr<const Artifact>> artifact = Artifact::Open("model.mgec");
//   if (!artifact.ok()) ...
//   Result<std::unique_ptr<Network>> network = Network::Load(artifact.value(), {});
#ifndef MGEC_RUNTIME_ARTIFACT_H_
#define MGEC_RUNTIME_ARTIFACT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/artifact_verify.h"
#include "runtime/data_type.h"
#include "runtime/memory.h"
#include "runtime/status.h"

namespace mgec {

struct ArtifactOptions {
  // Copies the constants to memory of this process, on huge pages where the system has them, instead of reading them from
  // the page cache that processes share. About 1 % faster for a network with 10 MB of weights.
  bool private_constants = false;
};

// Immutable after it was made, so every method may be called from any thread.
class Artifact {
 public:
  // Maps the file and verifies all of it (see VerifyArtifact()) before anything in it is made executable. Weights and
  // code stay in the page cache, where processes share them: do not overwrite the file in place while it is in use (to
  // replace it, write a new file and rename it). Errors name the file, what is wrong with it and what to do.
  static Result<std::shared_ptr<const Artifact>> Open(const std::string& path, const ArtifactOptions& options = {});

  // The same for the `size` bytes of a file in memory, which are copied. `name` is for messages.
  static Result<std::shared_ptr<const Artifact>> FromBytes(const void* data, size_t size,
                                                           const std::string& name = "artifact",
                                                           const ArtifactOptions& options = {});

  const fb::Metadata& metadata() const { return *layout_.metadata; }

  // The whole file, file_size() bytes, and where its sections are.
  const uint8_t* file() const { return file_.data(); }
  const ArtifactLayout& layout() const { return layout_; }

  // Aligned to a page; constants_size() bytes.
  uint8_t* constants() const {
    return constants_.data() != nullptr ? constants_.data() : file_.data() + layout_.constants_offset;
  }
  size_t constants_size() const { return layout_.constants_size; }

  // The plan of program `program` (an index into metadata().programs()) for the best target that this CPU runs and
  // MGEC_TARGET allows.
  Result<const fb::Plan*> ChoosePlan(size_t program) const;

  // The plan of that program for GPUs. Error: it was compiled for CPUs only.
  Result<const fb::Plan*> CudaPlan(size_t program) const;

  // The executable memory of a plan's code image. `plan` is one that ChoosePlan() returned.
  const uint8_t* code(const fb::Plan& plan) const { return code_[plan.code_section()].data(); }

  // The path, or the name given to FromBytes().
  const std::string& name() const { return name_; }
  size_t file_size() const { return file_.size(); }

 private:
  Artifact() = default;

  // Verifies `file_`, then maps the code of the targets that this CPU can run: from `fd`, or by copying if it is -1.
  Status Load(int fd, const ArtifactOptions& options);
  Status MapCode(int fd, uint32_t section);

  std::string name_;
  Mapping file_;
  Mapping constants_;  // if there is a private copy
  ArtifactLayout layout_;
  std::vector<Mapping> code_;  // by section; empty where there is no code for this CPU
};

// What a verified artifact says of an input or output; where its program is for a batch of any size, for one entry.
TensorInfo DescribeTensor(const fb::Tensor& tensor);
// The same for a batch of `entries`. False if that is too large.
bool DescribeTensor(const fb::Tensor& tensor, uint32_t entries, TensorInfo* info);

}  // namespace mgec

#endif  // MGEC_RUNTIME_ARTIFACT_H_
