// The C functions that take callbacks.
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "runtime/include/lite-c/extension_c.h"
#include "runtime/lite/c_support.h"
#include "runtime/lite/user_data.h"

using mgec::Fail;
using mgec::NetworkHandle;
using mgec::NetworkImpl;
using mgec::Report;
using mgec::UserData;

namespace {

using IoCallback = LiteStartCallbackWithData;
static_assert(std::is_same<LiteStartCallbackWithData, LiteFinishCallbackWithData>::value, "one adapter for both");

// A C callback as the network calls it. The network does not keep the handle alive, which owns it; while a call is under way
// somebody else does.
NetworkImpl::IoCallback Adapt(const std::shared_ptr<NetworkHandle>& network, IoCallback callback,
                              std::shared_ptr<UserData> user_data) {
  if (callback == nullptr) return nullptr;
  return [weak = std::weak_ptr<NetworkHandle>(network), callback,
          user_data = std::move(user_data)](const std::vector<NetworkImpl::IoItem>& items) {
    const std::shared_ptr<NetworkHandle> handle = weak.lock();
    if (handle == nullptr) return;
    std::vector<LiteIO> ios;
    std::vector<LiteTensor> tensors;
    for (const NetworkImpl::IoItem& item : items) {
      ios.push_back({item.io.name.c_str(), item.io.is_host, item.io.io_type, item.io.layout});
      tensors.push_back(handle->HandleOf(item.tensor));
    }
    callback(ios.data(), tensors.data(), ios.size(), user_data->get());
  };
}

// Callbacks without user data are given as the user data of these.
int CallIo(const LiteIO* ios, const LiteTensor* tensors, size_t size, void* callback) {
  return reinterpret_cast<LiteStartCallback>(callback)(ios, tensors, size);
}

// How users see the numbers of mgec::Allocator.
LiteDeviceType DeviceOf(int gpu) { return gpu == mgec::Allocator::kCpu ? LITE_CPU : LITE_CUDA; }
int IdOf(int gpu) { return gpu == mgec::Allocator::kCpu ? 0 : gpu; }

class UserAllocator : public mgec::Allocator {
 public:
  UserAllocator(LiteAllocateWithData allocate, LiteFreeWithData free, std::shared_ptr<UserData> user_data)
      : allocate_(allocate), free_(free), user_data_(std::move(user_data)) {}
  void* Allocate(int gpu, size_t size, size_t alignment) override {
    return allocate_(DeviceOf(gpu), IdOf(gpu), size, alignment, user_data_->get());
  }
  void Free(int gpu, void* memory) override { free_(DeviceOf(gpu), IdOf(gpu), memory, user_data_->get()); }

 private:
  LiteAllocateWithData allocate_;
  LiteFreeWithData free_;
  std::shared_ptr<UserData> user_data_;
};

class PlainAllocator : public mgec::Allocator {
 public:
  PlainAllocator(LiteAllocate allocate, LiteFree free) : allocate_(allocate), free_(free) {}
  void* Allocate(int gpu, size_t size, size_t alignment) override {
    return allocate_(DeviceOf(gpu), IdOf(gpu), size, alignment);
  }
  void Free(int gpu, void* memory) override { free_(DeviceOf(gpu), IdOf(gpu), memory); }

 private:
  LiteAllocate allocate_;
  LiteFree free_;
};

}  // namespace

int LITE_ext_set_async_callback(LiteNetwork network, LiteAsyncCallbackWithData callback, void* user_data,
                                LiteReleaseUserData release) {
  const auto data = std::make_shared<UserData>(user_data, release);
  MGEC_FIND_NETWORK(object, network);
  if (callback == nullptr) return Report(object.SetAsyncCallback(nullptr));
  return Report(object.SetAsyncCallback([callback, data] { callback(data->get()); }));
}

int LITE_set_async_callback_with_userdata(LiteNetwork network, const LiteAsyncCallbackWithData async_callback,
                                          void* user_data) {
  MGEC_CHECK_NOT_NULL(async_callback);
  return LITE_ext_set_async_callback(network, async_callback, user_data, nullptr);
}

int LITE_set_async_callback(LiteNetwork network, const LiteAsyncCallback async_callback) {
  MGEC_FIND_NETWORK(object, network);
  MGEC_CHECK_NOT_NULL(async_callback);
  return Report(object.SetAsyncCallback([async_callback] { async_callback(); }));
}

int LITE_ext_set_start_callback(LiteNetwork network, LiteStartCallbackWithData callback, void* user_data,
                                LiteReleaseUserData release) {
  const auto data = std::make_shared<UserData>(user_data, release);
  MGEC_FIND_NETWORK(object, network);
  object.SetStartCallback(Adapt(object_handle, callback, data));
  return 0;
}

int LITE_set_start_callback_with_userdata(LiteNetwork network, const LiteStartCallbackWithData start_callback,
                                          void* user_data) {
  return LITE_ext_set_start_callback(network, start_callback, user_data, nullptr);
}

int LITE_set_start_callback(LiteNetwork network, const LiteStartCallback start_callback) {
  return LITE_ext_set_start_callback(network, start_callback != nullptr ? CallIo : nullptr,
                                     reinterpret_cast<void*>(start_callback), nullptr);
}

int LITE_ext_set_finish_callback(LiteNetwork network, LiteFinishCallbackWithData callback, void* user_data,
                                 LiteReleaseUserData release) {
  const auto data = std::make_shared<UserData>(user_data, release);
  MGEC_FIND_NETWORK(object, network);
  object.SetFinishCallback(Adapt(object_handle, callback, data));
  return 0;
}

int LITE_set_finish_callback_with_userdata(LiteNetwork network, const LiteFinishCallbackWithData finish_callback,
                                           void* user_data) {
  return LITE_ext_set_finish_callback(network, finish_callback, user_data, nullptr);
}

int LITE_set_finish_callback(LiteNetwork network, const LiteFinishCallback finish_callback) {
  return LITE_ext_set_finish_callback(network, finish_callback != nullptr ? CallIo : nullptr,
                                      reinterpret_cast<void*>(finish_callback), nullptr);
}

int LITE_ext_set_runtime_thread_affinity(LiteNetwork network, LiteThreadAffinityCallbackWithData callback,
                                         void* user_data) {
  MGEC_FIND_NETWORK(object, network);
  MGEC_CHECK_NOT_NULL(callback);
  return Report(object.SetThreadAffinity([=](int thread) { callback(thread, user_data); }));
}

int LITE_set_runtime_thread_affinity(LiteNetwork network, const LiteThreadAffinityCallback thread_affinity_callback) {
  MGEC_FIND_NETWORK(object, network);
  MGEC_CHECK_NOT_NULL(thread_affinity_callback);
  return Report(object.SetThreadAffinity([=](int thread) { thread_affinity_callback(thread); }));
}

int LITE_ext_set_memory_allocator(LiteNetwork network, LiteAllocateWithData allocate_fun, LiteFreeWithData free_fun,
                                  void* user_data, LiteReleaseUserData release) {
  const auto data = std::make_shared<UserData>(user_data, release);
  MGEC_FIND_NETWORK(object, network);
  MGEC_CHECK_NOT_NULL(allocate_fun);
  MGEC_CHECK_NOT_NULL(free_fun);
  return Report(object.SetAllocator(std::make_shared<UserAllocator>(allocate_fun, free_fun, data)));
}

int LITE_set_memory_allocator(LiteNetwork network, const LiteAllocate allocate_fun, const LiteFree free_fun) {
  MGEC_FIND_NETWORK(object, network);
  MGEC_CHECK_NOT_NULL(allocate_fun);
  MGEC_CHECK_NOT_NULL(free_fun);
  return Report(object.SetAllocator(std::make_shared<PlainAllocator>(allocate_fun, free_fun)));
}
