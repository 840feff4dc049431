// Networks of float16 and bfloat16 for GPUs, by the emulator: tensors between kernels are 16 bits wide. Compared with the
// definitions of the graph after all passes, which round the same tensors.
#include "compiler/schedule/testing/schedule_tester.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using graph::DTypeKind;
using graph::Shape;
using graph::Value;
using Ints = std::vector<int64_t>;

// Tensor cores multiply what memory holds.
TEST(CudaFloat16Test, ProductsReadFloat16) {
  for (uint32_t i = 0; i < 3; ++i) {
    ScheduleTester t(i);
    t.set_tolerance(2e-3);
    const int64_t m = t.Int(20, 70), k = t.Int(9, 60), n = t.Int(20, 70), tb = t.Int(0, 1);
    Value* x = t.Add("tanh", {t.Input({m, k}, DTypeKind::kFloat16)});
    Value* w = t.Add("tanh", {t.Input(tb ? Shape{n, k} : Shape{k, n}, DTypeKind::kFloat16)});
    t.Expect(t.Add("relu", {t.Add("matmul", {x, w}, {{"transpose_b", tb}})}));
    t.CheckCudaAfterPasses();
    EXPECT_TRUE(t.KernelsContain("mma("));
    EXPECT_FALSE(t.KernelsContain(": f32["));       // no tensor is
    EXPECT_FALSE(t.KernelsContain("f16(f32(f16"));  // nor is one rounded again
  }
}

TEST(CudaFloat16Test, Convolutions) {
  for (DTypeKind kind : {DTypeKind::kFloat16, DTypeKind::kBFloat16}) {
    ScheduleTester t(10);
    t.set_tolerance(kind == DTypeKind::kFloat16 ? 2e-3 : 1.6e-2);
    const Shape shape = {2, 16, 9, 7};
    Value* x = t.Add("tanh", {t.Input(shape, kind)});
    Value* y = t.Add("conv2d", {x, t.Constant({24, 16, 3, 3}, kind)}, {{"pad", Ints{1, 1}}});
    Value* both = t.Add("concat", {y, x}, {{"axis", int64_t{1}}});
    t.Expect(t.Add("pool2d", {both}, {{"mode", std::string("average")}, {"window", Ints{3, 3}}}));
    t.Expect(t.Add("softmax", {t.Add("transpose", {both}, {{"perm", Ints{0, 2, 3, 1}}})}, {{"axis", int64_t{3}}}));
    t.CheckCudaAfterPasses();
  }
}

// Attention of float16 is left to tensor cores: a product, softmax, another product, with scores of 16 bits between them.
TEST(CudaFloat16Test, Attention) {
  ScheduleTester t(20);
  t.set_tolerance(4e-3);
  auto half = [&](const Shape& shape) { return t.Add("tanh", {t.Input(shape, DTypeKind::kFloat16)}); };
  Value* scores = t.Add("matmul", {half({3, 40, 32}), half({3, 36, 32})}, {{"transpose_b", int64_t{1}}});
  Value* weights = t.Add("softmax", {scores}, {{"axis", int64_t{2}}});
  t.Expect(t.Add("matmul", {weights, half({3, 36, 24})}));
  t.CheckCudaAfterPasses();
  EXPECT_TRUE(t.KernelsContain("mma("));
  EXPECT_EQ(t.CountOps("cast"), 0) << testing::PrintToString(t.ops());
}

}  // namespace
}  // namespace mgec::schedule
