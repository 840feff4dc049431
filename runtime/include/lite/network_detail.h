// Between the C++ and the C interface; not for users.
#ifndef LITE_NETWORK_DETAIL_H_
#define LITE_NETWORK_DETAIL_H_

#include <algorithm>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "../lite-c/extension_c.h"
#include "../lite-c/network_c.h"
#include "network_types.h"

namespace lite {
namespace detail {

// A Config as the C interface takes it; points into the Config.
class CConfig {
 public:
  explicit CConfig(const Config& config) {
    config_ = *default_config();
    config_.has_compression = config.has_compression;
    config_.device_id = config.device_id;
    config_.device_type = config.device_type;
    config_.backend = config.backend;
    config_.bare_model_cryption_name = config.bare_model_cryption_name.c_str();
    config_.auto_optimize_inference = config.auto_optimize_inference;
    config_.discrete_input_name = config.discrete_input_name.c_str();
    const Options& from = config.options;
    config_.options = {from.weight_preprocess,
                       from.fuse_preprocess,
                       from.fake_next_exec,
                       from.var_sanity_check_first_run,
                       from.const_shape,
                       from.force_dynamic_alloc,
                       from.force_output_dynamic_alloc,
                       from.force_output_use_user_specified_memory,
                       from.no_profiling_on_shape_change,
                       from.jit_level,
                       from.comp_node_seq_record_level,
                       from.graph_opt_level,
                       from.async_exec_level,
                       from.enable_nchw44,
                       from.enable_nchw44_dot,
                       from.enable_nchw88,
                       from.enable_nhwcd4,
                       from.enable_nchw4,
                       from.enable_nchw32,
                       from.enable_nchw64};
  }
  LiteConfig get() const { return config_; }

 private:
  LiteConfig config_;
};

inline Config FromC(const LiteConfig& config) {
  Config result;
  result.has_compression = config.has_compression != 0;
  result.device_id = config.device_id;
  result.device_type = config.device_type;
  result.backend = config.backend;
  result.bare_model_cryption_name = config.bare_model_cryption_name ? config.bare_model_cryption_name : "";
  result.auto_optimize_inference = config.auto_optimize_inference != 0;
  result.discrete_input_name = config.discrete_input_name ? config.discrete_input_name : "";
  const LiteOptions& from = config.options;
  Options& to = result.options;
  to.weight_preprocess = from.weight_preprocess != 0;
  to.fuse_preprocess = from.fuse_preprocess != 0;
  to.fake_next_exec = from.fake_next_exec != 0;
  to.var_sanity_check_first_run = from.var_sanity_check_first_run != 0;
  to.const_shape = from.const_shape != 0;
  to.force_dynamic_alloc = from.force_dynamic_alloc != 0;
  to.force_output_dynamic_alloc = from.force_output_dynamic_alloc != 0;
  to.force_output_use_user_specified_memory = from.force_output_use_user_specified_memory != 0;
  to.no_profiling_on_shape_change = from.no_profiling_on_shape_change != 0;
  to.jit_level = static_cast<uint8_t>(from.jit_level);
  to.comp_node_seq_record_level = static_cast<uint8_t>(from.comp_node_seq_record_level);
  to.graph_opt_level = static_cast<uint8_t>(from.graph_opt_level);
  to.async_exec_level = static_cast<uint16_t>(from.async_exec_level);
  to.enable_nchw44 = from.enable_nchw44 != 0;
  to.enable_nchw44_dot = from.enable_nchw44_dot != 0;
  to.enable_nchw88 = from.enable_nchw88 != 0;
  to.enable_nhwcd4 = from.enable_nhwcd4 != 0;
  to.enable_nchw4 = from.enable_nchw4 != 0;
  to.enable_nchw32 = from.enable_nchw32 != 0;
  to.enable_nchw64 = from.enable_nchw64 != 0;
  return result;
}

// A NetworkIO as the C interface takes it; points into the NetworkIO.
class CNetworkIO {
 public:
  explicit CNetworkIO(const NetworkIO& io) {
    for (const IO& item : io.inputs) inputs_.push_back(Item(item));
    for (const IO& item : io.outputs) outputs_.push_back(Item(item));
  }
  LiteNetworkIO get() { return {inputs_.data(), outputs_.data(), inputs_.size(), outputs_.size()}; }

 private:
  static LiteIO Item(const IO& item) { return {item.name.c_str(), item.is_host, item.io_type, ToC(item.config_layout)}; }

  std::vector<LiteIO> inputs_;
  std::vector<LiteIO> outputs_;
};

inline IO FromC(const LiteIO& io) { return {io.name, io.is_host != 0, io.io_type, FromC(io.config_layout)}; }

inline NetworkIO FromC(const LiteNetworkIO& io) {
  NetworkIO result;
  for (size_t i = 0; i < io.input_size; ++i) result.inputs.push_back(FromC(io.inputs[i]));
  for (size_t i = 0; i < io.output_size; ++i) result.outputs.push_back(FromC(io.outputs[i]));
  return result;
}

// The first thing that a callback of a network has thrown, on its way through the C interface to forward() or wait().
class CallbackErrors {
 public:
  void Keep(std::exception_ptr error) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!error_) error_ = std::move(error);
  }
  void Rethrow() {
    std::exception_ptr error;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      std::swap(error, error_);
    }
    if (error) std::rethrow_exception(error);
  }

 private:
  std::mutex mutex_;
  std::exception_ptr error_;
};

// What the library gives back to a callback.
template <typename Function>
struct CallbackState {
  Function function;
  std::shared_ptr<CallbackErrors> errors;

  static void* New(const Function& function, std::shared_ptr<CallbackErrors> errors) {
    return new CallbackState{function, std::move(errors)};
  }
  static void Delete(void* state) { delete static_cast<CallbackState*>(state); }
};

inline int CallAsync(void* user_data) {
  auto* state = static_cast<CallbackState<AsyncCallback>*>(user_data);
  try {
    state->function();
    return 0;
  } catch (...) {
    state->errors->Keep(std::current_exception());
    return -1;
  }
}

inline int CallIo(const LiteIO* ios, const LiteTensor* tensors, size_t size, void* user_data) {
  auto* state = static_cast<CallbackState<StartCallback>*>(user_data);
  try {
    std::unordered_map<std::string, std::pair<IO, std::shared_ptr<Tensor>>> map;
    for (size_t i = 0; i < size; ++i) map[ios[i].name] = {FromC(ios[i]), Tensor::FromHandle(tensors[i], nullptr)};
    state->function(map);
    return 0;
  } catch (...) {
    state->errors->Keep(std::current_exception());
    return -1;
  }
}

inline void CallAffinity(int thread_id, void* user_data) {
  (*static_cast<ThreadAffinityCallback*>(user_data))(thread_id);
}

inline void* CallAllocate(LiteDeviceType device_type, int device_id, size_t size, size_t align, void* user_data) {
  return (*static_cast<std::shared_ptr<Allocator>*>(user_data))->allocate(device_type, device_id, size, align);
}

inline void CallFree(LiteDeviceType device_type, int device_id, void* memory, void* user_data) {
  (*static_cast<std::shared_ptr<Allocator>*>(user_data))->free(device_type, device_id, memory);
}

inline void ReleaseAllocator(void* user_data) { delete static_cast<std::shared_ptr<Allocator>*>(user_data); }

}  // namespace detail
}  // namespace lite

#endif  // LITE_NETWORK_DETAIL_H_
