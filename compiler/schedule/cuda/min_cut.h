// Choices between two possibilities for many things at once, with the least total cost: a minimum cut, which finds the true optimum.
//
//   MinCut cut(2);
//   cut.AddCost(0, /*first=*/5, /*second=*/1);   // thing 0 would rather be the second
//   cut.AddCost(1, 0, 3);
//   cut.AddDifference(0, 1, 10);                 // but it costs more that they differ
//   cut.Solve();                                 // {false, false}
#ifndef MGEC_COMPILER_SCHEDULE_CUDA_MIN_CUT_H_
#define MGEC_COMPILER_SCHEDULE_CUDA_MIN_CUT_H_

#include <cstdint>
#include <vector>

namespace mgec::schedule {

class MinCut {
 public:
  explicit MinCut(int things) : edges_(things + 2), source_(things), sink_(things + 1) {}

  // What each possibility of one costs; not negative. Costs add up.
  void AddCost(int thing, int64_t first, int64_t second) {
    AddEdge(thing, sink_, first, 0);
    AddEdge(source_, thing, second, 0);
  }
  // What it costs if these two are not of one kind.
  void AddDifference(int a, int b, int64_t cost) { AddEdge(a, b, cost, cost); }
  // What it costs if `a` is the first and `b` the second.
  void AddOneWay(int a, int b, int64_t cost) { AddEdge(a, b, cost, 0); }

  // For each whether it is to be the second. Where both cost the same, as many as can be are the first.
  std::vector<bool> Solve();

 private:
  struct Edge {
    int to;
    int reverse;  // its number among those of `to`
    int64_t left;
  };
  void AddEdge(int from, int to, int64_t capacity, int64_t back);
  bool FindLevels();
  int64_t Push(int at, int64_t most);

  std::vector<std::vector<Edge>> edges_;
  const int source_, sink_;
  std::vector<int> level_, next_;
};

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_CUDA_MIN_CUT_H_
