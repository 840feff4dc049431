// The runtime as the Python package sees it, through ctypes: no Python headers, so one library serves every version of
// Python. Not for other programs, which have MegEngine Lite's interfaces (runtime/include); changes with the package.
//
// Functions that can fail return null or -1, and mgecpy_error() has the text for the calling thread. Objects are freed with
// their *_free(); null is ignored there. Nothing is checked that the package checks already.
#ifndef MGEC_PYTHON_BINDING_RUNTIME_BINDING_H_
#define MGEC_PYTHON_BINDING_RUNTIME_BINDING_H_

#include <cstddef>
#include <cstdint>

#include "runtime/include/lite-c/network_c.h"

#define MGECPY_API extern "C" __attribute__((visibility("default")))

MGECPY_API const char* mgecpy_error();

// Memory with shared owners.
struct mgecpy_buffer;
MGECPY_API mgecpy_buffer* mgecpy_buffer_allocate(size_t size);
MGECPY_API mgecpy_buffer* mgecpy_buffer_wrap(void* data, size_t size);
MGECPY_API void* mgecpy_buffer_data(const mgecpy_buffer* buffer);
MGECPY_API size_t mgecpy_buffer_size(const mgecpy_buffer* buffer);
MGECPY_API void mgecpy_buffer_free(mgecpy_buffer* buffer);
// On NVIDIA GPU number `gpu`: memory of its own, or of the CPU and pinned for it; or memory that is on it already.
MGECPY_API mgecpy_buffer* mgecpy_buffer_allocate_gpu(size_t size, int gpu, int pinned);
MGECPY_API mgecpy_buffer* mgecpy_buffer_wrap_gpu(void* data, size_t size, int gpu);
// Whether the CPU may touch it; the number of the GPU that it belongs to or is pinned for, or -1.
MGECPY_API int mgecpy_buffer_on_host(const mgecpy_buffer* buffer);
MGECPY_API int mgecpy_buffer_gpu(const mgecpy_buffer* buffer);

// NVIDIA GPUs: how many, 0 without a driver; whether one can be used; and waiting for all that it does.
MGECPY_API int mgecpy_gpu_count();
MGECPY_API int mgecpy_gpu_open(int gpu);
MGECPY_API int mgecpy_gpu_synchronize(int gpu);

// Elements of `size` bytes between strided tensors of one shape, in memory of any kind; offsets in bytes, strides in elements.
MGECPY_API int mgecpy_copy(const mgecpy_buffer* to, size_t to_offset, const int64_t* to_strides, const mgecpy_buffer* from,
                           size_t from_offset, const int64_t* from_strides, const size_t* shape, size_t ndim, size_t size);
MGECPY_API int mgecpy_zero(const mgecpy_buffer* to, size_t offset, const int64_t* strides, const size_t* shape, size_t ndim,
                           size_t size);

// An input or output. The texts live as long as the artifact or network, the shape until the network's shapes change.
struct mgecpy_tensor {
  const char* name;
  const char* dtype;
  uint32_t shape[8];
  uint32_t ndim;
  float scale;
  int32_t zero_point;
  uint64_t bytes;
};

struct mgecpy_artifact;
MGECPY_API mgecpy_artifact* mgecpy_artifact_open(const char* path, int private_constants);
MGECPY_API mgecpy_artifact* mgecpy_artifact_from_bytes(const void* data, size_t size, const char* name,
                                                       int private_constants);
MGECPY_API void mgecpy_artifact_free(mgecpy_artifact* artifact);
// The inputs or outputs of the first program: writes at most `capacity`, returns how many there are.
MGECPY_API size_t mgecpy_artifact_inputs(const mgecpy_artifact* artifact, mgecpy_tensor* tensors, size_t capacity);
MGECPY_API size_t mgecpy_artifact_outputs(const mgecpy_artifact* artifact, mgecpy_tensor* tensors, size_t capacity);
MGECPY_API const char* mgecpy_artifact_name(const mgecpy_artifact* artifact);

// Memory for intermediate results, which networks may share.
struct mgecpy_arena;
MGECPY_API mgecpy_arena* mgecpy_arena_new();
MGECPY_API void mgecpy_arena_free(mgecpy_arena* arena);

struct mgecpy_network;
MGECPY_API mgecpy_network* mgecpy_network_new(const mgecpy_artifact* artifact, int threads, const mgecpy_arena* arena);
// On a GPU: which of its streams, and the inputs and outputs, by name, whose memory is on it.
MGECPY_API mgecpy_network* mgecpy_network_new_gpu(const mgecpy_artifact* artifact, const mgecpy_arena* arena, int gpu, int stream,
                                                  const char* const* inputs, size_t input_count, const char* const* outputs,
                                                  size_t output_count);
MGECPY_API void mgecpy_network_free(mgecpy_network* network);
// For the shapes that are selected; outputs with their largest shapes, for which there must be memory.
MGECPY_API size_t mgecpy_network_inputs(const mgecpy_network* network, mgecpy_tensor* tensors, size_t capacity);
MGECPY_API size_t mgecpy_network_outputs(const mgecpy_network* network, mgecpy_tensor* tensors, size_t capacity);
// `dims`: all shapes one after the other; ndims[i] numbers for input i.
MGECPY_API int mgecpy_network_select_shapes(mgecpy_network* network, const uint32_t* dims, const uint32_t* ndims,
                                            size_t count);
MGECPY_API int mgecpy_network_bind(mgecpy_network* network, int output, size_t index, const mgecpy_buffer* buffer,
                                   size_t offset);
// The memory that an input or output uses now; a new reference.
MGECPY_API mgecpy_buffer* mgecpy_network_buffer(const mgecpy_network* network, int output, size_t index);
// Whether some output is smaller than its largest shape, because its size depends on values. On a GPU only wait() knows.
MGECPY_API int mgecpy_network_forward(mgecpy_network* network);
MGECPY_API int mgecpy_network_wait(mgecpy_network* network);
// What the last pass has found; writes at most 8 numbers, returns how many there are.
MGECPY_API uint32_t mgecpy_network_output_shape(const mgecpy_network* network, size_t index, uint32_t* dims);
MGECPY_API void mgecpy_network_seed_random(mgecpy_network* network, uint64_t seed);
MGECPY_API void mgecpy_network_enable_profile(mgecpy_network* network, int enable);
MGECPY_API int mgecpy_network_write_profile(mgecpy_network* network, const char* path);
MGECPY_API const char* mgecpy_network_target(const mgecpy_network* network);
MGECPY_API int mgecpy_network_threads(const mgecpy_network* network);
MGECPY_API size_t mgecpy_network_arena_size(const mgecpy_network* network);
MGECPY_API size_t mgecpy_network_weights_size(const mgecpy_network* network);

// A model file, decrypted and unpacked. Views of `data`, which must outlive it.
struct mgecpy_model;
MGECPY_API mgecpy_model* mgecpy_model_unpack(const void* data, size_t size, const char* cryption);
MGECPY_API void mgecpy_model_free(mgecpy_model* model);
MGECPY_API const void* mgecpy_model_data(const mgecpy_model* model, size_t* size);
MGECPY_API int mgecpy_model_has_info(const mgecpy_model* model);

// What the information in a packed model says, starting from a configuration.
struct mgecpy_settings;
MGECPY_API mgecpy_settings* mgecpy_settings_parse(const mgecpy_model* model, const LiteConfig* config,
                                                  const LiteNetworkIO* io, int device_id, size_t threads, int inplace);
MGECPY_API void mgecpy_settings_free(mgecpy_settings* settings);
// Points into `settings`.
MGECPY_API void mgecpy_settings_get(mgecpy_settings* settings, LiteConfig* config, LiteNetworkIO* io, int* device_id,
                                    size_t* threads, int* inplace, const char** extra_info);

#endif  // MGEC_PYTHON_BINDING_RUNTIME_BINDING_H_
