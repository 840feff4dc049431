#include "runtime/thread_pool.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <vector>

namespace mgec {
namespace {

TEST(SplitTasks, CoversEveryTaskOnce) {
  for (uint32_t tasks : {0u, 1u, 5u, 7u, 100u, 0xffffffffu}) {
    for (int threads : {1, 2, 3, 8}) {
      uint32_t next = 0;
      for (int thread = 0; thread < threads; ++thread) {
        const TaskRange range = SplitTasks(tasks, thread, threads);
        EXPECT_EQ(range.begin, next);
        EXPECT_LE(range.begin, range.end);
        EXPECT_LE(range.end - range.begin, uint64_t{tasks} / threads + 1);
        next = range.end;
      }
      EXPECT_EQ(next, tasks);
    }
  }
}

TEST(ThreadPool, RefusesImpossibleNumbers) {
  EXPECT_FALSE(ThreadPool::Create(0).ok());
  EXPECT_FALSE(ThreadPool::Create(-1).ok());
  EXPECT_FALSE(ThreadPool::Create(ThreadPool::kMaxThreads + 1).ok());
}

class ThreadPoolTest : public testing::TestWithParam<int> {};

TEST_P(ThreadPoolTest, EveryThreadRunsOnce) {
  auto pool = std::move(ThreadPool::Create(GetParam()).value());
  std::vector<int> calls(GetParam(), 0);
  for (int round = 1; round <= 200; ++round) {
    pool->Run([](void* argument, int thread) { ++(*static_cast<std::vector<int>*>(argument))[thread]; }, &calls);
    for (int count : calls) ASSERT_EQ(count, round);
  }
}

TEST_P(ThreadPoolTest, WakesSleepers) {
  auto pool = std::move(ThreadPool::Create(GetParam()).value());
  std::atomic<int> sum{0};
  for (int round = 0; round < 5; ++round) {
    usleep(2000);  // longer than anybody spins
    pool->Run([](void* argument, int) { static_cast<std::atomic<int>*>(argument)->fetch_add(1); }, &sum);
  }
  EXPECT_EQ(sum, 5 * GetParam());
}

// Each round, every thread writes its own cell, then checks the others' after the barrier.
struct Rounds {
  ThreadPool* pool;
  std::vector<int> cells;
  std::atomic<int> wrong{0};
};

TEST_P(ThreadPoolTest, BarrierMakesWritesVisible) {
  auto pool = std::move(ThreadPool::Create(GetParam()).value());
  Rounds rounds;
  rounds.pool = pool.get();
  rounds.cells.assign(GetParam(), 0);
  pool->Run(
      [](void* argument, int thread) {
        Rounds& rounds = *static_cast<Rounds*>(argument);
        for (int round = 1; round <= 300; ++round) {
          rounds.cells[thread] = round;
          rounds.pool->Barrier();
          for (int cell : rounds.cells) rounds.wrong += cell != round;
          rounds.pool->Barrier();
        }
      },
      &rounds);
  EXPECT_EQ(rounds.wrong, 0);
}

TEST_P(ThreadPoolTest, StartsAndStops) {
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(ThreadPool::Create(GetParam()).ok());
}

INSTANTIATE_TEST_SUITE_P(Threads, ThreadPoolTest, testing::Values(1, 2, 3, 4));

}  // namespace
}  // namespace mgec
