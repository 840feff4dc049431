#include "runtime/lite/model_file.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "runtime/artifact_format.h"

namespace mgec {
namespace {

Status ReadFile(const std::string& path, std::vector<uint8_t>* bytes) {
  FILE* file = std::fopen(path.c_str(), "rb");
  struct stat info;
  if (file == nullptr || fstat(fileno(file), &info) != 0) {
    const int error = errno;
    if (file != nullptr) std::fclose(file);
    return Status(error == ENOENT ? StatusCode::kNotFound : StatusCode::kInvalidArgument,
                  Format("failed to open %s: %s", path.c_str(), std::strerror(error)));
  }
  if (!S_ISREG(info.st_mode)) {
    std::fclose(file);
    return Status(StatusCode::kInvalidArgument, Format("failed to open %s: not a regular file", path.c_str()));
  }
  bytes->resize(static_cast<size_t>(info.st_size));
  const size_t read = bytes->empty() ? 0 : std::fread(bytes->data(), 1, bytes->size(), file);
  std::fclose(file);
  if (read == bytes->size()) return Status();
  return Status(StatusCode::kDataLoss, Format("failed to read %s", path.c_str()));
}

bool IsPlainArtifact(const std::string& path) {
  char magic[sizeof(kMagic)] = {};
  FILE* file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) return false;
  const bool read = std::fread(magic, sizeof(magic), 1, file) == 1;
  std::fclose(file);
  return read && std::memcmp(magic, kMagic, sizeof(magic)) == 0;
}

bool StartsWith(const UnpackedModel& model, size_t at, const char* text) {
  const size_t size = std::strlen(text);
  return model.model_size >= at + size && std::memcmp(model.model + at, text, size) == 0;
}

bool IsMegEngineModel(const UnpackedModel& model) {
  return StartsWith(model, 8, "mgv2") || StartsWith(model, 0, "MGBC") || StartsWith(model, 0, "MGBS") ||
         StartsWith(model, 0, "mgbtest0");
}

ArtifactOptions Options(const NetworkConfig& config) {
  ArtifactOptions options;
  options.private_constants = config.options.weight_preprocess != 0;
  return options;
}

}  // namespace

Status ModelFile::Open(const std::string& path, const NetworkConfig& config) {
  if (config.cryption.empty() && IsPlainArtifact(path)) {
    Result<std::shared_ptr<const Artifact>> artifact = Artifact::Open(path, Options(config));
    if (!artifact.ok()) return artifact.status();
    artifact_ = artifact.value();
    return Status();
  }
  MGEC_RETURN_IF_ERROR(ReadFile(path, &bytes_));
  const Status status = Read(bytes_.data(), bytes_.size(), config);
  return status.ok() ? status : Status(status.code(), path + ": " + status.message());
}

Status ModelFile::Read(const void* data, size_t size, const NetworkConfig& config) {
  return Unpack(static_cast<const uint8_t*>(data), size, config.cryption, &unpacked_);
}

Result<std::shared_ptr<const Artifact>> OpenArtifact(const UnpackedModel& model, const std::string& name,
                                                     const NetworkConfig& config) {
  if (!model.is_artifact() && IsMegEngineModel(model)) {
    return Status(StatusCode::kUnsupported,
                  Format("%s is a MegEngine model that is not compiled, and this library has no compiler. Compile it with "
                         "\"python3 -m megenginelite compile MODEL\" or \"bazel run //tools:compile -- MODEL\", and load "
                         "the .mgec file.",
                         name.c_str()));
  }
  return Artifact::FromBytes(model.model, model.model_size, name, Options(config));
}

}  // namespace mgec
