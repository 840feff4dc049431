#include "runtime/fork.h"

#include <pthread.h>

#include <atomic>

namespace mgec {
namespace {

std::atomic<uint32_t> g_forks{0};

}  // namespace

uint32_t ForkCount() {
  // It fails only without memory; then a child waits for threads that it does not have, as programs do after fork().
  static const int registered =
      pthread_atfork(nullptr, nullptr, [] { g_forks.fetch_add(1, std::memory_order_relaxed); });
  static_cast<void>(registered);
  return g_forks.load(std::memory_order_relaxed);
}

}  // namespace mgec
