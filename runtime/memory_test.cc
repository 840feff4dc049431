#include "runtime/memory.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstring>

namespace mgec {
namespace {

TEST(Mapping, LargeOnesStartAtAHugePage) {
  Result<Mapping> mapping = Mapping::Allocate(size_t{3} << 20);
  ASSERT_TRUE(mapping.ok());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(mapping.value().data()) % (2 << 20), 0u);
  std::memset(mapping.value().data(), 1, mapping.value().size());
}

TEST(Mapping, MovingEmptiesTheSource) {
  Mapping a = std::move(Mapping::Allocate(100).value());
  uint8_t* data = a.data();
  Mapping b = std::move(a);
  EXPECT_EQ(b.data(), data);
  EXPECT_EQ(a.data(), nullptr);  // NOLINT: says what moving does
}

TEST(Mapping, FromFile) {
  char path[] = "/tmp/mgec_memory_test_XXXXXX";
  const int fd = mkstemp(path);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(write(fd, "hello", 5), 5);
  Result<Mapping> mapping = Mapping::FromFile(fd, 0, 5, /*executable=*/false);
  close(fd);
  unlink(path);
  ASSERT_TRUE(mapping.ok());
  EXPECT_EQ(std::memcmp(mapping.value().data(), "hello", 5), 0);
}

TEST(Mapping, BadDescriptorIsAnError) {
  const Result<Mapping> mapping = Mapping::FromFile(-1, 0, 5, /*executable=*/false);
  EXPECT_FALSE(mapping.ok());
}

#if defined(__x86_64__)
TEST(Mapping, ProtectedCodeRuns) {
  Mapping mapping = std::move(Mapping::Allocate(16).value());
  const unsigned char code[] = {0xb8, 42, 0, 0, 0, 0xc3};  // mov eax, 42; ret
  std::memcpy(mapping.data(), code, sizeof(code));
  ASSERT_TRUE(mapping.Protect(/*executable=*/true).ok());
  EXPECT_EQ(reinterpret_cast<int (*)()>(mapping.data())(), 42);
}
#endif

TEST(MappingDeathTest, ProtectedMemoryIsReadOnly) {
  Mapping mapping = std::move(Mapping::Allocate(16).value());
  ASSERT_TRUE(mapping.Protect(/*executable=*/false).ok());
  EXPECT_DEATH(mapping.data()[0] = 1, "");
}

}  // namespace
}  // namespace mgec
