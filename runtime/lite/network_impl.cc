#include "runtime/lite/network_impl.h"

#include <algorithm>
#include <utility>

#include "runtime/fork.h"
#include "runtime/lite/model_file.h"
#include "runtime/lite/model_info.h"
#include "runtime/lite/network_session.h"
#include "runtime/lite/reports.h"

namespace mgec {
namespace {

Status Invalid(std::string message) { return Status(StatusCode::kInvalidArgument, std::move(message)); }

}  // namespace

// With mutex_ held: whether a thread may use the network now.
bool NetworkImpl::FreeFor(pthread_t thread) {
  if (forks_ != ForkCount() && !(busy_ && pthread_equal(owner_, thread))) {
    // Whoever used the network is a thread of the parent process: it will not come back here.
    busy_ = false;
    depth_ = running_async_callbacks_ = 0;
    forks_ = ForkCount();
  }
  return !busy_ || pthread_equal(owner_, thread);
}

Result<std::shared_ptr<NetworkImpl>> NetworkImpl::Make(NetworkConfig config, NetworkIoConfig io) {
  MGEC_RETURN_IF_ERROR(CheckDevice(config.device_type));
  if (config.backend != LITE_DEFAULT) return Invalid(Format("there is no backend %d", static_cast<int>(config.backend)));
  std::shared_ptr<NetworkImpl> network(new NetworkImpl);
  network->device_id_ = std::max(config.device_id, 0);
  network->config_ = std::move(config);
  network->io_ = std::move(io);
  return network;
}

// Loading.

Status NetworkImpl::CheckSettings(const NetworkConfig& config) const {
  MGEC_RETURN_IF_ERROR(CheckDevice(config.device_type));
  if (config.has_compression) {
    return Status(StatusCode::kUnsupported, "Unexpected compression method: compiled models are not compressed");
  }
  if (async_callback_ && config.options.force_output_use_user_specified_memory) {
    return Invalid("async mode is not possible with force_output_use_user_specified_memory");
  }
  return Status();
}

Status NetworkImpl::Load(const std::string& path) {
  const Session session(this);
  MGEC_RETURN_IF_ERROR(CheckSettings(config_));
  ModelFile file;
  MGEC_RETURN_IF_ERROR(file.Open(path, config_));
  if (file.artifact() != nullptr) {
    ModelSettings settings{config_, io_, device_id_, threads_, inplace_, false, ""};
    return Use(file.artifact(), settings);
  }
  return LoadUnpacked(file.unpacked(), path);
}

Status NetworkImpl::Load(const void* data, size_t size) {
  const Session session(this);
  MGEC_RETURN_IF_ERROR(CheckSettings(config_));
  ModelFile file;
  MGEC_RETURN_IF_ERROR(file.Read(data, size, config_));
  return LoadUnpacked(file.unpacked(), "the model in memory");
}

Status NetworkImpl::LoadUnpacked(const UnpackedModel& model, const std::string& name) {
  ModelSettings settings{config_, io_, device_id_, threads_, inplace_, false, ""};
  if (!model.info.empty()) {
    ModelSettings changed = settings;
    const Status status =
        ParseInfo(model.info_parser, model.info.data(), model.info.size(), model.name, &changed);
    if (!status.ok()) return Status(status.code(), name + ": " + status.message());
    if (disable_model_info_) {
      settings.extra_info = changed.extra_info;
    } else {
      settings = std::move(changed);
    }
  }
  MGEC_RETURN_IF_ERROR(CheckSettings(settings.config));
  Result<std::shared_ptr<const Artifact>> artifact = OpenArtifact(model, name, settings.config);
  if (!artifact.ok()) return artifact.status();
  return Use(artifact.value(), settings);
}

Status NetworkImpl::ShareWeights(NetworkImpl& source) {
  std::shared_ptr<const Artifact> artifact;
  {
    const Session session(&source);
    if (source.edge_ == nullptr) return source.NotLoaded("shared_weight_with_network");
    artifact = source.artifact_;
  }
  const Session session(this);
  MGEC_RETURN_IF_ERROR(CheckSettings(config_));
  return Use(std::move(artifact), {config_, io_, device_id_, threads_, inplace_, false, ""});
}

Status NetworkImpl::Use(std::shared_ptr<const Artifact> artifact, const ModelSettings& settings) {
  NetworkOptions options;
  options.threads = static_cast<int>(std::clamp<size_t>(settings.threads, 1, ThreadPool::kMaxThreads + 1));
  options.arena = arena_;
  options.allocator = allocator_;
  if (settings.config.device_type == LITE_CUDA) {
    Result<std::shared_ptr<cuda::Device>> gpu = OpenGpu(settings.device_id);
    if (!gpu.ok()) return gpu.status();
    options.gpu = std::move(gpu.value());
    options.stream = stream_id_;
    for (const IoConfig& io : settings.io.inputs) {
      if (!io.is_host) options.device_inputs.push_back(io.name);
    }
    for (const IoConfig& io : settings.io.outputs) {
      if (!io.is_host) options.device_outputs.push_back(io.name);
    }
  }
  Result<std::unique_ptr<Network>> core = Network::Load(artifact, options);
  if (!core.ok()) return core.status();
  if (!profile_path_.empty()) core.value()->EnableProfile(true);
  Result<std::unique_ptr<NetworkEdge>> edge =
      NetworkEdge::Make(std::move(core.value()), settings.io, settings.config, allocator_);
  if (!edge.ok()) return edge.status();
  edge_ = std::move(edge.value());
  started_ = false;
  artifact_ = std::move(artifact);
  config_ = settings.config;
  io_ = settings.io;
  device_id_ = settings.device_id;
  threads_ = std::max<size_t>(settings.threads, 1);
  inplace_ = settings.inplace;
  extra_info_ = settings.extra_info;
  return Status();
}

Result<NetworkIoConfig> GetModelIo(const std::string& path, const NetworkConfig& config) {
  ModelFile file;
  MGEC_RETURN_IF_ERROR(file.Open(path, config));
  if (file.artifact() != nullptr) return DescribeIo(*file.artifact());
  Result<std::shared_ptr<const Artifact>> artifact = OpenArtifact(file.unpacked(), path, config);
  if (!artifact.ok()) return artifact.status();
  return DescribeIo(*artifact.value());
}

Result<NetworkIoConfig> GetModelIo(const void* data, size_t size, const NetworkConfig& config) {
  ModelFile file;
  MGEC_RETURN_IF_ERROR(file.Read(data, size, config));
  Result<std::shared_ptr<const Artifact>> artifact = OpenArtifact(file.unpacked(), "the model in memory", config);
  if (!artifact.ok()) return artifact.status();
  return DescribeIo(*artifact.value());
}

// Running.

Status NetworkImpl::Forward() {
  Session session(this);
  if (edge_ == nullptr) return NotLoaded("forward");
  MGEC_RETURN_IF_ERROR(session.CheckOutermost("forward"));
  const Status earlier = std::exchange(async_status_, Status());
  if (!earlier.ok()) return earlier;
  if (start_callback_) {
    const IoCallback callback = start_callback_;
    callback(Items(edge_->inputs()));
  }
  MGEC_RETURN_IF_ERROR(edge_->Prepare());
  if (config_.options.fake_next_exec) {
    config_.options.fake_next_exec = 0;
    return Status();
  }
  if (async_callback_) return StartAsync(&session);
  const bool dumps = !text_dumps_.empty() || !binary_dumps_.empty();
  return RunPass(/*wait=*/config_.device_type != LITE_CUDA || dumps);
}

Status NetworkImpl::RunPass(bool wait) {
  Status status = edge_->core().Forward();
  if (!status.ok()) return status;
  started_ = true;
  return wait ? FinishPass() : status;
}

// A GPU computes until somebody waits.
Status NetworkImpl::FinishPass() {
  if (!std::exchange(started_, false)) return Status();
  MGEC_RETURN_IF_ERROR(edge_->core().Wait());
  MGEC_RETURN_IF_ERROR(edge_->Finish());
  for (const std::string& path : text_dumps_) MGEC_RETURN_IF_ERROR(WriteTextDump(path, *edge_));
  for (const std::string& folder : binary_dumps_) MGEC_RETURN_IF_ERROR(WriteBinaryDump(folder, *edge_));
  return Status();
}

Status NetworkImpl::StartAsync(Session* session) {
  async_pass_ = true;
  auto self = std::make_unique<std::shared_ptr<NetworkImpl>>(shared_from_this());
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  const int error = session->HandOver(
      attributes,
      [](void* argument) -> void* {
        const std::unique_ptr<std::shared_ptr<NetworkImpl>> self(static_cast<std::shared_ptr<NetworkImpl>*>(argument));
        (*self)->RunAsync();
        return nullptr;
      },
      self.get());
  pthread_attr_destroy(&attributes);
  if (error != 0) {
    return Status(StatusCode::kResourceExhausted, Format("cannot start a thread for the pass: error %d", error));
  }
  self.release();
  return Status();
}

// In a thread of its own. The caller has prepared everything and left the network to this thread.
void NetworkImpl::RunAsync() {
  const Status status = RunPass(/*wait=*/true);
  AsyncCallback callback;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    async_status_ = status;
    if (status.ok()) callback = async_callback_;
    if (callback) ++running_async_callbacks_;
    async_thread_ = pthread_self();
    depth_ = 0;
    busy_ = false;
    changed_.notify_all();
  }
  if (!callback) return;
  callback();  // may start the next pass
  callback = nullptr;  // whoever waits may count on what it held having gone
  const std::lock_guard<std::mutex> lock(mutex_);
  --running_async_callbacks_;
  changed_.notify_all();
}

Status NetworkImpl::Wait() {
  {
    std::unique_lock<std::mutex> lock(mutex_);
    const pthread_t self = pthread_self();
    changed_.wait(lock, [&] {
      if (!FreeFor(self)) return false;
      return running_async_callbacks_ == 0 || pthread_equal(async_thread_, self);
    });
  }
  Session session(this);
  if (edge_ == nullptr) return NotLoaded("wait");
  MGEC_RETURN_IF_ERROR(session.CheckOutermost("wait"));
  const Status earlier = std::exchange(async_status_, Status());
  if (!earlier.ok()) return earlier;
  MGEC_RETURN_IF_ERROR(FinishPass());
  // MegEngine Lite calls it here once more, and programs rely on that.
  if (std::exchange(async_pass_, false) && async_callback_) {
    const AsyncCallback callback = async_callback_;
    callback();
  }
  if (finish_callback_) {
    const IoCallback callback = finish_callback_;
    callback(Items(edge_->outputs()));
  }
  if (!profile_path_.empty()) return WriteProfile(profile_path_, edge_->core());
  return Status();
}

std::vector<NetworkImpl::IoItem> NetworkImpl::Items(const std::vector<Port>& ports) const {
  std::vector<IoItem> items;
  for (const Port& port : ports) {
    IoItem item{port.io, port.tensor};
    item.io.layout = port.tensor->layout();
    items.push_back(std::move(item));
  }
  return items;
}

// Inputs and outputs.

Status NetworkImpl::NotLoaded(const char* what) const {
  return Invalid(Format("%s should be used after model loaded.", what));
}

Status NetworkImpl::AlreadyLoaded(const char* what) const {
  return Invalid(Format("%s should be used before model loaded.", what));
}

Result<std::shared_ptr<TensorImpl>> NetworkImpl::GetTensor(const std::string& name, LiteTensorPhase phase) {
  const Session session(this);
  if (edge_ == nullptr) return NotLoaded("get_io_tensor");
  return edge_->Find(name, phase);
}

Result<std::shared_ptr<TensorImpl>> NetworkImpl::GetItem(const std::string& name, size_t index, LiteTensorPhase phase) {
  const Session session(this);
  if (edge_ == nullptr) return NotLoaded("get_discrete_tensor");
  return edge_->FindItem(name, index, phase);
}

size_t NetworkImpl::CountItems(const std::string& name) {
  const Session session(this);
  if (edge_ == nullptr) return 0;
  for (const Port& port : edge_->inputs()) {
    if (port.io.name == name) return port.items.size();
  }
  return 0;
}

Result<const char*> NetworkImpl::InputName(size_t index) {
  const Session session(this);
  if (edge_ == nullptr || index >= edge_->inputs().size()) {
    return Invalid("The input tensor index is large than the total inputs number.");
  }
  return edge_->inputs()[index].io.name.c_str();
}

Result<const char*> NetworkImpl::OutputName(size_t index) {
  const Session session(this);
  if (edge_ == nullptr || index >= edge_->outputs().size()) {
    return Invalid("The output tensor index is large than the total outputs number.");
  }
  return edge_->outputs()[index].io.name.c_str();
}

std::vector<const char*> NetworkImpl::InputNames() {
  const Session session(this);
  std::vector<const char*> names;
  if (edge_ == nullptr) return names;
  for (const Port& port : edge_->inputs()) names.push_back(port.io.name.c_str());
  return names;
}

std::vector<const char*> NetworkImpl::OutputNames() {
  const Session session(this);
  std::vector<const char*> names;
  if (edge_ == nullptr) return names;
  const auto listed = [&](const char* name) {
    return std::find_if(names.begin(), names.end(), [&](const char* other) { return other == name; }) != names.end();
  };
  for (const IoConfig& wanted : io_.outputs) {
    for (const Port& port : edge_->outputs()) {
      if (port.io.name == wanted.name && !listed(port.io.name.c_str())) names.push_back(port.io.name.c_str());
    }
  }
  if (only_configured_outputs_ && !names.empty()) return names;
  for (const Port& port : edge_->outputs()) {
    if (!listed(port.io.name.c_str())) names.push_back(port.io.name.c_str());
  }
  return names;
}

}  // namespace mgec
