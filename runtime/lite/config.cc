#include "runtime/lite/config.h"

extern "C" {

const LiteLayout default_layout = {{0, 0, 0, 0, 0, 0, 0}, 0, LITE_FLOAT};
const LiteTensorDesc default_desc = {0, {{0, 0, 0, 0, 0, 0, 0}, 0, LITE_FLOAT}, LITE_CPU, 0};
const LiteOptions default_option = {0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0};
const LiteIO default_io = {nullptr, 1, LITE_IO_VALUE, {{0, 0, 0, 0, 0, 0, 0}, 0, LITE_FLOAT}};

LiteConfig* default_config() {
  static LiteConfig config = {0, -1, LITE_CPU, LITE_DEFAULT, nullptr, default_option, 0, nullptr};
  return &config;
}

LiteNetworkIO* default_network_io() {
  static LiteNetworkIO io = {nullptr, nullptr, 0, 0};
  return &io;
}

}  // extern "C"

namespace mgec {
namespace {

std::string Text(const char* text) { return text != nullptr ? text : ""; }

Status FromC(const LiteIO* items, size_t size, const char* side, std::vector<IoConfig>* result) {
  if (items == nullptr && size > 0) return Status(StatusCode::kInvalidArgument, Format("the %ss are null", side));
  for (size_t i = 0; i < size; ++i) {
    if (items[i].name == nullptr) {
      return Status(StatusCode::kInvalidArgument, Format("%s name of io tensor must set.", side));
    }
    if (items[i].config_layout.ndim >= LAYOUT_MAX_DIM) {
      return Status(StatusCode::kInvalidArgument, Format("clayout ndim is to large: %s %s has %zu dimensions", side,
                                                         items[i].name, items[i].config_layout.ndim));
    }
    result->push_back({items[i].name, items[i].is_host != 0, items[i].io_type, items[i].config_layout});
  }
  return Status();
}

std::vector<LiteIO> ToC(const std::vector<IoConfig>& items) {
  std::vector<LiteIO> result;
  for (const IoConfig& item : items) result.push_back({item.name.c_str(), item.is_host, item.io_type, item.layout});
  return result;
}

}  // namespace

NetworkConfig FromC(const LiteConfig& config) {
  return {config.has_compression != 0,
          config.device_id,
          config.device_type,
          config.backend,
          Text(config.bare_model_cryption_name),
          config.options,
          config.auto_optimize_inference != 0,
          Text(config.discrete_input_name)};
}

LiteConfig ToC(const NetworkConfig& config) {
  return {config.has_compression,
          config.device_id,
          config.device_type,
          config.backend,
          config.cryption.c_str(),
          config.options,
          config.auto_optimize_inference,
          config.discrete_input.c_str()};
}

Status FromC(const LiteNetworkIO& io, NetworkIoConfig* result) {
  MGEC_RETURN_IF_ERROR(FromC(io.inputs, io.input_size, "input", &result->inputs));
  return FromC(io.outputs, io.output_size, "output", &result->outputs);
}

NetworkIoArrays ToC(const NetworkIoConfig& io) { return {ToC(io.inputs), ToC(io.outputs)}; }

}  // namespace mgec
