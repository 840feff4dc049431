// Each schedule on layers of real networks, for every target that this machine has:
//
//   bazel run //tools/bench:schedules
//   bazel run //tools/bench:schedules -- --benchmark_filter=conv2d/3x3
//
// The time is that of the layer's own steps inside a small network, with one thread. `limit%` is the share of what the machine
// could do: the time of the multiply-adds at the measured limit of the target's instructions, or of one pass over the bytes at
// the measured bandwidth for as many, whichever is longer, over the time taken. Winograd's algorithm needs fewer
// multiply-adds than are counted.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "compiler/base/status_macros.h"
#include "compiler/compile.h"
#include "runtime/artifact.h"
#include "runtime/cpu.h"
#include "runtime/network.h"
#include "tools/bench/limits.h"
#include "tools/bench/schedule_cases.h"
#include "tools/cpu_name.h"

namespace mgec::bench {
namespace {

using kernel::Target;

// Multiply-adds per second at the limit of the target's instructions. Measured once for each.
double MultiplyAddsPerSecond(const Target& target, bool integers) {
  static auto* measured = new std::map<std::pair<std::string, bool>, double>;
  auto [it, is_new] = measured->try_emplace({target.name, integers}, 0);
  if (is_new && integers) {
    it->second = IntegerMultiplyAddsPerSecond(target.has_vnni     ? IntegerProducts::kVnni512
                                              : target.has_avx512 ? IntegerProducts::kWidened512
                                                                  : IntegerProducts::kWidened256);
  } else if (is_new) {
    it->second = FusedMultiplyAddsPerSecond(target.vector_lanes);
  }
  return it->second;
}

absl::StatusOr<std::unique_ptr<Network>> Load(const ScheduleCase& c, const Target& target) {
  ASSIGN_OR_RETURN(graph::Graph g, c.graph());
  CompileOptions options;
  options.targets = {target};
  options.schedule.winograd = c.winograd;
  ASSIGN_OR_RETURN(const std::string artifact, CompileGraph(std::move(g), options));
  auto opened = Artifact::FromBytes(artifact.data(), artifact.size());
  if (!opened.ok()) return absl::InternalError(opened.status().message());
  auto network = Network::Load(opened.value(), {});
  if (!network.ok()) return absl::InternalError(network.status().message());
  for (size_t i = 0; i < network.value()->input_count(); ++i) {
    const TensorInfo& info = network.value()->input(i);
    if (info.dtype != DataType::kFloat32) {
      std::memset(network.value()->input_data(i), 3, info.bytes);
      continue;
    }
    float* x = reinterpret_cast<float*>(network.value()->input_data(i));
    for (size_t k = 0; k < info.bytes / sizeof(float); ++k) x[k] = static_cast<float>(k % 61) / 61.0f - 0.5f;
  }
  return std::move(network.value());
}

struct Totals {
  uint64_t ns = 0, macs = 0, bytes = 0;
  bool found = false;
};

Totals MeasuredSteps(const Network& network) {
  Totals t;
  for (const StepInfo& step : network.Profile()) {
    if (step.name != kMeasured) continue;
    t.found = true;
    t.ns += step.total_ns;
    t.macs += step.macs;
    t.bytes += step.bytes;
  }
  return t;
}

void Run(benchmark::State& state, const ScheduleCase& c, const Target& target) {
  absl::StatusOr<std::unique_ptr<Network>> loaded = Load(c, target);
  if (!loaded.ok()) return state.SkipWithError(std::string(loaded.status().message()).c_str());
  Network& network = **loaded;
  static_cast<void>(network.Forward());
  network.EnableProfile(true);
  const Totals once = MeasuredSteps(network);
  if (!once.found) return state.SkipWithError("no step of the measured node is left");
  const double limit = std::max(static_cast<double>(once.macs) / MultiplyAddsPerSecond(target, c.integers),
                                static_cast<double>(once.bytes) / BytesPerSecond(once.bytes));
  double seconds = 0;
  uint64_t before = 0;
  for (auto _ : state) {
    static_cast<void>(network.Forward());
    const uint64_t ns = MeasuredSteps(network).ns;
    state.SetIterationTime(static_cast<double>(ns - before) * 1e-9);
    seconds += static_cast<double>(ns - before) * 1e-9;
    before = ns;
  }
  const double passes = static_cast<double>(state.iterations());
  state.counters["limit%"] = 100 * limit * passes / seconds;
  if (once.macs > 0) state.counters["GMAC/s"] = static_cast<double>(once.macs) * 1e-9 * passes / seconds;
  state.counters["GB/s"] = static_cast<double>(once.bytes) * 1e-9 * passes / seconds;
}

void RegisterAll() {
  std::string skipped;
  for (const Target& target : kernel::X86Targets()) {
    if (!TargetEnabled(target.name)) absl::StrAppend(&skipped, skipped.empty() ? "" : ", ", target.name);
  }
  if (!skipped.empty()) std::fprintf(stderr, "not measured, for this machine cannot run them: %s\n", skipped.c_str());
  for (const ScheduleCase& c : ScheduleCases()) {
    for (const Target& target : kernel::X86Targets()) {
      if (!TargetEnabled(target.name)) continue;
      if (target.has_vnni && !c.integers) continue;  // the code is that of x86-64-v4
      benchmark::RegisterBenchmark(absl::StrCat(c.name, "/", target.name).c_str(),
                                   [&c, target](benchmark::State& state) { Run(state, c, target); })
          ->UseManualTime()
          ->MinTime(0.05)
          ->Unit(benchmark::kMicrosecond);
    }
  }
}

}  // namespace
}  // namespace mgec::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::AddCustomContext("cpu", mgec::CpuName());
  mgec::bench::RegisterAll();
  return benchmark::RunSpecifiedBenchmarks() == 0 ? 1 : 0;
}
