// Transposes through shared memory, run by the emulator, against the operators' definitions.
#include "compiler/schedule/testing/schedule_tester.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using graph::DTypeKind;
using graph::Shape;
using graph::Value;
using Ints = std::vector<int64_t>;

Value* Transpose(ScheduleTester& t, Value* x, Ints perm) { return t.Add("transpose", {x}, {{"perm", std::move(perm)}}); }

// Whole squares, cut ones, dimensions between the two and around them.
TEST(CudaTransposeTest, Shapes) {
  struct Case {
    Shape shape;
    Ints perm;
    bool squares;
  };
  uint32_t salt = 1;
  for (const Case& c : {Case{{64, 96}, {1, 0}, true}, Case{{65, 64}, {1, 0}, true}, Case{{64, 65}, {1, 0}, true},
                        Case{{100, 47}, {1, 0}, true}, Case{{3, 40, 7, 9}, {0, 2, 3, 1}, true},
                        Case{{2, 11, 10, 33}, {0, 3, 1, 2}, true}, Case{{17, 3, 5, 19}, {3, 1, 2, 0}, true},
                        Case{{16, 4, 5, 16}, {3, 2, 1, 0}, true},
                        // Where rows stay rows, or are short, a thread for each element is as good.
                        Case{{2, 16, 8, 16}, {0, 2, 1, 3}, false}, Case{{5, 6, 16, 17}, {2, 0, 3, 1}, false}}) {
    SCOPED_TRACE(salt);
    ScheduleTester t(salt++);
    t.Expect(Transpose(t, t.Input(c.shape), c.perm));
    t.CheckCuda();
    ASSERT_EQ(t.KernelsContain("square"), c.squares);
  }
}

TEST(CudaTransposeTest, SmallOnes) {
  ScheduleTester t(20);
  t.Expect(Transpose(t, t.Input({1, 1}), {1, 0}));
  t.Expect(Transpose(t, t.Input({1, 5000}), {1, 0}));
  t.Expect(Transpose(t, t.Input({5000, 3}), {1, 0}));
  t.Expect(Transpose(t, t.Input({3, 5000}), {1, 0}));
  t.Expect(Transpose(t, t.Input({0, 5000}), {1, 0}));
  t.Expect(Transpose(t, t.Input({20, 20}), {1, 0}));
  t.CheckCuda();
  EXPECT_FALSE(t.KernelsContain("square"));
}

// Elements of every size.
TEST(CudaTransposeTest, Types) {
  ScheduleTester t(30);
  for (DTypeKind kind : {DTypeKind::kInt8, DTypeKind::kUint8, DTypeKind::kInt16, DTypeKind::kFloat16, DTypeKind::kInt32,
                         DTypeKind::kBool}) {
    t.Expect(Transpose(t, t.Input({70, 61}, kind), {1, 0}));
  }
  t.CheckCuda();
  EXPECT_TRUE(t.KernelsContain("square"));
}

// Within chains: what lies along memory is read from there.
TEST(CudaTransposeTest, Chains) {
  ScheduleTester t(40);
  Value* x = t.Input({2, 50, 67});
  Value* y = Transpose(t, t.Add("exp", {x}), {0, 2, 1});
  y = t.Add("add", {y, t.Input({2, 67, 50})});
  y = t.Add("mul", {y, Transpose(t, t.Input({2, 50, 67}), {0, 2, 1})});
  t.Expect(t.Add("mul", {y, t.Input({67, 1})}));
  t.Expect(t.Add("add", {t.Input({90, 90}), Transpose(t, t.Input({90, 90}), {1, 0})}));
  t.CheckCuda();
  EXPECT_TRUE(t.KernelsContain("square"));
}

}  // namespace
}  // namespace mgec::schedule
