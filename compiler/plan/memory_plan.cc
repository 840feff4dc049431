#include "compiler/plan/memory_plan.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <utility>

namespace mgec::plan {
namespace {

struct Buffer {
  int64_t size;  // a multiple of the alignment
  int first, last;
};

bool Overlap(const Buffer& a, const Buffer& b) { return a.first <= b.last && b.first <= a.last; }

struct Placement {
  std::vector<int64_t> offsets;
  int64_t bytes = 0;
};

// Places buffers in the given order, each into the smallest gap that is free during its whole life.
Placement PlaceInOrder(const std::vector<Buffer>& buffers, const std::vector<int>& order) {
  struct Placed {
    int64_t begin, end;
    int buffer;
  };
  std::vector<Placed> placed;  // sorted by begin
  placed.reserve(order.size());
  Placement result;
  result.offsets.resize(buffers.size());
  for (int b : order) {
    const int64_t size = buffers[b].size;
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
    result.offsets[b] = best;
    result.bytes = std::max(result.bytes, best + size);
    const Placed entry{best, best + size, b};
    placed.insert(std::upper_bound(placed.begin(), placed.end(), entry,
                                   [](const Placed& x, const Placed& y) { return x.begin < y.begin; }),
                  entry);
  }
  return result;
}

// Largest first is the classic; the others win on networks with long-lived small tensors.
std::vector<std::vector<int>> SimpleOrders(const std::vector<Buffer>& buffers) {
  using Less = bool (*)(const Buffer&, const Buffer&);
  const Less kOrders[] = {
      [](const Buffer& a, const Buffer& b) { return a.size > b.size; },
      [](const Buffer& a, const Buffer& b) { return a.first < b.first; },
      [](const Buffer& a, const Buffer& b) { return a.size * (a.last - a.first + 1) > b.size * (b.last - b.first + 1); },
      [](const Buffer& a, const Buffer& b) { return a.last - a.first > b.last - b.first; },
  };
  std::vector<std::vector<int>> orders;
  for (Less less : kOrders) {
    std::vector<int> order(buffers.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return less(buffers[a], buffers[b]); });
    orders.push_back(std::move(order));
  }
  return orders;
}

// Looks for a better order from `order` on. The placement of least size is that of some order (by offset), so the search
// can find it; it goes on until the arena is as small as `enough`, or the effort is spent. Late acceptance hill climbing: a
// change is kept if it is no worse than what was there some changes ago.
void Improve(const std::vector<Buffer>& buffers, std::vector<int> order, int64_t enough, Placement& best) {
  constexpr int64_t kEffort = 60'000'000;  // comparisons: some 0.1 s
  constexpr int kMemory = 50;
  const int count = static_cast<int>(order.size());
  std::mt19937 random(1);
  Placement current = PlaceInOrder(buffers, order);
  std::vector<int64_t> past(kMemory, current.bytes);
  const int64_t rounds = kEffort / std::max<int64_t>(1, int64_t{count} * count / 2);
  for (int64_t round = 0; round < rounds && best.bytes > enough; ++round) {
    std::vector<int> changed = order;
    int from = static_cast<int>(random() % count);
    if (random() % 2 == 0) {
      // What lies on top should have been placed earlier.
      for (int k = 0; k < count; ++k) {
        const int i = (from + k) % count;
        if (current.offsets[order[i]] + buffers[order[i]].size < current.bytes) continue;
        from = i;
        break;
      }
      const int to = static_cast<int>(random() % (from + 1));
      std::rotate(changed.begin() + to, changed.begin() + from, changed.begin() + from + 1);
    } else {
      std::swap(changed[from], changed[random() % count]);
    }
    Placement placement = PlaceInOrder(buffers, changed);
    int64_t& before = past[round % kMemory];
    if (placement.bytes <= current.bytes || placement.bytes <= before) {
      order = std::move(changed);
      current = std::move(placement);
      if (current.bytes < best.bytes) best = current;
    }
    before = std::min(before, current.bytes);
  }
}

}  // namespace

MemoryPlan PlanMemory(const std::vector<Lifetime>& lifetimes, int64_t alignment) {
  MemoryPlan plan;
  plan.offsets.assign(lifetimes.size(), 0);
  std::vector<Buffer> buffers;  // those that live
  std::vector<size_t> index;
  int steps = 0;
  for (size_t i = 0; i < lifetimes.size(); ++i) {
    const Lifetime& l = lifetimes[i];
    if (l.first > l.last || l.bytes == 0) continue;
    buffers.push_back({(l.bytes + alignment - 1) / alignment * alignment, l.first, l.last});
    index.push_back(i);
    steps = std::max(steps, l.last + 1);
  }
  if (buffers.empty()) return plan;
  std::vector<int64_t> live(steps, 0);
  for (const Buffer& b : buffers) {
    for (int s = b.first; s <= b.last; ++s) live[s] += b.size;
  }
  plan.lower_bound = *std::max_element(live.begin(), live.end());

  Placement best;
  std::vector<int> best_order;
  for (const std::vector<int>& order : SimpleOrders(buffers)) {
    Placement placement = PlaceInOrder(buffers, order);
    if (!best_order.empty() && placement.bytes >= best.bytes) continue;
    best = std::move(placement);
    best_order = order;
  }
  Improve(buffers, best_order, plan.lower_bound + plan.lower_bound / 100, best);
  for (size_t i = 0; i < buffers.size(); ++i) plan.offsets[index[i]] = best.offsets[i];
  plan.bytes = best.bytes;
  return plan;
}

}  // namespace mgec::plan
