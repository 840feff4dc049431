#include "compiler/ops/testing.h"

namespace mgec::ops {
namespace {

using graph::DTypeKind;
using graph::Shape;
using graph::TensorType;

TEST(MatMulTest, MultipliesInEveryTransposition) {
  constexpr int64_t kB = 2, kM = 3, kK = 5, kN = 4;
  for (bool batched : {false, true}) {
    for (int64_t ta : {0, 1}) {
      for (int64_t tb : {0, 1}) {
        Shape sa = ta ? Shape{kK, kM} : Shape{kM, kK}, sb = tb ? Shape{kN, kK} : Shape{kK, kN};
        if (batched) {
          sa.insert(sa.begin(), kB);
          sb.insert(sb.begin(), kB);
        }
        const Tensor a = Counting(sa, -9, 2), b = Counting(sb, 7, -3);
        const std::vector<float> va = ValuesOf<float>(a), vb = ValuesOf<float>(b);
        std::vector<float> want;
        for (int64_t i = 0; i < (batched ? kB : 1); ++i) {
          for (int64_t m = 0; m < kM; ++m) {
            for (int64_t n = 0; n < kN; ++n) {
              double sum = 0;
              for (int64_t k = 0; k < kK; ++k) {
                sum += static_cast<double>(va[i * kM * kK + (ta ? k * kM + m : m * kK + k)]) *
                       vb[i * kK * kN + (tb ? n * kK + k : k * kN + n)];
              }
              want.push_back(static_cast<float>(sum));
            }
          }
        }
        const absl::StatusOr<Tensor> y = RunOp("matmul", {a, b}, {{"transpose_a", ta}, {"transpose_b", tb}});
        ASSERT_TRUE(y.ok()) << y.status();
        EXPECT_EQ(y->type.shape, batched ? (Shape{kB, kM, kN}) : (Shape{kM, kN}));
        ExpectNear(ValuesOf<float>(*y), want, 1e-4f);
      }
    }
  }
}

TEST(MatMulTest, AnEmptySumIsZero) {
  EXPECT_EQ(RunFloats("matmul", {F32({1, 0}, {}), F32({0, 2}, {})}), (std::vector<float>{0, 0}));
}

TEST(MatMulTest, HalfAccumulatesInFloat) {
  auto half = [](const Tensor& t) { return RunOp("cast", {t}, {{"dtype", std::string("f16")}}).value(); };
  const Tensor y = RunOp("matmul", {half(F32({1, 3}, {2048, 1, 1})), half(F32({3, 1}, {1, 1, 1}))}).value();
  EXPECT_EQ(ValuesOf<uint16_t>(y)[0], 0x6801);  // 2050
}

TEST(MatMulTest, Refuses) {
  auto f = [](Shape s) { return TensorType{DTypeKind::kFloat32, std::move(s)}; };
  ExpectRefused(InferOne("matmul", {f({2, 3}), f({2, 3})}).status(), "[2,3] and [2,3] do not multiply");
  ExpectRefused(InferOne("matmul", {f({2, 3}), f({3, 2})}, {{"transpose_b", int64_t{1}}}).status(),
                "[2,3] and [3,2] transposed do not multiply");
  ExpectRefused(InferOne("matmul", {f({2, 2, 3}), f({3, 3, 2})}).status(), "do not multiply");
  ExpectRefused(InferOne("matmul", {f({2, 3}), f({1, 3, 2})}).status(), "takes two 2-d or two 3-d operands");
  ExpectRefused(InferOne("matmul", {f({3}), f({3})}).status(), "takes two 2-d or two 3-d operands");
  const TensorType i{DTypeKind::kInt32, {2, 2}}, h{DTypeKind::kFloat16, {2, 2}};
  ExpectRefused(InferOne("matmul", {i, i}).status(), "a has dtype i32; needs a float");
  ExpectRefused(InferOne("matmul", {f({2, 2}), h}).status(), "operands have different dtypes");
}

}  // namespace
}  // namespace mgec::ops
