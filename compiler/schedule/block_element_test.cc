#include "compiler/schedule/block_element.h"

#include <cstring>
#include <limits>

#include "compiler/kernel/interpreter.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using kernel::Expr;
using kernel::Int;
using kernel::Scalar;

TEST(BlockElementTest, SmallIntegersAreHeldAsTheTargetMultipliesThem) {
  const kernel::Target pairs = *kernel::FindTarget("x86-64-v3"), fours = *kernel::FindTarget("x86-64-v4-vnni");
  EXPECT_EQ(ElementOf(Scalar::kInt8, pairs).stored, Scalar::kInt16);
  EXPECT_EQ(ElementOf(Scalar::kUint8, pairs).stored, Scalar::kInt16);
  EXPECT_EQ(ElementOf(Scalar::kInt8, fours).stored, Scalar::kUint8);
  EXPECT_EQ(ElementOf(Scalar::kInt8, fours).bias, 128);
  EXPECT_TRUE(ElementOf(Scalar::kUint8, fours).plain());
  for (const kernel::Target& target : {pairs, fours}) {
    for (const Scalar s : {Scalar::kInt16, Scalar::kInt32, Scalar::kFloat32}) EXPECT_TRUE(ElementOf(s, target).plain());
  }
  EXPECT_FALSE(CanBeBlocked(Scalar::kBool));
}

// Every value of the type, there and back.
TEST(BlockElementTest, StoresAndLoadsEveryValue) {
  for (const kernel::Target& target : kernel::AllTargets()) {
    for (const Scalar s : {Scalar::kInt8, Scalar::kUint8}) {
      const BlockElement e = ElementOf(s, target);
      unsigned char in[256], back[256];
      char stored[512];
      for (int i = 0; i < 256; ++i) in[i] = static_cast<unsigned char>(i);
      kernel::Kernel k;
      k.name = "k";
      k.task = kernel::MakeVar("task");
      k.arguments = {kernel::ArgumentBuffer("in", s, 256, 0, 1),
                     kernel::ArgumentBuffer("stored", e.stored, 256, 1, e.bytes()),
                     kernel::ArgumentBuffer("back", s, 256, 2, 1)};
      kernel::Block b;
      b.For("i", Int(0), Int(256), 8, [&](kernel::Block& b, Expr i) {
        b.Store(k.arguments[1], i, ToStored(e, Load(k.arguments[0], i, 8)));
        b.Store(k.arguments[2], i, FromStored(e, Load(k.arguments[1], i, 8)));
      });
      k.body = b.Take();
      const kernel::BufferView views[] = {{in, 256}, {stored, 256 * e.bytes()}, {back, 256}};
      const absl::Status status = kernel::Interpret(k, views, 0, 1);
      ASSERT_TRUE(status.ok()) << status;
      EXPECT_EQ(std::memcmp(in, back, 256), 0) << target.name;
      for (int i = 0; i < 256; ++i) {
        const int value = s == Scalar::kInt8 ? static_cast<signed char>(in[i]) : in[i];
        int16_t wide = 0;
        std::memcpy(&wide, stored + i * e.bytes(), e.bytes());
        EXPECT_EQ(wide, value + e.bias);
      }
    }
  }
}

// What was widened for storage is not narrowed again in between.
TEST(BlockElementTest, FloatsOf16BitsAreStoredAsSuch) {
  for (const Scalar half : {Scalar::kFloat16, Scalar::kBFloat16}) {
    EXPECT_TRUE(CanBeBlocked(half));
    EXPECT_TRUE(ElementOf(half, *kernel::FindTarget("x86-64-v3")).plain());
    const BlockElement e = FloatElement(half);
    EXPECT_EQ(e.bytes(), 2);
    EXPECT_EQ(FromStored(e, ZeroOf(kernel::Type(half, 8)))->type, kernel::Type(Scalar::kFloat32, 8));
    EXPECT_EQ(ToStored(e, kernel::Float(1, 8))->type, kernel::Type(half, 8));
  }
}

TEST(BlockElementTest, WideningIsFree) {
  const BlockElement e = ElementOf(Scalar::kInt8, *kernel::FindTarget("x86-64-v3"));
  const kernel::Buffer in = kernel::ArgumentBuffer("in", e.stored, 8, 0, 2);
  const Expr wide = Cast(kernel::Type(Scalar::kInt32), FromStored(e, Load(in, Int(0), 8)));
  EXPECT_EQ(ToString(wide), "i32(in[0] x8)");
}

}  // namespace
}  // namespace mgec::schedule
