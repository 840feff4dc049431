// A static model of how long the steps of a plan for CUDA take: a roofline of multiply-adds, bytes and instructions. A prediction
// from published numbers of a GPU, not a measurement: it knows neither caches nor how well a kernel's instructions are scheduled.
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
  int product_clocks;      // that a product of 16 x 8 by 8 x 8 words takes its tensor cores (kernel/expr.h, kMma)
  int fma_lanes;           // float32 multiply-adds in a clock
  double clocks() const { return flops / (2.0 * fma_lanes * processors); }  // per second
};

// What a step has to do.
struct StepWork {
  uint64_t macs = 0;   // without tensor cores, where there are no products
  uint64_t bytes = 0;  // read and written at least once
  uint32_t grid = 1;
  uint64_t instructions = 0;  // of all threads; 0: unknown
  uint64_t products = 0;      // of matrices
};

// InvalidArgument, naming those that there are, for an unknown name.
absl::StatusOr<Gpu> FindGpu(absl::string_view name);

// How many blocks of `threads` threads a processor runs at a time: what their registers, shared memory and numbers allow; 0 if
// it cannot run one.
int BlocksAtATime(const Gpu& gpu, int threads, int registers_per_thread, int shared_bytes);

// The share of the processors' time that a grid can use: all of it where each gets the same number of blocks.
double Balance(const Gpu& gpu, uint32_t grid);

// What a step's multiply-adds (or its products of matrices) and its bytes take at least where all processors are busy:
// its roofline.
double RooflineSeconds(const Gpu& gpu, const StepWork& work);

// The predicted seconds of a step: what its multiply-adds (or its products of matrices), its bytes or its instructions take at
// least, whichever is most, where the processors share out its blocks, and its launch.
double PredictSeconds(const Gpu& gpu, const StepWork& work);

// The share of its roofline that a step is predicted to reach while it runs. Low where few blocks keep the processors from being
// busy, and where there are many instructions for each multiply-add. (Instructions are estimates, and rather too many.)
double RooflineShare(const Gpu& gpu, const StepWork& work);

}  // namespace mgec

#endif  // MGEC_TOOLS_GPU_MODEL_H_
