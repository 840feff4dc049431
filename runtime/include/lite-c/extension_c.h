/* What MegEngine Lite has in C++ only, for C and other languages: functions with user data for every callback. Not part of
 * MegEngine Lite's own C interface. The C++ headers are made of these and of the functions in the other headers.
 *
 * `release`, unless it is null, is called with `user_data` when the library will not use it any more, in any thread; also
 * when the function fails. */
#ifndef LITE_C_EXTENSION_H_
#define LITE_C_EXTENSION_H_

#include "global_c.h"
#include "network_c.h"
#include "tensor_c.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef void (*LiteReleaseUserData)(void* user_data);

/* As LITE_set_*_callback_with_userdata. A null callback removes it. */
LITE_API int LITE_ext_set_async_callback(LiteNetwork network, LiteAsyncCallbackWithData callback, void* user_data,
                                         LiteReleaseUserData release);
LITE_API int LITE_ext_set_start_callback(LiteNetwork network, LiteStartCallbackWithData callback, void* user_data,
                                         LiteReleaseUserData release);
LITE_API int LITE_ext_set_finish_callback(LiteNetwork network, LiteFinishCallbackWithData callback, void* user_data,
                                          LiteReleaseUserData release);

typedef void (*LiteThreadAffinityCallbackWithData)(int thread_id, void* user_data);
LITE_API int LITE_ext_set_runtime_thread_affinity(LiteNetwork network, LiteThreadAffinityCallbackWithData callback,
                                                  void* user_data);

typedef void* (*LiteAllocateWithData)(LiteDeviceType device_type, int device_id, size_t size, size_t align,
                                      void* user_data);
typedef void (*LiteFreeWithData)(LiteDeviceType device_type, int device_id, void* ptr, void* user_data);
LITE_API int LITE_ext_set_memory_allocator(LiteNetwork network, LiteAllocateWithData allocate_fun,
                                           LiteFreeWithData free_fun, void* user_data, LiteReleaseUserData release);

/* Where a callback leaves bytes, all at once; they are copied. */
typedef void (*LiteEmit)(void* sink, const void* data, size_t size);

/* Decrypts, and hands the plain text to emit(sink, ...). 0 on success. */
typedef int (*LiteDecryptionWithData)(const void* input_data, size_t input_size, const uint8_t* key_data,
                                      size_t key_size, LiteEmit emit, void* sink, void* user_data);
LITE_API int LITE_ext_register_decryption(const char* decrypt_name, LiteDecryptionWithData func,
                                          const uint8_t* key_data, size_t key_size, void* user_data,
                                          LiteReleaseUserData release);
LITE_API int LITE_ext_update_decryption(const char* decrypt_name, LiteDecryptionWithData func, const uint8_t* key_data,
                                        size_t key_size, void* user_data, LiteReleaseUserData release);

/* As LiteParseInfoFunc; may hand extra information, a text, to emit(sink, ...). */
typedef int (*LiteParseInfoWithData)(const void* info_data, size_t info_size, const char* model_name,
                                     LiteConfig* config, LiteNetworkIO* network_io, int* device_id,
                                     size_t* nr_threads, int* is_cpu_inplace_mode, int* use_tensorrt, LiteEmit emit,
                                     void* sink, void* user_data);
LITE_API int LITE_ext_register_parse_info_func(const char* info_type, LiteParseInfoWithData parse_func,
                                               void* user_data, LiteReleaseUserData release);

/* Before loading: LITE_get_all_output_name() gives only the outputs that LiteNetworkIO names, if it names any of the
 * model's. All are computed. */
LITE_API int LITE_ext_compute_only_configured_output(LiteNetwork network);

/* After loading: starts the random numbers of models that compute such again, with this seed (0 after loading). The same
 * seed gives the same numbers, pass by pass, on every machine and for every number of threads. */
LITE_API int LITE_ext_set_random_seed(LiteNetwork network, uint64_t seed);

/* How many tensors the discrete input `io_name` has; 0 for other names. */
LITE_API int LITE_ext_get_discrete_tensor_count(LiteNetwork network, const char* io_name, size_t* count);

#ifdef __cplusplus
}
#endif

#endif /* LITE_C_EXTENSION_H_ */
