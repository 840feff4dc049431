// How to load and run a network: the C interface's structures with owners for what they point to.
#ifndef MGEC_RUNTIME_LITE_CONFIG_H_
#define MGEC_RUNTIME_LITE_CONFIG_H_

#include <string>
#include <vector>

#include "runtime/include/lite-c/network_c.h"
#include "runtime/status.h"

namespace mgec {

// LiteConfig.
struct NetworkConfig {
  bool has_compression = false;
  int device_id = 0;
  LiteDeviceType device_type = LITE_CPU;
  LiteBackend backend = LITE_DEFAULT;
  std::string cryption;
  LiteOptions options = default_option;
  bool auto_optimize_inference = false;
  std::string discrete_input;
};

// LiteIO.
struct IoConfig {
  std::string name;
  bool is_host = true;
  LiteIOType io_type = LITE_IO_VALUE;
  LiteLayout layout = default_layout;
};

// LiteNetworkIO.
struct NetworkIoConfig {
  std::vector<IoConfig> inputs;
  std::vector<IoConfig> outputs;
};

// Everything that the information inside of a packed model may change.
struct ModelSettings {
  NetworkConfig config;
  NetworkIoConfig io;
  int device_id = 0;
  size_t threads = 1;
  bool inplace = false;
  bool use_tensorrt = false;
  std::string extra_info;  // JSON, for the user
};

NetworkConfig FromC(const LiteConfig& config);
// Points into `config`.
LiteConfig ToC(const NetworkConfig& config);

// Errors: a null name, more than 6 dimensions.
Status FromC(const LiteNetworkIO& io, NetworkIoConfig* result);

// The arrays behind a LiteNetworkIO.
struct NetworkIoArrays {
  std::vector<LiteIO> inputs;
  std::vector<LiteIO> outputs;
  LiteNetworkIO view() {
    return {inputs.data(), outputs.data(), inputs.size(), outputs.size()};
  }
};
// Points into `io`.
NetworkIoArrays ToC(const NetworkIoConfig& io);

}  // namespace mgec

#endif  // MGEC_RUNTIME_LITE_CONFIG_H_
