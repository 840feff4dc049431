// Decryption of models, and settings of the process. Part of the C++ interface of MegEngine Lite. Functions throw
// lite::Error; those that return bool return true. See lite-c/global_c.h for what they do.
#ifndef LITE_GLOBAL_H_
#define LITE_GLOBAL_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "../lite-c/extension_c.h"
#include "../lite-c/global_c.h"
#include "network.h"

namespace lite {

// (data, size, key) -> the plain text. What it throws makes loading fail.
using DecryptionFunc = std::function<std::vector<uint8_t>(const void*, size_t, const std::vector<uint8_t>&)>;

// Changes config and network_io as the information says; isolated_config_map may get "device_id" (int), "number_threads"
// (uint32_t), "enable_inplace_model" (bool) and "use_tensorrt" (bool). Returns whether the information is valid.
using ParseInfoFunc = std::function<bool(const void*, size_t, const std::string model_name, Config& config,
                                         NetworkIO& network_io,
                                         std::unordered_map<std::string, LiteAny>& isolated_config_map,
                                         std::string& extra_info)>;

namespace detail {

template <typename Function>
void* NewFunction(const Function& function) {
  return new Function(function);
}

template <typename Function>
void DeleteFunction(void* function) {
  delete static_cast<Function*>(function);
}

inline int CallDecryption(const void* data, size_t size, const uint8_t* key, size_t key_size, LiteEmit emit, void* sink,
                          void* user_data) {
  try {
    const std::vector<uint8_t> plain =
        (*static_cast<DecryptionFunc*>(user_data))(data, size, std::vector<uint8_t>(key, key + key_size));
    emit(sink, plain.data(), plain.size());
    return 0;
  } catch (...) {
    return -1;
  }
}

inline int CallParseInfo(const void* info, size_t size, const char* model_name, LiteConfig* c_config,
                         LiteNetworkIO* c_io, int* device_id, size_t* threads, int* inplace, int* use_tensorrt,
                         LiteEmit emit, void* sink, void* user_data) {
  // The library copies what these point to when this function returns.
  static thread_local Config config;
  static thread_local NetworkIO io;
  static thread_local std::vector<LiteIO> inputs, outputs;
  try {
    config = FromC(*c_config);
    io = FromC(*c_io);
    std::unordered_map<std::string, LiteAny> isolated;
    std::string extra_info;
    if (!(*static_cast<ParseInfoFunc*>(user_data))(info, size, model_name, config, io, isolated, extra_info)) return 1;
    *c_config = CConfig(config).get();
    inputs.clear();
    outputs.clear();
    CNetworkIO c_view(io);
    const LiteNetworkIO view = c_view.get();
    for (size_t i = 0; i < io.inputs.size(); ++i) inputs.push_back(view.inputs[i]);
    for (size_t i = 0; i < io.outputs.size(); ++i) outputs.push_back(view.outputs[i]);
    *c_io = {inputs.data(), outputs.data(), inputs.size(), outputs.size()};
    if (isolated.count("device_id") != 0) *device_id = isolated["device_id"].safe_cast<int>();
    if (isolated.count("number_threads") != 0) *threads = isolated["number_threads"].safe_cast<uint32_t>();
    if (isolated.count("enable_inplace_model") != 0) *inplace = isolated["enable_inplace_model"].safe_cast<bool>();
    if (isolated.count("use_tensorrt") != 0) *use_tensorrt = isolated["use_tensorrt"].safe_cast<bool>();
    if (!extra_info.empty()) emit(sink, extra_info.data(), extra_info.size());
    return 1;
  } catch (...) {
    return 0;
  }
}

}  // namespace detail

inline bool register_decryption_and_key(std::string decrypt_name, const DecryptionFunc& func,
                                        const std::vector<uint8_t>& key) {
  detail::Check(LITE_ext_register_decryption(decrypt_name.c_str(), func ? detail::CallDecryption : nullptr, key.data(),
                                             key.size(), detail::NewFunction(func),
                                             detail::DeleteFunction<DecryptionFunc>));
  return true;
}

// An empty function or key is not changed.
inline bool update_decryption_or_key(std::string decrypt_name, const DecryptionFunc& func,
                                     const std::vector<uint8_t>& key) {
  detail::Check(LITE_ext_update_decryption(decrypt_name.c_str(), func ? detail::CallDecryption : nullptr, key.data(),
                                           key.size(), detail::NewFunction(func),
                                           detail::DeleteFunction<DecryptionFunc>));
  return true;
}

inline bool register_parse_info_func(std::string info_type, const ParseInfoFunc& parse_func) {
  detail::Check(LITE_ext_register_parse_info_func(info_type.c_str(), parse_func ? detail::CallParseInfo : nullptr,
                                                  detail::NewFunction(parse_func),
                                                  detail::DeleteFunction<ParseInfoFunc>));
  return true;
}

inline void get_version(int& major, int& minor, int& patch) {
  detail::Check(LITE_get_version(&major, &minor, &patch));
}
inline void set_log_level(LiteLogLevel level) { detail::Check(LITE_set_log_level(level)); }
inline LiteLogLevel get_log_level() {
  LiteLogLevel level = WARN;
  detail::Check(LITE_get_log_level(&level));
  return level;
}
inline size_t get_device_count(LiteDeviceType device_type) {
  size_t count = 0;
  detail::Check(LITE_get_device_count(device_type, &count));
  return count;
}
inline void try_coalesce_all_free_memory() { detail::Check(LITE_try_coalesce_all_free_memory()); }
inline void set_loader_lib_path(const std::string& loader_path) {
  detail::Check(LITE_set_loader_lib_path(loader_path.c_str()));
}
inline void set_persistent_cache(const std::string& cache_path, bool always_sync = false) {
  detail::Check(LITE_set_persistent_cache(cache_path.c_str(), always_sync));
}
inline void dump_persistent_cache(const std::string& cache_path) {
  detail::Check(LITE_dump_persistent_cache(cache_path.c_str()));
}
inline void set_tensor_rt_cache(std::string tensorrt_cache_path) {
  detail::Check(LITE_set_tensor_rt_cache(tensorrt_cache_path.c_str()));
}
inline void dump_tensor_rt_cache() { detail::Check(LITE_dump_tensor_rt_cache()); }

inline bool register_memory_pair(void* vir_ptr, void* phy_ptr, size_t length, LiteDeviceType device,
                                 LiteBackend backend = LITE_DEFAULT) {
  detail::Check(LITE_register_memory_pair(vir_ptr, phy_ptr, length, device, backend));
  return true;
}
inline bool clear_memory_pair(void* vir_ptr, void* phy_ptr, LiteDeviceType device, LiteBackend backend = LITE_DEFAULT) {
  detail::Check(LITE_clear_memory_pair(vir_ptr, phy_ptr, device, backend));
  return true;
}
inline void* lookup_physic_ptr(void* vir_ptr, LiteDeviceType device, LiteBackend backend = LITE_DEFAULT) {
  void* physical = nullptr;
  detail::Check(LITE_lookup_physic_ptr(vir_ptr, &physical, device, backend));
  return physical;
}

}  // namespace lite

#endif  // LITE_GLOBAL_H_
