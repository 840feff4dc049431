// Where the time of a compiled network goes: each step with its multiply-adds, bytes, time, and its share of what the
// machine could do, so that the worst step is known.
//
//   bazel run -c opt //tools/bench:profile -- model.mgec
//   bazel run -c opt //tools/bench:profile -- model.mgec --sort=loss --threads=2 --json=profile.json
//
// A step's limit is the time of its multiply-adds at the measured peak or of one pass over its bytes at the measured
// bandwidth (for as many bytes as the whole network touches), whichever is longer. Its loss is what it takes beyond that.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/usage.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "runtime/artifact.h"
#include "runtime/network.h"
#include "tools/arguments.h"
#include "tools/bench/limits.h"
#include "tools/cpu_name.h"
#include "tools/fastest_steps.h"

ABSL_FLAG(int, threads, 1, "Threads of the network.");
ABSL_FLAG(int, passes, 50, "Forward passes; each step's time is that of its fastest.");
ABSL_FLAG(bool, private_constants, false, "Copy the weights to memory of the process's own, on huge pages.");
ABSL_FLAG(std::string, sort, "order", "order (of execution), time, or loss.");
ABSL_FLAG(std::string, json, "", "Also write the profile to this file.");

namespace mgec::bench {
namespace {

struct Step {
  size_t index = 0;
  StepInfo info;
  double seconds = 0, limit = 0;
  double loss() const { return std::max(0.0, seconds - limit); }
};

std::vector<Step> Measure(Network& network, double macs_per_second, double bytes_per_second) {
  const int passes = absl::GetFlag(FLAGS_passes);
  for (int i = 0; i < 3; ++i) static_cast<void>(network.Forward());
  network.EnableProfile(true);
  std::vector<StepInfo> fastest;
  for (int i = 0; i < passes; ++i) {
    static_cast<void>(network.Forward());
    KeepFastest(network.Profile(), fastest);
  }
  std::vector<Step> steps;
  for (const StepInfo& info : fastest) {
    const double limit = std::max(static_cast<double>(info.macs) / macs_per_second, static_cast<double>(info.bytes) / bytes_per_second);
    steps.push_back({steps.size(), info, Seconds(info), limit});
  }
  return steps;
}

void Print(std::vector<Step> steps, const std::string& sort) {
  double total = 0, limit = 0;
  for (const Step& s : steps) {
    total += s.seconds;
    limit += s.limit;
  }
  if (sort == "time") {
    std::stable_sort(steps.begin(), steps.end(), [](const Step& a, const Step& b) { return a.seconds > b.seconds; });
  } else if (sort == "loss") {
    std::stable_sort(steps.begin(), steps.end(), [](const Step& a, const Step& b) { return a.loss() > b.loss(); });
  }
  absl::PrintF("%5s %9s %6s %9s %9s %7s  %s\n", "step", "time us", "%", "M macs", "KB", "limit", "what");
  for (const Step& s : steps) {
    absl::PrintF("%5d %9.1f %5.1f%% %9.2f %9.1f %6.0f%%  %s  %s\n", s.index, s.seconds * 1e6, 100 * s.seconds / total,
                 s.info.macs * 1e-6, s.info.bytes * 1e-3, s.seconds > 0 ? 100 * s.limit / s.seconds : 0.0, s.info.op,
                 s.info.name);
  }
  absl::PrintF("%9.1f us in %d steps, %.0f%% of the machine's limit\n", total * 1e6, steps.size(), 100 * limit / total);
}

absl::Status WriteJson(const std::vector<Step>& steps, const std::string& path) {
  nlohmann::ordered_json j = {{"cpu", CpuName()}, {"threads", absl::GetFlag(FLAGS_threads)}};
  for (const Step& s : steps) {
    j["steps"].push_back({{"op", s.info.op}, {"name", s.info.name}, {"kernel", s.info.kernel}, {"seconds", s.seconds},
                          {"limit_seconds", s.limit}, {"macs", s.info.macs}, {"bytes", s.info.bytes}});
  }
  std::ofstream file(ResolvePath(path));
  file << j.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << "\n";
  if (!file.flush()) return absl::UnavailableError(absl::StrCat("failed to write ", path));
  return absl::OkStatus();
}

absl::Status Main(const Arguments& arguments) {
  const std::string sort = absl::GetFlag(FLAGS_sort);
  if (arguments.positional.size() != 1) return absl::InvalidArgumentError("give one artifact: profile MODEL.mgec; see --help");
  if (sort != "order" && sort != "time" && sort != "loss") return absl::InvalidArgumentError("--sort: want order, time or loss");
  if (absl::GetFlag(FLAGS_passes) < 1) return absl::InvalidArgumentError("--passes must be at least 1");
  ArtifactOptions artifact_options;
  artifact_options.private_constants = absl::GetFlag(FLAGS_private_constants);
  auto artifact = Artifact::Open(ResolvePath(arguments.positional[0]), artifact_options);
  if (!artifact.ok()) return absl::InvalidArgumentError(artifact.status().message());
  NetworkOptions options;
  options.threads = absl::GetFlag(FLAGS_threads);
  auto network = Network::Load(artifact.value(), options);
  if (!network.ok()) return absl::InvalidArgumentError(network.status().message());
  const double macs = FusedMultiplyAddsPerSecond() * options.threads;
  const double bytes = BytesPerSecond(artifact.value()->constants_size() + network.value()->arena_size()) * options.threads;
  absl::PrintF("%s, %d thread%s, %.1f G multiply-adds/s, %.1f GB/s, code for %s\n", CpuName(), options.threads,
               options.threads == 1 ? "" : "s", macs * 1e-9, bytes * 1e-9, network.value()->target());
  const std::vector<Step> steps = Measure(*network.value(), macs, bytes);
  Print(steps, sort);
  const std::string path = absl::GetFlag(FLAGS_json);
  return path.empty() ? absl::OkStatus() : WriteJson(steps, path);
}

}  // namespace
}  // namespace mgec::bench

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("Shows where the time of a compiled network goes.\n"
                               "profile MODEL.mgec [--threads=N] [--passes=N] [--sort=order|time|loss] [--json=FILE]");
  const absl::Status status = mgec::bench::Main(mgec::ParseArguments(argc, argv));
  if (!status.ok()) {
    std::fprintf(stderr, "error: %s\n", std::string(status.message()).c_str());
    return 1;
  }
  return 0;
}
