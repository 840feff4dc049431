#include "compiler/schedule/cuda/min_cut.h"

#include <algorithm>
#include <limits>

namespace mgec::schedule {

void MinCut::AddEdge(int from, int to, int64_t capacity, int64_t back) {
  if (capacity == 0 && back == 0) return;
  edges_[from].push_back({to, static_cast<int>(edges_[to].size()), capacity});
  edges_[to].push_back({from, static_cast<int>(edges_[from].size()) - 1, back});
}

// Dinic's algorithm: distances from the source first, flow along shortest paths then.
bool MinCut::FindLevels() {
  level_.assign(edges_.size(), -1);
  level_[source_] = 0;
  std::vector<int> queue = {source_};
  for (size_t i = 0; i < queue.size(); ++i) {
    for (const Edge& e : edges_[queue[i]]) {
      if (e.left == 0 || level_[e.to] >= 0) continue;
      level_[e.to] = level_[queue[i]] + 1;
      queue.push_back(e.to);
    }
  }
  return level_[sink_] >= 0;
}

int64_t MinCut::Push(int at, int64_t most) {
  if (at == sink_) return most;
  for (int& i = next_[at]; i < static_cast<int>(edges_[at].size()); ++i) {
    Edge& e = edges_[at][i];
    if (e.left == 0 || level_[e.to] != level_[at] + 1) continue;
    const int64_t pushed = Push(e.to, std::min(most, e.left));
    if (pushed == 0) continue;
    e.left -= pushed;
    edges_[e.to][e.reverse].left += pushed;
    return pushed;
  }
  return 0;
}

std::vector<bool> MinCut::Solve() {
  while (FindLevels()) {
    next_.assign(edges_.size(), 0);
    while (Push(source_, std::numeric_limits<int64_t>::max()) > 0) {
    }
  }
  // The second are those from which the sink can still be reached.
  std::vector<bool> second(edges_.size(), false);
  std::vector<int> queue = {sink_};
  second[sink_] = true;
  for (size_t i = 0; i < queue.size(); ++i) {
    for (const Edge& e : edges_[queue[i]]) {
      if (second[e.to] || edges_[e.to][e.reverse].left == 0) continue;
      second[e.to] = true;
      queue.push_back(e.to);
    }
  }
  second.resize(edges_.size() - 2);
  return second;
}

}  // namespace mgec::schedule
