// Opens what users load: a plain artifact, which is mapped, or anything else, which is read, decrypted and unpacked.
#ifndef MGEC_RUNTIME_LITE_MODEL_FILE_H_
#define MGEC_RUNTIME_LITE_MODEL_FILE_H_

#include <memory>
#include <string>
#include <vector>

#include "runtime/artifact.h"
#include "runtime/lite/config.h"
#include "runtime/lite/packed_model.h"
#include "runtime/status.h"

namespace mgec {

class ModelFile {
 public:
  // Errors name the file.
  Status Open(const std::string& path, const NetworkConfig& config);
  // `data` must outlive this object.
  Status Read(const void* data, size_t size, const NetworkConfig& config);

  // Of a plain artifact; else null, and unpacked() has the contents.
  const std::shared_ptr<const Artifact>& artifact() const { return artifact_; }
  const UnpackedModel& unpacked() const { return unpacked_; }

 private:
  std::shared_ptr<const Artifact> artifact_;
  std::vector<uint8_t> bytes_;
  UnpackedModel unpacked_;
};

// The artifact inside; `name` is for messages. A model that was not compiled is an error that says how to compile it.
Result<std::shared_ptr<const Artifact>> OpenArtifact(const UnpackedModel& model, const std::string& name,
                                                     const NetworkConfig& config);

}  // namespace mgec

#endif  // MGEC_RUNTIME_LITE_MODEL_FILE_H_
