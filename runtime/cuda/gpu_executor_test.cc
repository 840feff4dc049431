// Networks on a GPU: the same numbers as on the CPU, whatever memory inputs and outputs are in.
#include "runtime/cuda/gpu_executor.h"

#include <chrono>
#include <cstring>
#include <thread>

#include "runtime/cuda/testing/gpu_test.h"

namespace mgec::cuda {
namespace {

class NetworksTest : public testing::TestWithParam<const char*> {};

TEST_P(NetworksTest, GiveWhatTheCpuGives) {
  SKIP_WITHOUT_GPU();
  const std::shared_ptr<const Artifact> model = TestModel(GetParam());
  const std::unique_ptr<Network> cpu = LoadNetwork(model, {}), gpu = LoadOnGpu(model);
  ASSERT_TRUE(cpu != nullptr && gpu != nullptr);
  EXPECT_EQ(gpu->target(), "cuda");
  for (unsigned seed : {1u, 2u}) {
    FillInputs(*cpu, seed);
    FillInputs(*gpu, seed);
    ExpectSame(*gpu, RunOnce(*gpu), RunOnce(*cpu));
  }
}

INSTANTIATE_TEST_SUITE_P(Nets, NetworksTest,
                         testing::Values("gpt_micro", "lenet5", "lstm_op_l1", "mlp_f16", "multi_head_attention__self",
                                         "q_quint8_act", "repvgg_tiny", "rnn_cell__relu", "rnn_op_l2_bi", "squeezenet1_1",
                                         "two_inputs_three_outputs", "unet_bilinear", "vit_micro_f16"));

TEST(GpuExecutorTest, GraphAndPlainLaunchesGiveTheSameBits) {
  SKIP_WITHOUT_GPU();
  const std::shared_ptr<const Artifact> model = TestModel("lenet5");
  NetworkOptions plain;
  plain.graph = false;
  const std::unique_ptr<Network> a = LoadOnGpu(model), b = LoadOnGpu(model, plain);
  FillInputs(*a, 1);
  FillInputs(*b, 1);
  const std::vector<std::string> first = RunOnce(*a);
  EXPECT_EQ(first, RunOnce(*b));
  EXPECT_EQ(first, RunOnce(*a));
}

TEST(GpuExecutorTest, MakesTheGraphAgainOnlyForOtherMemory) {
  SKIP_WITHOUT_GPU();
  SKIP_UNLESS_EMULATED();
  NetworkOptions options;
  options.device_inputs = {"data"};
  const std::unique_ptr<Network> network = LoadOnGpu(TestModel("lenet5"), options);
  const auto graphs = [] { return EmulatedCalls("cuGraphInstantiateWithFlags"); };
  const int before = graphs(), launches = EmulatedCalls("cuLaunchKernel");
  RunOnce(*network);
  RunOnce(*network);
  EXPECT_EQ(graphs(), before + 1);
  const std::shared_ptr<Buffer> old = network->input_buffer(0);
  ASSERT_TRUE(network->BindInput(0, Gpu()->AllocateMemory(old->size()).value()).ok());
  RunOnce(*network);
  EXPECT_EQ(graphs(), before + 2);
  // Outputs that are copied anyway may go anywhere.
  std::vector<float> mine(10);
  ASSERT_TRUE(network->BindOutput(0, Buffer::Wrap(mine.data(), 40, nullptr)).ok());
  RunOnce(*network);
  EXPECT_EQ(graphs(), before + 2);
  EXPECT_EQ(EmulatedCalls("cuLaunchKernel"), launches);
}

// Returns at once; what the outputs hold is there after Wait().
TEST(GpuExecutorTest, ForwardDoesNotWait) {
  SKIP_WITHOUT_GPU();
  SKIP_UNLESS_EMULATED();
  const std::unique_ptr<Network> network = LoadOnGpu(TestModel("lenet5"));
  FillInputs(*network, 1);
  const std::vector<std::string> want = RunOnce(*network);
  std::memset(network->output_data(0), 0, 40);
  ASSERT_TRUE(network->Forward().ok());
  EXPECT_EQ(std::string(reinterpret_cast<char*>(network->output_data(0)), 40), std::string(40, '\0'));
  ASSERT_TRUE(network->Wait().ok());
  EXPECT_EQ(std::string(reinterpret_cast<char*>(network->output_data(0)), 40), want[0]);
  EXPECT_TRUE(network->Wait().ok()) << "there is nothing to wait for";
}

// A network that goes waits for its pass, which may be writing to memory of others.
TEST(GpuExecutorTest, DestroyedDuringAPass) {
  SKIP_WITHOUT_GPU();
  std::unique_ptr<Network> network = LoadOnGpu(TestModel("lenet5"));
  FillInputs(*network, 1);
  const std::vector<std::string> want = RunOnce(*network);
  const std::shared_ptr<Buffer> output = Gpu()->AllocatePinned(40).value();
  ASSERT_TRUE(network->BindOutput(0, output).ok());
  ASSERT_TRUE(network->Forward().ok());
  network = nullptr;
  EXPECT_EQ(std::string(reinterpret_cast<char*>(output->data()), 40), want[0]);
}

// Passes over other memory may be started before those before have ended.
TEST(GpuExecutorTest, ManyPassesBeforeAWait) {
  SKIP_WITHOUT_GPU();
  const std::unique_ptr<Network> network = LoadOnGpu(TestModel("lenet5"));
  std::vector<std::shared_ptr<Buffer>> outputs;
  for (int i = 0; i < 4; ++i) {
    const std::shared_ptr<Buffer> input = Gpu()->AllocatePinned(4096).value();
    for (int k = 0; k < 1024; ++k) reinterpret_cast<float*>(input->data())[k] = static_cast<float>(i);
    outputs.push_back(Gpu()->AllocatePinned(40).value());
    ASSERT_TRUE(network->BindInput(0, input).ok());
    ASSERT_TRUE(network->BindOutput(0, outputs.back()).ok());
    ASSERT_TRUE(network->Forward().ok());
  }
  ASSERT_TRUE(network->Wait().ok());
  const std::unique_ptr<Network> alone = LoadOnGpu(TestModel("lenet5"));
  for (int i = 0; i < 4; ++i) {
    for (int k = 0; k < 1024; ++k) reinterpret_cast<float*>(alone->input_data(0))[k] = static_cast<float>(i);
    EXPECT_EQ(std::string(reinterpret_cast<char*>(outputs[i]->data()), 40), RunOnce(*alone)[0]) << i;
  }
}

TEST(GpuExecutorTest, MemoryOfTheGpuIsUsedWhereItIs) {
  SKIP_WITHOUT_GPU();
  const std::shared_ptr<const Artifact> model = TestModel("two_inputs_three_outputs");
  const std::unique_ptr<Network> cpu = LoadNetwork(model, {});
  FillInputs(*cpu, 5);
  const std::vector<std::string> want = RunOnce(*cpu);
  NetworkOptions options;
  for (size_t i = 0; i < cpu->input_count(); ++i) options.device_inputs.push_back(cpu->input(i).name);
  for (size_t i = 0; i < cpu->output_count(); ++i) options.device_outputs.push_back(cpu->output(i).name);
  const std::unique_ptr<Network> gpu = LoadOnGpu(model, options);
  for (size_t i = 0; i < cpu->input_count(); ++i) {
    EXPECT_EQ(gpu->input_buffer(i)->kind(), MemoryKind::kDevice);
    ASSERT_TRUE(Gpu()->CopyToDevice(gpu->input_data(i), cpu->input_data(i), cpu->input(i).bytes).ok());
  }
  ASSERT_TRUE(gpu->Forward().ok());
  std::vector<std::string> got;
  for (size_t i = 0; i < gpu->output_count(); ++i) {  // copies wait for the pass
    got.emplace_back(gpu->output(i).bytes, '\0');
    ASSERT_TRUE(Gpu()->CopyToHost(got.back().data(), gpu->output_data(i), got.back().size()).ok());
  }
  ExpectSame(*gpu, got, want);
}

TEST(GpuExecutorTest, RefusesMemoryOfOthers) {
  SKIP_WITHOUT_GPU();
  const std::shared_ptr<const Artifact> model = TestModel("lenet5");
  const std::unique_ptr<Network> gpu = LoadOnGpu(model), cpu = LoadNetwork(model, {});
  const Status on_cpu = cpu->BindInput(0, Gpu()->AllocateMemory(4096).value());
  EXPECT_NE(on_cpu.message().find("input data: the memory given is memory of a GPU"), std::string::npos) << on_cpu.message();
  if (Device::Count() < 2) return;
  const Status other = gpu->BindInput(0, Gpu(1)->AllocateMemory(4096).value());
  EXPECT_NE(other.message().find("is on gpu1, but the network runs on gpu0"), std::string::npos) << other.message();
}

TEST(GpuExecutorTest, RunsOnEveryGpu) {
  SKIP_WITHOUT_GPU();
  const std::shared_ptr<const Artifact> model = TestModel("lenet5");
  std::vector<std::string> first;
  for (int id = 0; id < Device::Count(); ++id) {
    NetworkOptions options;
    options.gpu = Gpu(id);
    const std::unique_ptr<Network> network = LoadOnGpu(model, options);
    FillInputs(*network, 1);
    const std::vector<std::string> got = RunOnce(*network);
    if (id == 0) first = got;
    EXPECT_EQ(got, first);
  }
}

TEST(GpuExecutorTest, OtherShapes) {
  SKIP_WITHOUT_GPU();
  for (const char* name : {"lenet5_two_shapes", "lenet5_any_batch"}) {
    SCOPED_TRACE(name);
    const std::shared_ptr<const Artifact> model = TestModel(name);
    const std::unique_ptr<Network> gpu = LoadOnGpu(model), cpu = LoadNetwork(model, {});
    for (uint32_t batch : {1u, 2u, 11u, 1u}) {
      if (batch == 11 && std::string(name) == "lenet5_two_shapes") continue;
      for (Network* network : {gpu.get(), cpu.get()}) {
        const Status status = network->SelectShapes({{batch, 1, 32, 32}});
        ASSERT_TRUE(status.ok()) << status.message();
        FillInputs(*network, batch);
      }
      ExpectSame(*gpu, RunOnce(*gpu), RunOnce(*cpu));
    }
    EXPECT_FALSE(gpu->SelectShapes({{1, 1, 7, 7}}).ok());
    ExpectSame(*gpu, RunOnce(*gpu), RunOnce(*cpu));
  }
}

TEST(GpuExecutorTest, SizesThatDependOnValues) {
  SKIP_WITHOUT_GPU();
  const std::shared_ptr<const Artifact> model = TestModel("cond_take");
  const std::unique_ptr<Network> gpu = LoadOnGpu(model), cpu = LoadNetwork(model, {});
  for (unsigned seed : {1u, 2u, 3u}) {
    FillInputs(*gpu, seed);
    FillInputs(*cpu, seed);
    const std::vector<std::string> got = RunOnce(*gpu);
    ExpectSame(*gpu, got, RunOnce(*cpu));
    for (size_t i = 0; i < gpu->output_count(); ++i) EXPECT_EQ(gpu->output(i).shape, cpu->output(i).shape);
  }
}

TEST(GpuExecutorTest, RandomNumbersFollowSeedAndPass) {
  SKIP_WITHOUT_GPU();
  const std::shared_ptr<const Artifact> model = TestModel("random");
  NetworkOptions plain;
  plain.graph = false;
  const std::unique_ptr<Network> gpu = LoadOnGpu(model), launches = LoadOnGpu(model, plain), cpu = LoadNetwork(model, {});
  std::vector<std::string> last;
  for (uint64_t seed : {0, 7}) {
    for (Network* network : {gpu.get(), launches.get(), cpu.get()}) network->SeedRandom(seed);
    for (int pass = 0; pass < 2; ++pass) {
      const std::vector<std::string> want = RunOnce(*cpu);
      EXPECT_NE(want, last);
      last = want;
      EXPECT_EQ(RunOnce(*launches), want);
      // Passes that are started before the one before has ended have their own numbers.
      if (pass == 0) {
        EXPECT_TRUE(gpu->Forward().ok());
      }
    }
    gpu->SeedRandom(seed);
    EXPECT_TRUE(gpu->Forward().ok());
    cpu->SeedRandom(seed);
    RunOnce(*cpu);
    EXPECT_EQ(RunOnce(*gpu), RunOnce(*cpu));
  }
}

// One after the other also on different streams.
TEST(GpuExecutorTest, NetworksShareAnArena) {
  SKIP_WITHOUT_GPU();
  NetworkOptions options;
  options.arena = std::make_shared<mgec::Arena>();
  const std::unique_ptr<Network> small = LoadOnGpu(TestModel("lenet5"), options);
  FillInputs(*small, 1);
  const std::vector<std::string> want = RunOnce(*small);
  options.stream = 1;
  const std::unique_ptr<Network> large = LoadOnGpu(TestModel("repvgg_tiny"), options);  // makes the arena grow
  EXPECT_EQ(small->arena_size(), large->arena_size());
  FillInputs(*large, 1);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(small->Forward().ok());
    ASSERT_TRUE(large->Forward().ok());
  }
  EXPECT_EQ(RunOnce(*small), want);
  if (Device::Count() < 2) return;
  options.gpu = Gpu(1);
  const Status other = Network::Load(TestModel("lenet5"), options).status();
  EXPECT_NE(other.message().find("cannot share runtime memory"), std::string::npos) << other.message();
}

TEST(GpuExecutorTest, NetworksShareConstantsAndCode) {
  SKIP_WITHOUT_GPU();
  SKIP_UNLESS_EMULATED();
  const std::shared_ptr<const Artifact> model = TestModel("lenet5");
  const std::unique_ptr<Network> first = LoadOnGpu(model);
  const int modules = EmulatedCalls("cuModuleLoadDataEx"), uploads = EmulatedCalls("cuMemcpyHtoD_v2");
  const std::unique_ptr<Network> second = LoadOnGpu(model);
  EXPECT_EQ(EmulatedCalls("cuModuleLoadDataEx"), modules);
  EXPECT_EQ(EmulatedCalls("cuMemcpyHtoD_v2"), uploads);
}

TEST(GpuExecutorTest, Profile) {
  SKIP_WITHOUT_GPU();
  const std::unique_ptr<Network> network = LoadOnGpu(TestModel("lenet5"));
  FillInputs(*network, 1);
  const std::vector<std::string> want = RunOnce(*network);
  network->EnableProfile(true);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(network->Forward().ok());
  EXPECT_EQ(RunOnce(*network), want);
  EXPECT_EQ(network->profiled_passes(), 4u);
  const std::vector<StepInfo> steps = network->Profile();
  ASSERT_FALSE(steps.empty());
  for (size_t i = 0; i < steps.size(); ++i) {
    EXPECT_GT(steps[i].total_ns, 0u);
    EXPECT_FALSE(steps[i].kernel.empty());
    EXPECT_GE(steps[i].last_begin_ns, steps[i > 0 ? i - 1 : 0].last_begin_ns);
  }
  network->EnableProfile(false);
  EXPECT_EQ(RunOnce(*network), want);
}

TEST(GpuExecutorTest, NetworksInSeveralThreads) {
  SKIP_WITHOUT_GPU();
  const std::shared_ptr<const Artifact> model = TestModel("lenet5");
  const std::unique_ptr<Network> alone = LoadOnGpu(model);
  FillInputs(*alone, 1);
  const std::vector<std::string> want = RunOnce(*alone);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      NetworkOptions options;
      options.stream = t / 2;
      const std::unique_ptr<Network> network = LoadOnGpu(model, options);
      FillInputs(*network, 1);
      for (int i = 0; i < 3; ++i) EXPECT_EQ(RunOnce(*network), want);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace mgec::cuda
