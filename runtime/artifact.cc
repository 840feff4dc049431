#include "runtime/artifact.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "runtime/cpu.h"

namespace mgec {
namespace {

Status Prefixed(const std::string& name, const Status& status) {
  return Status(status.code(), name + ": " + status.message());
}

// Closes a file descriptor at the end of the block.
struct FileCloser {
  int fd;
  ~FileCloser() { close(fd); }
};

}  // namespace

Result<std::shared_ptr<const Artifact>> Artifact::Open(const std::string& path, const ArtifactOptions& options) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return Status(errno == ENOENT ? StatusCode::kNotFound : StatusCode::kInvalidArgument,
                  Format("failed to open %s: %s", path.c_str(), std::strerror(errno)));
  }
  const FileCloser closer{fd};
  struct stat info;
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    return Status(StatusCode::kInvalidArgument, Format("failed to open %s: not a regular file", path.c_str()));
  }
  Result<Mapping> file = Mapping::FromFile(fd, 0, static_cast<size_t>(info.st_size), /*executable=*/false);
  if (!file.ok()) return Prefixed(path, file.status());
  std::shared_ptr<Artifact> artifact(new Artifact);
  artifact->name_ = path;
  artifact->file_ = std::move(file.value());
  const Status status = artifact->Load(fd, options);
  if (!status.ok()) return Prefixed(path, status);
  return std::shared_ptr<const Artifact>(std::move(artifact));
}

Result<std::shared_ptr<const Artifact>> Artifact::FromBytes(const void* data, size_t size, const std::string& name,
                                                             const ArtifactOptions& options) {
  Result<Mapping> file = Mapping::Allocate(size);
  if (!file.ok()) return Prefixed(name, file.status());
  if (size > 0) std::memcpy(file.value().data(), data, size);
  std::shared_ptr<Artifact> artifact(new Artifact);
  artifact->name_ = name;
  artifact->file_ = std::move(file.value());
  Status status = artifact->file_.Protect(/*executable=*/false);
  if (status.ok()) status = artifact->Load(-1, options);
  if (!status.ok()) return Prefixed(name, status);
  return std::shared_ptr<const Artifact>(std::move(artifact));
}

Status Artifact::Load(int fd, const ArtifactOptions& options) {
  Result<ArtifactLayout> layout = VerifyArtifact(file_.data(), file_.size());
  if (!layout.ok()) return layout.status();
  layout_ = std::move(layout.value());
  if (options.private_constants && layout_.constants_size > 0) {
    Result<Mapping> copy = Mapping::Allocate(layout_.constants_size);
    if (!copy.ok()) return copy.status();
    constants_ = std::move(copy.value());
    std::memcpy(constants_.data(), file_.data() + layout_.constants_offset, layout_.constants_size);
    MGEC_RETURN_IF_ERROR(constants_.Protect(/*executable=*/false));
  }
  code_.resize(layout_.sections.size());
  for (const fb::Program* program : *metadata().programs()) {
    for (const fb::Plan* plan : *program->plans()) {
      if (CpuSupports(plan->target()->string_view())) MGEC_RETURN_IF_ERROR(MapCode(fd, plan->code_section()));
    }
  }
  return Status();
}

Status Artifact::MapCode(int fd, uint32_t section) {
  Mapping& code = code_[section];
  if (code.data() != nullptr) return Status();
  const SectionEntry& entry = layout_.sections[section];
  if (fd >= 0) {
    Result<Mapping> mapped = Mapping::FromFile(fd, entry.offset, entry.size, /*executable=*/true);
    if (!mapped.ok()) return mapped.status();
    code = std::move(mapped.value());
    return Status();
  }
  Result<Mapping> copy = Mapping::Allocate(entry.size);
  if (!copy.ok()) return copy.status();
  code = std::move(copy.value());
  std::memcpy(code.data(), file_.data() + entry.offset, entry.size);
  return code.Protect(/*executable=*/true);
}

Result<const fb::Plan*> Artifact::ChoosePlan(size_t program) const {
  std::string targets;
  bool cuda_only = true;
  for (const fb::Plan* plan : *metadata().programs()->Get(program)->plans()) {
    if (TargetEnabled(plan->target()->string_view())) return plan;
    targets += (targets.empty() ? "" : ", ") + plan->target()->str();
    cuda_only = cuda_only && plan->target()->string_view() == "cuda";
  }
  if (cuda_only) {
    return Status(StatusCode::kUnsupported,
                  Format("%s: compiled for cuda only, and not for any CPU; compile the model again with "
                         "--target=cuda,x86-64-v4,x86-64-v3", name_.c_str()));
  }
  const char* forced = std::getenv("MGEC_TARGET");
  if (forced != nullptr && *forced != '\0') {
    return Status(StatusCode::kUnsupported, Format("%s: compiled for %s, but MGEC_TARGET=%s allows %s at most",
                                                   name_.c_str(), targets.c_str(), forced, BestTarget()));
  }
  return Status(StatusCode::kUnsupported,
                Format("%s: compiled for %s, but this machine runs %s at most; compile the model again for that",
                       name_.c_str(), targets.c_str(), BestTarget()));
}

Result<const fb::Plan*> Artifact::CudaPlan(size_t program) const {
  std::string targets;
  for (const fb::Plan* plan : *metadata().programs()->Get(program)->plans()) {
    if (plan->target()->string_view() == "cuda") return plan;
    targets += (targets.empty() ? "" : ",") + plan->target()->str();
  }
  return Status(StatusCode::kUnsupported,
                Format("%s: compiled for %s, and not for GPUs; compile the model again with --target=cuda,%s", name_.c_str(),
                       targets.c_str(), targets.c_str()));
}

TensorInfo DescribeTensor(const fb::Tensor& tensor) {
  TensorInfo info;
  DescribeTensor(tensor, 1, &info);  // verified when the artifact was opened
  return info;
}

bool DescribeTensor(const fb::Tensor& tensor, uint32_t entries, TensorInfo* info) {
  info->name = tensor.name()->str();
  info->dtype = static_cast<DataType>(tensor.dtype());
  if (tensor.shape() != nullptr) info->shape.assign(tensor.shape()->begin(), tensor.shape()->end());
  info->scale = tensor.scale();
  info->zero_point = tensor.zero_point();
  if (tensor.batch_rows() > 0) {
    const uint64_t rows = uint64_t{tensor.batch_rows()} * entries;
    if (rows > UINT32_MAX) return false;
    info->shape[0] = static_cast<uint32_t>(rows);
  }
  uint64_t bytes = 0;
  if (!TensorBytes(info->dtype, info->shape.data(), info->shape.size(), &bytes)) return false;
  info->bytes = bytes;
  return true;
}

}  // namespace mgec
