// Images with channels last on GPUs, by the emulator: which values get that layout, and that every kind of kernel reads and writes
// it. Compared with the definitions of the graph.
#include <string>

#include "compiler/schedule/testing/schedule_tester.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using graph::Attributes;
using graph::DType;
using graph::DTypeKind;
using graph::Shape;
using graph::Value;
using Ints = std::vector<int64_t>;

const DType kS8(DTypeKind::kQuantizedS8, 0.05f);

// A convolution of 8-bit numbers with such a result.
Value* IntConv(ScheduleTester& t, Value* x, int64_t channels, int64_t window, Attributes attributes = {}) {
  const int64_t group = attributes.Int("group", 1), in = x->type.shape[1];
  const Shape w = group == 1 ? Shape{channels, in, window, window} : Shape{group, channels / group, in / group, window, window};
  if (!attributes.Has("pad")) attributes.Set("pad", Ints{window / 2, window / 2});
  attributes.Set("dtype", std::string("qs32(0.0025)"));
  Value* y = t.Add("int_conv2d", {x, t.Constant(w, kS8)}, attributes);
  y = t.Add("add", {y, t.Constant({1, channels, 1, 1}, DType(DTypeKind::kQuantizedS32, 0.0025f))});
  return t.Add("cast", {t.Add("relu", {y})}, {{"dtype", ToString(kS8)}});
}

Value* HalfConv(ScheduleTester& t, Value* x, int64_t channels, int64_t window, Attributes attributes = {}) {
  if (!attributes.Has("pad")) attributes.Set("pad", Ints{window / 2, window / 2});
  Value* w = t.Constant({channels, x->type.shape[1], window, window}, DTypeKind::kFloat16);
  return t.Add("relu", {t.Add("conv2d", {x, w}, attributes)});
}

// What users bring is plain; from the first convolution on, channels are last.
TEST(CudaLayoutTest, ChainsOfInt8) {
  ScheduleTester t;
  t.set_integers(-60, 60);
  Value* x = IntConv(t, t.Input({2, 16, 12, 10}, kS8), 32, 3);
  Value* y = IntConv(t, IntConv(t, x, 48, 3, {{"stride", Ints{2, 2}}}), 32, 1);
  t.Expect(IntConv(t, y, 16, 3, {{"dilation", Ints{2, 2}}, {"pad", Ints{2, 2}}}));
  t.CheckCuda();
  EXPECT_TRUE(t.KernelsContain("] x16 where"));  // 16 bytes of a pixel that may be padding
  EXPECT_TRUE(t.KernelsContain("copy rows"));
}

TEST(CudaLayoutTest, ChainsOfFloat16) {
  ScheduleTester t(1);
  t.set_tolerance(4e-3);
  Value* x = HalfConv(t, t.Input({2, 16, 12, 10}, DTypeKind::kFloat16), 32, 3);
  Value* y = HalfConv(t, HalfConv(t, x, 48, 3, {{"stride", Ints{2, 2}}}), 32, 1);
  t.Expect(HalfConv(t, y, 16, 3, {{"dilation", Ints{2, 2}}, {"pad", Ints{2, 2}}}));
  t.CheckCudaAfterPasses();
  EXPECT_TRUE(t.KernelsContain("] x8 where"));
  EXPECT_TRUE(t.KernelsContain("copy rows"));
}

// Channels that fill 8 bytes, a word, or not even that.
TEST(CudaLayoutTest, ChannelsOfEveryNumber) {
  ScheduleTester t(10);
  t.set_integers(-60, 60);
  t.set_tolerance(4e-3);
  for (int64_t channels : {12, 13, 24}) t.Expect(IntConv(t, IntConv(t, t.Input({2, 5, 9, 7}, kS8), channels, 3), channels + 1, 3));
  for (int64_t channels : {12, 13, 58}) {
    t.Expect(HalfConv(t, HalfConv(t, t.Input({2, 5, 9, 7}, DTypeKind::kFloat16), channels, 3), channels + 1, 3));
  }
  t.CheckCudaAfterPasses();
  for (const char* several : {" x4 where", " x8 where", " x2 where"}) EXPECT_TRUE(t.KernelsContain(several)) << several;
}

// Pixel by pixel, window by window, and all of an image.
TEST(CudaLayoutTest, OtherKernelsBetween) {
  for (uint32_t i = 0; i < 2; ++i) {
    ScheduleTester t(20 + i);
    t.set_tolerance(6e-3);
    const int64_t channels = i == 0 ? 24 : 37;
    Value* x = HalfConv(t, t.Input({2, 16, 14, 11}, DTypeKind::kFloat16), channels, 3);
    Value* w = t.Constant({channels, 1, 1, 3, 3}, DTypeKind::kFloat16);
    Value* d = t.Add("sigmoid", {t.Add("conv2d", {x, w}, {{"group", channels}, {"pad", Ints{1, 1}}})});
    Value* p = t.Add("pool2d", {HalfConv(t, d, channels, 1)}, {{"mode", std::string("max")}, {"window", Ints{3, 3}}, {"stride", Ints{2, 2}}});
    Value* gate = t.Add("sigmoid", {t.Add("reduce", {p}, {{"mode", std::string("mean")}, {"axes", Ints{2, 3}}, {"keepdims", int64_t{1}}})});
    t.Expect(HalfConv(t, t.Add("mul", {p, gate}), 16, 3));
    t.CheckCudaAfterPasses();
    EXPECT_TRUE(t.KernelsContain("copy rows"));
  }
}

// Operands joined, taken apart and shuffled; a residual; groups.
TEST(CudaLayoutTest, ConcatAndSplit) {
  for (int64_t half : {29, 32}) {
    ScheduleTester t(30);
    t.set_integers(-60, 60);
    Value* x = IntConv(t, t.Input({2, 16, 9, 8}, kS8), 2 * half, 3);
    auto part = [&](Value* v, int64_t from, int64_t to) {
      return t.Add("slice", {v}, {{"begin", Ints{0, from, 0, 0}}, {"end", Ints{2, to, 9, 8}}, {"step", Ints{1, 1, 1, 1}}});
    };
    Value* a = IntConv(t, part(x, 0, half), half, 3);
    Value* b = part(x, half, 2 * half);
    Value* both = t.Add("concat", {a, b}, {{"axis", int64_t{1}}});
    if (half % 2 == 0) both = IntConv(t, both, 2 * half, 3, {{"group", int64_t{2}}});
    std::vector<int64_t> order;
    for (int64_t c = 0; c < 2 * half; ++c) order.push_back(c % 2 * half + c / 2);
    t.Expect(IntConv(t, t.Add("gather", {both, t.graph().AddInts(order)}, {{"axis", int64_t{1}}}), 24, 1));
    t.CheckCuda();
  }
}

// Operators that take plain tensors only, and results that the user sees.
TEST(CudaLayoutTest, PlainTensorsAround) {
  ScheduleTester t(40);
  t.set_tolerance(6e-3);
  Value* x = HalfConv(t, HalfConv(t, t.Input({4, 16, 8, 8}, DTypeKind::kFloat16), 32, 3), 32, 3);
  t.Expect(x);
  Value* y = HalfConv(t, x, 24, 3);
  t.Expect(t.Add("reshape", {y}, {{"shape", Ints{4, 24 * 64}}}));
  t.Expect(t.Add("softmax", {t.Add("transpose", {y}, {{"perm", Ints{0, 2, 3, 1}}})}, {{"axis", int64_t{3}}}));
  t.Expect(HalfConv(t, t.Add("slice", {y}, {{"begin", Ints{1, 0, 0, 0}}, {"end", Ints{3, 24, 8, 8}}, {"step", Ints{1, 1, 1, 1}}}), 8, 1));
  t.CheckCudaAfterPasses();
}

// Float32 on CUDA cores stays plain: with sums along channels nothing would be copied asynchronously.
TEST(CudaLayoutTest, Float32IsPlain) {
  ScheduleTester t(50);
  Value* x = t.Add("conv2d", {t.Input({2, 16, 12, 10}), t.Constant({32, 16, 3, 3})}, {{"pad", Ints{1, 1}}});
  t.Expect(t.Add("conv2d", {x, t.Constant({16, 32, 3, 3})}, {{"pad", Ints{1, 1}}}));
  t.CheckCuda();
  EXPECT_TRUE(t.KernelsContain("copy cols"));  // of pixels, along a row of the image
  EXPECT_FALSE(t.KernelsContain("x4 where"));
}

// Opt-in tensor cores of float32 work on channels, too.
TEST(CudaLayoutTest, ChainsOfTf32) {
  ScheduleTester t(60);
  t.set_tolerance(2e-3);
  Options options;
  options.tf32 = true;
  t.set_cuda_options(options);
  Value* x = t.Add("conv2d", {t.Input({2, 16, 12, 10}), t.Constant({32, 16, 3, 3})}, {{"pad", Ints{1, 1}}});
  t.Expect(t.Add("conv2d", {x, t.Constant({16, 32, 3, 3})}, {{"pad", Ints{1, 1}}}));
  t.CheckCuda();
  EXPECT_TRUE(t.KernelsContain("] x4 where"));
}

// Constants of 16-bit networks reach kernels in 16 bits, and nothing is rounded that is a float16 number already.
TEST(CudaLayoutTest, WeightsOf16Bits) {
  ScheduleTester t(70);
  t.set_tolerance(4e-3);
  Value* x = HalfConv(t, t.Input({2, 16, 9, 9}, DTypeKind::kFloat16), 32, 3);
  t.Expect(HalfConv(t, x, 40, 3));
  t.CheckCudaAfterPasses();
  EXPECT_FALSE(t.KernelsContain("f32[4608]")) << "weights of 32 x 16 x 3 x 3";
  EXPECT_TRUE(t.KernelsContain("f16[4608]"));
  EXPECT_TRUE(t.KernelsContain("copy cols"));
}

}  // namespace
}  // namespace mgec::schedule
