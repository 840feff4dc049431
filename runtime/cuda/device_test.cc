#include "runtime/cuda/device.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <vector>

#include "runtime/cuda/testing/gpu_test.h"

namespace mgec::cuda {
namespace {

TEST(DeviceTest, OneForEachNumber) {
  SKIP_WITHOUT_GPU();
  const std::shared_ptr<Device> gpu = Gpu();
  EXPECT_EQ(gpu, Gpu());
  EXPECT_EQ(gpu->id(), 0);
  EXPECT_FALSE(gpu->name().empty());
  EXPECT_GE(gpu->architecture(), 50);
  EXPECT_GE(Device::Count(), 1);
}

TEST(DeviceTest, NumbersOutOfRange) {
  SKIP_WITHOUT_GPU();
  for (int id : {-1, Device::Count(), 1000}) {
    const Status status = Device::Open(id).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(status.message(), Format("request gpu%d out of valid range [0, %d)", id, Device::Count()));
  }
}

TEST(DeviceTest, MemoryIsZeroAndComesBack) {
  SKIP_WITHOUT_GPU();
  const std::shared_ptr<Device> gpu = Gpu();
  for (size_t size : {0, 1, 1000, 100000}) {
    const std::shared_ptr<Buffer> memory = gpu->AllocateMemory(size).value(), pinned = gpu->AllocatePinned(size).value();
    ASSERT_TRUE(memory != nullptr && pinned != nullptr);
    EXPECT_EQ(memory->size(), size);
    EXPECT_FALSE(memory->on_host());
    EXPECT_TRUE(pinned->on_host());
    EXPECT_EQ(memory->device(), gpu);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory->data()) % 256, 0u);
    EXPECT_EQ(std::string(reinterpret_cast<char*>(pinned->data()), size), std::string(size, '\0'));
    std::string bytes(size, 'x');
    ASSERT_TRUE(gpu->CopyToHost(bytes.data(), memory->data(), size).ok());
    EXPECT_EQ(bytes, std::string(size, '\0'));
    for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i);
    ASSERT_TRUE(gpu->CopyToDevice(memory->data(), bytes.data(), size).ok());
    std::string back(size, 'x');
    ASSERT_TRUE(gpu->CopyToHost(back.data(), memory->data(), size).ok());
    EXPECT_EQ(back, bytes);
  }
}

TEST(DeviceTest, RowsBetweenAllKinds) {
  SKIP_WITHOUT_GPU();
  const std::shared_ptr<Device> gpu = Gpu();
  const std::shared_ptr<Buffer> a = gpu->AllocateMemory(64).value(), b = gpu->AllocateMemory(64).value();
  std::string bytes(64, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>('0' + i);
  // Every second group of four of the first 32 bytes, packed; from there on to every fourth group.
  ASSERT_TRUE(gpu->CopyRows(a->data(), MemoryKind::kDevice, 4, bytes.data(), MemoryKind::kHost, 8, 4, 4).ok());
  ASSERT_TRUE(gpu->CopyRows(b->data(), MemoryKind::kDevice, 16, a->data(), MemoryKind::kDevice, 4, 4, 4).ok());
  ASSERT_TRUE(gpu->ZeroRows(b->data() + 1, 16, 2, 3).ok());
  std::string back(64, 'x');
  ASSERT_TRUE(gpu->CopyRows(back.data(), MemoryKind::kHost, 8, b->data(), MemoryKind::kDevice, 16, 4, 4).ok());
  EXPECT_EQ(back.substr(0, 4), std::string("0\0\0" "3", 4));
  EXPECT_EQ(back.substr(4, 4), "xxxx");
  EXPECT_EQ(back.substr(16, 4), std::string("@\0\0" "C", 4));
  EXPECT_EQ(back.substr(24, 4), "HIJK");
}

TEST(DeviceTest, WrapsOnlyItsOwnMemory) {
  SKIP_WITHOUT_GPU();
  const std::shared_ptr<Device> gpu = Gpu();
  const std::shared_ptr<Buffer> memory = gpu->AllocateMemory(64).value();
  const Result<std::shared_ptr<Buffer>> part = gpu->WrapMemory(memory->data() + 16, 16, memory);
  ASSERT_TRUE(part.ok()) << part.status().message();
  EXPECT_EQ(part.value()->kind(), MemoryKind::kDevice);
  char on_stack[16];
  const Status status = gpu->WrapMemory(on_stack, 16, nullptr).status();
  EXPECT_NE(status.message().find("is not on gpu0"), std::string::npos) << status.message();
}

TEST(DeviceTest, StreamsAreSharedByNumber) {
  SKIP_WITHOUT_GPU();
  const std::shared_ptr<Stream> first = Gpu()->OpenStream(0).value(), other = Gpu()->OpenStream(1).value();
  EXPECT_EQ(first, Gpu()->OpenStream(0).value());
  EXPECT_NE(first, other);
  EXPECT_NE(first->handle(), other->handle());
}

TEST(DeviceTest, MemoryThatIsNotThere) {
  SKIP_WITHOUT_GPU();
  const Status status = Gpu()->AllocateMemory(size_t{1} << 50).status();
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
  EXPECT_NE(status.message().find("failed to allocate 1125899906842624 bytes: out of memory"), std::string::npos)
      << status.message();
}

TEST(DeviceTest, SaysThatItCannotBeUsedInAForkedProcess) {
  SKIP_WITHOUT_GPU();
  const std::shared_ptr<Device> gpu = Gpu();
  const pid_t child = fork();
  if (child == 0) {
    const Status status = gpu->AllocateMemory(64).status();
    _exit(status.code() == StatusCode::kUnsupported && status.message().find("forked") != std::string::npos ? 0 : 1);
  }
  int result = -1;
  waitpid(child, &result, 0);
  EXPECT_EQ(result, 0);
}

TEST(DeviceTest, CpuTouchesNoMemoryOfTheEmulatedGpu) {
  SKIP_WITHOUT_GPU();
  SKIP_UNLESS_EMULATED();
  const std::shared_ptr<Buffer> memory = Gpu()->AllocateMemory(64).value();
  EXPECT_DEATH(memory->data()[0] = 1, "");
}

// Rows of memory, between GPUs that cannot reach each other's memory: the driver knows a way.
TEST(DeviceTest, CopiesRowsOfAnotherGpu) {
  SKIP_WITHOUT_GPU();
  SKIP_UNLESS_EMULATED();
  setenv("MGEC_EMULATED_PEERS", "0", 1);
  const auto to = Gpu(0)->AllocateMemory(24).value(), from = Gpu(1)->AllocateMemory(24).value();
  const std::string bytes = "abcdefghijklmnopqrstuvwx";
  ASSERT_TRUE(Gpu(1)->CopyToDevice(from->data(), bytes.data(), bytes.size()).ok());
  const Status copy = Gpu(0)->CopyRowsFrom(*Gpu(1), to->data(), 8, from->data(), 7, 3, 3);
  ASSERT_TRUE(copy.ok()) << copy.message();
  EXPECT_EQ(EmulatedCalls("cuCtxEnablePeerAccess"), 0);
  std::string got(24, '\0');
  ASSERT_TRUE(Gpu(0)->CopyToHost(&got[0], to->data(), got.size()).ok());
  EXPECT_EQ(got, std::string("abc\0\0\0\0\0hij\0\0\0\0\0opq\0\0\0\0\0", 24));
  // What the driver refuses is reported.
  EmulatedFail("cuMemcpy3DPeer", 1, kInvalidValue);
  EXPECT_FALSE(Gpu(0)->CopyRowsFrom(*Gpu(1), to->data(), 8, from->data(), 8, 8, 3).ok());
  unsetenv("MGEC_EMULATED_PEERS");
}

}  // namespace
}  // namespace mgec::cuda
