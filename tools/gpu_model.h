// A static model of how long the steps of a plan for CUDA take: a roofline. A prediction from published numbers of a GPU, not
// a measurement: it knows neither caches nor how well a kernel's instructions are scheduled.
#ifndef MGEC_TOOLS_GPU_MODEL_H_
#define MGEC_TOOLS_GPU_MODEL_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mgec {

// As its vendor states.
struct Gpu {
  std::string name;        // "a100"
  double flops;            // float32 operations per second, without tensor cores
  double bytes;            // of memory, per second
  int processors;          // streaming multiprocessors
  double launch_seconds;   // from one kernel of a CUDA graph to the next, about
};

// InvalidArgument, naming those that there are, for an unknown name.
absl::StatusOr<Gpu> FindGpu(absl::string_view name);

// The predicted seconds of a step: what its multiply-adds or its bytes take at least, whichever is more, on the processors
// that its blocks can occupy, and its launch.
double PredictSeconds(const Gpu& gpu, uint64_t macs, uint64_t bytes, uint32_t grid);

}  // namespace mgec

#endif  // MGEC_TOOLS_GPU_MODEL_H_
