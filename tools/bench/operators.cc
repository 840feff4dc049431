// Measures every operator at a large size against what the machine could do: the time to read its operands and write its
// results once, or the time of its multiply-adds, whichever is longer.
//
//   bazel run -c opt //tools/bench:operators
//   bazel run -c opt //tools/bench:operators -- --match=softmax --json=operators.json
//
// One thread. The operator and a pass over as much memory run in turn, and medians are compared, so that what else the
// machine does meanwhile hurts both.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/usage.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "compiler/base/status_macros.h"
#include "compiler/compile.h"
#include "nlohmann/json.hpp"
#include "runtime/artifact.h"
#include "runtime/network.h"
#include "tools/arguments.h"
#include "tools/bench/limits.h"
#include "tools/bench/operator_cases.h"
#include "tools/cpu_name.h"

ABSL_FLAG(std::string, match, "", "Measure only operators whose name has this text in it.");
ABSL_FLAG(double, seconds, 0.2, "Time for each operator.");
ABSL_FLAG(double, limit, 3, "Report operators that take more than this many times the machine's limit.");
ABSL_FLAG(std::string, json, "", "Also write the results to this file.");

namespace mgec::bench {
namespace {

using Clock = std::chrono::steady_clock;

double Seconds(Clock::time_point from) { return std::chrono::duration<double>(Clock::now() - from).count(); }

double Median(std::vector<double> v) {
  std::nth_element(v.begin(), v.begin() + v.size() / 2, v.end());
  return v[v.size() / 2];
}

struct Result {
  const OperatorCase* c = nullptr;
  int64_t bytes = 0, macs = 0;
  double seconds = 0, memory_seconds = 0, fma_seconds = 0;
  double limit() const { return std::max(memory_seconds, fma_seconds); }
  double ratio() const { return seconds / limit(); }
};

absl::StatusOr<std::unique_ptr<Network>> Prepare(const OperatorCase& c, Result* result) {
  ASSIGN_OR_RETURN(graph::Graph g, BuildGraph(c));
  size_t read = 0;
  for (const auto& node : g.nodes()) {
    if (node->op == "constant") read += graph::ByteSize(node->output()->type);
  }
  CompileOptions options;
  CompileReport report;
  ASSIGN_OR_RETURN(std::string artifact, CompileGraph(std::move(g), options, &report));
  result->macs = report.macs;
  result->bytes = static_cast<int64_t>(read);
  auto opened = Artifact::FromBytes(artifact.data(), artifact.size());
  if (!opened.ok()) return absl::InternalError(opened.status().message());
  auto network = Network::Load(opened.value(), {});
  if (!network.ok()) return absl::InternalError(network.status().message());
  size_t input = 0;
  for (const Operand& operand : c.operands) {
    if (absl::StartsWith(operand.type, "const ")) continue;
    ASSIGN_OR_RETURN(std::string data, RandomData(operand));
    std::memcpy(network.value()->input_data(input++), data.data(), data.size());
  }
  return std::move(network.value());
}

absl::StatusOr<Result> Measure(const OperatorCase& c, double fma_rate) {
  Result result;
  result.c = &c;
  ASSIGN_OR_RETURN(std::unique_ptr<Network> network, Prepare(c, &result));
  size_t read = result.bytes, written = 0;
  for (size_t i = 0; i < network->input_count(); ++i) read += network->input(i).bytes;
  for (size_t i = 0; i < network->output_count(); ++i) written += network->output(i).bytes;
  result.bytes = static_cast<int64_t>(read + written);
  MemoryPass memory(read, written);
  std::vector<double> own, pass;
  static_cast<void>(network->Forward());
  memory.Run();
  for (const Clock::time_point start = Clock::now(); own.size() < 3 || Seconds(start) < absl::GetFlag(FLAGS_seconds);) {
    Clock::time_point t = Clock::now();
    static_cast<void>(network->Forward());
    own.push_back(Seconds(t));
    t = Clock::now();
    memory.Run();
    pass.push_back(Seconds(t));
  }
  result.seconds = Median(own);
  result.memory_seconds = Median(pass);
  result.fma_seconds = static_cast<double>(result.macs) / fma_rate;
  return result;
}

void Print(const Result& r) {
  absl::PrintF("%-36s %8.2f MB %9.1f M %10.1f us %10.1f us %7.2f%s\n", r.c->name(), r.bytes * 1e-6, r.macs * 1e-6,
               r.seconds * 1e6, r.limit() * 1e6, r.ratio(), r.ratio() > absl::GetFlag(FLAGS_limit) ? "  !" : "");
  std::fflush(stdout);
}

absl::Status WriteJson(const std::vector<Result>& results, double fma_rate, const std::string& path) {
  nlohmann::json j;
  j["cpu"] = CpuName();
  j["multiply_adds_per_second"] = fma_rate;
  for (const Result& r : results) {
    j["operators"].push_back({{"name", r.c->name()}, {"bytes", r.bytes}, {"macs", r.macs}, {"seconds", r.seconds},
                              {"memory_seconds", r.memory_seconds}, {"fma_seconds", r.fma_seconds},
                              {"ratio", r.ratio()}, {"reason", r.c->reason}});
  }
  std::ofstream file(ResolvePath(path));
  file << j.dump(1) << "\n";
  if (!file.flush()) return absl::UnavailableError(absl::StrCat("failed to write ", path));
  return absl::OkStatus();
}

absl::Status Main() {
  const double fma_rate = FusedMultiplyAddsPerSecond();
  absl::PrintF("%s, one thread, %.1f G multiply-adds per second\n", CpuName(), fma_rate * 1e-9);
  absl::PrintF("%-36s %11s %11s %13s %13s %7s\n", "operator", "memory", "mul-adds", "time", "limit", "ratio");
  std::vector<Result> results;
  for (const OperatorCase& c : OperatorCases()) {
    if (!absl::StrContains(c.name(), absl::GetFlag(FLAGS_match))) continue;
    absl::StatusOr<Result> result = Measure(c, fma_rate);
    if (!result.ok()) return absl::Status(result.status().code(), absl::StrCat(c.name(), ": ", result.status().message()));
    Print(*result);
    results.push_back(*result);
  }
  if (results.empty()) return absl::InvalidArgumentError("no operator has that name; see --match");
  int over = 0;
  for (const Result& r : results) over += r.ratio() > absl::GetFlag(FLAGS_limit);
  absl::PrintF("\n%d of %d within %g times the machine's limit\n", results.size() - over, results.size(),
               absl::GetFlag(FLAGS_limit));
  for (const Result& r : results) {
    if (r.ratio() <= absl::GetFlag(FLAGS_limit)) continue;
    absl::PrintF("  %-36s %6.1f  %s\n", r.c->name(), r.ratio(), r.c->reason.empty() ? "no reason known" : r.c->reason);
  }
  const std::string path = absl::GetFlag(FLAGS_json);
  return path.empty() ? absl::OkStatus() : WriteJson(results, fma_rate, path);
}

}  // namespace
}  // namespace mgec::bench

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("Measures every operator at a large size against the machine's limits.\n"
                               "operators [--match=TEXT] [--seconds=S] [--limit=RATIO] [--json=FILE]");
  mgec::ParseArguments(argc, argv);
  const absl::Status status = mgec::bench::Main();
  if (!status.ok()) {
    std::fprintf(stderr, "error: %s\n", std::string(status.message()).c_str());
    return 1;
  }
  return 0;
}
