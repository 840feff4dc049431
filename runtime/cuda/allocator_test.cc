// Networks whose GPU memory comes from the user's allocator.
#include <cstdlib>
#include <memory>
#include <set>

#include "runtime/cuda/driver_api.h"
#include "runtime/cuda/testing/gpu_test.h"

namespace mgec::cuda {
namespace {

Pointer Address(const void* memory) { return reinterpret_cast<uintptr_t>(memory); }

// Memory of the driver. Can be told to fail.
class DriverAllocator : public Allocator {
 public:
  explicit DriverAllocator(int gpu = 0) : gpu_(gpu), driver_(Gpu(gpu)->driver()) {}

  void* Allocate(int gpu, size_t size, size_t alignment) override {
    EXPECT_EQ(gpu, gpu_);
    EXPECT_EQ(alignment, Device::kMemoryAlignment);
    EXPECT_GT(size, 0u);
    if (++calls == fail_at) return nullptr;
    Pointer memory = 0;
    EXPECT_EQ(driver_.cuMemAlloc_v2(&memory, size), kSuccess) << "the GPU's context is current";
    void* const given = reinterpret_cast<void*>(memory + skew);
    live.insert(given);
    return given;
  }
  void Free(int gpu, void* memory) override {
    EXPECT_EQ(gpu, gpu_);
    EXPECT_EQ(live.erase(memory), 1u);
    EXPECT_EQ(driver_.cuMemFree_v2(Address(memory) - skew), kSuccess);
  }

  int calls = 0, fail_at = 0;
  size_t skew = 0;
  std::set<void*> live;

 private:
  const int gpu_;
  const Driver& driver_;
};

NetworkOptions With(std::shared_ptr<Allocator> allocator) {
  NetworkOptions options;
  options.gpu = Gpu();
  options.allocator = std::move(allocator);
  return options;
}

TEST(AllocatorTest, GivesTheMemoryOfEverythingButTheWeights) {
  SKIP_WITHOUT_GPU();
  const std::shared_ptr<const Artifact> model = TestModel("lenet5");
  const std::unique_ptr<Network> plain = LoadOnGpu(model);
  FillInputs(*plain, 1);
  const std::vector<std::string> want = RunOnce(*plain);
  const auto allocator = std::make_shared<DriverAllocator>();
  {
    NetworkOptions options = With(allocator);
    const std::unique_ptr<Network> network = LoadOnGpu(model, options);
    EXPECT_EQ(allocator->live.size(), 1u) << "the arena";
    FillInputs(*network, 1);
    EXPECT_EQ(RunOnce(*network), want);
    EXPECT_EQ(allocator->live.size(), 3u) << "and room for what is copied to and from the GPU";
    options.device_inputs = {"data"};
    options.device_outputs = {"f3.ADD"};
    const std::unique_ptr<Network> on_device = LoadOnGpu(model, options);
    EXPECT_EQ(allocator->live.size(), 6u);
    EXPECT_EQ(allocator->live.count(on_device->input_data(0)), 1u);
    EXPECT_EQ(allocator->live.count(on_device->output_data(0)), 1u);
    ASSERT_TRUE(Gpu()->CopyToDevice(on_device->input_data(0), network->input_data(0), network->input(0).bytes).ok());
    ASSERT_TRUE(on_device->Forward().ok());
    ASSERT_TRUE(on_device->Wait().ok());
    EXPECT_EQ(allocator->live.size(), 6u) << "nothing is copied";
    std::string got(on_device->output(0).bytes, '\0');
    ASSERT_TRUE(Gpu()->CopyToHost(got.data(), on_device->output_data(0), got.size()).ok());
    EXPECT_EQ(got, want[0]);
  }
  EXPECT_TRUE(allocator->live.empty());
  EXPECT_EQ(allocator.use_count(), 1);
}

TEST(AllocatorTest, MemoryIsZero) {
  SKIP_WITHOUT_GPU();
  const auto allocator = std::make_shared<DriverAllocator>();
  const std::shared_ptr<Buffer> dirty = Gpu()->AllocateMemory(1000, allocator).value();
  std::string bytes(1000, 'x');
  ASSERT_TRUE(Gpu()->CopyToDevice(dirty->data(), bytes.data(), bytes.size()).ok());
  const std::shared_ptr<Buffer> clean = Gpu()->AllocateMemory(1000, allocator).value();
  ASSERT_TRUE(Gpu()->CopyToHost(bytes.data(), clean->data(), bytes.size()).ok());
  EXPECT_EQ(bytes, std::string(1000, '\0'));
  EXPECT_EQ(clean->device(), Gpu());
  EXPECT_EQ(Gpu()->AllocateMemory(0, allocator).value()->size(), 0u);
}

// Larger shapes take more, and give back what they replace; random numbers have a state.
TEST(AllocatorTest, WhatIsReplacedGoesBack) {
  SKIP_WITHOUT_GPU();
  const auto allocator = std::make_shared<DriverAllocator>();
  {
    const std::unique_ptr<Network> network = LoadOnGpu(TestModel("lenet5_two_shapes"), With(allocator));
    const Shape first = network->input(0).shape;
    RunOnce(*network);
    for (const Shape& shape : {Shape{2, 1, 32, 32}, first}) {
      ASSERT_TRUE(network->SelectShapes({shape}).ok());
      FillInputs(*network, 2);
      RunOnce(*network);
      EXPECT_EQ(allocator->live.size(), 3u);
    }
    const size_t before = allocator->live.size();
    const std::unique_ptr<Network> random = LoadOnGpu(TestModel("random"), With(allocator));
    RunOnce(*random);
    EXPECT_GT(allocator->live.size(), before + 2);
  }
  EXPECT_TRUE(allocator->live.empty());
}

// A pass that nobody waits for uses the memory until it has ended.
TEST(AllocatorTest, MemoryGoesBackWhenTheGpuHasDoneWithIt) {
  SKIP_WITHOUT_GPU();
  const auto allocator = std::make_shared<DriverAllocator>();
  for (int i = 0; i < 3; ++i) {
    const std::unique_ptr<Network> network = LoadOnGpu(TestModel("lenet5"), With(allocator));
    ASSERT_TRUE(network->Forward().ok());
  }
  EXPECT_TRUE(allocator->live.empty());
  EXPECT_TRUE(Gpu()->Synchronize().ok());
}

TEST(AllocatorTest, NoMemory) {
  SKIP_WITHOUT_GPU();
  SKIP_UNLESS_EMULATED();
  const std::shared_ptr<const Artifact> model = TestModel("lenet5");
  const auto run = [&](const std::shared_ptr<Allocator>& allocator) {
    NetworkOptions options = With(allocator);
    options.device_inputs = {"data"};
    Result<std::unique_ptr<Network>> network = Network::Load(model, options);
    if (!network.ok()) return network.status();
    MGEC_RETURN_IF_ERROR(network.value()->Forward());
    return network.value()->Wait();
  };
  const auto counting = std::make_shared<DriverAllocator>();
  ASSERT_TRUE(run(counting).ok());
  EXPECT_EQ(counting->calls, 3);
  const int live = EmulatedLive();
  for (int nth = 1; nth <= counting->calls; ++nth) {
    SCOPED_TRACE(nth);
    const auto allocator = std::make_shared<DriverAllocator>();
    allocator->fail_at = nth;
    const Status status = run(allocator);
    EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
    EXPECT_NE(status.message().find("the memory allocator of the network gave nothing for "), std::string::npos) << status.message();
    EXPECT_NE(status.message().find(" bytes of gpu0 aligned to 256"), std::string::npos) << status.message();
    EXPECT_TRUE(allocator->live.empty());
    EXPECT_EQ(EmulatedLive(), live);
    EXPECT_TRUE(run(allocator).ok()) << "it has memory again";
  }
  // An error of the driver's after the allocator has given memory.
  EmulatedFail("cuMemsetD8_v2", 1, kInvalidValue);
  const auto allocator = std::make_shared<DriverAllocator>();
  EXPECT_FALSE(run(allocator).ok());
  EXPECT_TRUE(allocator->live.empty());
  EXPECT_EQ(EmulatedLive(), live);
}

// A network that could not get memory for a pass can, later.
TEST(AllocatorTest, TheSameNetworkGoesOn) {
  SKIP_WITHOUT_GPU();
  const auto allocator = std::make_shared<DriverAllocator>();
  const std::unique_ptr<Network> network = LoadOnGpu(TestModel("lenet5"), With(allocator));
  allocator->fail_at = allocator->calls + 2;
  EXPECT_EQ(network->Forward().code(), StatusCode::kResourceExhausted);
  EXPECT_TRUE(network->Forward().ok());
  EXPECT_TRUE(network->Wait().ok());
}

TEST(AllocatorTest, MemoryThatCannotBeIsGivenBack) {
  SKIP_WITHOUT_GPU();
  const auto skewed = std::make_shared<DriverAllocator>();
  skewed->skew = 64;
  const Status unaligned = Gpu()->AllocateMemory(1000, skewed).status();
  EXPECT_EQ(unaligned.code(), StatusCode::kResourceExhausted);
  EXPECT_NE(unaligned.message().find("memory that is not aligned for 1000 bytes of gpu0 aligned to 256"), std::string::npos)
      << unaligned.message();
  EXPECT_TRUE(skewed->live.empty());

  class HostAllocator : public Allocator {
   public:
    void* Allocate(int, size_t size, size_t alignment) override {
      ++live;
      return std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    }
    void Free(int, void* memory) override {
      --live;
      std::free(memory);
    }
    int live = 0;
  };
  const auto host = std::make_shared<HostAllocator>();
  const Status elsewhere = Network::Load(TestModel("lenet5"), With(host)).status();
  EXPECT_EQ(elsewhere.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(elsewhere.message().find("the memory allocator of the network failed: the memory given, "), std::string::npos);
  EXPECT_NE(elsewhere.message().find(" is not on gpu0"), std::string::npos) << elsewhere.message();
  EXPECT_EQ(host->live, 0);
}

TEST(AllocatorTest, TheSecondGpu) {
  SKIP_WITHOUT_GPU();
  if (Device::Count() < 2) GTEST_SKIP() << "skipped: needs two GPUs";
  const auto allocator = std::make_shared<DriverAllocator>(1);
  NetworkOptions options = With(allocator);
  options.gpu = Gpu(1);
  const std::unique_ptr<Network> network = LoadOnGpu(TestModel("lenet5"), options);
  RunOnce(*network);
  EXPECT_EQ(allocator->live.size(), 3u);
}

// A GPU that has failed gives its memory back all the same.
TEST(AllocatorTest, ALostGpu) {
  SKIP_WITHOUT_GPU();
  SKIP_UNLESS_EMULATED();
  const auto allocator = std::make_shared<DriverAllocator>();
  {
    const std::unique_ptr<Network> network = LoadOnGpu(TestModel("lenet5"), With(allocator));
    EmulatedFail("kernel", 1, kLaunchFailed);
    ASSERT_TRUE(network->Forward().ok());
    EXPECT_EQ(network->Wait().code(), StatusCode::kDeviceFailed);
  }
  EXPECT_TRUE(allocator->live.empty());
}

}  // namespace
}  // namespace mgec::cuda
