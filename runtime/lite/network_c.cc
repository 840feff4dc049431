#include "runtime/include/lite-c/network_c.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/include/lite-c/extension_c.h"
#include "runtime/lite/c_support.h"
#include "runtime/lite/config.h"

using mgec::Fail;
using mgec::NetworkHandle;
using mgec::NetworkImpl;
using mgec::Networks;
using mgec::Report;
using mgec::Result;

namespace {

int Name(const Result<const char*>& result, const char** name) {
  if (!result.ok()) return Report(result.status());
  *name = result.value();
  return 0;
}

void Names(const std::vector<const char*>& all, size_t* size, const char** names) {
  if (size != nullptr) *size = all.size();
  for (size_t i = 0; names != nullptr && i < all.size(); ++i) names[i] = all[i];
}

int Tensor(NetworkHandle& network, const Result<std::shared_ptr<mgec::TensorImpl>>& result, LiteTensor* tensor) {
  if (!result.ok()) return Report(result.status());
  *tensor = network.HandleOf(result.value());
  return 0;
}

// The descriptions that the library hands out, until the thread asks for others.
int Describe(const Result<mgec::NetworkIoConfig>& io, LiteNetworkIO* ios) {
  static thread_local mgec::NetworkIoConfig t_io;
  static thread_local mgec::NetworkIoArrays t_arrays;
  if (!io.ok()) return Report(io.status());
  t_io = io.value();
  t_arrays = mgec::ToC(t_io);
  *ios = t_arrays.view();
  return 0;
}

}  // namespace

int LITE_make_default_network(LiteNetwork* network) {
  MGEC_CHECK_NOT_NULL(network);
  return mgec::MakeNetwork({}, {}, network);
}

int LITE_make_network(LiteNetwork* network, const LiteConfig config, const LiteNetworkIO network_io) {
  MGEC_CHECK_NOT_NULL(network);
  mgec::NetworkIoConfig io;
  if (Report(mgec::FromC(network_io, &io)) != 0) return -1;
  return mgec::MakeNetwork(mgec::FromC(config), std::move(io), network);
}

int LITE_make_network_config(LiteNetwork* network, const LiteConfig config) {
  MGEC_CHECK_NOT_NULL(network);
  return mgec::MakeNetwork(mgec::FromC(config), {}, network);
}

int LITE_load_model_from_mem(LiteNetwork network, void* model_mem, size_t size) {
  MGEC_FIND_NETWORK(object, network);
  MGEC_CHECK_NOT_NULL(model_mem);
  return Report(object.Load(model_mem, size));
}

int LITE_load_model_from_path(LiteNetwork network, const char* model_path) {
  MGEC_FIND_NETWORK(object, network);
  MGEC_CHECK_NOT_NULL(model_path);
  return Report(object.Load(model_path));
}

int LITE_shared_weight_with_network(LiteNetwork dst_network, const LiteNetwork src_network) {
  MGEC_FIND_NETWORK(destination, dst_network);
  MGEC_FIND_NETWORK(source, src_network);
  return Report(destination.ShareWeights(source));
}

int LITE_destroy_network(LiteNetwork network) {
  MGEC_CHECK_NOT_NULL(network);
  const std::shared_ptr<NetworkHandle> object = Networks().Remove(network);
  return object != nullptr ? 0 : Fail(__func__, "there is no such network (any more)");
}

int LITE_forward(const LiteNetwork network) {
  MGEC_FIND_NETWORK(object, network);
  return Report(object.Forward());
}

int LITE_wait(const LiteNetwork network) {
  MGEC_FIND_NETWORK(object, network);
  return Report(object.Wait());
}

int LITE_get_io_tensor(LiteNetwork network, const char* io_name, LiteTensorPhase phase, LiteTensor* tensor) {
  MGEC_FIND_NETWORK(object, network);
  MGEC_CHECK_NOT_NULL(io_name);
  MGEC_CHECK_NOT_NULL(tensor);
  return Tensor(*object_handle, object.GetTensor(io_name, phase), tensor);
}

int LITE_get_discrete_tensor(LiteNetwork network, const char* io_name, size_t n_idx, LiteTensorPhase phase,
                             LiteTensor* tensor) {
  MGEC_FIND_NETWORK(object, network);
  MGEC_CHECK_NOT_NULL(io_name);
  MGEC_CHECK_NOT_NULL(tensor);
  return Tensor(*object_handle, object.GetItem(io_name, n_idx, phase), tensor);
}

int LITE_ext_get_discrete_tensor_count(LiteNetwork network, const char* io_name, size_t* count) {
  MGEC_FIND_NETWORK(object, network);
  MGEC_CHECK_NOT_NULL(io_name);
  MGEC_CHECK_NOT_NULL(count);
  *count = object.CountItems(io_name);
  return 0;
}

int LITE_get_input_name(const LiteNetwork network, size_t index, const char** name) {
  MGEC_FIND_NETWORK(object, network);
  MGEC_CHECK_NOT_NULL(name);
  return Name(object.InputName(index), name);
}

int LITE_get_output_name(const LiteNetwork network, size_t index, const char** name) {
  MGEC_FIND_NETWORK(object, network);
  MGEC_CHECK_NOT_NULL(name);
  return Name(object.OutputName(index), name);
}

int LITE_get_all_input_name(const LiteNetwork network, size_t* size, const char** name) {
  MGEC_FIND_NETWORK(object, network);
  Names(object.InputNames(), size, name);
  return 0;
}

int LITE_get_all_output_name(const LiteNetwork network, size_t* size, const char** name) {
  MGEC_FIND_NETWORK(object, network);
  Names(object.OutputNames(), size, name);
  return 0;
}

int LITE_is_cpu_inplace_mode(const LiteNetwork network, int* is_cpu_inplace_mode) {
  MGEC_FIND_NETWORK(object, network);
  MGEC_CHECK_NOT_NULL(is_cpu_inplace_mode);
  *is_cpu_inplace_mode = object.inplace();
  return 0;
}

int LITE_get_cpu_threads_number(const LiteNetwork network, size_t* nr_threads) {
  MGEC_FIND_NETWORK(object, network);
  MGEC_CHECK_NOT_NULL(nr_threads);
  *nr_threads = object.threads();
  return 0;
}

int LITE_get_device_id(const LiteNetwork network, int* device_id) {
  MGEC_FIND_NETWORK(object, network);
  MGEC_CHECK_NOT_NULL(device_id);
  *device_id = object.device_id();
  return 0;
}

int LITE_get_stream_id(const LiteNetwork network, int* stream_id) {
  MGEC_FIND_NETWORK(object, network);
  MGEC_CHECK_NOT_NULL(stream_id);
  *stream_id = object.stream_id();
  return 0;
}

int LITE_get_device_type(const LiteNetwork network, LiteDeviceType* device_type) {
  MGEC_FIND_NETWORK(object, network);
  MGEC_CHECK_NOT_NULL(device_type);
  *device_type = object.device_type();
  return 0;
}

int LITE_get_model_extra_info(const LiteNetwork network, const char** info, int* info_size) {
  MGEC_FIND_NETWORK(object, network);
  MGEC_CHECK_NOT_NULL(info);
  MGEC_CHECK_NOT_NULL(info_size);
  *info = object.extra_info().c_str();
  *info_size = static_cast<int>(object.extra_info().size());
  return 0;
}

int LITE_set_cpu_inplace_mode(LiteNetwork network) {
  MGEC_FIND_NETWORK(object, network);
  return Report(object.SetInplace());
}

int LITE_set_cpu_threads_number(LiteNetwork network, size_t nr_threads) {
  MGEC_FIND_NETWORK(object, network);
  return Report(object.SetThreads(nr_threads));
}

int LITE_set_device_id(LiteNetwork network, int device_id) {
  MGEC_FIND_NETWORK(object, network);
  return Report(object.SetDeviceId(device_id));
}

int LITE_set_stream_id(LiteNetwork network, int stream_id) {
  MGEC_FIND_NETWORK(object, network);
  return Report(object.SetStreamId(stream_id));
}

int LITE_use_tensorrt(LiteNetwork network) {
  MGEC_FIND_NETWORK(object, network);
  return Report(object.CheckNotLoaded("use_tensorrt"));
}

int LITE_set_network_algo_policy(LiteNetwork network, LiteAlgoSelectStrategy strategy) {
  MGEC_FIND_NETWORK(object, network);
  static_cast<void>(object);
  const unsigned known = LITE_ALGO_HEURISTIC | LITE_ALGO_PROFILE | LITE_ALGO_REPRODUCIBLE | LITE_ALGO_OPTIMIZED;
  return (static_cast<unsigned>(strategy) & ~known) == 0 ? 0 : Fail(__func__, "the strategy is not known");
}

int LITE_set_network_algo_fastrun_config(LiteNetwork network, unsigned int shared_batch_size,
                                         int binary_equal_between_batch) {
  MGEC_FIND_NETWORK(object, network);
  static_cast<void>(object);
  return 0;
}

int LITE_set_network_algo_workspace_limit(LiteNetwork network, size_t workspace_limit) {
  MGEC_FIND_NETWORK(object, network);
  return Report(object.CheckLoaded("set_network_algo_workspace_limit"));
}

int LITE_share_runtime_memroy(LiteNetwork dst_network, LiteNetwork src_network) {
  MGEC_FIND_NETWORK(destination, dst_network);
  MGEC_FIND_NETWORK(source, src_network);
  return Report(destination.ShareArena(source));
}

int LITE_enable_profile_performance(LiteNetwork network, const char* profile_json_file_path) {
  MGEC_FIND_NETWORK(object, network);
  MGEC_CHECK_NOT_NULL(profile_json_file_path);
  object.EnableProfile(profile_json_file_path);
  return 0;
}

int LITE_enable_io_txt_dump(LiteNetwork network, const char* io_txt_out_file) {
  MGEC_FIND_NETWORK(object, network);
  MGEC_CHECK_NOT_NULL(io_txt_out_file);
  object.EnableTextDump(io_txt_out_file);
  return 0;
}

int LITE_enable_io_bin_dump(LiteNetwork network, const char* io_bin_out_dir) {
  MGEC_FIND_NETWORK(object, network);
  MGEC_CHECK_NOT_NULL(io_bin_out_dir);
  object.EnableBinaryDump(io_bin_out_dir);
  return 0;
}

int LITE_get_static_memory_alloc_info(LiteNetwork network, const char* log_dir) {
  MGEC_FIND_NETWORK(object, network);
  MGEC_CHECK_NOT_NULL(log_dir);
  return Report(object.WriteMemoryInfo(log_dir));
}

int LITE_enable_global_layout_transform(LiteNetwork network) {
  MGEC_FIND_NETWORK(object, network);
  return Report(object.CheckNotLoaded("enable_global_layout_transform"));
}

int LITE_dump_layout_transform_model(LiteNetwork network, const char* dump_file_path) {
  MGEC_FIND_NETWORK(object, network);
  static_cast<void>(object);
  return Fail(__func__, "not supported: the compiled artifact is the optimized model");
}

int LITE_get_model_io_info_by_path(const char* model_path, const LiteConfig config, LiteNetworkIO* ios) {
  MGEC_CHECK_NOT_NULL(model_path);
  MGEC_CHECK_NOT_NULL(ios);
  return Describe(mgec::GetModelIo(model_path, mgec::FromC(config)), ios);
}

int LITE_get_model_io_info_by_memory(const void* model_mem, size_t size, const LiteConfig config, LiteNetworkIO* ios) {
  MGEC_CHECK_NOT_NULL(model_mem);
  MGEC_CHECK_NOT_NULL(ios);
  return Describe(mgec::GetModelIo(model_mem, size, mgec::FromC(config)), ios);
}

int LITE_extra_configure(LiteNetwork network, LiteExtraConfig extra_config) {
  MGEC_FIND_NETWORK(object, network);
  return Report(object.SetExtraConfig(extra_config));
}

int LITE_ext_set_random_seed(LiteNetwork network, uint64_t seed) {
  MGEC_FIND_NETWORK(object, network);
  return Report(object.SeedRandom(seed));
}

int LITE_ext_compute_only_configured_output(LiteNetwork network) {
  MGEC_FIND_NETWORK(object, network);
  return Report(object.ComputeOnlyConfiguredOutput());
}
