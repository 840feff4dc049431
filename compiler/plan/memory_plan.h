// Places buffers with known lifetimes in one arena.
#ifndef MGEC_COMPILER_PLAN_MEMORY_PLAN_H_
#define MGEC_COMPILER_PLAN_MEMORY_PLAN_H_

#include <cstdint>
#include <vector>

namespace mgec::plan {

// Alive during steps [first, last]. A buffer with first > last is never alive and takes no room.
struct Lifetime {
  int64_t bytes;
  int first, last;
};

struct MemoryPlan {
  std::vector<int64_t> offsets;  // bytes, multiples of `alignment`
  int64_t bytes = 0;             // size of the arena
  int64_t lower_bound = 0;       // largest sum of bytes alive at one step
};

// Buffers whose lifetimes overlap do not overlap in memory. Places them in some order, each into the gap that fits best;
// tries several orders, and where the arena is over 1 % above the lower bound, searches for better ones. Takes some 0.1 s at
// most. Deterministic.
MemoryPlan PlanMemory(const std::vector<Lifetime>& lifetimes, int64_t alignment);

}  // namespace mgec::plan

#endif  // MGEC_COMPILER_PLAN_MEMORY_PLAN_H_
