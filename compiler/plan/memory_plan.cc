#include "compiler/plan/memory_plan.h"

#include <algorithm>
#include <numeric>

namespace mgec::plan {
namespace {

bool Overlap(const Lifetime& a, const Lifetime& b) { return a.first <= b.last && b.first <= a.last; }

// Places buffers in the given order, each at the lowest offset that is free during its whole life.
int64_t PlaceInOrder(const std::vector<Lifetime>& buffers, const std::vector<int>& order, int64_t alignment,
                     std::vector<int64_t>& offsets) {
  struct Placed {
    int64_t begin, end;
    int buffer;
  };
  std::vector<Placed> placed;  // sorted by begin
  int64_t total = 0;
  for (int b : order) {
    const int64_t size = (buffers[b].bytes + alignment - 1) / alignment * alignment;
    int64_t at = 0, best = -1, best_gap = 0;
    for (const Placed& p : placed) {
      if (!Overlap(buffers[p.buffer], buffers[b])) continue;
      if (p.begin - at >= size && (best < 0 || p.begin - at < best_gap)) {
        best = at;
        best_gap = p.begin - at;
      }
      at = std::max(at, p.end);
    }
    if (best < 0) best = at;
    offsets[b] = best;
    total = std::max(total, best + size);
    const Placed entry{best, best + size, b};
    placed.insert(std::upper_bound(placed.begin(), placed.end(), entry,
                                   [](const Placed& x, const Placed& y) { return x.begin < y.begin; }),
                  entry);
  }
  return total;
}

}  // namespace

MemoryPlan PlanMemory(const std::vector<Lifetime>& buffers, int64_t alignment) {
  MemoryPlan plan;
  plan.offsets.assign(buffers.size(), 0);
  std::vector<int> alive;
  int steps = 0;
  for (size_t i = 0; i < buffers.size(); ++i) {
    if (buffers[i].first > buffers[i].last || buffers[i].bytes == 0) continue;
    alive.push_back(static_cast<int>(i));
    steps = std::max(steps, buffers[i].last + 1);
  }
  std::vector<int64_t> live(steps + 1, 0);
  for (int b : alive) {
    const int64_t size = (buffers[b].bytes + alignment - 1) / alignment * alignment;
    for (int s = buffers[b].first; s <= buffers[b].last; ++s) live[s] += size;
  }
  plan.lower_bound = *std::max_element(live.begin(), live.end());

  // Largest first is the classic; the others win on networks with long-lived small tensors.
  using Less = bool (*)(const Lifetime&, const Lifetime&);
  const Less kOrders[] = {
      [](const Lifetime& a, const Lifetime& b) { return a.bytes > b.bytes; },
      [](const Lifetime& a, const Lifetime& b) { return a.first < b.first; },
      [](const Lifetime& a, const Lifetime& b) { return a.bytes * (a.last - a.first + 1) > b.bytes * (b.last - b.first + 1); },
      [](const Lifetime& a, const Lifetime& b) { return a.last - a.first > b.last - b.first; },
  };
  int64_t best = -1;
  for (Less less : kOrders) {
    std::vector<int> order = alive;
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return less(buffers[a], buffers[b]); });
    std::vector<int64_t> offsets(buffers.size(), 0);
    const int64_t total = PlaceInOrder(buffers, order, alignment, offsets);
    if (best < 0 || total < best) {
      best = total;
      plan.offsets = offsets;
    }
  }
  plan.bytes = std::max<int64_t>(best, 0);
  return plan;
}

}  // namespace mgec::plan
