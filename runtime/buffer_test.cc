#include "runtime/buffer.h"

#include <gtest/gtest.h>

namespace mgec {
namespace {

TEST(Buffer, AllocatedMemoryIsZeroAndAligned) {
  for (size_t size : {size_t{0}, size_t{1}, size_t{4096}, size_t{5} << 20}) {
    Result<std::shared_ptr<Buffer>> buffer = Buffer::Allocate(size);
    ASSERT_TRUE(buffer.ok());
    EXPECT_EQ(buffer.value()->size(), size);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.value()->data()) % 4096, 0u);
    for (size_t i = 0; i < size; i += 1000) ASSERT_EQ(buffer.value()->data()[i], 0);
    if (size > 0) buffer.value()->data()[size - 1] = 1;
  }
}

TEST(Buffer, ImpossibleSizeIsAnError) {
  const Result<std::shared_ptr<Buffer>> buffer = Buffer::Allocate(~size_t{0} / 2);
  ASSERT_FALSE(buffer.ok());
  EXPECT_EQ(buffer.status().code(), StatusCode::kResourceExhausted);
}

TEST(Buffer, WrappedMemoryKeepsItsOwner) {
  std::shared_ptr<int> owner = std::make_shared<int>(7);
  std::weak_ptr<int> watch = owner;
  int* address = owner.get();
  std::shared_ptr<Buffer> buffer = Buffer::Wrap(address, sizeof(int), std::move(owner));
  EXPECT_FALSE(watch.expired());
  EXPECT_EQ(buffer->data(), reinterpret_cast<uint8_t*>(address));
  buffer.reset();
  EXPECT_TRUE(watch.expired());
}

}  // namespace
}  // namespace mgec
