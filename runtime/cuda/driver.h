// NVIDIA's driver, opened at run time: nothing links against it, and nobody opens it who asks for no GPU.
//
//   Result<const Driver*> driver = Driver::Get();
//   if (!driver.ok()) return driver.status();  // says what is missing
//   MGEC_RETURN_IF_ERROR(driver.value()->Check(driver.value()->cuMemAlloc_v2(&memory, size), "allocate memory"));
#ifndef MGEC_RUNTIME_CUDA_DRIVER_H_
#define MGEC_RUNTIME_CUDA_DRIVER_H_

#include <memory>
#include <string>

#include "runtime/cuda/driver_api.h"
#include "runtime/status.h"

namespace mgec::cuda {

// Immutable after it was made, so any thread may use it.
class Driver {
 public:
  // The driver of this process, opened and initialized at the first call that succeeds: the library that the environment
  // variable MGEC_CUDA_DRIVER names, or else libcuda.so.1. It stays open. Thread-safe. Errors (kUnsupported): no such library,
  // one that is too old, no GPU.
  static Result<const Driver*> Get();

  // Opens a library; for Get() and tests.
  static Result<std::unique_ptr<const Driver>> Open(const std::string& path);

  // How many GPUs there are, at least one.
  int devices() const { return devices_; }
  // "12.4", the version of CUDA that it supports.
  std::string version() const;

  // Success, or what the driver's error means: "failed to WHAT: out of memory (CUDA_ERROR_OUT_OF_MEMORY)". kResourceExhausted
  // for memory, kDeviceFailed for what a GPU does not recover from (see Fatal()), kUnsupported for code that it cannot run.
  Status Check(Error error, const char* what) const;

  // Whether nothing else works in the context after this error.
  static bool Fatal(Error error);

#define MGEC_CUDA_MEMBER(symbol, parameters) Error(*symbol) parameters = nullptr;
  MGEC_CUDA_FUNCTIONS(MGEC_CUDA_MEMBER)
#undef MGEC_CUDA_MEMBER

 private:
  Driver() = default;
  std::string Describe(Error error, const char* what) const;

  int version_ = 0;  // 12040 for 12.4
  int devices_ = 0;
};

}  // namespace mgec::cuda

#endif  // MGEC_RUNTIME_CUDA_DRIVER_H_
