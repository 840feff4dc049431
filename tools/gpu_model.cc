#include "tools/gpu_model.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace mgec {
namespace {

constexpr double kTera = 1e12, kGiga = 1e9, kMicro = 1e-6;

std::vector<Gpu> Gpus() {
  return {{"t4", 8.1 * kTera, 320 * kGiga, 40, 2 * kMicro},        // sm_75
          {"a100", 19.5 * kTera, 2039 * kGiga, 108, 2 * kMicro},   // sm_80, SXM, 80 GB
          {"h100", 66.9 * kTera, 3352 * kGiga, 132, 2 * kMicro}};  // sm_90, SXM
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

double PredictSeconds(const Gpu& gpu, uint64_t macs, uint64_t bytes, uint32_t grid) {
  const double busy = std::min(1.0, static_cast<double>(std::max(grid, 1u)) / gpu.processors);
  const double compute = 2.0 * static_cast<double>(macs) / (gpu.flops * busy);
  const double memory = static_cast<double>(bytes) / (gpu.bytes * busy);
  return gpu.launch_seconds + std::max(compute, memory);
}

}  // namespace mgec
