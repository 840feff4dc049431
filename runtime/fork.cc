#include "runtime/fork.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace mgec {
namespace {

std::atomic<uint32_t> g_forks{0};

constexpr int kStateBits = 2;
constexpr uint32_t kStateMask = (1u << kStateBits) - 1;

// std::atomic<uint32_t> has the representation of uint32_t on every system with futexes.
void Futex(std::atomic<uint32_t>* word, int operation, uint32_t value) {
  syscall(SYS_futex, reinterpret_cast<uint32_t*>(word), operation, value, nullptr, nullptr, 0);
}

}  // namespace

uint32_t ForkCount() {
  // It fails only without memory; then a child waits for threads that it does not have, as programs do after fork().
  static const int registered =
      pthread_atfork(nullptr, nullptr, [] { g_forks.fetch_add(1, std::memory_order_relaxed); });
  static_cast<void>(registered);
  return g_forks.load(std::memory_order_relaxed);
}

void ForkSafeMutex::lock() {
  const uint32_t process = ForkCount() << kStateBits;
  uint32_t take = kLocked;
  for (uint32_t word = word_.load(std::memory_order_relaxed);;) {
    const bool free = (word & ~kStateMask) != process || (word & kStateMask) == kFree;
    if (free) {
      if (word_.compare_exchange_weak(word, process | take, std::memory_order_acquire, std::memory_order_relaxed)) return;
      continue;
    }
    // Whoever has slept does not know whether others still do.
    take = kContended;
    if ((word & kStateMask) == kContended ||
        word_.compare_exchange_weak(word, process | kContended, std::memory_order_relaxed)) {
      Futex(&word_, FUTEX_WAIT_PRIVATE, process | kContended);
      word = word_.load(std::memory_order_relaxed);
    }
  }
}

void ForkSafeMutex::unlock() {
  const uint32_t process = ForkCount() << kStateBits;
  const uint32_t word = word_.exchange(process | kFree, std::memory_order_release);
  if ((word & kStateMask) == kContended) Futex(&word_, FUTEX_WAKE_PRIVATE, 1);
}

}  // namespace mgec
