#include "compiler/schedule/zones.h"

#include "compiler/kernel/interpreter.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using kernel::Block;
using kernel::Expr;
using kernel::Int;

// x[v + offset] where that is inside of [0, n), 0 elsewhere, as ReplaceReads makes it: one tap of a padded window.
Expr Tap(const kernel::Buffer& x, const Expr& v, int64_t offset, int64_t n) {
  const Expr at = v + offset;
  return Select(And(Int(0) <= at, at < Int(n)), Load(x, Min(Max(at, Int(0)), Int(n - 1))), kernel::Float(0));
}

class ZonesTest : public testing::Test {
 protected:
  Zones Of(const Expr& body, int64_t extent) { return ZonesOf(body, v_, extent, {}); }
  static std::vector<int64_t> Ends(const Zones& z) {
    return {z.before.begin, z.before.end, z.interior.begin, z.interior.end, z.after.begin, z.after.end};
  }
  kernel::Var v_ = kernel::MakeVar("v");
  kernel::Buffer x_ = kernel::ArgumentBuffer("x", kernel::Scalar::kFloat32, 100, 0, 4);
};

TEST_F(ZonesTest, NoConditionsNoBorders) {
  EXPECT_EQ(Ends(Of(Load(x_, Use(v_)), 100)), (std::vector<int64_t>{0, 0, 0, 100, 100, 100}));
}

TEST_F(ZonesTest, BordersOfAWindow) {
  const Zones z = Of(Tap(x_, Use(v_), -2, 100) + Tap(x_, Use(v_), 1, 100), 100);
  EXPECT_EQ(Ends(z), (std::vector<int64_t>{0, 2, 2, 99, 99, 100}));
  EXPECT_TRUE(z.before.unroll);
  EXPECT_FALSE(z.interior.unroll);
  EXPECT_TRUE(z.after.unroll);
}

TEST_F(ZonesTest, WideBordersAreLoops) {
  const Zones z = Of(Tap(x_, Use(v_), -4, 100), 100);
  EXPECT_EQ(Ends(z), (std::vector<int64_t>{0, 4, 4, 100, 100, 100}));
  EXPECT_FALSE(z.before.unroll);
}

// Whatever the zones are, every iteration of [begin, end) happens once, with a range that holds it.
TEST_F(ZonesTest, EveryIterationOnce) {
  const kernel::Buffer out = kernel::ArgumentBuffer("out", kernel::Scalar::kInt32, 20, 0, 4);
  const kernel::Type i32(kernel::Scalar::kInt32);
  const Zones all[] = {{{0, 3, true}, {3, 17, false}, {17, 20, true}},
                       {{0, 0, true}, {0, 20, false}, {20, 20, true}},
                       {{0, 9, false}, {9, 10, false}, {10, 20, false}}};
  for (const Zones& zones : all) {
    for (const auto& [begin, end] : {std::pair(0, 20), std::pair(2, 18), std::pair(4, 5), std::pair(19, 20), std::pair(7, 7)}) {
      kernel::Kernel k;
      k.name = "k";
      k.task = kernel::MakeVar("task");
      k.arguments = {out};
      Block b;
      const Expr first = b.Let("first", Use(k.task) + begin);  // not known to be constant
      ForEachZone(b, zones, first, first + (end - begin), [&](Block& b, Expr i, kernel::Range r) {
        b.Store(out, i, Load(out, i) + Select(And(Int(r.lo) <= i, i <= Int(r.hi)), Int(1, i32), Int(100, i32)));
      });
      k.body = b.Take();
      std::vector<int32_t> counts(20, 0);
      const kernel::BufferView view{counts.data(), 80};
      const absl::Status status = kernel::Interpret(k, {view}, 0, 1);
      ASSERT_TRUE(status.ok()) << status;
      for (int i = 0; i < 20; ++i) EXPECT_EQ(counts[i], i >= begin && i < end) << i << " of " << begin << ".." << end;
    }
  }
}

}  // namespace
}  // namespace mgec::schedule
