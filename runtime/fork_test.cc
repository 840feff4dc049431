#include "runtime/fork.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <mutex>
#include <thread>
#include <vector>

namespace mgec {
namespace {

TEST(Fork, ChildrenAreCounted) {
  const uint32_t here = ForkCount();
  const pid_t child = fork();
  if (child == 0) _exit(static_cast<int>(ForkCount() - here));
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 1);
  EXPECT_EQ(ForkCount(), here);
}

TEST(ForkSafeMutex, LocksOutOtherThreads) {
  ForkSafeMutex mutex;
  int counter = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20000; ++i) {
        const std::lock_guard<ForkSafeMutex> lock(mutex);
        ++counter;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter, 80000);
}

TEST(ForkSafeMutex, SleepersWakeUp) {
  ForkSafeMutex mutex;
  mutex.lock();
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] { const std::lock_guard<ForkSafeMutex> lock(mutex); });
  }
  usleep(20000);
  mutex.unlock();
  for (std::thread& thread : threads) thread.join();
}

TEST(ForkSafeMutex, IsFreeInTheChild) {
  ForkSafeMutex mutex;
  mutex.lock();
  const pid_t child = fork();
  if (child == 0) {
    mutex.lock();
    mutex.unlock();
    mutex.lock();
    _exit(0);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  mutex.unlock();
}

}  // namespace
}  // namespace mgec
