// What MegEngine Lite's C interface costs around a network that computes next to nothing.
#include <benchmark/benchmark.h>

#include <string>

#include "lite-c/global_c.h"
#include "runtime/network.h"
#include "runtime/testing/test_artifact.h"

namespace {

std::string Bytes() {
  mgec::TestArtifactOptions test;
  test.shapes = {{16}};
  return mgec::MakeTestArtifact(test);
}

LiteNetwork Load() {
  std::string bytes = Bytes();
  LiteNetwork network = nullptr;
  if (LITE_make_default_network(&network) != 0 || LITE_load_model_from_mem(network, &bytes[0], bytes.size()) != 0) {
    return nullptr;
  }
  return network;
}

// The runtime alone, to compare with.
void BM_RuntimeForward(benchmark::State& state) {
  const std::string bytes = Bytes();
  auto network = std::move(mgec::Network::Load(mgec::Artifact::FromBytes(bytes.data(), bytes.size()).value(), {}).value());
  for (auto _ : state) static_cast<void>(network->Forward());
}
BENCHMARK(BM_RuntimeForward);

void BM_Forward(benchmark::State& state) {
  LiteNetwork network = Load();
  for (auto _ : state) {
    if (LITE_forward(network) != 0) state.SkipWithError(LITE_get_last_error());
  }
  LITE_destroy_network(network);
}
BENCHMARK(BM_Forward);

void BM_ForwardAndWait(benchmark::State& state) {
  LiteNetwork network = Load();
  for (auto _ : state) {
    if (LITE_forward(network) != 0 || LITE_wait(network) != 0) state.SkipWithError(LITE_get_last_error());
  }
  LITE_destroy_network(network);
}
BENCHMARK(BM_ForwardAndWait);

void BM_GetTensorMemory(benchmark::State& state) {
  LiteNetwork network = Load();
  LiteTensor tensor = nullptr;
  void* memory = nullptr;
  LITE_get_io_tensor(network, "a", LITE_INPUT, &tensor);
  for (auto _ : state) benchmark::DoNotOptimize(LITE_get_tensor_memory(tensor, &memory));
  LITE_destroy_network(network);
}
BENCHMARK(BM_GetTensorMemory);

void BM_LoadAndDestroy(benchmark::State& state) {
  for (auto _ : state) LITE_destroy_network(Load());
}
BENCHMARK(BM_LoadAndDestroy);

}  // namespace
