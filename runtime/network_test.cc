#include "runtime/network.h"

#include <gtest/gtest.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <new>
#include <thread>

#include "runtime/testing/test_artifact.h"

namespace {
std::atomic<int> g_allocations{0};
}  // namespace

// Counts the heap allocations of the whole program. Not inlined: GCC would warn about free() of what new returned.
__attribute__((noinline)) void* operator new(size_t size) {
  ++g_allocations;
  if (void* memory = malloc(size)) return memory;
  abort();
}
__attribute__((noinline)) void operator delete(void* memory) noexcept { free(memory); }
__attribute__((noinline)) void operator delete(void* memory, size_t) noexcept { free(memory); }

namespace mgec {
namespace {

std::shared_ptr<const Artifact> Open(const TestArtifactOptions& options = {}) {
  const std::string bytes = MakeTestArtifact(options);
  auto artifact = Artifact::FromBytes(bytes.data(), bytes.size(), "test.mgec");
  EXPECT_TRUE(artifact.ok()) << artifact.status().message();
  return artifact.value();
}

std::unique_ptr<Network> Load(std::shared_ptr<const Artifact> artifact, int threads = 1) {
  NetworkOptions options;
  options.threads = threads;
  auto network = Network::Load(std::move(artifact), options);
  EXPECT_TRUE(network.ok()) << network.status().message();
  return std::move(network.value());
}

float* Floats(uint8_t* data) { return reinterpret_cast<float*>(data); }

// Writes a[i] = i + seed, b[i] = 10 * i.
void Fill(Network& network, float seed = 0) {
  for (size_t i = 0; i < network.input(0).bytes / 4; ++i) {
    Floats(network.input_data(0))[i] = i + seed;
    Floats(network.input_data(1))[i] = 10.0f * i;
  }
}

void ExpectRight(Network& network, float seed = 0) {
  for (size_t i = 0; i < network.output(0).bytes / 4; ++i) {
    ASSERT_EQ(Floats(network.output_data(0))[i], 11.0f * i + seed);
    ASSERT_EQ(Floats(network.output_data(1))[i], 0.5f * (11.0f * i + seed));
  }
}

TestArtifactOptions AnyBatch() {
  TestArtifactOptions options;
  options.shapes = {{4, 3}, {1, 3}};
  options.batches = {4, 1};
  return options;
}

TEST(Network, ComputesABatchOfAnySizeInParts) {
  for (int threads : {1, 3}) {
    auto network = Load(Open(AnyBatch()), threads);
    EXPECT_EQ(network->input(0).shape, (Shape{1, 3}));
    for (uint32_t n : {1u, 6u, 4u, 3u, 9u}) {
      ASSERT_TRUE(network->SelectShapes({{n, 3}, {n, 3}}).ok());
      EXPECT_EQ(network->output(1).shape, (Shape{n, 3}));
      EXPECT_EQ(network->output(1).bytes, n * 12);
      Fill(*network, static_cast<float>(n));
      EXPECT_TRUE(network->Forward().ok());
      ExpectRight(*network, static_cast<float>(n));
      const int before = g_allocations;
      EXPECT_TRUE(network->Forward().ok());
      EXPECT_EQ(g_allocations, before);
    }
  }
}

TEST(Network, BatchesWorkOnMemoryOfTheCaller) {
  auto network = Load(Open(AnyBatch()));
  ASSERT_TRUE(network->SelectShapes({{5, 3}, {5, 3}}).ok());
  Fill(*network);
  std::vector<float> sum(15);
  ASSERT_TRUE(network->BindOutput(0, Buffer::Wrap(sum.data(), sum.size() * 4, nullptr)).ok());
  EXPECT_TRUE(network->Forward().ok());
  for (size_t i = 0; i < sum.size(); ++i) ASSERT_EQ(sum[i], 11.0f * i);
  EXPECT_FALSE(network->BindOutput(0, Buffer::Wrap(sum.data(), 14 * 4, nullptr)).ok());
  const Status status = network->SelectShapes({{5, 3}, {6, 3}});
  EXPECT_NE(status.message().find("a has a batch of 5, but b one of 6"), std::string::npos) << status.message();
}

TEST(Network, DescribesItsEdge) {
  auto network = Load(Open());
  ASSERT_EQ(network->input_count(), 2u);
  ASSERT_EQ(network->output_count(), 2u);
  EXPECT_EQ(network->input(1).name, "b");
  EXPECT_EQ(network->input(1).shape, (Shape{2, 3}));
  EXPECT_EQ(network->input(1).bytes, 24u);
  EXPECT_EQ(network->output(0).dtype, DataType::kFloat32);
  EXPECT_EQ(network->FindInput("b"), 1);
  EXPECT_EQ(network->FindInput("sum"), -1);
  EXPECT_EQ(network->FindOutput("scaled"), 1);
  EXPECT_EQ(network->target(), "x86-64-v3");
  EXPECT_EQ(reinterpret_cast<uintptr_t>(network->input_data(0)) % kBufferAlignment, 0u);
}

class NetworkThreads : public testing::TestWithParam<int> {};

TEST_P(NetworkThreads, ComputesTheSame) {
  TestArtifactOptions options;
  options.shapes = {{7, 11, 13}};
  options.repeats = 5;
  auto network = Load(Open(options), GetParam());
  EXPECT_EQ(network->threads(), GetParam());
  for (int i = 0; i < 50; ++i) {
    Fill(*network, i);
    EXPECT_TRUE(network->Forward().ok());
    ExpectRight(*network, i);
  }
}

TEST_P(NetworkThreads, ProfilesEveryStep) {
  TestArtifactOptions options;
  options.shapes = {{100, 100}};
  auto network = Load(Open(options), GetParam());
  network->EnableProfile(true);
  Fill(*network);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(network->Forward().ok());
  ExpectRight(*network);
  EXPECT_EQ(network->profiled_passes(), 3u);
  const std::vector<StepInfo> profile = network->Profile();
  ASSERT_EQ(profile.size(), 3u);
  EXPECT_EQ(profile[0].kernel, "add_f32");
  EXPECT_EQ(profile[2].name, "scaled");
  EXPECT_EQ(profile[2].op, "mul");
  for (const StepInfo& step : profile) EXPECT_GT(step.total_ns, 0u);
}

INSTANTIATE_TEST_SUITE_P(Threads, NetworkThreads, testing::Values(1, 2, 3, 4));

TEST(Network, ForwardDoesNotAllocate) {
  for (int threads : {1, 2}) {
    auto network = Load(Open(), threads);
    Fill(*network);
    EXPECT_TRUE(network->Forward().ok());
    const int before = g_allocations;
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(network->Forward().ok());
    EXPECT_EQ(g_allocations, before);
  }
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(Network, ForwardOnOneThreadMakesNoSystemCall) {
  auto network = Load(Open());
  Fill(*network);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    // From here on the kernel kills the process at any system call but read, write and exit.
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0) syscall(SYS_exit, 77);
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(network->Forward().ok());
    syscall(SYS_exit, Floats(network->output_data(0))[5] == 55.0f ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) GTEST_SKIP() << "this system has no seccomp";
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}
#endif

TEST(Network, BoundMemoryIsUsedWithoutACopy) {
  auto network = Load(Open());
  Fill(*network);
  float a[6] = {1, 2, 3, 4, 5, 6};
  float scaled[8] = {};
  ASSERT_TRUE(network->BindInput(0, Buffer::Wrap(a, sizeof(a), nullptr)).ok());
  ASSERT_TRUE(network->BindOutput(1, Buffer::Wrap(scaled, sizeof(scaled), nullptr), 8).ok());
  EXPECT_TRUE(network->Forward().ok());
  for (int i = 0; i < 6; ++i) EXPECT_EQ(scaled[i + 2], 0.5f * (i + 1 + 10 * i));
  EXPECT_EQ(scaled[1], 0);
  a[5] = 100;
  EXPECT_TRUE(network->Forward().ok());
  EXPECT_EQ(scaled[7], 0.5f * 150);
}

TEST(Network, BoundMemoryIsKeptAlive) {
  auto network = Load(Open());
  auto first = std::move(Buffer::Allocate(24).value());
  std::weak_ptr<Buffer> watch = first;
  ASSERT_TRUE(network->BindInput(0, std::move(first)).ok());
  EXPECT_FALSE(watch.expired());
  ASSERT_TRUE(network->BindInput(0, Buffer::Allocate(24).value()).ok());
  EXPECT_TRUE(watch.expired());
}

TEST(Network, OneNetworkFeedsAnother) {
  auto artifact = Open();
  auto first = Load(artifact), second = Load(artifact);
  ASSERT_TRUE(second->BindInput(0, first->output_buffer(1)).ok());
  Fill(*first);
  EXPECT_TRUE(first->Forward().ok());
  EXPECT_TRUE(second->Forward().ok());
  EXPECT_EQ(Floats(second->output_data(0))[5], 27.5f);
}

TEST(Network, BadMemoryIsRefused) {
  auto network = Load(Open());
  alignas(64) static uint8_t memory[64];
  uint8_t* before = network->input_data(0);
  EXPECT_FALSE(network->BindInput(0, Buffer::Wrap(memory, 23, nullptr)).ok());
  EXPECT_FALSE(network->BindInput(0, Buffer::Wrap(memory, 24, nullptr), 4).ok());
  EXPECT_FALSE(network->BindInput(0, Buffer::Wrap(memory, 24, nullptr), 400).ok());
  const Status unaligned = network->BindInput(0, Buffer::Wrap(memory + 1, 24, nullptr));
  EXPECT_NE(unaligned.message().find("input a: the memory given is not aligned to 4 bytes"), std::string::npos);
  EXPECT_EQ(network->input_data(0), before);
}

TEST(Network, SelectsAmongCompiledShapes) {
  TestArtifactOptions options;
  options.shapes = {{2, 3}, {4, 3}};
  auto network = Load(Open(options));
  for (uint32_t batch : {4u, 2u, 4u, 4u}) {
    const Shape shape = {batch, 3};
    ASSERT_TRUE(network->SelectShapes({shape, shape}).ok());
    EXPECT_EQ(network->output(1).shape, shape);
    Fill(*network);
    EXPECT_TRUE(network->Forward().ok());
    ExpectRight(*network);
  }
}

TEST(Network, OtherShapesAreAnErrorThatListsThoseThatWork) {
  TestArtifactOptions options;
  options.shapes = {{2, 3}, {4, 3}};
  auto network = Load(Open(options));
  const Status status = network->SelectShapes({{5, 3}, {5, 3}});
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.message(),
            "test.mgec was not compiled for the input shapes a [5, 3], b [5, 3]; it was for a [2, 3], b [2, 3]; or "
            "a [4, 3], b [4, 3]; for others compile the model again with --input-shape");
  EXPECT_FALSE(network->SelectShapes({}).ok());
  EXPECT_FALSE(network->SelectShapes({{2, 3}, {2, 3}, {2, 3}}).ok());
  Fill(*network);
  EXPECT_TRUE(network->Forward().ok());
  ExpectRight(*network);
}

TEST(Network, ImpossibleThreadsAreAnError) {
  NetworkOptions options;
  options.threads = 0;
  EXPECT_FALSE(Network::Load(Open(), options).ok());
}

TEST(Network, NetworksOfOneArtifactRunAtOnce) {
  auto artifact = Open();
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      auto network = Load(artifact, 1 + t % 2);
      for (int i = 0; i < 100; ++i) {
        Fill(*network, t);
        EXPECT_TRUE(network->Forward().ok());
        wrong += Floats(network->output_data(0))[5] != 55.0f + t;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace mgec
