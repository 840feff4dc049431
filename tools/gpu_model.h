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
  // Of each processor.
  int architecture;        // 80: sm_80
  int threads, blocks;     // at a time, at most
  int shared_bytes;        // that blocks can have together
};

// InvalidArgument, naming those that there are, for an unknown name.
absl::StatusOr<Gpu> FindGpu(absl::string_view name);

// How many blocks of `threads` threads a processor runs at a time: what their registers, shared memory and numbers allow; 0 if
// it cannot run one.
int BlocksAtATime(const Gpu& gpu, int threads, int registers_per_thread, int shared_bytes);

// The share of the processors' time that a grid can use: all of it where each gets the same number of blocks.
double Balance(const Gpu& gpu, uint32_t grid);

// The predicted seconds of a step: what its multiply-adds or its bytes take at least, whichever is more, where the processors
// share out its blocks, and its launch.
double PredictSeconds(const Gpu& gpu, uint64_t macs, uint64_t bytes, uint32_t grid);

}  // namespace mgec

#endif  // MGEC_TOOLS_GPU_MODEL_H_
