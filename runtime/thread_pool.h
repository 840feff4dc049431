// Threads that run one function together, and a barrier for them. After fork() the child's first Run() starts its threads
// again, as many as the system grants. Made for work of a few milliseconds with many barriers:
// who waits spins for a moment, then sleeps.
#ifndef MGEC_RUNTIME_THREAD_POOL_H_
#define MGEC_RUNTIME_THREAD_POOL_H_

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/status.h"

namespace mgec {

// How often to look for a change before sleeping: `spins` times in a loop, then `yields` times with sched_yield() between.
struct Patience {
  int spins;
  int yields;
};

// A counter that threads wait on. Reading and advancing it never sleep; advancing makes a system call only if somebody
// sleeps.
class Gate {
 public:
  uint32_t value() const { return value_.load(std::memory_order_acquire); }
  // Adds one and lets everybody go on. What was written before is visible to them.
  void Advance();
  // Returns when the value differs from `old`; sleeps when the patience is over.
  void WaitWhile(uint32_t old, const Patience& patience);
  // Back to zero, with nobody waiting.
  void Reset();

 private:
  std::atomic<uint32_t> value_{0};
  std::atomic<uint32_t> sleepers_{0};
};

// Runs a function on `threads()` threads at once, the caller's among them.
class ThreadPool {
 public:
  // `thread` counts from 0 (the caller) to threads() - 1.
  using Function = void (*)(void* argument, int thread);

  // Starts threads - 1 threads; 1 <= threads <= kMaxThreads.
  static Result<std::unique_ptr<ThreadPool>> Create(int threads);
  static constexpr int kMaxThreads = 256;
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Returns when all threads have finished. Not to be called from two threads at once, nor from inside itself. With one
  // thread this is a function call.
  void Run(Function function, void* argument);

  // Called by every thread inside Run(): returns when all have called it. What each wrote before is visible to all.
  void Barrier();

  int threads() const { return threads_; }

 private:
  explicit ThreadPool(int threads) : threads_(threads) {}
  void Work(int thread);
  // Starts workers until there are threads_ - 1. On error some of them run.
  Status StartWorkers();
  void StartAgainAfterFork();

  int threads_;
  uint32_t forks_ = 0;  // how often the process that started the workers had been made by fork()
  Patience patience_ = {0, 0};
  Function function_ = nullptr;
  void* argument_ = nullptr;
  bool stop_ = false;
  Gate start_;                         // advances once per Run()
  Gate barrier_;                       // advances when all have arrived
  std::atomic<int> arrived_{0};        // at the barrier
  std::vector<pthread_t> workers_;
};

// The part of [0, tasks) that thread `thread` of `threads` runs; the parts are disjoint and cover it.
struct TaskRange {
  uint32_t begin;
  uint32_t end;
};
inline TaskRange SplitTasks(uint32_t tasks, int thread, int threads) {
  const uint64_t n = tasks;
  return {static_cast<uint32_t>(n * thread / threads), static_cast<uint32_t>(n * (thread + 1) / threads)};
}

}  // namespace mgec

#endif  // MGEC_RUNTIME_THREAD_POOL_H_
