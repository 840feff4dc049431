// Layers of real networks, one or more for each schedule of the compiler, in graphs that surround them as a network does:
// convolutions and pooling get and give blocked tensors.
#ifndef MGEC_TOOLS_BENCH_SCHEDULE_CASES_H_
#define MGEC_TOOLS_BENCH_SCHEDULE_CASES_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/graph/graph.h"

namespace mgec::bench {

// The name of the node that is measured: its steps have it, the steps around it have not.
inline constexpr char kMeasured[] = "measured";

struct ScheduleCase {
  std::string name;  // "conv2d/3x3_winograd/64x56x56_64"
  std::function<absl::StatusOr<graph::Graph>()> graph;
  bool winograd = true;   // CompileOptions::schedule.winograd
  bool integers = false;  // its multiply-adds are those of 8-bit integers
};

const std::vector<ScheduleCase>& ScheduleCases();

}  // namespace mgec::bench

#endif  // MGEC_TOOLS_BENCH_SCHEDULE_CASES_H_
