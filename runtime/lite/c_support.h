// What the C functions share: the last error, and the objects behind handles.
#ifndef MGEC_RUNTIME_LITE_C_SUPPORT_H_
#define MGEC_RUNTIME_LITE_C_SUPPORT_H_

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "runtime/lite/handles.h"
#include "runtime/lite/network_impl.h"
#include "runtime/lite/tensor_impl.h"
#include "runtime/status.h"

namespace mgec {

// Remembers an error for LITE_get_last_error() of this thread. Returns 0 or -1.
int Report(const Status& status);
int Fail(const char* function, const char* what);

// "Error: MSG, Error Code: 1", or "".
const std::string& LastError();
bool HasLastError();
void ClearLastError();

// A tensor, and whether a network owns it.
struct TensorHandle {
  std::shared_ptr<TensorImpl> tensor;
  bool of_network = false;
};
HandleTable<TensorHandle>& Tensors();

// A network and the handles of its tensors, which go with it.
struct NetworkHandle {
  explicit NetworkHandle(std::shared_ptr<NetworkImpl> impl) : network(std::move(impl)) {}
  ~NetworkHandle();
  NetworkHandle(const NetworkHandle&) = delete;
  NetworkHandle& operator=(const NetworkHandle&) = delete;

  // The handle of one of the network's tensors, always the same.
  void* HandleOf(const std::shared_ptr<TensorImpl>& tensor);

  const std::shared_ptr<NetworkImpl> network;

 private:
  std::mutex mutex_;
  std::map<TensorImpl*, void*> tensors_;
};
HandleTable<NetworkHandle>& Networks();

// Makes a network and its handle.
int MakeNetwork(NetworkConfig config, NetworkIoConfig io, void** network);

}  // namespace mgec

// At the beginning of a C function: an error where a pointer is null.
#define MGEC_CHECK_NOT_NULL(pointer) \
  if ((pointer) == nullptr) return ::mgec::Fail(__func__, "the pointer " #pointer " is null")

// Declares `name`, the object behind a handle, or returns the error.
#define MGEC_FIND_TENSOR(name, handle)                                                                   \
  const std::shared_ptr<::mgec::TensorHandle> name##_handle = ::mgec::Tensors().Find(handle);             \
  if (name##_handle == nullptr) {                                                                         \
    return ::mgec::Fail(__func__, (handle) == nullptr ? "the tensor is null" : "there is no such tensor (any more)"); \
  }                                                                                                       \
  ::mgec::TensorImpl& name = *name##_handle->tensor

#define MGEC_FIND_NETWORK(name, handle)                                                                  \
  const std::shared_ptr<::mgec::NetworkHandle> name##_handle = ::mgec::Networks().Find(handle);           \
  if (name##_handle == nullptr) {                                                                         \
    return ::mgec::Fail(__func__,                                                                         \
                        (handle) == nullptr ? "the network is null" : "there is no such network (any more)"); \
  }                                                                                                       \
  ::mgec::NetworkImpl& name = *name##_handle->network

#endif  // MGEC_RUNTIME_LITE_C_SUPPORT_H_
