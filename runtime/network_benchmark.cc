// What the runtime itself costs: passes over steps that compute next to nothing. The counter "step" is the time per step;
// compare it with the step's own work, tens of microseconds in a real network.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include "runtime/network.h"
#include "runtime/testing/test_artifact.h"

namespace mgec {
namespace {

std::unique_ptr<Network> Load(int threads, int repeats) {
  TestArtifactOptions test;
  test.shapes = {{16}};
  test.repeats = repeats;
  const std::string bytes = MakeTestArtifact(test);
  NetworkOptions options;
  options.threads = threads;
  return std::move(Network::Load(Artifact::FromBytes(bytes.data(), bytes.size()).value(), options).value());
}

// Arguments: threads, a third of the number of steps.
void BM_Forward(benchmark::State& state) {
  auto network = Load(static_cast<int>(state.range(0)), static_cast<int>(state.range(1)));
  for (auto _ : state) static_cast<void>(network->Forward());
  state.counters["step"] = benchmark::Counter(static_cast<double>(state.iterations()) * state.range(1) * 3,
                                              benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(BM_Forward)->ArgsProduct({{1, 2, 4}, {1, 20}})->UseRealTime();

// As before, but the other threads have gone to sleep before every pass.
void BM_ForwardAfterSleep(benchmark::State& state) {
  auto network = Load(static_cast<int>(state.range(0)), 1);
  for (auto _ : state) {
    state.PauseTiming();
    usleep(200);
    state.ResumeTiming();
    static_cast<void>(network->Forward());
  }
}
BENCHMARK(BM_ForwardAfterSleep)->Arg(1)->Arg(2)->Iterations(500)->UseRealTime();

void BM_OpenArtifact(benchmark::State& state) {
  const std::string bytes = MakeTestArtifact();
  for (auto _ : state) benchmark::DoNotOptimize(Artifact::FromBytes(bytes.data(), bytes.size()));
}
BENCHMARK(BM_OpenArtifact);

}  // namespace
}  // namespace mgec
