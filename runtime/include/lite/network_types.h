// How networks are configured. Part of the C++ interface of MegEngine Lite; the structures in lite-c/network_c.h say what the
// fields mean.
#ifndef LITE_NETWORK_TYPES_H_
#define LITE_NETWORK_TYPES_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tensor.h"

namespace lite {

inline LiteAlgoSelectStrategy operator|(LiteAlgoSelectStrategy x, LiteAlgoSelectStrategy y) {
  return static_cast<LiteAlgoSelectStrategy>(static_cast<uint32_t>(x) | static_cast<uint32_t>(y));
}

struct Options {
  bool weight_preprocess = false;
  bool fuse_preprocess = false;
  bool fake_next_exec = false;
  bool var_sanity_check_first_run = true;
  bool const_shape = false;
  bool force_dynamic_alloc = false;
  bool force_output_dynamic_alloc = false;
  bool force_output_use_user_specified_memory = false;
  bool no_profiling_on_shape_change = false;
  uint8_t jit_level = 0;
  uint8_t comp_node_seq_record_level = 0;
  uint8_t graph_opt_level = 2;
  uint16_t async_exec_level = 1;
  bool enable_nchw44 = false;
  bool enable_nchw44_dot = false;
  bool enable_nchw88 = false;
  bool enable_nhwcd4 = false;
  bool enable_nchw4 = false;
  bool enable_nchw32 = false;
  bool enable_nchw64 = false;
  bool enable_f16_io_comp = false;  // decided when the model was compiled
};

struct Config {
  bool has_compression = false;
  int device_id = 0;
  LiteDeviceType device_type = LITE_CPU;
  LiteBackend backend = LITE_DEFAULT;
  std::string bare_model_cryption_name = {};
  Options options = {};
  bool auto_optimize_inference = false;
  std::string discrete_input_name = {};
};

struct ExtraConfig {
  bool disable_configure_by_model_info = false;
};

struct IO {
  std::string name;
  bool is_host = true;
  LiteIOType io_type = LITE_IO_VALUE;
  Layout config_layout = {};
};

struct NetworkIO {
  std::vector<IO> inputs = {};
  std::vector<IO> outputs = {};
};

// The user's memory, of the CPU or of a GPU; `align` is a power of two. Must not throw; null is an error of the call that needed
// memory.
class Allocator {
 public:
  virtual ~Allocator() = default;
  virtual void* allocate(LiteDeviceType device_type, int device_id, size_t size, size_t align) = 0;
  virtual void free(LiteDeviceType device_type, int device_id, void* ptr) = 0;
};

using ThreadAffinityCallback = std::function<void(int thread_id)>;
using AsyncCallback = std::function<void(void)>;
using StartCallback = std::function<void(const std::unordered_map<std::string, std::pair<IO, std::shared_ptr<Tensor>>>&)>;
using FinishCallback = StartCallback;

}  // namespace lite

#endif  // LITE_NETWORK_TYPES_H_
