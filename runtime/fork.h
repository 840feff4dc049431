// Tells a child process that it is one: threads that its parent had are not there, and what they had locked would stay so.
#ifndef MGEC_RUNTIME_FORK_H_
#define MGEC_RUNTIME_FORK_H_

#include <atomic>
#include <cstdint>

namespace mgec {

// How many fork()s, since the first call, lie between the process that made it and this one. Costs a load.
uint32_t ForkCount();

// A lock for long work, which another thread may be doing when the process forks: in the child it is free. Not recursive. To
// be used with std::lock_guard.
class ForkSafeMutex {
 public:
  void lock();
  void unlock();

 private:
  enum State : uint32_t { kFree = 0, kLocked = 1, kContended = 2 };  // contended: somebody may be asleep

  // The state, and above it the fork count of the process that has set it.
  std::atomic<uint32_t> word_{0};
};

}  // namespace mgec

#endif  // MGEC_RUNTIME_FORK_H_
