// Calls of every function of the driver fail in every way, in everything that the runtime does with a GPU: what it was doing
// says so, nothing crashes, hangs or stays behind, and the process can go on.
#include <cstring>
#include <functional>
#include <set>

#include "runtime/cuda/driver_api.h"
#include "runtime/cuda/testing/gpu_test.h"

namespace mgec::cuda {
namespace {

using Outputs = std::vector<std::string>;

// Something done from a GPU's opening on, with nothing left in the end.
using Scenario = std::function<Status(const std::shared_ptr<Device>& gpu, Outputs* outputs)>;

Status Append(Network& network, Outputs* outputs) {
  MGEC_RETURN_IF_ERROR(network.Forward());
  MGEC_RETURN_IF_ERROR(network.Wait());
  for (size_t i = 0; i < network.output_count(); ++i) {
    outputs->emplace_back(network.output(i).bytes, '\0');
    std::string& bytes = outputs->back();
    if (network.output_buffer(i)->on_host()) {
      std::memcpy(&bytes[0], network.output_data(i), bytes.size());
    } else {
      MGEC_RETURN_IF_ERROR(network.output_buffer(i)->device()->CopyToHost(&bytes[0], network.output_data(i), bytes.size()));
    }
  }
  return Status();
}

// Runs a network three times, with other memory of the GPU for its first input in between. Its tensors are the GPU's or not.
Status RunNetwork(const char* name, NetworkOptions options, bool on_device, const std::shared_ptr<Device>& gpu,
                  Outputs* outputs) {
  const std::shared_ptr<const Artifact> model = TestModel(name);
  const fb::Program& program = *model->metadata().programs()->Get(0);
  options.gpu = gpu;
  for (size_t i = 0; on_device && i < Count(program.inputs()); ++i) {
    options.device_inputs.push_back(program.inputs()->Get(i)->name()->str());
  }
  for (size_t i = 0; on_device && i < Count(program.outputs()); ++i) {
    options.device_outputs.push_back(program.outputs()->Get(i)->name()->str());
  }
  Result<std::unique_ptr<Network>> loaded = Network::Load(model, options);
  if (!loaded.ok()) return loaded.status();
  Network& network = *loaded.value();
  MGEC_RETURN_IF_ERROR(Append(network, outputs));
  if (network.input_count() > 0) {
    const size_t bytes = network.input(0).bytes;
    Result<std::shared_ptr<Buffer>> memory = gpu->AllocateMemory(bytes);
    if (!memory.ok()) return memory.status();
    const std::vector<float> values(bytes / 4 + 1, 0.5f);
    MGEC_RETURN_IF_ERROR(gpu->CopyToDevice(memory.value()->data(), values.data(), bytes));
    MGEC_RETURN_IF_ERROR(network.BindInput(0, memory.value()));
  }
  MGEC_RETURN_IF_ERROR(Append(network, outputs));
  return network.Forward();  // and goes away in the middle of that pass
}

Status Profile(const std::shared_ptr<Device>& gpu, Outputs* outputs) {
  NetworkOptions options;
  options.gpu = gpu;
  Result<std::unique_ptr<Network>> network = Network::Load(TestModel("rnn_cell__relu"), options);
  if (!network.ok()) return network.status();
  network.value()->EnableProfile(true);
  MGEC_RETURN_IF_ERROR(network.value()->Forward());
  return Append(*network.value(), outputs);
}

Status OtherShapes(const std::shared_ptr<Device>& gpu, Outputs* outputs) {
  NetworkOptions options;
  options.gpu = gpu;
  Result<std::unique_ptr<Network>> network = Network::Load(TestModel("lenet5_any_batch"), options);
  if (!network.ok()) return network.status();
  for (uint32_t batch : {1u, 2u}) {
    MGEC_RETURN_IF_ERROR(network.value()->SelectShapes({{batch, 1, 32, 32}}));
    MGEC_RETURN_IF_ERROR(Append(*network.value(), outputs));
  }
  return Status();
}

// What tensors do.
Status Memory(const std::shared_ptr<Device>& gpu, Outputs* outputs) {
  Result<std::shared_ptr<Device>> other = Device::Open(1);
  if (!other.ok()) return other.status();
  Result<std::shared_ptr<Buffer>> a = gpu->AllocateMemory(64), b = other.value()->AllocateMemory(64);
  if (!a.ok() || !b.ok()) return a.ok() ? b.status() : a.status();
  Result<std::shared_ptr<Buffer>> pinned = gpu->AllocatePinned(64), part = gpu->WrapMemory(a.value()->data() + 16, 16, a.value());
  if (!pinned.ok() || !part.ok()) return pinned.ok() ? part.status() : pinned.status();
  std::memset(pinned.value()->data(), 'x', 64);
  uint8_t *const to = a.value()->data(), *const far = b.value()->data(), *const near = pinned.value()->data();
  MGEC_RETURN_IF_ERROR(gpu->CopyRows(to, MemoryKind::kDevice, 16, near, MemoryKind::kPinned, 8, 8, 4));
  MGEC_RETURN_IF_ERROR(gpu->CopyRows(to + 8, MemoryKind::kDevice, 8, to, MemoryKind::kDevice, 8, 8, 1));
  MGEC_RETURN_IF_ERROR(gpu->ZeroRows(to, 16, 3, 4));
  MGEC_RETURN_IF_ERROR(other.value()->CopyRowsFrom(*gpu, far, 32, to, 16, 8, 2));
  MGEC_RETURN_IF_ERROR(gpu->CopyRowsFrom(*other.value(), part.value()->data(), 8, far, 8, 8, 2));
  outputs->emplace_back(64, '\0');
  return gpu->CopyToHost(&outputs->back()[0], to, 64);
}

Status Run(const Scenario& scenario, Outputs* outputs) {
  outputs->clear();
  Result<std::shared_ptr<Device>> gpu = Device::Open(0);
  if (!gpu.ok()) return gpu.status();
  return scenario(gpu.value(), outputs);
}

// A new context for both GPUs: what was left in the old one goes with it.
void StartAgain() {
  for (int id = 0; id < 2; ++id) {
    const std::shared_ptr<Device> before = Gpu(id);  // opens the driver
    EmulatedFail("cuCtxSynchronize", 1, kUnknown);
    EXPECT_FALSE(before->Synchronize().ok());
  }
  for (int id = 0; id < 2; ++id) {
    EXPECT_TRUE(Gpu(id)->Synchronize().ok());
  }
}

// Functions whose failure leaves something behind, in the emulator as with the real driver: those that give back, and those
// without which nothing can be given back.
bool KeepsWhatItShouldFree(const std::string& function) {
  static const std::set<std::string>* const those = new std::set<std::string>{
      "cuMemFree_v2",   "cuMemFreeHost",     "cuStreamDestroy_v2", "cuEventDestroy_v2",
      "cuModuleUnload", "cuGraphDestroy",    "cuGraphExecDestroy", "cuDevicePrimaryCtxRelease_v2",
      "cuCtxPushCurrent_v2"};
  return those->count(function) != 0;
}

// Of a function that is called more than `most` times, some calls are left out.
void FailCalls(const Scenario& scenario, const std::string& function, int most) {
  SCOPED_TRACE(function);
  Outputs want, got;
  StartAgain();
  ASSERT_TRUE(Run(scenario, &want).ok());
  const int live = EmulatedLive();
  const int before = EmulatedCalls(function.c_str());
  ASSERT_TRUE(Run(scenario, &got).ok());
  const int calls = EmulatedCalls(function.c_str()) - before;
  for (Error error : {kOutOfMemory, kInvalidValue, kLaunchFailed, kUnknown}) {
    SCOPED_TRACE(error);
    for (int nth = 1; nth <= calls; nth += 1 + calls / most) {
      SCOPED_TRACE(nth);
      EmulatedFail(function.c_str(), nth, error);
      const Status failed = Run(scenario, &got);
      EmulatedFail(function.c_str(), 1 << 30, kSuccess);
      if (failed.ok()) {
        EXPECT_EQ(got, want) << "a failure that is of no interest";
      } else {
        EXPECT_NE(failed.message().find("gpu"), std::string::npos) << failed.message();
        EXPECT_NE(failed.code(), StatusCode::kNotFound) << failed.message();
      }
      const Status again = Run(scenario, &got);
      ASSERT_TRUE(again.ok()) << again.message() << "; after: " << failed.message();
      EXPECT_EQ(got, want);
      EXPECT_TRUE(KeepsWhatItShouldFree(function) || EmulatedLive() == live)
          << EmulatedLive() << " instead of " << live << " after: " << failed.message();
    }
  }
}

struct Case {
  const char* name;
  Scenario scenario;
  int failures = 8;  // of each function
};

class EveryFailureTest : public testing::TestWithParam<Case> {};

TEST_P(EveryFailureTest, IsReportedAndGotOver) {
#define FAIL_CALLS(symbol, parameters)                                                         \
  if (const std::string name = #symbol; name != "cuInit" && name != "cuCtxPopCurrent_v2") {    \
    FailCalls(GetParam().scenario, name, GetParam().failures);                                 \
    if (HasFatalFailure()) return;                                                             \
  }
  MGEC_CUDA_FUNCTIONS(FAIL_CALLS)
#undef FAIL_CALLS
  FailCalls(GetParam().scenario, "kernel", GetParam().failures);
}

Scenario NetworkScenario(const char* model, bool graph, bool on_device) {
  return [=](const std::shared_ptr<Device>& gpu, Outputs* outputs) {
    NetworkOptions options;
    options.graph = graph;
    return RunNetwork(model, options, on_device, gpu, outputs);
  };
}

INSTANTIATE_TEST_SUITE_P(All, EveryFailureTest,
                         testing::Values(Case{"graph", NetworkScenario("rnn_cell__relu", true, false)},
                                         Case{"graph_on_device", NetworkScenario("two_inputs_three_outputs", true, true)},
                                         Case{"launches", NetworkScenario("rnn_cell__relu", false, false)},
                                         Case{"random", NetworkScenario("random", true, false)},
                                         Case{"sizes", NetworkScenario("cond_take", true, true)}, Case{"profile", Profile},
                                         Case{"shapes", OtherShapes, 2}, Case{"memory", Memory}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace mgec::cuda
