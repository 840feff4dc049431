#include <cmath>
#include <limits>

#include "compiler/ops/testing.h"

namespace mgec::ops {
namespace {

using graph::DTypeKind;
using graph::Shape;
using graph::TensorType;
using Ints = std::vector<int64_t>;

const float kInf = std::numeric_limits<float>::infinity();
const float kNan = std::numeric_limits<float>::quiet_NaN();

graph::Attributes Mode(const char* mode, Ints axes) { return {{"mode", std::string(mode)}, {"axes", axes}}; }

TEST(ReduceTest, EveryModeOverEveryAxis) {
  const Shape shape = {2, 3, 5};
  const Tensor x = Counting(shape, -13, 1);
  const std::vector<float> in = ValuesOf<float>(x);
  const std::vector<int64_t> strides = graph::Strides(shape);
  for (const std::string mode : {"sum", "sum_sqr", "product", "min", "max", "mean"}) {
    for (const Ints& axes : {Ints{}, Ints{0}, Ints{1}, Ints{2}, Ints{0, 2}, Ints{2, 1}, Ints{0, 1, 2}}) {
      Shape out = shape;
      double count = 1;
      for (int64_t a : axes) {
        out[a] = 1;
        count *= static_cast<double>(shape[a]);
      }
      const std::vector<int64_t> out_strides = graph::Strides(out);
      const double first = mode == "product" ? 1 : mode == "min" ? kInf : mode == "max" ? -kInf : 0;
      std::vector<double> sums(graph::NumElements(out), first);
      for (size_t i = 0; i < in.size(); ++i) {
        int64_t to = 0;
        for (size_t d = 0; d < 3; ++d) {
          const int64_t at = static_cast<int64_t>(i) / strides[d] % shape[d];
          if (out[d] != 1) to += at * out_strides[d];
        }
        double& s = sums[to];
        const double v = in[i];
        s = mode == "product" ? s * v : mode == "min" ? std::fmin(s, v) : mode == "max" ? std::fmax(s, v)
            : mode == "sum_sqr" ? s + v * v : s + v;
      }
      std::vector<float> want;
      for (double s : sums) want.push_back(static_cast<float>(mode == "mean" ? s / count : s));
      SCOPED_TRACE(mode + " over " + graph::ToString(axes));
      const absl::StatusOr<Tensor> y = RunOp("reduce", {x}, Mode(mode.c_str(), axes));
      ASSERT_TRUE(y.ok()) << y.status();
      EXPECT_EQ(y->type.shape, out);
      ExpectNear(ValuesOf<float>(*y), want, 1e-5f);
    }
  }
}

TEST(ReduceTest, NanWins) {
  const Tensor x = F32({4, 3}, {1, kNan, 2, kNan, 1, 2, 1, 2, kNan, -kInf, kInf, 3});
  for (const char* mode : {"max", "min"}) {
    const std::vector<float> y = RunFloats("reduce", {x}, Mode(mode, {1}));
    ASSERT_EQ(y.size(), 4u);
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(std::isnan(y[i])) << mode << " " << i << ": " << y[i];
    EXPECT_EQ(y[3], mode[1] == 'a' ? kInf : -kInf);
  }
}

TEST(ReduceTest, Integers) {
  const Tensor x = I32({2, 3}, {1, -2, -4, 7, 8, 5});
  auto run = [&](const char* mode) { return ValuesOf<int32_t>(RunOp("reduce", {x}, Mode(mode, {1})).value()); };
  EXPECT_EQ(run("sum"), (std::vector<int32_t>{-5, 20}));
  EXPECT_EQ(run("mean"), (std::vector<int32_t>{-1, 6}));  // toward zero
  EXPECT_EQ(run("max"), (std::vector<int32_t>{1, 8}));
  EXPECT_EQ(run("min"), (std::vector<int32_t>{-4, 5}));
  EXPECT_EQ(run("product"), (std::vector<int32_t>{8, 280}));
  EXPECT_EQ(run("sum_sqr"), (std::vector<int32_t>{21, 138}));
  // More elements than the type can count.
  const Tensor many = TensorOf<int8_t>(DTypeKind::kInt8, {256}, std::vector<int8_t>(256, 0));
  EXPECT_EQ(ValuesOf<int8_t>(RunOp("reduce", {many}, Mode("mean", {0})).value())[0], 0);
}

TEST(ReduceTest, Empty) {
  const Tensor none = F32({2, 0}, {});
  EXPECT_EQ(RunFloats("reduce", {none}, Mode("sum", {1})), (std::vector<float>{0, 0}));
  EXPECT_EQ(RunFloats("reduce", {none}, Mode("product", {1})), (std::vector<float>{1, 1}));
  EXPECT_TRUE(std::isnan(RunFloats("reduce", {none}, Mode("mean", {1})).at(0)));
  ExpectRefused(InferOne("reduce", {none.type}, Mode("max", {1})).status(), "max needs at least one element");
  ExpectRefused(InferOne("reduce", {{DTypeKind::kInt32, {0}}}, Mode("mean", {0})).status(), "mean needs at least one");
}

TEST(ReduceTest, HalfAccumulatesInFloat) {
  std::vector<float> ones(2050, 1);
  const Tensor x = RunOp("cast", {F32({2050}, ones)}, {{"dtype", std::string("f16")}}).value();
  EXPECT_EQ(ValuesOf<uint16_t>(RunOp("reduce", {x}, Mode("sum", {0})).value())[0], 0x6801);
}

TEST(ReduceTest, Refuses) {
  const TensorType x{DTypeKind::kFloat32, {2, 3}};
  ExpectRefused(InferOne("reduce", {x}, Mode("median", {0})).status(), "there is no reduction 'median'");
  ExpectRefused(InferOne("reduce", {x}, Mode("sum", {2})).status(), "axis 2 is not in [0, 2)");
  ExpectRefused(InferOne("reduce", {x}, Mode("sum", {-1})).status(), "axis -1 is not in [0, 2)");
  ExpectRefused(InferOne("reduce", {x}, Mode("sum", {1, 1})).status(), "axis 1 is given twice");
  ExpectRefused(InferOne("reduce", {{DTypeKind::kBool, {2}}}, Mode("sum", {0})).status(), "does not take bool");
}

TEST(ArgTest, FirstOfEqualsAndLastNan) {
  const Tensor x = F32({4, 4}, {1, 3, 3, -1, kNan, 9, kNan, 9, -kInf, -kInf, -kInf, -kInf, kInf, 0, kInf, 0});
  auto run = [&](const char* op, int64_t axis) { return ValuesOf<int32_t>(RunOp(op, {x}, {{"axis", axis}}).value()); };
  EXPECT_EQ(run("argmax", 1), (std::vector<int32_t>{1, 2, 0, 0}));
  EXPECT_EQ(run("argmin", 1), (std::vector<int32_t>{3, 2, 0, 1}));
  EXPECT_EQ(run("argmax", 0), (std::vector<int32_t>{1, 1, 1, 1}));
  const TensorType t = InferOne("argmax", {x.type}, {{"axis", int64_t{0}}}).value();
  EXPECT_EQ(ToString(t), "i32[1,4]");
}

TEST(ArgTest, Refuses) {
  for (const char* op : {"argmax", "argmin"}) {
    const TensorType x{DTypeKind::kFloat32, {2, 0}};
    ExpectRefused(InferOne(op, {x}, {{"axis", int64_t{2}}}).status(), "axis 2 is not in [0, 2)");
    ExpectRefused(InferOne(op, {x}, {{"axis", int64_t{1}}}).status(), "needs at least one element along the axis");
  }
}

}  // namespace
}  // namespace mgec::ops
