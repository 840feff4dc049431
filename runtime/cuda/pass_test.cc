// The emulated GPU finds what a real one would not forgive.
#include "runtime/cuda/pass.h"

#include "runtime/cuda/loaded_artifact.h"
#include "runtime/cuda/testing/gpu_test.h"

namespace mgec::cuda {
namespace {

// Each test loses the context and gets a new one.
class PassTest : public testing::Test {
 protected:
  void TearDown() override {
    stream_ = nullptr;
    gpu_ = nullptr;
    Gpu();
    EXPECT_EQ(EmulatedLive(), 0);
  }

  Status Run(const Pass& pass) {
    const Device::Scope scope(*gpu_);
    const Status launched = const_cast<Pass&>(pass).Launch(stream_->handle());
    return launched.ok() ? gpu_->Synchronize() : launched;
  }

  std::shared_ptr<Device> gpu_ = Gpu();
  std::shared_ptr<Stream> stream_ = gpu_->OpenStream(0).value();
};

TEST_F(PassTest, CopiesInOrder) {
  for (bool graph : {false, true}) {
    const std::shared_ptr<Buffer> a = gpu_->AllocateMemory(16).value(), b = gpu_->AllocateMemory(16).value();
    const uint64_t values[] = {1, 2};
    ASSERT_TRUE(gpu_->CopyToDevice(a->data(), values, 16).ok());
    Pass pass(gpu_);
    const Pointer from = reinterpret_cast<uintptr_t>(a->data()), to = reinterpret_cast<uintptr_t>(b->data());
    pass.AddCopy(to, from, 8);
    pass.AddCopy(to + 8, to, 8);
    if (graph) {
      const Device::Scope scope(*gpu_);
      ASSERT_TRUE(pass.MakeGraph().ok());
    }
    ASSERT_TRUE(Run(pass).ok());
    uint64_t back[2] = {};
    ASSERT_TRUE(gpu_->CopyToHost(back, b->data(), 16).ok());
    EXPECT_EQ(back[0], 1u);
    EXPECT_EQ(back[1], 1u);
  }
}

TEST_F(PassTest, MemoryThatWasFreed) {
  std::shared_ptr<Buffer> a = gpu_->AllocateMemory(16).value(), b = gpu_->AllocateMemory(16).value();
  Pass pass(gpu_);
  pass.AddCopy(reinterpret_cast<uintptr_t>(a->data()), reinterpret_cast<uintptr_t>(b->data()), 16);
  b = nullptr;
  const Status status = Run(pass);
  EXPECT_EQ(status.code(), StatusCode::kDeviceFailed) << status.message();
  EXPECT_TRUE(gpu_->lost());
}

TEST_F(PassTest, MemoryBehindTheEnd) {
  const std::shared_ptr<Buffer> a = gpu_->AllocateMemory(16).value(), b = gpu_->AllocateMemory(16).value();
  Pass pass(gpu_);
  pass.AddCopy(reinterpret_cast<uintptr_t>(a->data()), reinterpret_cast<uintptr_t>(b->data()), 17);
  EXPECT_EQ(Run(pass).code(), StatusCode::kDeviceFailed);
}

TEST_F(PassTest, KernelThatWritesBehindTheEnd) {
  const std::shared_ptr<const Artifact> model = TestModel("rnn_cell__relu");
  const fb::Plan& plan = *model->CudaPlan(0).value();
  const std::shared_ptr<LoadedArtifact> loaded = LoadedArtifact::Get(gpu_, model).value();
  const fb::Step& step = *plan.steps()->Get(0);
  const fb::Kernel& kernel = *plan.kernels()->Get(step.kernel());
  // Every argument gets all the bytes that it asks for, but the last, which is written, has one less.
  std::vector<std::shared_ptr<Buffer>> memory;
  std::vector<Pointer> pointers;
  for (size_t i = 0; i < Count(step.bindings()); ++i) {
    const bool last = i + 1 == Count(step.bindings());
    memory.push_back(gpu_->AllocateMemory(step.bindings()->Get(i)->size() - (last ? 4 : 0)).value());
    pointers.push_back(reinterpret_cast<uintptr_t>(memory.back()->data()));
  }
  Pass pass(gpu_);
  pass.AddKernel(loaded->Functions(plan).value()[step.kernel()], step.grid(), kernel.block(), kernel.shared_bytes(), pointers,
                 step.tasks(), {0, 0});
  EXPECT_EQ(Run(pass).code(), StatusCode::kDeviceFailed);
}

}  // namespace
}  // namespace mgec::cuda
