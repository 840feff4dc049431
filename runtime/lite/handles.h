// Objects behind the handles that C programs hold. A handle is a number that is never given twice, so one that is stale,
// null or made up is found out instead of being followed.
#ifndef MGEC_RUNTIME_LITE_HANDLES_H_
#define MGEC_RUNTIME_LITE_HANDLES_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace mgec {

// Thread-safe. `kind` tells handles of different tables apart.
template <typename T>
class HandleTable {
 public:
  explicit HandleTable(uintptr_t kind) : next_(kind << kKindShift) {}

  void* Add(std::shared_ptr<T> object) {
    const std::lock_guard<std::mutex> lock(mutex_);
    next_ += kStep;
    objects_[next_] = std::move(object);
    return reinterpret_cast<void*>(next_);
  }

  // Null if there is no such object.
  std::shared_ptr<T> Find(const void* handle) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = objects_.find(reinterpret_cast<uintptr_t>(handle));
    return found != objects_.end() ? found->second : nullptr;
  }

  // Takes the object out; the caller drops it, without the lock. Null if there is no such object.
  std::shared_ptr<T> Remove(const void* handle) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = objects_.find(reinterpret_cast<uintptr_t>(handle));
    if (found == objects_.end()) return nullptr;
    std::shared_ptr<T> object = std::move(found->second);
    objects_.erase(found);
    return object;
  }

 private:
  static constexpr int kKindShift = 56;  // no address of a program has these bits
  static constexpr uintptr_t kStep = 16;

  std::mutex mutex_;
  std::unordered_map<uintptr_t, std::shared_ptr<T>> objects_;
  uintptr_t next_;
};

}  // namespace mgec

#endif  // MGEC_RUNTIME_LITE_HANDLES_H_
