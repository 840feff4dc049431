// Networks. Part of the C++ interface of MegEngine Lite.
//
//   auto network = std::make_shared<lite::Network>();
//   network->load_model("model.mgec");
//   auto input = network->get_io_tensor("data");
//   ...
//   network->forward();
//   network->wait();
//
// Functions throw lite::Error; what a callback throws comes out of forward() or wait(). See lite-c/network_c.h for what the
// functions do, and for threads; only what differs is said here.
#ifndef LITE_NETWORK_H_
#define LITE_NETWORK_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "../lite-c/extension_c.h"
#include "../lite-c/network_c.h"
#include "macro.h"
#include "network_detail.h"
#include "network_types.h"
#include "tensor.h"

namespace lite {

class Network {
 public:
  Network(const Config& config = {}, const NetworkIO& network_io = {}) {
    const detail::CConfig c_config(config);
    detail::CNetworkIO c_io(network_io);
    LiteNetwork handle = nullptr;
    detail::Check(LITE_make_network(&handle, c_config.get(), c_io.get()));
    handle_ = std::shared_ptr<void>(handle, [](void* network) { LITE_destroy_network(network); });
  }
  Network(const NetworkIO& network_io, const Config& config = {}) : Network(config, network_io) {}
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  LiteNetwork handle() const { return handle_.get(); }

  void load_model(void* model_mem, size_t size) {
    detail::Check(LITE_load_model_from_mem(handle(), model_mem, size));
  }
  void load_model(std::string model_path) {
    detail::Check(LITE_load_model_from_path(handle(), model_path.c_str()));
  }
  void compute_only_configured_output() { detail::Check(LITE_ext_compute_only_configured_output(handle())); }

  // After loading: starts the random numbers of models that compute such again. The same seed gives the same numbers.
  void set_random_seed(uint64_t seed) { detail::Check(LITE_ext_set_random_seed(handle(), seed)); }

  // Tensors keep their network alive.
  std::shared_ptr<Tensor> get_io_tensor(std::string io_name, LiteTensorPhase phase = LITE_IO) {
    LiteTensor tensor = nullptr;
    detail::Check(LITE_get_io_tensor(handle(), io_name.c_str(), phase, &tensor));
    return Tensor::FromHandle(tensor, handle_);
  }
  std::vector<std::shared_ptr<Tensor>> get_discrete_tensors(std::string io_name, LiteTensorPhase phase = LITE_INPUT) {
    size_t count = 0;
    detail::Check(LITE_ext_get_discrete_tensor_count(handle(), io_name.c_str(), &count));
    std::vector<std::shared_ptr<Tensor>> tensors;
    // Where there are none, the first one has the error.
    for (size_t i = 0; i < std::max<size_t>(count, 1); ++i) {
      LiteTensor tensor = nullptr;
      detail::Check(LITE_get_discrete_tensor(handle(), io_name.c_str(), i, phase, &tensor));
      tensors.push_back(Tensor::FromHandle(tensor, handle_));
    }
    return tensors;
  }
  std::shared_ptr<Tensor> get_input_tensor(size_t index) { return get_io_tensor(get_input_name(index), LITE_INPUT); }
  std::vector<std::shared_ptr<Tensor>> get_input_tensors(size_t index) {
    return get_discrete_tensors(get_input_name(index));
  }
  std::shared_ptr<Tensor> get_output_tensor(size_t index) { return get_io_tensor(get_output_name(index), LITE_OUTPUT); }

  Network& set_async_callback(const AsyncCallback& async_callback) {
    using State = detail::CallbackState<AsyncCallback>;
    detail::Check(LITE_ext_set_async_callback(handle(), async_callback ? detail::CallAsync : nullptr,
                                              State::New(async_callback, errors_), State::Delete));
    return *this;
  }
  Network& set_start_callback(const StartCallback& start_callback) {
    using State = detail::CallbackState<StartCallback>;
    detail::Check(LITE_ext_set_start_callback(handle(), start_callback ? detail::CallIo : nullptr,
                                              State::New(start_callback, errors_), State::Delete));
    return *this;
  }
  Network& set_finish_callback(const FinishCallback& finish_callback) {
    using State = detail::CallbackState<FinishCallback>;
    detail::Check(LITE_ext_set_finish_callback(handle(), finish_callback ? detail::CallIo : nullptr,
                                               State::New(finish_callback, errors_), State::Delete));
    return *this;
  }

  // A callback of theirs may let go of this object.
  void forward() { Run(LITE_forward); }
  void wait() { Run(LITE_wait); }

  std::string get_input_name(size_t index) const {
    const char* name = nullptr;
    detail::Check(LITE_get_input_name(handle(), index, &name));
    return name;
  }
  std::string get_output_name(size_t index) const {
    const char* name = nullptr;
    detail::Check(LITE_get_output_name(handle(), index, &name));
    return name;
  }
  std::vector<std::string> get_all_input_name() const { return Names(LITE_get_all_input_name); }
  std::vector<std::string> get_all_output_name() const { return Names(LITE_get_all_output_name); }

  Network& set_device_id(int device_id) {
    detail::Check(LITE_set_device_id(handle(), device_id));
    return *this;
  }
  int get_device_id() const { return Get<int>(LITE_get_device_id); }
  Network& set_stream_id(int stream_id) {
    detail::Check(LITE_set_stream_id(handle(), stream_id));
    return *this;
  }
  int get_stream_id() const { return Get<int>(LITE_get_stream_id); }
  LiteDeviceType get_device_type() const { return Get<LiteDeviceType>(LITE_get_device_type); }

  void enable_profile_performance(std::string profile_file_path) {
    detail::Check(LITE_enable_profile_performance(handle(), profile_file_path.c_str()));
  }
  const std::string& get_model_extra_info() {
    const char* info = nullptr;
    int size = 0;
    detail::Check(LITE_get_model_extra_info(handle(), &info, &size));
    extra_info_.assign(info, static_cast<size_t>(size));
    return extra_info_;
  }
  void get_static_memory_alloc_info(const std::string& log_dir = "logs/test") const {
    detail::Check(LITE_get_static_memory_alloc_info(handle(), log_dir.c_str()));
  }
  void extra_configure(const ExtraConfig& extra_config) {
    LiteExtraConfig config;
    config.disable_configure_by_model_info = extra_config.disable_configure_by_model_info;
    detail::Check(LITE_extra_configure(handle(), config));
  }

 private:
  void Run(int (*function)(const LiteNetwork)) {
    const std::shared_ptr<void> handle = handle_;
    const std::shared_ptr<detail::CallbackErrors> errors = errors_;
    const int result = function(handle.get());
    errors->Rethrow();
    detail::Check(result);
  }
  std::vector<std::string> Names(int (*function)(const LiteNetwork, size_t*, const char**)) const {
    size_t size = 0;
    detail::Check(function(handle(), &size, nullptr));
    std::vector<const char*> names(size);
    detail::Check(function(handle(), &size, names.data()));
    return std::vector<std::string>(names.begin(), names.end());
  }
  template <typename T>
  T Get(int (*function)(const LiteNetwork, T*)) const {
    T value{};
    detail::Check(function(handle(), &value));
    return value;
  }

  std::shared_ptr<void> handle_;  // points to nothing: a number that the C functions know
  std::shared_ptr<detail::CallbackErrors> errors_ = std::make_shared<detail::CallbackErrors>();
  std::string extra_info_;
};

// Settings of networks. A null network is an error.
class Runtime {
 public:
  static void set_cpu_threads_number(std::shared_ptr<Network> dst_network, size_t nr_threads) {
    detail::Check(LITE_set_cpu_threads_number(Handle(dst_network), nr_threads));
  }
  static size_t get_cpu_threads_number(std::shared_ptr<Network> dst_network) {
    size_t threads = 0;
    detail::Check(LITE_get_cpu_threads_number(Handle(dst_network), &threads));
    return threads;
  }
  // The callback must not throw.
  static void set_runtime_thread_affinity(std::shared_ptr<Network> network,
                                          const ThreadAffinityCallback& thread_affinity_callback) {
    ThreadAffinityCallback callback = thread_affinity_callback;
    detail::Check(LITE_ext_set_runtime_thread_affinity(
        Handle(network), callback ? detail::CallAffinity : nullptr, &callback));
  }
  static void set_cpu_inplace_mode(std::shared_ptr<Network> dst_network) {
    detail::Check(LITE_set_cpu_inplace_mode(Handle(dst_network)));
  }
  static bool is_cpu_inplace_mode(std::shared_ptr<Network> dst_network) {
    int inplace = 0;
    detail::Check(LITE_is_cpu_inplace_mode(Handle(dst_network), &inplace));
    return inplace != 0;
  }
  static void use_tensorrt(std::shared_ptr<Network> dst_network) {
    detail::Check(LITE_use_tensorrt(Handle(dst_network)));
  }
  static void set_network_algo_policy(std::shared_ptr<Network> dst_network, LiteAlgoSelectStrategy strategy,
                                      uint32_t shared_batch_size = 0, bool binary_equal_between_batch = false) {
    detail::Check(LITE_set_network_algo_policy(Handle(dst_network), strategy));
    detail::Check(LITE_set_network_algo_fastrun_config(Handle(dst_network), shared_batch_size,
                                                       binary_equal_between_batch));
  }
  static void set_network_algo_workspace_limit(std::shared_ptr<Network> dst_network, size_t workspace_limit) {
    detail::Check(LITE_set_network_algo_workspace_limit(Handle(dst_network), workspace_limit));
  }
  // The allocator must not throw.
  static void set_memory_allocator(std::shared_ptr<Network> dst_network, std::shared_ptr<Allocator> user_allocator) {
    if (user_allocator == nullptr) throw Error("Error: the memory allocator is null");
    detail::Check(LITE_ext_set_memory_allocator(Handle(dst_network), detail::CallAllocate, detail::CallFree,
                                                new std::shared_ptr<Allocator>(std::move(user_allocator)),
                                                detail::ReleaseAllocator));
  }
  static void share_runtime_memory_with(std::shared_ptr<Network> dst_network, std::shared_ptr<Network> src_network) {
    detail::Check(LITE_share_runtime_memroy(Handle(dst_network), Handle(src_network)));
  }
  static void enable_io_txt_dump(std::shared_ptr<Network> dst_network, std::string io_txt_out_file) {
    detail::Check(LITE_enable_io_txt_dump(Handle(dst_network), io_txt_out_file.c_str()));
  }
  static void enable_io_bin_dump(std::shared_ptr<Network> dst_network, std::string io_bin_out_dir) {
    detail::Check(LITE_enable_io_bin_dump(Handle(dst_network), io_bin_out_dir.c_str()));
  }
  static void shared_weight_with_network(std::shared_ptr<Network> dst_network,
                                         const std::shared_ptr<Network> src_network) {
    detail::Check(LITE_shared_weight_with_network(Handle(dst_network), Handle(src_network)));
  }
  static void enable_global_layout_transform(std::shared_ptr<Network> network) {
    detail::Check(LITE_enable_global_layout_transform(Handle(network)));
  }
  static void dump_layout_transform_model(std::shared_ptr<Network> network, std::string optimized_model_path) {
    detail::Check(LITE_dump_layout_transform_model(Handle(network), optimized_model_path.c_str()));
  }
  static NetworkIO get_model_io_info(const std::string& model_path, const Config& config = {}) {
    const detail::CConfig c_config(config);
    LiteNetworkIO io;
    detail::Check(LITE_get_model_io_info_by_path(model_path.c_str(), c_config.get(), &io));
    return detail::FromC(io);
  }
  static NetworkIO get_model_io_info(const void* model_mem, size_t size, const Config& config = {}) {
    const detail::CConfig c_config(config);
    LiteNetworkIO io;
    detail::Check(LITE_get_model_io_info_by_memory(model_mem, size, c_config.get(), &io));
    return detail::FromC(io);
  }

 private:
  static LiteNetwork Handle(const std::shared_ptr<Network>& network) {
    return network != nullptr ? network->handle() : nullptr;
  }
};

}  // namespace lite

#endif  // LITE_NETWORK_H_
