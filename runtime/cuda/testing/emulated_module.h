// Code as the emulated driver loads it: what emulated_nvrtc.cc (compiler/codegen/cuda/testing) has made.
#ifndef MGEC_RUNTIME_CUDA_TESTING_EMULATED_MODULE_H_
#define MGEC_RUNTIME_CUDA_TESTING_EMULATED_MODULE_H_

#include <string>

#include "runtime/cuda/driver_api.h"

namespace mgec::cuda::emulated {

bool IsPtx(const char* image);

// Opens the shared library that a module is, or compiles one from PTX; `log` gets what the compiler says.
Error OpenModule(const char* image, std::string* log, void** library);

}  // namespace mgec::cuda::emulated

#endif  // MGEC_RUNTIME_CUDA_TESTING_EMULATED_MODULE_H_
