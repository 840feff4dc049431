/* Networks. Part of the C interface of MegEngine Lite.
 *
 *   LiteNetwork network;
 *   LiteTensor input, output;
 *   if (LITE_make_default_network(&network) != 0 || LITE_load_model_from_path(network, "model.mgec") != 0 ||
 *       LITE_get_io_tensor(network, "data", LITE_INPUT, &input) != 0 || ... ||
 *       LITE_forward(network) != 0 || LITE_wait(network) != 0) {
 *     puts(LITE_get_last_error());
 *   }
 *   LITE_destroy_network(network);
 *
 * Every function returns 0 on success and -1 on error; LITE_get_last_error() (global_c.h) then has the text. Null
 * pointers, bad numbers and handles of destroyed objects are errors.
 *
 * Different networks are independent. Calls of several threads on one network wait for each other. A network may be
 * destroyed at any time, also in its own callback or while another thread waits for it: it goes when the last call that
 * uses it returns. After fork() the child may go on using networks. */
#ifndef LITE_C_NETWORK_H_
#define LITE_C_NETWORK_H_

#include "tensor_c.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Options of MegEngine's graph. For a compiled model
 *   weight_preprocess copies the weights to memory of the process: a little faster, but not shared with other processes;
 *   fake_next_exec makes the next forward() compute nothing;
 *   force_output_use_user_specified_memory makes it an error if an output does not fit in the memory that was given for it
 *   with LITE_reset_tensor_memory(), where else the network would take memory of its own.
 * The others were decided when the model was compiled and are kept without effect. */
typedef struct {
  int weight_preprocess;
  int fuse_preprocess;
  int fake_next_exec;
  int var_sanity_check_first_run;
  int const_shape;
  int force_dynamic_alloc;
  int force_output_dynamic_alloc;
  int force_output_use_user_specified_memory;
  int no_profiling_on_shape_change;
  int jit_level;
  int comp_node_seq_record_level;
  int graph_opt_level;
  int async_exec_level;
  int enable_nchw44;
  int enable_nchw44_dot;
  int enable_nchw88;
  int enable_nhwcd4;
  int enable_nchw4;
  int enable_nchw32;
  int enable_nchw64;
} LiteOptions;

extern LITE_API const LiteOptions default_option;

/* How to load. bare_model_cryption_name: the registered decryption of the whole file, or null. discrete_input_name: an
 * input that is given as one tensor for each item of its batch, or null. */
typedef struct LiteConfig {
  int has_compression; /* not supported: an error at load() */
  int device_id;
  LiteDeviceType device_type;
  LiteBackend backend;
  const char* bare_model_cryption_name;
  LiteOptions options;
  int auto_optimize_inference;
  const char* discrete_input_name;
} LiteConfig;

/* The default, in memory of the library: copy it before changing it. */
LITE_API LiteConfig* default_config();

/* What to do with the information inside of a packed model. */
typedef struct LiteExtraConfig {
  int disable_configure_by_model_info; /* read it, but do not let it change the configuration */
} LiteExtraConfig;

/* An input or output: its name, and for inputs the layout that it has after loading (ndim 0: the model's own). On LITE_CUDA
 * its tensor is in pinned memory of the CPU and copied in each pass, or, with is_host 0, in the GPU's memory. */
typedef struct {
  const char* name;
  int is_host;
  LiteIOType io_type;
  LiteLayout config_layout;
} LiteIO;

extern LITE_API const LiteIO default_io;

/* Outputs that are named here come first in LITE_get_all_output_name(). Names that the model does not have are ignored. */
typedef struct {
  LiteIO* inputs;
  LiteIO* outputs;
  size_t input_size;
  size_t output_size;
} LiteNetworkIO;

LITE_API LiteNetworkIO* default_network_io();

/* The user's memory: `align` is a power of two; null is an error of the call that needed memory. */
typedef void* (*LiteAllocate)(LiteDeviceType device_type, int device_id, size_t size, size_t align);
typedef void (*LiteFree)(LiteDeviceType device_type, int device_id, void* ptr);

/* Called once in every thread that computes, with its number: 0 to threads - 2 for the network's own threads and threads - 1
 * for the thread that calls forward(). What it returns is ignored. */
typedef int (*LiteThreadAffinityCallback)(int thread_id);

/* What callbacks return is ignored. The arrays and names are valid during the call, the tensors as long as the network. */
typedef int (*LiteAsyncCallback)();
typedef int (*LiteAsyncCallbackWithData)(void* user_data);
typedef int (*LiteStartCallback)(const LiteIO* inputs, const LiteTensor* input_tensors, size_t size);
typedef int (*LiteStartCallbackWithData)(const LiteIO* inputs, const LiteTensor* input_tensors, size_t size,
                                         void* user_data);
typedef int (*LiteFinishCallback)(const LiteIO* outputs, const LiteTensor* output_tensors, size_t size);
typedef int (*LiteFinishCallbackWithData)(const LiteIO* outputs, const LiteTensor* output_tensors, size_t size,
                                          void* user_data);

typedef void* LiteNetwork;

LITE_API int LITE_make_default_network(LiteNetwork* network);
LITE_API int LITE_make_network(LiteNetwork* network, const LiteConfig config, const LiteNetworkIO network_io);
LITE_API int LITE_make_network_config(LiteNetwork* network, const LiteConfig config);

/* Loads a compiled model (.mgec), plain, encrypted or packed. The memory is copied where it is not decrypted. Loading
 * again replaces the model. A model that was not compiled is an error that names the command to compile it. */
LITE_API int LITE_load_model_from_mem(LiteNetwork network, void* model_mem, size_t size);

/* The same for a file, which a plain artifact is mapped from: it must not be overwritten in place while it is in use. */
LITE_API int LITE_load_model_from_path(LiteNetwork network, const char* model_path);

/* Loads the model of `src_network`, whose weights both use then. */
LITE_API int LITE_shared_weight_with_network(LiteNetwork dst_network, const LiteNetwork src_network);

LITE_API int LITE_destroy_network(LiteNetwork network);

/* Computes the outputs from the inputs, in the caller's thread and the network's own. With an async callback, and on
 * LITE_CUDA, it returns at once: inputs and outputs are to be left alone until LITE_wait() returns. */
LITE_API int LITE_forward(const LiteNetwork network);

/* Returns when forward() has finished; calls the finish callback, and the async callback once more. Reports what a GPU has
 * failed at. */
LITE_API int LITE_wait(const LiteNetwork network);

/* The tensor of an input or output. It is the network's: do not destroy it, nor use it after the network. */
LITE_API int LITE_get_io_tensor(LiteNetwork network, const char* io_name, LiteTensorPhase phase, LiteTensor* tensor);

/* Tensor number `n_idx` of the input that LiteConfig.discrete_input_name names; it has a batch of 1. */
LITE_API int LITE_get_discrete_tensor(LiteNetwork network, const char* io_name, size_t n_idx, LiteTensorPhase phase,
                                      LiteTensor* tensor);

/* Names, in the model's order. They are valid until the network is destroyed or loads again. */
LITE_API int LITE_get_input_name(const LiteNetwork network, size_t index, const char** name);
LITE_API int LITE_get_output_name(const LiteNetwork network, size_t index, const char** name);

/* All names: writes their number to `size` and the names to `name`, each unless it is null. */
LITE_API int LITE_get_all_input_name(const LiteNetwork network, size_t* size, const char** name);
LITE_API int LITE_get_all_output_name(const LiteNetwork network, size_t* size, const char** name);

LITE_API int LITE_is_cpu_inplace_mode(const LiteNetwork network, int* is_cpu_inplace_mode);
LITE_API int LITE_get_cpu_threads_number(const LiteNetwork network, size_t* nr_threads);
LITE_API int LITE_get_device_id(const LiteNetwork network, int* device_id);
LITE_API int LITE_get_stream_id(const LiteNetwork network, int* stream_id);
LITE_API int LITE_get_device_type(const LiteNetwork network, LiteDeviceType* device_type);

/* The "extra_info" of a packed model as JSON, or "". Valid until the network is destroyed or loads again. */
LITE_API int LITE_get_model_extra_info(const LiteNetwork network, const char** info, int* info_size);

/* Before loading. forward() always computes in the caller's thread; this forbids async callbacks and sets the number of the
 * device to what MegEngine uses for this mode. */
LITE_API int LITE_set_cpu_inplace_mode(LiteNetwork network);

/* Before loading: how many threads compute, the caller's among them; 0 and 1 change nothing. At most 256. On
 * LITE_CPU only. */
LITE_API int LITE_set_cpu_threads_number(LiteNetwork network, size_t nr_threads);

/* Before loading. On LITE_CUDA the number of the GPU, and of the stream: networks with the same one take turns. CPUs keep the
 * numbers and do not use them. */
LITE_API int LITE_set_device_id(LiteNetwork network, int device_id);
LITE_API int LITE_set_stream_id(LiteNetwork network, int stream_id);

/* Before loading. No effect. */
LITE_API int LITE_use_tensorrt(LiteNetwork network);

/* Accepted without effect: kernels and memory were chosen when the model was compiled. */
LITE_API int LITE_set_network_algo_policy(LiteNetwork network, LiteAlgoSelectStrategy strategy);
LITE_API int LITE_set_network_algo_fastrun_config(LiteNetwork network, unsigned int shared_batch_size,
                                                  int binary_equal_between_batch);
/* After loading. */
LITE_API int LITE_set_network_algo_workspace_limit(LiteNetwork network, size_t workspace_limit);

/* From now on forward() returns at once and the callback is called, in another thread, when the outputs are there. Not with
 * the inplace mode nor with force_output_use_user_specified_memory. */
LITE_API int LITE_set_async_callback(LiteNetwork network, const LiteAsyncCallback async_callback);
LITE_API int LITE_set_async_callback_with_userdata(LiteNetwork network, const LiteAsyncCallbackWithData async_callback,
                                                   void* user_data);

/* Called in every forward() before anything is computed; may change the inputs. Null removes it. */
LITE_API int LITE_set_start_callback(LiteNetwork network, const LiteStartCallback start_callback);
LITE_API int LITE_set_start_callback_with_userdata(LiteNetwork network, const LiteStartCallbackWithData start_callback,
                                                   void* user_data);

/* Called in every wait(). Null removes it. */
LITE_API int LITE_set_finish_callback(LiteNetwork network, const LiteFinishCallback finish_callback);
LITE_API int LITE_set_finish_callback_with_userdata(LiteNetwork network,
                                                    const LiteFinishCallbackWithData finish_callback, void* user_data);

/* After loading. */
LITE_API int LITE_set_runtime_thread_affinity(LiteNetwork network,
                                              const LiteThreadAffinityCallback thread_affinity_callback);

/* Before loading: where the memory of inputs, outputs and intermediate results comes from. Weights are mapped from the file.
 * On LITE_CUDA the functions are asked for memory of the GPU that device_id names, whose context is current meanwhile; what is the
 * CPU's there is pinned memory of the driver.
 * The functions are called by the threads that use the network, and until the last tensor over such memory has gone. */
LITE_API int LITE_set_memory_allocator(LiteNetwork network, const LiteAllocate allocate_fun, const LiteFree free_fun);

/* Makes the first network, which must not be loaded yet, use the memory of the second one for intermediate results. They
 * may then not compute at the same time: forward() of one waits for that of the other. */
LITE_API int LITE_share_runtime_memroy(LiteNetwork dst_network, LiteNetwork src_network);

/* wait() writes the time of every operator to this file, which chrome://tracing and ui.perfetto.dev show. */
LITE_API int LITE_enable_profile_performance(LiteNetwork network, const char* profile_json_file_path);

/* forward() writes all inputs and outputs to a text file, or each to a file of its own in a folder. Tensors inside of the
 * network do not exist any more. */
LITE_API int LITE_enable_io_txt_dump(LiteNetwork network, const char* io_txt_out_file);
LITE_API int LITE_enable_io_bin_dump(LiteNetwork network, const char* io_bin_out_dir);

/* After loading: writes static_memory.json, the memory that the network uses, into a folder, which is made if missing. */
LITE_API int LITE_get_static_memory_alloc_info(LiteNetwork network, const char* log_dir);

/* Before loading. Accepted without effect: the compiler has chosen all layouts. */
LITE_API int LITE_enable_global_layout_transform(LiteNetwork network);

/* An error: the compiled file is the optimized model. */
LITE_API int LITE_dump_layout_transform_model(LiteNetwork network, const char* dump_file_path);

/* Names and layouts of a model's inputs and outputs without loading a network. The arrays belong to the library and stay
 * valid until the same thread calls one of these functions again. */
LITE_API int LITE_get_model_io_info_by_path(const char* model_path, const LiteConfig config, LiteNetworkIO* ios);
LITE_API int LITE_get_model_io_info_by_memory(const void* model_mem, size_t size, const LiteConfig config,
                                              LiteNetworkIO* ios);

/* Before loading. */
LITE_API int LITE_extra_configure(LiteNetwork network, LiteExtraConfig extra_config);

#ifdef __cplusplus
}
#endif

#endif /* LITE_C_NETWORK_H_ */
