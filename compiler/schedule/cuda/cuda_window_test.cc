// Depthwise convolutions and pooling on GPUs, run by the emulator, against the operators' definitions.
#include "compiler/schedule/testing/schedule_tester.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using graph::DTypeKind;
using graph::Shape;
using graph::Value;
using Ints = std::vector<int64_t>;

// What kernels of windows have and others do not: the first row of a thread.
bool HasWindows(const ScheduleTester& t) { return t.KernelsContain("let first = "); }

struct Case {
  int64_t batch, channels, height, width, window, stride, pad;
  bool windows;
};

// Rows that fill groups of 4 and 2 and that do not; windows that leave the image and that do not.
constexpr Case kCases[] = {{1, 8, 96, 88, 3, 1, 1, true}, {2, 9, 67, 61, 3, 1, 1, true},   {1, 40, 81, 83, 3, 2, 1, true},
                           {1, 12, 75, 80, 3, 1, 0, true}, {1, 16, 65, 64, 5, 1, 2, true},  {1, 130, 33, 30, 5, 2, 2, true},
                           {1, 700, 7, 7, 3, 1, 1, true},  {1, 6, 80, 80, 7, 1, 3, true},
                           // Windows that share weights only.
                           {1, 50, 80, 81, 2, 2, 0, true},
                           // One row, too few results.
                           {1, 30, 1, 2000, 3, 1, 1, false}, {1, 4, 20, 20, 3, 1, 1, false}};

TEST(CudaWindowTest, DepthwiseConvolution) {
  uint32_t salt = 1;
  for (const Case& c : kCases) {
    SCOPED_TRACE(salt);
    ScheduleTester t(salt++);
    Value* x = t.Input({c.batch, c.channels, c.height, c.width});
    Value* y = t.Add("conv2d", {x, t.Constant({c.channels, 1, 1, c.window, c.window}), t.Constant({1, c.channels, 1, 1})},
                     {{"group", c.channels}, {"pad", Ints{c.pad, c.pad}}, {"stride", Ints{c.stride, c.stride}}});
    if (t.Coin()) y = t.Add("relu", {y});
    if (t.Coin()) y = t.Add("add", {y, t.Input(y->type.shape)});
    t.Expect(y);
    t.CheckCuda();
    ASSERT_EQ(HasWindows(t), c.windows);
  }
}

TEST(CudaWindowTest, Pooling) {
  uint32_t salt = 100;
  for (const Case& c : kCases) {
    if (c.window == 7) continue;
    SCOPED_TRACE(salt);
    ScheduleTester t(salt++);
    t.Expect(t.Add("pool2d", {t.Input({c.batch, c.channels, c.height, c.width})},
                   {{"mode", std::string(t.OneOf<const char*>({"max", "average"}))}, {"window", Ints{c.window, c.window}},
                    {"stride", Ints{c.stride, c.stride}}, {"pad", Ints{c.pad, c.pad}}}));
    t.CheckCuda();
  }
}

TEST(CudaWindowTest, NoImages) {
  ScheduleTester t(200);
  t.Expect(t.Add("pool2d", {t.Input({0, 5, 100, 100})},
                 {{"mode", std::string("max")}, {"window", Ints{3, 3}}, {"stride", Ints{1, 1}}, {"pad", Ints{1, 1}}}));
  t.CheckCuda();
}

}  // namespace
}  // namespace mgec::schedule
