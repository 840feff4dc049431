#include "runtime/cuda/driver.h"

#include <dlfcn.h>

#include <cstdlib>
#include <mutex>
#include <utility>

namespace mgec::cuda {
namespace {

// That has every function of the table; cuGraphInstantiateWithFlags() is the youngest.
constexpr int kOldest = 11040;


Status Missing(std::string message) { return Status(StatusCode::kUnsupported, std::move(message)); }

std::string VersionText(int version) { return Format("%d.%d", version / 1000, version % 1000 / 10); }

}  // namespace

std::string Driver::version() const { return VersionText(version_); }

Result<std::unique_ptr<const Driver>> Driver::Open(const std::string& path) {
  void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* reason = dlerror();
    return Missing(Format("cannot open NVIDIA's driver: %s", reason != nullptr ? reason : path.c_str()));
  }
  std::unique_ptr<Driver> driver(new Driver);
  std::string missing;
#define MGEC_CUDA_FIND(symbol, parameters)                                                            \
  driver->symbol = reinterpret_cast<Error(*) parameters>(dlsym(library, #symbol));                     \
  if (driver->symbol == nullptr) missing += (missing.empty() ? "" : ", ") + std::string(#symbol);
  MGEC_CUDA_FUNCTIONS(MGEC_CUDA_FIND)
#undef MGEC_CUDA_FIND
  const auto fail = [&](std::string message) {
    dlclose(library);
    return Missing(std::move(message));
  };
  if (driver->cuDriverGetVersion == nullptr || driver->cuDriverGetVersion(&driver->version_) != kSuccess) {
    return fail(path + " is no driver of NVIDIA's: it has no version");
  }
  if (driver->version_ < kOldest) {
    return fail(Format("%s is too old: it supports CUDA %s, and %s is needed; update NVIDIA's driver", path.c_str(),
                       driver->version().c_str(), VersionText(kOldest).c_str()));
  }
  if (!missing.empty()) return fail(path + " is no driver of NVIDIA's: it lacks " + missing);
  Error error = driver->cuInit(0);
  if (error == kSuccess) error = driver->cuDeviceGetCount(&driver->devices_);
  if (error == kNoDevice || (error == kSuccess && driver->devices_ == 0)) {
    return fail("NVIDIA's driver finds no GPU (CUDA_VISIBLE_DEVICES may hide them)");
  }
  if (error != kSuccess) return fail(driver->Describe(error, "initialize NVIDIA's driver"));
  return std::unique_ptr<const Driver>(std::move(driver));
}

Result<const Driver*> Driver::Get() {
  static std::mutex* const mutex = new std::mutex;
  static const Driver* driver = nullptr;  // never closed: other libraries may have given it threads
  const std::lock_guard<std::mutex> lock(*mutex);
  if (driver != nullptr) return driver;
  const char* named = std::getenv("MGEC_CUDA_DRIVER");
  const bool is_named = named != nullptr && *named != '\0';
  Result<std::unique_ptr<const Driver>> opened = Open(is_named ? named : "libcuda.so.1");
  if (!opened.ok()) {
    return Missing(opened.status().message() + (is_named ? "; MGEC_CUDA_DRIVER names it" : ""));
  }
  driver = opened.value().release();
  return driver;
}

bool Driver::Fatal(Error error) {
  switch (error) {
    case kDeinitialized:
    case kDeviceUnavailable:
    case kEccUncorrectable:
    case kIllegalAddress:
    case kLaunchTimeout:
    case kContextIsDestroyed:
    case kLaunchFailed:
    case kUnknown:
      return true;
    default:
      return error == 710 || (error >= 714 && error <= 718);  // a failed assertion; faults of other kinds
  }
}

std::string Driver::Describe(Error error, const char* what) const {
  const char* name = nullptr;
  const char* text = nullptr;
  if (cuGetErrorName(error, &name) != kSuccess || name == nullptr) name = "an unknown error";
  if (cuGetErrorString(error, &text) != kSuccess || text == nullptr) text = "error";
  return Format("failed to %s: %s (%s, %d)", what, text, name, static_cast<int>(error));
}

Status Driver::Check(Error error, const char* what) const {
  if (error == kSuccess) return Status();
  const std::string message = Describe(error, what);
  if (error == kOutOfMemory) return Status(StatusCode::kResourceExhausted, message);
  if (Fatal(error)) {
    return Status(StatusCode::kDeviceFailed,
                  message + "; the GPU's context is lost: let go of all networks and tensors on it and load them again, or "
                            "start the process again");
  }
  switch (error) {
    case kInvalidImage:
    case kNoBinaryForGpu:
    case kInvalidPtx:
    case kUnsupportedPtxVersion:
    case kSystemDriverMismatch:
    case kNotInitialized:
      return Status(StatusCode::kUnsupported, message);
    default:
      return Status(StatusCode::kInvalidArgument, message);
  }
}

}  // namespace mgec::cuda
