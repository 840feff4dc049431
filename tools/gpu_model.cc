#include "tools/gpu_model.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

namespace mgec {
namespace {

constexpr double kTera = 1e12, kGiga = 1e9, kMicro = 1e-6;

std::vector<Gpu> Gpus() {
  return {{"t4", 8.1 * kTera, 320 * kGiga, 40, 2 * kMicro, 75, 1024, 16, 64 << 10, 4, 64},
          {"a100", 19.5 * kTera, 2039 * kGiga, 108, 2 * kMicro, 80, 2048, 32, 164 << 10, 2, 64},   // SXM, 80 GB
          {"h100", 66.9 * kTera, 3352 * kGiga, 132, 2 * kMicro, 90, 2048, 32, 228 << 10, 1, 128}};  // SXM
}

}  // namespace

absl::StatusOr<Gpu> FindGpu(absl::string_view name) {
  std::string known;
  for (Gpu& g : Gpus()) {
    if (g.name == name) return std::move(g);
    absl::StrAppend(&known, known.empty() ? "" : ", ", g.name);
  }
  return absl::InvalidArgumentError(absl::StrCat("no GPU '", name, "' is known; known ones: ", known));
}

int BlocksAtATime(const Gpu& gpu, int threads, int registers_per_thread, int shared_bytes) {
  // The same for all of these architectures: registers are given to warps in units of 256, warps to the four parts of a
  // processor; a block's shared memory is rounded up, and from sm_80 on the system takes 1 KiB of each block's.
  constexpr int kWarp = 32, kRegisters = 64 << 10, kUnit = 256, kParts = 4;
  const int warps = std::max(1, (threads + kWarp - 1) / kWarp);
  int blocks = std::min(gpu.blocks, gpu.threads / (warps * kWarp));
  if (registers_per_thread > 0) {
    const int per_warp = (registers_per_thread * kWarp + kUnit - 1) / kUnit * kUnit;
    blocks = std::min(blocks, kRegisters / per_warp / kParts * kParts / warps);
  }
  const int unit = gpu.architecture >= 80 ? 128 : 256, reserved = gpu.architecture >= 80 ? 1024 : 0;
  const int shared = (shared_bytes + unit - 1) / unit * unit + reserved;
  if (shared > 0) blocks = std::min(blocks, gpu.shared_bytes / shared);
  return blocks;
}

double Balance(const Gpu& gpu, uint32_t grid) {
  const double blocks = std::max(grid, 1u);
  return blocks / (std::ceil(blocks / gpu.processors) * gpu.processors);
}

double RooflineSeconds(const Gpu& gpu, const StepWork& work) {
  const double compute = work.products > 0
                             ? static_cast<double>(work.products) * gpu.product_clocks / (gpu.clocks() * gpu.processors)
                             : 2.0 * static_cast<double>(work.macs) / gpu.flops;
  return std::max(compute, static_cast<double>(work.bytes) / gpu.bytes);
}

double PredictSeconds(const Gpu& gpu, const StepWork& work) {
  constexpr double kIssued = 128;  // instructions of threads that a processor begins in a clock: one of each of four warps
  const double issue = static_cast<double>(work.instructions) / (kIssued * gpu.clocks() * gpu.processors);
  return gpu.launch_seconds + std::max(RooflineSeconds(gpu, work), issue) / Balance(gpu, work.grid);
}

double RooflineShare(const Gpu& gpu, const StepWork& work) {
  const double running = PredictSeconds(gpu, work) - gpu.launch_seconds;
  return running > 0 ? RooflineSeconds(gpu, work) / running : 1;
}

}  // namespace mgec
