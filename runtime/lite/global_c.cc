#include "runtime/include/lite-c/global_c.h"

#include <sched.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "runtime/cuda/device.h"
#include "runtime/include/lite-c/extension_c.h"
#include "runtime/lite/c_support.h"
#include "runtime/lite/cryption.h"
#include "runtime/lite/model_info.h"
#include "runtime/lite/user_data.h"

using mgec::Fail;
using mgec::Report;
using mgec::Result;
using mgec::Status;
using mgec::StatusCode;
using mgec::UserData;
using Bytes = std::vector<uint8_t>;

namespace {

std::atomic<LiteLogLevel> g_log_level{WARN};

// The user's function in two calls: the first for the length.
mgec::Decryption Adapt(LiteDecryptionFunc function) {
  if (function == nullptr) return nullptr;
  return [function](const uint8_t* data, size_t size, const Bytes& key) -> Result<Bytes> {
    const size_t length = function(data, size, key.data(), key.size(), nullptr);
    if (length == 0 || length > (size_t{1} << 40)) {
      return Status(StatusCode::kDataLoss, mgec::Format("the function returned the length %zu", length));
    }
    Bytes plain(length);
    function(data, size, key.data(), key.size(), plain.data());
    return plain;
  };
}

void EmitBytes(void* sink, const void* data, size_t size) {
  const uint8_t* bytes = static_cast<const uint8_t*>(data);
  if (size > 0) static_cast<Bytes*>(sink)->assign(bytes, bytes + size);
}

mgec::Decryption Adapt(LiteDecryptionWithData function, std::shared_ptr<UserData> user_data) {
  if (function == nullptr) return nullptr;
  return [function, user_data = std::move(user_data)](const uint8_t* data, size_t size, const Bytes& key) -> Result<Bytes> {
    Bytes plain;
    const int error = function(data, size, key.data(), key.size(), EmitBytes, &plain, user_data->get());
    if (error != 0 || plain.empty()) {
      return Status(StatusCode::kDataLoss, error != 0 ? mgec::Format("the function returned %d", error)
                                                      : std::string("the function gave no plain text"));
    }
    return plain;
  };
}

Bytes Key(const uint8_t* key, size_t size) { return key != nullptr ? Bytes(key, key + size) : Bytes(); }

void EmitText(void* sink, const void* data, size_t size) {
  static_cast<std::string*>(sink)->assign(static_cast<const char*>(data), size);
}

// The user's parser sees the settings as C structures, and may change them or point to memory of its own.
Status CallParser(LiteParseInfoWithData function, void* user_data, const void* info, size_t size,
                  const std::string& model_name, mgec::ModelSettings* settings) {
  LiteConfig config = mgec::ToC(settings->config);
  mgec::NetworkIoArrays arrays = mgec::ToC(settings->io);
  LiteNetworkIO io = arrays.view();
  int device_id = settings->device_id, inplace = settings->inplace, use_tensorrt = settings->use_tensorrt;
  size_t threads = settings->threads;
  if (function(info, size, model_name.c_str(), &config, &io, &device_id, &threads, &inplace, &use_tensorrt, EmitText,
               &settings->extra_info, user_data) == 0) {
    return Status(StatusCode::kDataLoss, "the parse function of the model's information failed");
  }
  mgec::NetworkIoConfig changed_io;
  MGEC_RETURN_IF_ERROR(mgec::FromC(io, &changed_io));
  mgec::NetworkConfig changed_config = mgec::FromC(config);  // before what it points to is overwritten
  settings->config = std::move(changed_config);
  settings->io = std::move(changed_io);
  settings->device_id = device_id;
  settings->threads = threads;
  settings->inplace = inplace != 0;
  settings->use_tensorrt = use_tensorrt != 0;
  return Status();
}

int CallPlainParser(const void* info, size_t size, const char* model_name, LiteConfig* config, LiteNetworkIO* io,
                    int* device_id, size_t* threads, int* inplace, int* use_tensorrt, LiteEmit emit, void* sink,
                    void* user_data) {
  return reinterpret_cast<LiteParseInfoFunc>(user_data)(info, size, model_name, config, io, device_id, threads, inplace,
                                                        use_tensorrt);
}

int NoPhysicalMemory(const char* function) {
  return Fail(function, "is not implement yet! CPUs have no physical addresses to register.");
}

}  // namespace

int LITE_get_version(int* major, int* minor, int* patch) {
  MGEC_CHECK_NOT_NULL(major);
  MGEC_CHECK_NOT_NULL(minor);
  MGEC_CHECK_NOT_NULL(patch);
  *major = 1;
  *minor = 13;
  *patch = 0;
  return 0;
}

ErrorCode LITE_get_last_error_code() { return mgec::HasLastError() ? LITE_INTERNAL_ERROR : OK; }

void LITE_clear_last_error() { mgec::ClearLastError(); }

const char* LITE_get_last_error() { return mgec::LastError().c_str(); }

int LITE_get_device_count(LiteDeviceType device_type, size_t* count) {
  MGEC_CHECK_NOT_NULL(count);
  if (device_type == LITE_CUDA) {
    *count = static_cast<size_t>(mgec::cuda::Device::Count());
    return 0;
  }
  if (Report(mgec::CheckDevice(device_type)) != 0) return -1;
  cpu_set_t set;
  *count = sched_getaffinity(0, sizeof(set), &set) == 0 ? static_cast<size_t>(CPU_COUNT(&set)) : 1;
  return 0;
}

int LITE_try_coalesce_all_free_memory() { return 0; }

int LITE_register_decryption_and_key(const char* decrypt_name, const LiteDecryptionFunc func, const uint8_t* key_data,
                                     size_t key_size) {
  MGEC_CHECK_NOT_NULL(decrypt_name);
  MGEC_CHECK_NOT_NULL(func);
  MGEC_CHECK_NOT_NULL(key_data);
  return Report(mgec::RegisterDecryption(decrypt_name, Adapt(func), Key(key_data, key_size)));
}

int LITE_update_decryption_or_key(const char* decrypt_name, const LiteDecryptionFunc func, const uint8_t* key_data,
                                  size_t key_size) {
  MGEC_CHECK_NOT_NULL(decrypt_name);
  if (key_size > 0) MGEC_CHECK_NOT_NULL(key_data);
  return Report(mgec::UpdateDecryption(decrypt_name, Adapt(func), Key(key_data, key_size)));
}

int LITE_ext_register_decryption(const char* decrypt_name, LiteDecryptionWithData func, const uint8_t* key_data,
                                 size_t key_size, void* user_data, LiteReleaseUserData release) {
  auto data = std::make_shared<UserData>(user_data, release);
  MGEC_CHECK_NOT_NULL(decrypt_name);
  MGEC_CHECK_NOT_NULL(func);
  if (key_size > 0) MGEC_CHECK_NOT_NULL(key_data);
  return Report(mgec::RegisterDecryption(decrypt_name, Adapt(func, std::move(data)), Key(key_data, key_size)));
}

int LITE_ext_update_decryption(const char* decrypt_name, LiteDecryptionWithData func, const uint8_t* key_data,
                               size_t key_size, void* user_data, LiteReleaseUserData release) {
  auto data = std::make_shared<UserData>(user_data, release);
  MGEC_CHECK_NOT_NULL(decrypt_name);
  if (key_size > 0) MGEC_CHECK_NOT_NULL(key_data);
  return Report(mgec::UpdateDecryption(decrypt_name, Adapt(func, std::move(data)), Key(key_data, key_size)));
}

int LITE_ext_register_parse_info_func(const char* info_type, LiteParseInfoWithData parse_func, void* user_data,
                                      LiteReleaseUserData release) {
  auto data = std::make_shared<UserData>(user_data, release);
  MGEC_CHECK_NOT_NULL(info_type);
  MGEC_CHECK_NOT_NULL(parse_func);
  return Report(mgec::RegisterInfoParser(
      info_type, [parse_func, data = std::move(data)](const void* info, size_t size, const std::string& model_name,
                                                      mgec::ModelSettings* settings) {
        return CallParser(parse_func, data->get(), info, size, model_name, settings);
      }));
}

int LITE_register_parse_info_func(const char* info_type, const LiteParseInfoFunc parse_func) {
  MGEC_CHECK_NOT_NULL(info_type);
  MGEC_CHECK_NOT_NULL(parse_func);
  return LITE_ext_register_parse_info_func(info_type, CallPlainParser, reinterpret_cast<void*>(parse_func), nullptr);
}

int LITE_set_loader_lib_path(const char* loader_path) {
  MGEC_CHECK_NOT_NULL(loader_path);
  return Report(Status(StatusCode::kUnsupported,
                       mgec::Format("failed to open c opr lib: %s: loader libraries are not supported; compiled models "
                                    "have no operators outside of MegEngine",
                                    loader_path)));
}

int LITE_set_persistent_cache(const char* cache_path, int always_sync) {
  MGEC_CHECK_NOT_NULL(cache_path);
  return 0;
}

int LITE_dump_persistent_cache(const char* cache_path) {
  MGEC_CHECK_NOT_NULL(cache_path);
  FILE* file = std::fopen(cache_path, "wb");
  const uint32_t entries = 0;
  const bool written = file != nullptr && std::fwrite(&entries, sizeof(entries), 1, file) == 1;
  if ((file != nullptr && std::fclose(file) != 0) || !written) {
    return Report(Status(StatusCode::kInvalidArgument,
                         mgec::Format("cannot write the cache to %s: %s", cache_path, std::strerror(errno))));
  }
  return 0;
}

int LITE_set_tensor_rt_cache(const char* cache_path) {
  MGEC_CHECK_NOT_NULL(cache_path);
  return 0;
}

int LITE_dump_tensor_rt_cache() { return 0; }

int LITE_set_log_level(LiteLogLevel level) {
  if (level < DEBUG || level > ERROR) return Fail(__func__, "unkonw loglevel");
  g_log_level = level;
  return 0;
}

int LITE_get_log_level(LiteLogLevel* level) {
  MGEC_CHECK_NOT_NULL(level);
  *level = g_log_level;
  return 0;
}

int LITE_register_memory_pair(void* vir_ptr, void* phy_ptr, size_t length, LiteDeviceType device, LiteBackend backend) {
  MGEC_CHECK_NOT_NULL(vir_ptr);
  MGEC_CHECK_NOT_NULL(phy_ptr);
  return NoPhysicalMemory(__func__);
}

int LITE_clear_memory_pair(void* vir_ptr, void* phy_ptr, LiteDeviceType device, LiteBackend backend) {
  MGEC_CHECK_NOT_NULL(vir_ptr);
  MGEC_CHECK_NOT_NULL(phy_ptr);
  return NoPhysicalMemory(__func__);
}

int LITE_lookup_physic_ptr(void* vir_ptr, void** phy_ptr, LiteDeviceType device, LiteBackend backend) {
  MGEC_CHECK_NOT_NULL(vir_ptr);
  MGEC_CHECK_NOT_NULL(phy_ptr);
  return NoPhysicalMemory(__func__);
}
