// Convolutions and products with fewer rows than tiles have, by the emulator.
#include "compiler/schedule/testing/schedule_tester.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using graph::Shape;
using graph::Value;
using Ints = std::vector<int64_t>;

// Loads that several results share.
constexpr char kShared[] = "let loaded";

TEST(CudaFewRowsTest, Convolutions) {
  struct Case {
    int64_t images, channels, in, height, width, window;
    bool emitted;
  };
  uint32_t salt = 1;
  for (const Case& c : {Case{2, 3, 5, 130, 128, 3, true}, Case{1, 7, 9, 127, 130, 1, true}, Case{1, 2, 3, 129, 131, 5, true},
                        Case{1, 4, 8, 30, 30, 3, false}}) {
    ScheduleTester t(salt++);
    const int64_t pad = c.window / 2;
    Value* y = t.Add("conv2d", {t.Input({c.images, c.in, c.height, c.width}), t.Constant({c.channels, c.in, c.window, c.window}), t.Constant({1, c.channels, 1, 1})},
                     {{"pad", Ints{pad, pad}}});
    t.Expect(t.Add("tanh", {t.Add("add", {y, t.Input(y->type.shape)})}));
    t.set_tolerance(1e-4);
    t.CheckCuda();
    EXPECT_EQ(t.KernelsContain(kShared), c.emitted) << c.channels;
  }
}

TEST(CudaFewRowsTest, Products) {
  ScheduleTester t(20);
  t.Expect(t.Add("matmul", {t.Input({5, 12}), t.Input({12, 20000})}));
  t.CheckCuda();
  EXPECT_TRUE(t.KernelsContain(kShared));
}

// Factors that are rounded, as tensor cores would have them.
TEST(CudaFewRowsTest, Halves) {
  ScheduleTester t(30);
  const graph::DType half = graph::DTypeKind::kFloat16;
  t.Expect(t.Add("conv2d", {t.Input({1, 6, 128, 136}, half), t.Constant({3, 6, 3, 3}, half)}, {{"pad", Ints{1, 1}}}));
  t.set_tolerance(2e-3);
  t.CheckCudaAfterPasses();
  EXPECT_TRUE(t.KernelsContain(kShared));
}

}  // namespace
}  // namespace mgec::schedule
