#include "compiler/plan/constant_pool.h"

#include "gtest/gtest.h"

namespace mgec::plan {
namespace {

TEST(ConstantPoolTest, StoresEqualDataOnce) {
  ConstantPool pool;
  const std::string a(100, 'a'), b(100, 'b');
  EXPECT_EQ(pool.Add(a), 0);
  EXPECT_EQ(pool.Add(b), 128);
  EXPECT_EQ(pool.Add(a), 0);
  EXPECT_EQ(pool.Add(b), 128);
  EXPECT_EQ(pool.bytes().size(), 228u);
  EXPECT_EQ(pool.bytes().substr(0, 100), a);
  EXPECT_EQ(pool.bytes().substr(100, 28), std::string(28, '\0'));
  EXPECT_EQ(pool.bytes().substr(128), b);
}

TEST(ConstantPoolTest, APrefixIsOtherData) {
  ConstantPool pool;
  const int64_t longer = pool.Add("abcdef"), shorter = pool.Add("abc");
  EXPECT_NE(longer, shorter);
  EXPECT_EQ(pool.bytes().substr(shorter, 3), "abc");
}

TEST(ConstantPoolTest, AlignsEverything) {
  ConstantPool pool;
  for (int n = 1; n < 200; n += 13) {
    const std::string data(n, static_cast<char>(n));
    const int64_t at = pool.Add(data);
    EXPECT_EQ(at % 64, 0);
    EXPECT_EQ(pool.bytes().substr(at, n), data);
  }
}

TEST(ConstantPoolTest, EmptyDataIsInRange) {
  ConstantPool pool;
  pool.Add("x");
  const int64_t at = pool.Add("");
  EXPECT_EQ(at % 64, 0);
  EXPECT_LE(at, static_cast<int64_t>(pool.bytes().size()));
  EXPECT_EQ(pool.Add(""), at);
}

}  // namespace
}  // namespace mgec::plan
