#include "runtime/cuda/loaded_artifact.h"

#include <algorithm>
#include <utility>

namespace mgec::cuda {
namespace {

// "sm_80, sm_90, PTX for 9.0".
std::string Architectures(const fb::Plan& plan) {
  std::string text;
  const fb::Module* before = nullptr;
  for (const fb::Module* m : *plan.modules()) {
    if (before != nullptr && before->architecture() == m->architecture() && before->ptx() == m->ptx()) continue;
    before = m;
    const unsigned a = m->architecture();
    text += (text.empty() ? "" : ", ") + (m->ptx() ? Format("PTX for %u.%u", a / 10, a % 10) : Format("sm_%u", a));
  }
  return text;
}

// The part of the constants that plans for GPUs use; the rest is packed for CPUs.
struct Range {
  uint64_t begin = UINT64_MAX, end = 0;
};

Range ConstantsForGpus(const fb::Metadata& metadata) {
  Range range;
  for (const fb::Program* program : *metadata.programs()) {
    for (const fb::Plan* plan : *program->plans()) {
      if (plan->target()->string_view() != "cuda") continue;
      for (size_t i = 0; i < Count(plan->steps()); ++i) {
        const auto* bindings = plan->steps()->Get(i)->bindings();
        for (size_t j = 0; j < Count(bindings); ++j) {
          const fb::Binding& b = *bindings->Get(j);
          if (b.space() != fb::BufferSpace::Constant) continue;
          range.begin = std::min(range.begin, b.offset());
          range.end = std::max(range.end, b.offset() + b.size());
        }
      }
    }
  }
  range.begin = range.begin / kBufferAlignment * kBufferAlignment;
  return range;
}

}  // namespace

Result<std::vector<const fb::Module*>> ChooseModules(const fb::Plan& plan, int architecture, const std::string& artifact) {
  std::vector<const fb::Module*> chosen;
  if (Count(plan.modules()) == 0) return chosen;  // no kernels
  const unsigned mine = static_cast<unsigned>(architecture);
  const fb::Module* best = nullptr;
  for (const fb::Module* m : *plan.modules()) {
    const unsigned a = m->architecture();
    if (m->ptx() ? a > mine : a / 10 != mine / 10 || a > mine) continue;
    const bool better = best == nullptr || (best->ptx() && !m->ptx()) || (best->ptx() == m->ptx() && a > best->architecture());
    if (better) best = m;
  }
  if (best == nullptr) {
    return Status(StatusCode::kUnsupported,
                  Format("%s has code for %s, but this GPU has compute capability %u.%u; compile the model again with "
                         "--target=cuda:sm_%u",
                         artifact.c_str(), Architectures(plan).c_str(), mine / 10, mine % 10, mine));
  }
  for (const fb::Module* m : *plan.modules()) {
    if (m->architecture() == best->architecture() && m->ptx() == best->ptx()) chosen.push_back(m);
  }
  return chosen;
}

Result<std::shared_ptr<LoadedArtifact>> LoadedArtifact::Get(const std::shared_ptr<Device>& device,
                                                            const std::shared_ptr<const Artifact>& artifact) {
  using Key = std::pair<const Device*, const Artifact*>;
  static std::mutex* const mutex = new std::mutex;
  static auto* const loaded = new std::map<Key, std::weak_ptr<LoadedArtifact>>;
  const std::lock_guard<std::mutex> lock(*mutex);
  for (auto it = loaded->begin(); it != loaded->end();) it = it->second.expired() ? loaded->erase(it) : std::next(it);
  std::weak_ptr<LoadedArtifact>& known = (*loaded)[{device.get(), artifact.get()}];
  if (std::shared_ptr<LoadedArtifact> found = known.lock()) return found;
  std::shared_ptr<LoadedArtifact> made(new LoadedArtifact(device, artifact));
  const Range used = ConstantsForGpus(artifact->metadata());
  if (used.begin < used.end) {
    Result<std::shared_ptr<Buffer>> constants = device->AllocateMemory(used.end - used.begin);
    if (!constants.ok()) return constants.status();
    made->constants_ = std::move(constants.value());
    made->first_constant_ = used.begin;
    MGEC_RETURN_IF_ERROR(
        device->CopyToDevice(made->constants_->data(), artifact->constants() + used.begin, used.end - used.begin));
  }
  known = made;
  return made;
}

LoadedArtifact::~LoadedArtifact() {
  const Device::Scope scope(*device_);
  if (!scope.status().ok()) return;
  for (const auto& [offset, module] : modules_) device_->driver().cuModuleUnload(module);
}

Result<Module> LoadedArtifact::Load(const fb::Module& module, uint64_t file_offset) {
  const auto known = modules_.find(file_offset);
  if (known != modules_.end()) return known->second;
  const char* image = reinterpret_cast<const char*>(artifact_->file() + file_offset);
  Module loaded = nullptr;
  Error error;
  std::string log;
  if (module.ptx()) {
    const std::string text(image, module.size());  // with a zero byte at its end
    char buffer[2048] = "";
    int options[] = {kJitErrorLogBuffer, kJitErrorLogBufferSize};
    void* values[] = {buffer, reinterpret_cast<void*>(sizeof(buffer))};
    error = device_->driver().cuModuleLoadDataEx(&loaded, text.c_str(), 2, options, values);
    buffer[sizeof(buffer) - 1] = '\0';
    log = buffer;
  } else {
    error = device_->driver().cuModuleLoadDataEx(&loaded, image, 0, nullptr, nullptr);
  }
  const Status status = device_->Check(error, module.ptx() ? "compile the PTX" : "load the code");
  if (!status.ok()) {
    const bool version = status.code() == StatusCode::kUnsupported;
    return Status(status.code(),
                  Format("%s: %s%s%s%s", artifact_->name().c_str(), status.message().c_str(), log.empty() ? "" : ": ",
                         log.c_str(),
                         version ? Format("; the driver supports CUDA %s: update it, or compile the model with an NVRTC of "
                                          "that version or older",
                                          device_->driver().version().c_str())
                                       .c_str()
                                 : ""));
  }
  modules_[file_offset] = loaded;
  return loaded;
}

Result<std::vector<Function>> LoadedArtifact::Functions(const fb::Plan& plan) {
  Result<std::vector<const fb::Module*>> chosen = ChooseModules(plan, device_->architecture(), artifact_->name());
  if (!chosen.ok()) return chosen.status();
  const std::lock_guard<std::mutex> lock(mutex_);
  const Device::Scope scope(*device_);
  MGEC_RETURN_IF_ERROR(scope.status());
  const Driver& driver = device_->driver();
  const uint64_t section = artifact_->layout().sections[plan.code_section()].offset;
  std::vector<Function> functions(Count(plan.kernels()));
  for (const fb::Module* m : chosen.value()) {
    Result<Module> module = Load(*m, section + m->offset());
    if (!module.ok()) return module.status();
    for (uint32_t k = m->first_kernel(); k < m->first_kernel() + m->kernels(); ++k) {
      const fb::Kernel& kernel = *plan.kernels()->Get(k);
      const std::string name = kernel.name() != nullptr ? kernel.name()->str() : std::string();
      MGEC_RETURN_IF_ERROR(device_->Check(driver.cuModuleGetFunction(&functions[k], module.value(), name.c_str()),
                                          Format("find the kernel %s of %s", name.c_str(), artifact_->name().c_str()).c_str()));
      constexpr uint32_t kAlwaysThere = 48 * 1024;
      if (kernel.shared_bytes() <= kAlwaysThere) continue;
      MGEC_RETURN_IF_ERROR(device_->Check(
          driver.cuFuncSetAttribute(functions[k], kMaxDynamicSharedBytes, static_cast<int>(kernel.shared_bytes())),
          Format("give the kernel %s %u bytes of shared memory", name.c_str(), kernel.shared_bytes()).c_str()));
    }
  }
  return functions;
}

}  // namespace mgec::cuda
