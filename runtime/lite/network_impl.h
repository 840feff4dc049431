// Networks of the Lite interfaces: configuration, loading, passes with callbacks.
#ifndef MGEC_RUNTIME_LITE_NETWORK_IMPL_H_
#define MGEC_RUNTIME_LITE_NETWORK_IMPL_H_

#include <pthread.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "runtime/fork.h"
#include "runtime/lite/config.h"
#include "runtime/lite/network_edge.h"
#include "runtime/lite/packed_model.h"
#include "runtime/lite/tensor_impl.h"
#include "runtime/status.h"

namespace mgec {

// Any thread may call any method: calls on one network wait for each other, and for a pass that is under way. Callbacks run
// without a lock and may call methods of their network, except forward() and wait().
//
// Always held by a shared_ptr; a call and a pass under way hold it, too, so it may be let go of at any time.
class NetworkImpl : public std::enable_shared_from_this<NetworkImpl> {
 public:
  struct IoItem {
    IoConfig io;
    std::shared_ptr<TensorImpl> tensor;
  };
  using IoCallback = std::function<void(const std::vector<IoItem>&)>;
  using AsyncCallback = std::function<void()>;

  // Errors: a device that does not exist (whether there is a GPU is found out when loading, as in MegEngine Lite).
  static Result<std::shared_ptr<NetworkImpl>> Make(NetworkConfig config, NetworkIoConfig io);

  // Replaces the model. On error the network keeps what it has.
  Status Load(const std::string& path);
  Status Load(const void* data, size_t size);
  Status ShareWeights(NetworkImpl& source);

  // Starts a pass: on the CPU, without an asynchronous callback, it has ended on return.
  Status Forward();
  // Inputs and outputs belong to the caller again.
  Status Wait();

  // Inputs, outputs. Errors before loading.
  Result<std::shared_ptr<TensorImpl>> GetTensor(const std::string& name, LiteTensorPhase phase);
  Result<std::shared_ptr<TensorImpl>> GetItem(const std::string& name, size_t index, LiteTensorPhase phase);
  // How many items the discrete input has; 0 for other names.
  size_t CountItems(const std::string& name);
  // Valid until the network loads again. In the model's order.
  Result<const char*> InputName(size_t index);
  Result<const char*> OutputName(size_t index);
  std::vector<const char*> InputNames();
  // Those that the configuration names come first.
  std::vector<const char*> OutputNames();

  // Before loading.
  Status SetThreads(size_t threads);
  Status SetInplace();
  Status SetDeviceId(int id);
  Status SetStreamId(int id);
  Status SetExtraConfig(const LiteExtraConfig& config);
  Status SetAllocator(std::shared_ptr<Allocator> allocator);
  Status ShareArena(NetworkImpl& source);
  Status ComputeOnlyConfiguredOutput();
  Status CheckNotLoaded(const char* what);
  // After loading.
  Status CheckLoaded(const char* what);
  Status SeedRandom(uint64_t seed);
  Status SetThreadAffinity(const std::function<void(int)>& affinity);
  Status WriteMemoryInfo(const std::string& folder);
  // Any time.
  Status SetAsyncCallback(AsyncCallback callback);
  void SetStartCallback(IoCallback callback);
  void SetFinishCallback(IoCallback callback);
  void EnableProfile(const std::string& path);
  void EnableTextDump(const std::string& path);
  void EnableBinaryDump(const std::string& folder);

  size_t threads();
  bool inplace();
  int device_id();
  int stream_id();
  LiteDeviceType device_type();
  const std::string& extra_info() const { return extra_info_; }

 private:
  class Session;

  NetworkImpl() = default;
  bool FreeFor(pthread_t thread);
  Status LoadUnpacked(const UnpackedModel& model, const std::string& name);
  Status Use(std::shared_ptr<const Artifact> artifact, const ModelSettings& settings);
  Status CheckSettings(const NetworkConfig& config) const;
  Status StartAsync(Session* session);
  void RunAsync();
  Status RunPass(bool wait);
  Status FinishPass();
  std::vector<IoItem> Items(const std::vector<Port>& ports) const;
  Status NotLoaded(const char* what) const;
  Status AlreadyLoaded(const char* what) const;

  // Who uses the network now. Changed under mutex_; what follows below belongs to that thread.
  std::mutex mutex_;
  std::condition_variable changed_;
  bool busy_ = false;
  pthread_t owner_{};
  int depth_ = 0;
  uint32_t forks_ = ForkCount();
  int running_async_callbacks_ = 0;
  pthread_t async_thread_{};
  Status async_status_;

  NetworkConfig config_;
  NetworkIoConfig io_;
  bool disable_model_info_ = false;
  size_t threads_ = 1;
  bool inplace_ = false;
  int device_id_ = 0;
  int stream_id_ = 0;
  bool only_configured_outputs_ = false;
  std::shared_ptr<Allocator> allocator_;
  std::shared_ptr<Arena> arena_ = std::make_shared<Arena>();
  std::shared_ptr<const Artifact> artifact_;
  std::unique_ptr<NetworkEdge> edge_;
  std::string extra_info_;
  AsyncCallback async_callback_;
  IoCallback start_callback_;
  IoCallback finish_callback_;
  std::string profile_path_;
  std::vector<std::string> text_dumps_;
  std::vector<std::string> binary_dumps_;
  bool async_pass_ = false;  // since the last wait()
  bool started_ = false;     // a pass that FinishPass() has not seen
};

// The model in a file or in memory, opened as a network would. Fails like Load().
Result<NetworkIoConfig> GetModelIo(const std::string& path, const NetworkConfig& config);
Result<NetworkIoConfig> GetModelIo(const void* data, size_t size, const NetworkConfig& config);

}  // namespace mgec

#endif  // MGEC_RUNTIME_LITE_NETWORK_IMPL_H_
