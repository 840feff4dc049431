/* Errors, decryption of models, and settings of the process. Part of the C interface of MegEngine Lite. */
#ifndef LITE_C_GLOBAL_H_
#define LITE_C_GLOBAL_H_

#include "macro.h"
#include "network_c.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The version of MegEngine whose interface this is. */
LITE_API int LITE_get_version(int* major, int* minor, int* patch);

/* The last error of the calling thread; OK and "" if there was none. The text is valid until the thread's next error. */
LITE_API ErrorCode LITE_get_last_error_code();
LITE_API void LITE_clear_last_error();
LITE_API const char* LITE_get_last_error();

/* The number of CPUs that the process may use; of NVIDIA GPUs for LITE_CUDA (0 without a driver); an error for other devices. */
LITE_API int LITE_get_device_count(LiteDeviceType device_type, size_t* count);

/* Memory goes back to the system when its owner goes; there is nothing to do. */
LITE_API int LITE_try_coalesce_all_free_memory();

/* Decrypts: called first with a null `output_data` to get the size of the plain text, then to write it there. Returns the
 * size; 0 is a failure. */
typedef size_t (*LiteDecryptionFunc)(const void* input_data, size_t input_size, const uint8_t* key_data,
                                     size_t key_size, const void* output_data);

/* Reads the information inside of a packed model. `config` and `network_io` hold the present configuration and may be
 * changed; what they point to is copied when the function returns. 0 is a failure. */
typedef int (*LiteParseInfoFunc)(const void* info_data, size_t info_size, const char* model_name, LiteConfig* config,
                                 LiteNetworkIO* network_io, int* device_id, size_t* nr_threads,
                                 int* is_cpu_inplace_mode, int* use_tensorrt);

/* Registers a decryption under a name that LiteConfig.bare_model_cryption_name or a packed model can give. Built in, with
 * MegEngine Lite's default keys: "AES_default" (a key of 32 bytes; AES-256-CBC), "RC4_default" and
 * "SIMPLE_FAST_RC4_default" (at least 16 bytes). A name that is taken is an error. */
LITE_API int LITE_register_decryption_and_key(const char* decrypt_name, const LiteDecryptionFunc func,
                                              const uint8_t* key_data, size_t key_size);

/* Replaces the function unless it is null, and the key unless its size is 0. */
LITE_API int LITE_update_decryption_or_key(const char* decrypt_name, const LiteDecryptionFunc func,
                                           const uint8_t* key_data, size_t key_size);

/* Registers a parser of information under a name that a packed model can give. Built in: "LITE_default", for JSON. */
LITE_API int LITE_register_parse_info_func(const char* info_type, const LiteParseInfoFunc parse_func);

/* An error: loader libraries hold operators outside of MegEngine, which compiled models do not have. */
LITE_API int LITE_set_loader_lib_path(const char* loader_path);

/* MegEngine keeps its choice of algorithms in this file. Compiled models have chosen: reading does nothing, writing writes
 * an empty cache. */
LITE_API int LITE_set_persistent_cache(const char* cache_path, int always_sync);
LITE_API int LITE_dump_persistent_cache(const char* cache_path);

/* Accepted without effect: TensorRT is not used. */
LITE_API int LITE_set_tensor_rt_cache(const char* cache_path);
LITE_API int LITE_dump_tensor_rt_cache();

/* A number that is kept: the library reports errors to its caller and logs nothing. */
LITE_API int LITE_set_log_level(LiteLogLevel level);
LITE_API int LITE_get_log_level(LiteLogLevel* level);

/* Errors: CPUs have no physical addresses to register. */
LITE_API int LITE_register_memory_pair(void* vir_ptr, void* phy_ptr, size_t length, LiteDeviceType device,
                                       LiteBackend backend);
LITE_API int LITE_clear_memory_pair(void* vir_ptr, void* phy_ptr, LiteDeviceType device, LiteBackend backend);
LITE_API int LITE_lookup_physic_ptr(void* vir_ptr, void** phy_ptr, LiteDeviceType device, LiteBackend backend);

#ifdef __cplusplus
}
#endif

#endif /* LITE_C_GLOBAL_H_ */
