#include "runtime/lite/c_support.h"

#include <utility>

namespace mgec {
namespace {

thread_local std::string t_last_error;

}  // namespace

int Report(const Status& status) {
  if (status.ok()) return 0;
  t_last_error = "Error: " + status.message() + ", Error Code: 1";
  return -1;
}

int Fail(const char* function, const char* what) {
  return Report(Status(StatusCode::kInvalidArgument, Format("%s: %s", function, what)));
}

const std::string& LastError() { return t_last_error; }

bool HasLastError() { return !t_last_error.empty(); }

void ClearLastError() { t_last_error.clear(); }

// Never destroyed: other threads may still use them when the process ends.
HandleTable<TensorHandle>& Tensors() {
  static auto* const table = new HandleTable<TensorHandle>(1);
  return *table;
}

HandleTable<NetworkHandle>& Networks() {
  static auto* const table = new HandleTable<NetworkHandle>(2);
  return *table;
}

NetworkHandle::~NetworkHandle() {
  for (const auto& entry : tensors_) Tensors().Remove(entry.second);
}

void* NetworkHandle::HandleOf(const std::shared_ptr<TensorImpl>& tensor) {
  const std::lock_guard<std::mutex> lock(mutex_);
  void*& handle = tensors_[tensor.get()];
  if (handle == nullptr) handle = Tensors().Add(std::make_shared<TensorHandle>(TensorHandle{tensor, true}));
  return handle;
}

int MakeNetwork(NetworkConfig config, NetworkIoConfig io, void** network) {
  Result<std::shared_ptr<NetworkImpl>> made = NetworkImpl::Make(std::move(config), std::move(io));
  if (!made.ok()) return Report(made.status());
  *network = Networks().Add(std::make_shared<NetworkHandle>(std::move(made.value())));
  return 0;
}

}  // namespace mgec
