// Who uses a network.
#ifndef MGEC_RUNTIME_LITE_NETWORK_SESSION_H_
#define MGEC_RUNTIME_LITE_NETWORK_SESSION_H_

#include <pthread.h>

#include <mutex>

#include "runtime/lite/network_impl.h"

namespace mgec {

// Makes the calling thread the one that uses the network; waits for others. May be nested.
class NetworkImpl::Session {
 public:
  explicit Session(NetworkImpl* network) : network_(network) {
    std::unique_lock<std::mutex> lock(network_->mutex_);
    const pthread_t self = pthread_self();
    network_->changed_.wait(lock, [&] { return network_->FreeFor(self); });
    network_->busy_ = true;
    network_->owner_ = self;
    ++network_->depth_;
  }
  ~Session() {
    if (network_ == nullptr) return;
    const std::lock_guard<std::mutex> lock(network_->mutex_);
    if (--network_->depth_ == 0) {
      network_->busy_ = false;
      network_->changed_.notify_all();
    }
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Error: a callback tries to start another pass, or to wait for the one that it is in.
  Status CheckOutermost(const char* what) {
    if (network_->depth_ > 1) {
      return Status(StatusCode::kInvalidArgument,
                    Format("%s was called in a callback of the same network, where it is not possible", what));
    }
    return Status();
  }

  // Starts the thread of an asynchronous pass and leaves the network to it. The pass cannot end before this has: that takes
  // the lock.
  int HandOver(const pthread_attr_t& attributes, void* (*function)(void*), void* argument) {
    const std::lock_guard<std::mutex> lock(network_->mutex_);
    pthread_t thread;
    const int error = pthread_create(&thread, &attributes, function, argument);
    if (error != 0) return error;
    network_->owner_ = thread;
    network_ = nullptr;
    return 0;
  }

 private:
  NetworkImpl* network_;
};

}  // namespace mgec

#endif  // MGEC_RUNTIME_LITE_NETWORK_SESSION_H_
