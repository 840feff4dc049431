// Every call of the driver fails in turn: errors come through, nothing crashes or leaks, and what the driver survives can go on.
#include <cstring>

#include "runtime/cuda/driver_api.h"
#include "runtime/cuda/testing/gpu_test.h"

namespace mgec::cuda {
namespace {

// Loads a network with memory on both sides, and runs it twice with other memory in between.
Status LoadAndRun(const std::shared_ptr<const Artifact>& model, std::vector<std::string>* outputs) {
  NetworkOptions options;
  Result<std::shared_ptr<Device>> gpu = Device::Open(0);
  if (!gpu.ok()) return gpu.status();
  options.gpu = gpu.value();
  options.device_inputs = {"data", "x"};
  Result<std::unique_ptr<Network>> loaded = Network::Load(model, options);
  if (!loaded.ok()) return loaded.status();
  Network& network = *loaded.value();
  for (int pass = 0; pass < 2; ++pass) {
    if (network.input_count() > 0) {
      Result<std::shared_ptr<Buffer>> memory = gpu.value()->AllocateMemory(network.input(0).bytes);
      if (!memory.ok()) return memory.status();
      std::vector<float> values(network.input(0).bytes / 4, 0.5f);
      MGEC_RETURN_IF_ERROR(gpu.value()->CopyToDevice(memory.value()->data(), values.data(), network.input(0).bytes));
      MGEC_RETURN_IF_ERROR(network.BindInput(0, memory.value()));
    }
    MGEC_RETURN_IF_ERROR(network.Forward());
    MGEC_RETURN_IF_ERROR(network.Wait());
  }
  outputs->clear();
  for (size_t i = 0; i < network.output_count(); ++i) {
    outputs->emplace_back(reinterpret_cast<const char*>(network.output_data(i)), network.output(i).bytes);
  }
  return Status();
}

void FailEveryCall(const char* function, Error error, const char* model_name) {
  SCOPED_TRACE(function);
  const std::shared_ptr<const Artifact> model = TestModel(model_name);
  std::vector<std::string> want, got;
  ASSERT_TRUE(LoadAndRun(model, &want).ok());
  const int live = EmulatedLive();
  const int before = EmulatedCalls(function);
  ASSERT_TRUE(LoadAndRun(model, &got).ok());
  const int calls = EmulatedCalls(function) - before;
  EXPECT_GT(calls, 0);
  for (int nth = 1; nth <= calls; ++nth) {
    SCOPED_TRACE(nth);
    EmulatedFail(function, nth, error);
    const Status failed = LoadAndRun(model, &got);
    EXPECT_FALSE(failed.ok());
    EXPECT_NE(failed.message().find("gpu0"), std::string::npos) << failed.message();
    EXPECT_EQ(EmulatedLive(), live) << "after: " << failed.message();
    const Status again = LoadAndRun(model, &got);
    ASSERT_TRUE(again.ok()) << again.message();
    EXPECT_EQ(got, want);
  }
}

TEST(FailuresTest, NoMemory) {
  for (const char* function : {"cuMemAlloc_v2", "cuMemHostAlloc", "cuStreamCreate", "cuEventCreate", "cuModuleLoadDataEx",
                               "cuGraphCreate", "cuGraphAddKernelNode", "cuGraphInstantiateWithFlags", "cuGraphLaunch"}) {
    FailEveryCall(function, kOutOfMemory, "rnn_cell__relu");
  }
  FailEveryCall("cuGraphAddMemcpyNode", kOutOfMemory, "random");
}

TEST(FailuresTest, OtherErrorsOfEveryFunction) {
  for (const char* function : {"cuCtxPushCurrent_v2", "cuCtxSynchronize", "cuMemcpyHtoD_v2", "cuMemcpyDtoHAsync_v2",
                               "cuModuleGetFunction", "cuStreamWaitEvent", "cuEventRecord", "cuEventSynchronize"}) {
    SCOPED_TRACE(function);
    const std::shared_ptr<const Artifact> model = TestModel("rnn_cell__relu");
    std::vector<std::string> want, got;
    ASSERT_TRUE(LoadAndRun(model, &want).ok());
    for (int nth = 1; nth <= 12; ++nth) {  // also calls where errors are of no interest, such as those of destructors
      EmulatedFail(function, nth, kInvalidValue);
      static_cast<void>(LoadAndRun(model, &got));
      EmulatedFail(function, 1 << 30, kSuccess);
      ASSERT_TRUE(LoadAndRun(model, &got).ok());
      EXPECT_EQ(got, want);
    }
  }
}

TEST(FailuresTest, KernelsThatFailLoseTheContextAndANewOneWorks) {
  const std::shared_ptr<const Artifact> model = TestModel("lenet5");
  std::vector<std::string> want, got;
  ASSERT_TRUE(LoadAndRun(model, &want).ok());
  for (int nth : {1, 3}) {
    EmulatedFail("kernel", nth, kLaunchFailed);
    const Status failed = LoadAndRun(model, &got);
    EXPECT_EQ(failed.code(), StatusCode::kDeviceFailed);
    EXPECT_NE(failed.message().find("failed to finish a pass"), std::string::npos) << failed.message();
    const Status again = LoadAndRun(model, &got);
    ASSERT_TRUE(again.ok()) << again.message();
    EXPECT_EQ(got, want);
  }
}

TEST(FailuresTest, WhoStillUsesALostGpuIsTold) {
  const std::unique_ptr<Network> network = LoadOnGpu(TestModel("lenet5"));
  EmulatedFail("kernel", 1, kIllegalAddress);
  ASSERT_TRUE(network->Forward().ok()) << "it is found out later";
  EXPECT_EQ(network->Wait().code(), StatusCode::kDeviceFailed);
  EXPECT_EQ(network->Forward().code(), StatusCode::kDeviceFailed);
  const Status open = Device::Open(0).status();
  EXPECT_EQ(open.code(), StatusCode::kDeviceFailed);
  EXPECT_NE(open.message().find("let go of all networks and tensors on it"), std::string::npos) << open.message();
  EXPECT_TRUE(Device::Open(1).ok()) << "others are not concerned";
}

// A network that could not start a pass can, later.
TEST(FailuresTest, TheSameNetworkGoesOn) {
  const std::unique_ptr<Network> network = LoadOnGpu(TestModel("lenet5"));
  FillInputs(*network, 1);
  const std::vector<std::string> want = RunOnce(*network);
  ASSERT_TRUE(network->SelectShapes({{1, 1, 32, 32}}).ok());
  const std::unique_ptr<Network> any = LoadOnGpu(TestModel("lenet5_any_batch"));
  for (const char* function : {"cuMemAlloc_v2", "cuMemHostAlloc"}) {
    EmulatedFail(function, 1, kOutOfMemory);
    EXPECT_FALSE(any->SelectShapes({{std::strlen(function) > 13 ? 9u : 5u, 1, 32, 32}}).ok() && any->Forward().ok());
    EmulatedFail(function, 1 << 30, kSuccess);
    EXPECT_TRUE(any->Forward().ok());
    EXPECT_TRUE(any->Wait().ok());
  }
  EmulatedFail("cuGraphLaunch", 1, kOutOfMemory);
  EXPECT_EQ(network->Forward().code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(RunOnce(*network), want);
}

}  // namespace
}  // namespace mgec::cuda
