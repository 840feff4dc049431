// The information inside of a packed model, and the functions that read it, found by name. One table for the process; every
// function may be called from any thread.
#ifndef MGEC_RUNTIME_LITE_MODEL_INFO_H_
#define MGEC_RUNTIME_LITE_MODEL_INFO_H_

#include <cstddef>
#include <functional>
#include <string>

#include "runtime/lite/config.h"
#include "runtime/status.h"

namespace mgec {

// Changes the settings as the information says.
using InfoParser = std::function<Status(const void* info, size_t size, const std::string& model_name, ModelSettings*)>;

// Built in: "LITE_default", which is ParseJsonInfo(). Errors: a name that is taken, an empty function.
Status RegisterInfoParser(const std::string& name, InfoParser parser);

// Errors: an unknown parser, and whatever it says. `settings` keep their values then.
Status ParseInfo(const std::string& parser, const void* info, size_t size, const std::string& model_name,
                 ModelSettings* settings);

// MegEngine Lite's JSON:
//
//   {"valid": true, "name": "the packed model's name", "version": "1.13.0", "has_compression": false, "backend": "MGE",
//    "device": {"type": "CPU", "device_id": 0, "number_threads": 2, "enable_inplace_model": false, "use_tensorrt": false},
//    "options": {"weight_preprocess": true, ...},
//    "IO": {"inputs": [{"name": "data", "is_host": true, "io_type": "value", "dtype": "float32",
//                       "shape": {"dim0": 1, "dim1": 3, "dim2": 224, "dim3": 224}}], "outputs": []},
//    "extra_info": {anything}}
//
// Everything but "valid" may be missing; with "valid": false nothing else is read. Errors: no JSON, a value of another kind,
// an unknown device, type or shape, the name of another model.
Status ParseJsonInfo(const void* info, size_t size, const std::string& model_name, ModelSettings* settings);

}  // namespace mgec

#endif  // MGEC_RUNTIME_LITE_MODEL_INFO_H_
