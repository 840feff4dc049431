// How networks are configured before and after loading.
#include <utility>

#include "runtime/lite/network_impl.h"
#include "runtime/lite/network_session.h"
#include "runtime/lite/reports.h"

namespace mgec {
namespace {

// The numbers of devices that MegEngine has for networks in the caller's thread, alone or with threads of their own.
constexpr int kInplaceDevice = -1024, kInplaceThreadsDevice = -1025;

Status Invalid(std::string message) { return Status(StatusCode::kInvalidArgument, std::move(message)); }

}  // namespace

Status NetworkImpl::CheckNotLoaded(const char* what) {
  const Session session(this);
  return edge_ == nullptr ? Status() : AlreadyLoaded(what);
}

Status NetworkImpl::CheckLoaded(const char* what) {
  const Session session(this);
  return edge_ != nullptr ? Status() : NotLoaded(what);
}

Status NetworkImpl::SetThreads(size_t threads) {
  const Session session(this);
  if (edge_ != nullptr) return AlreadyLoaded("set_cpu_threads_number");
  if (config_.device_type == LITE_CUDA) return Invalid("multi threads mode is only avaliable in CPU.");
  if (threads > static_cast<size_t>(ThreadPool::kMaxThreads)) {
    return Invalid(Format("%zu threads; 1 to %d are possible", threads, ThreadPool::kMaxThreads));
  }
  if (threads > 1) threads_ = threads;
  return Status();
}

Status NetworkImpl::SetInplace() {
  const Session session(this);
  if (edge_ != nullptr) return AlreadyLoaded("set_cpu_inplace_mode");
  if (config_.device_type == LITE_CUDA) return Invalid("cpu inplace mode is only avaliable in CPU.");
  if (async_callback_) return Invalid("cpu inplace mode not support async mode");
  inplace_ = true;
  device_id_ = threads_ == 1 ? kInplaceDevice : kInplaceThreadsDevice;
  return Status();
}

Status NetworkImpl::SetDeviceId(int id) {
  const Session session(this);
  if (edge_ != nullptr) return AlreadyLoaded("set_device_id");
  device_id_ = id;
  return Status();
}

Status NetworkImpl::SetStreamId(int id) {
  const Session session(this);
  if (edge_ != nullptr) return AlreadyLoaded("set_stream_id");
  stream_id_ = id;
  return Status();
}

Status NetworkImpl::SetExtraConfig(const LiteExtraConfig& config) {
  const Session session(this);
  if (edge_ != nullptr && !config.disable_configure_by_model_info) return AlreadyLoaded("extra_configure");
  disable_model_info_ = config.disable_configure_by_model_info != 0;
  return Status();
}

Status NetworkImpl::SetAllocator(std::shared_ptr<Allocator> allocator) {
  const Session session(this);
  if (edge_ != nullptr) return AlreadyLoaded("set_memory_allocator");
  allocator_ = std::move(allocator);
  arena_ = std::make_shared<Arena>(allocator_);
  return Status();
}

Status NetworkImpl::ShareArena(NetworkImpl& source) {
  if (&source == this) return Invalid("a network cannot share runtime memory with itself");
  std::shared_ptr<Arena> arena;
  {
    const Session session(&source);
    arena = source.arena_;
  }
  const Session session(this);
  if (edge_ != nullptr) return AlreadyLoaded("share_runtime_memory");
  arena_ = std::move(arena);
  return Status();
}

Status NetworkImpl::ComputeOnlyConfiguredOutput() {
  const Session session(this);
  if (edge_ != nullptr) return AlreadyLoaded("compute_only_configured_output");
  only_configured_outputs_ = true;
  return Status();
}

Status NetworkImpl::SetThreadAffinity(const std::function<void(int)>& affinity) {
  const Session session(this);
  if (edge_ == nullptr) return NotLoaded("set_runtime_thread_affinity");
  struct Call {
    const std::function<void(int)>& affinity;
    int threads;
  } call{affinity, edge_->core().threads()};
  edge_->core().RunOnThreads(
      [](void* argument, int thread) {
        const Call& call = *static_cast<const Call*>(argument);
        call.affinity(thread == 0 ? call.threads - 1 : thread - 1);  // the caller's comes last
      },
      &call);
  return Status();
}

Status NetworkImpl::WriteMemoryInfo(const std::string& folder) {
  const Session session(this);
  if (edge_ == nullptr) return NotLoaded("get_static_memory_alloc_info");
  return mgec::WriteMemoryInfo(folder, *edge_);
}

Status NetworkImpl::SetAsyncCallback(AsyncCallback callback) {
  const Session session(this);
  if (inplace_) return Invalid("cpu inplace mode not support async mode");
  if (config_.options.force_output_use_user_specified_memory) {
    return Invalid("async mode is not possible with force_output_use_user_specified_memory");
  }
  async_callback_ = std::move(callback);
  return Status();
}

void NetworkImpl::SetStartCallback(IoCallback callback) {
  const Session session(this);
  start_callback_ = std::move(callback);
}

void NetworkImpl::SetFinishCallback(IoCallback callback) {
  const Session session(this);
  finish_callback_ = std::move(callback);
}

Status NetworkImpl::SeedRandom(uint64_t seed) {
  const Session session(this);
  MGEC_RETURN_IF_ERROR(CheckLoaded("set_random_seed"));
  edge_->core().SeedRandom(seed);
  return Status();
}

void NetworkImpl::EnableProfile(const std::string& path) {
  const Session session(this);
  profile_path_ = path;
  if (edge_ != nullptr) edge_->core().EnableProfile(true);
}

void NetworkImpl::EnableTextDump(const std::string& path) {
  const Session session(this);
  text_dumps_.push_back(path);
}

void NetworkImpl::EnableBinaryDump(const std::string& folder) {
  const Session session(this);
  binary_dumps_.push_back(folder);
}

size_t NetworkImpl::threads() {
  const Session session(this);
  return threads_;
}

bool NetworkImpl::inplace() {
  const Session session(this);
  return inplace_;
}

int NetworkImpl::device_id() {
  const Session session(this);
  return device_id_;
}

int NetworkImpl::stream_id() {
  const Session session(this);
  return stream_id_;
}

LiteDeviceType NetworkImpl::device_type() {
  const Session session(this);
  return config_.device_type;
}

}  // namespace mgec
