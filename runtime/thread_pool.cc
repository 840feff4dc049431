#include "runtime/thread_pool.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#include <cstring>

#include "runtime/fork.h"

namespace mgec {
namespace {

// How long to wait before sleeping. A spin takes about 40 cycles (the pause instruction); a yield about 1 us, and lets a
// thread go on that the system has put on the same CPU, which spinning would keep waiting.
// Between two forward passes the caller may stay away for long: about 5 us.
constexpr Patience kIdle = {400, 0};
// Inside one, the others are sure to come: about 5 us, then 30 us and more.
constexpr Patience kBarrier = {400, 40};
// With more threads than CPUs, who spins keeps the others from working.
constexpr Patience kCrowded = {0, 4};

// The CPUs that this process may run on.
int AvailableCpus() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
}

void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// std::atomic<uint32_t> has the representation of uint32_t on every system with futexes.
void FutexWait(std::atomic<uint32_t>* word, uint32_t expected) {
  syscall(SYS_futex, reinterpret_cast<uint32_t*>(word), FUTEX_WAIT_PRIVATE, expected, nullptr, nullptr, 0);
}

void FutexWakeAll(std::atomic<uint32_t>* word) {
  syscall(SYS_futex, reinterpret_cast<uint32_t*>(word), FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

// The argument of a new thread.
struct Start {
  ThreadPool* pool;
  int thread;
};

}  // namespace

void Gate::Advance() {
  // The order of these two operations, and of the two in WaitWhile(), is what keeps a sleeper from being missed: either
  // the sleeper is counted before sleepers_ is read here, or it finds the new value when it tries to sleep.
  value_.fetch_add(1, std::memory_order_seq_cst);
  if (sleepers_.load(std::memory_order_seq_cst) != 0) FutexWakeAll(&value_);
}

void Gate::WaitWhile(uint32_t old, const Patience& patience) {
  for (int i = 0; i < patience.spins; ++i) {
    if (value() != old) return;
    Pause();
  }
  for (int i = 0; i < patience.yields; ++i) {
    if (value() != old) return;
    sched_yield();
  }
  sleepers_.fetch_add(1, std::memory_order_seq_cst);
  while (value_.load(std::memory_order_seq_cst) == old) FutexWait(&value_, old);
  sleepers_.fetch_sub(1, std::memory_order_relaxed);
}

void Gate::Reset() {
  value_.store(0, std::memory_order_relaxed);
  sleepers_.store(0, std::memory_order_relaxed);
}

Result<std::unique_ptr<ThreadPool>> ThreadPool::Create(int threads) {
  if (threads < 1 || threads > kMaxThreads) {
    return Status(StatusCode::kInvalidArgument, Format("%d threads; 1 to %d are possible", threads, kMaxThreads));
  }
  std::unique_ptr<ThreadPool> pool(new ThreadPool(threads));
  pool->patience_ = threads <= AvailableCpus() ? kBarrier : kCrowded;
  pool->forks_ = ForkCount();
  MGEC_RETURN_IF_ERROR(pool->StartWorkers());
  return pool;
}

Status ThreadPool::StartWorkers() {
  workers_.reserve(threads_ - 1);
  for (int thread = 1; thread < threads_; ++thread) {
    // pthread_create() instead of std::thread: that throws when the system has no threads left.
    auto start = std::make_unique<Start>(Start{this, thread});
    pthread_t handle;
    const int error = pthread_create(
        &handle, nullptr,
        [](void* argument) -> void* {
          const std::unique_ptr<Start> start(static_cast<Start*>(argument));
          start->pool->Work(start->thread);
          return nullptr;
        },
        start.get());
    if (error != 0) {
      return Status(StatusCode::kResourceExhausted, Format("cannot start thread %d: %s", thread, std::strerror(error)));
    }
    start.release();
    workers_.push_back(handle);
  }
  return Status();
}

// The parent's workers do not exist in the child, and what they have left in the gates means nothing. A pool of fewer threads
// than asked for is slower but right.
void ThreadPool::StartAgainAfterFork() {
  forks_ = ForkCount();
  workers_.clear();
  start_.Reset();
  barrier_.Reset();
  arrived_.store(0, std::memory_order_relaxed);
  if (!StartWorkers().ok()) threads_ = static_cast<int>(workers_.size()) + 1;
}

ThreadPool::~ThreadPool() {
  if (threads_ > 1 && forks_ != ForkCount()) return;  // the workers are the parent's
  stop_ = true;
  start_.Advance();
  for (pthread_t worker : workers_) pthread_join(worker, nullptr);
}

void ThreadPool::Run(Function function, void* argument) {
  if (threads_ > 1 && forks_ != ForkCount()) StartAgainAfterFork();
  if (threads_ > 1) {
    function_ = function;
    argument_ = argument;
    start_.Advance();
  }
  function(argument, 0);
  Barrier();
}

void ThreadPool::Barrier() {
  if (threads_ == 1) return;
  const uint32_t round = barrier_.value();
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads_) {
    arrived_.store(0, std::memory_order_relaxed);
    barrier_.Advance();
  } else {
    barrier_.WaitWhile(round, patience_);
  }
}

void ThreadPool::Work(int thread) {
  for (uint32_t round = 0;; ++round) {
    start_.WaitWhile(round, kIdle);
    if (stop_) return;
    function_(argument_, thread);
    Barrier();
  }
}

}  // namespace mgec
