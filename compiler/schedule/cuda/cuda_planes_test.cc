// Images whose channels lie apart, by the emulator.
#include <string>

#include "compiler/schedule/testing/schedule_tester.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using graph::Attributes;
using graph::DTypeKind;
using graph::Shape;
using graph::Value;
using Ints = std::vector<int64_t>;

class CudaPlanesTest : public testing::TestWithParam<int64_t> {  // images
 protected:
  // Something that a step computes: inputs are the user's memory.
  Value* Image(ScheduleTester& t, int64_t channels, int64_t size = 6) { return t.Add("exp", {t.Input({GetParam(), channels, size, size})}); }
  static Value* Concat(ScheduleTester& t, const std::vector<Value*>& parts) { return t.Add("concat", parts, {{"axis", int64_t{1}}}); }
  static Value* Channels(ScheduleTester& t, Value* x, int64_t begin, int64_t end, int64_t step = 1) {
    const Shape& s = x->type.shape;
    return t.Add("slice", {x}, {{"begin", Ints{0, begin, 0, 0}}, {"end", Ints{s[0], end, s[2], s[3]}}, {"step", Ints{1, step, 1, 1}}});
  }
  // Channels of both halves in turn.
  static Value* Shuffled(ScheduleTester& t, Value* x) {
    const Shape s = x->type.shape;
    Value* y = t.Add("reshape", {x}, {{"shape", Ints{s[0], 2, s[1] / 2, s[2] * s[3]}}});
    y = t.Add("transpose", {y}, {{"perm", Ints{0, 2, 1, 3}}});
    return t.Add("reshape", {y}, {{"shape", Ints(s.begin(), s.end())}});
  }
  static Value* Conv(ScheduleTester& t, Value* x, int64_t channels, int64_t window) {
    return t.Add("conv2d", {x, t.Constant({channels, x->type.shape[1], window, window})}, {{"pad", Ints{window / 2, window / 2}}});
  }
};

TEST_P(CudaPlanesTest, NothingIsCopied) {
  ScheduleTester t(1);
  t.set_tolerance(1e-4);  // of sums of sums of large numbers
  Value* x = Concat(t, {Image(t, 12), Image(t, 12)});
  for (int i = 0; i < 3; ++i) {
    x = Shuffled(t, x);
    Value* half = t.Add("relu", {Conv(t, Channels(t, x, 12, 24), 12, i == 1 ? 3 : 1)});
    x = Concat(t, {half, Channels(t, x, 0, 12)});
  }
  t.Expect(t.Add("sigmoid", {x}));
  t.CheckCudaAfterPasses();
  for (const char* op : {"concat", "slice", "gather", "transpose", "identity"}) EXPECT_EQ(t.CountOps(op), 0) << op;
}

// Tensor cores get pixels that lie together, turned.
TEST_P(CudaPlanesTest, Float16) {
  ScheduleTester t(3);
  t.set_tolerance(4e-3);
  auto conv = [&](Value* x, int64_t channels) {
    return t.Add("relu", {t.Add("conv2d", {x, t.Constant({channels, x->type.shape[1], 1, 1}, DTypeKind::kFloat16)})});
  };
  auto image = [&] { return conv(t.Input({GetParam(), 16, 8, 8}, DTypeKind::kFloat16), 16); };
  Value* x = Concat(t, {image(), image()});
  for (int i = 0; i < 2; ++i) {
    x = Shuffled(t, x);
    x = Concat(t, {conv(Channels(t, x, 16, 32), 16), Channels(t, x, 0, 16)});
  }
  t.Expect(conv(x, 8));
  t.CheckCudaAfterPasses();
  for (const char* op : {"concat", "slice", "gather", "transpose", "identity"}) EXPECT_EQ(t.CountOps(op), 0) << op;
  EXPECT_TRUE(t.KernelsContain("] x8"));
  EXPECT_TRUE(t.KernelsContain("mma("));
}

// Parts of different numbers of channels, of which some come more than once.
TEST_P(CudaPlanesTest, AllKindsOfReaders) {
  ScheduleTester t(2);
  Value *a = Image(t, 5), *b = Image(t, 8), *x = Concat(t, {a, b, a});
  t.Expect(t.Add("add", {x, t.Input({18, 1, 1})}));
  t.Expect(Conv(t, x, 20, 3));
  t.Expect(t.Add("conv2d", {x, t.Constant({18, 1, 1, 3, 3})}, {{"group", int64_t{18}}, {"pad", Ints{1, 1}}}));
  t.Expect(t.Add("pool2d", {x}, {{"mode", std::string("max")}, {"window", Ints{2, 2}}, {"stride", Ints{2, 2}}, {"pad", Ints{0, 0}}}));
  t.Expect(t.Add("reduce", {x}, {{"mode", std::string("mean")}, {"axes", Ints{2, 3}}}));
  t.Expect(t.Add("transpose", {x}, {{"perm", Ints{0, 2, 3, 1}}}));
  t.Expect(t.Add("softmax", {Channels(t, x, 2, 15, 3)}, {{"axis", int64_t{1}}}));
  t.Expect(t.Add("relu", {Channels(t, b, 1, 7)}));
  t.CheckCuda();
}

// Where elements are wanted in a row, they are.
TEST_P(CudaPlanesTest, DenseReaders) {
  ScheduleTester t(3);
  Value *a = Image(t, 6), *x = Concat(t, {a, Image(t, 6)});
  t.Expect(x);
  t.Expect(t.Add("exp", {t.Add("reshape", {x}, {{"shape", Ints{GetParam() * 4, 3, 36}}})}));
  t.Expect(t.Add("argsort", {t.Add("reshape", {Channels(t, x, 3, 9)}, {{"shape", Ints{GetParam() * 6, 36}}})},
                 {{"count", int64_t{5}}, {"descending", int64_t{1}}}));
  t.Expect(Channels(t, x, 3, 9));
  // Not channels alone.
  t.Expect(t.Add("relu", {t.Add("slice", {x}, {{"begin", Ints{0, 1, 2, 0}}, {"end", Ints{GetParam(), 10, 5, 6}}, {"step", Ints{1, 2, 1, 3}}})}));
  t.CheckCuda();
}

// Of small images, inputs and constants, there are copies.
TEST_P(CudaPlanesTest, WhatStaysDense) {
  ScheduleTester t(4);
  Value *small = Image(t, 4, 3), *x = t.Input({GetParam(), 4, 6, 6});
  t.Expect(t.Add("relu", {Concat(t, {small, small})}));
  t.Expect(t.Add("relu", {Concat(t, {x, Image(t, 4)})}));
  t.CheckCuda();
}

// Of numbers of other sizes.
TEST_P(CudaPlanesTest, OtherTypes) {
  ScheduleTester t(5);
  for (DTypeKind kind : {DTypeKind::kInt8, DTypeKind::kInt32, DTypeKind::kFloat16}) {
    Value *a = t.Add("add", {t.Input({GetParam(), 3, 8, 8}, kind), t.Input({1}, kind)}), *x = Concat(t, {a, a});
    t.Expect(t.Add("add", {Channels(t, x, 1, 5), t.Input({GetParam(), 4, 1, 1}, kind)}));
  }
  t.CheckCuda();
}

INSTANTIATE_TEST_SUITE_P(Images, CudaPlanesTest, testing::Values(1, 3));

}  // namespace
}  // namespace mgec::schedule
