// Pointwise operators against formulas in double precision.
#include <cmath>
#include <limits>

#include "compiler/ops/op.h"
#include "compiler/ops/testing.h"

namespace mgec::ops {
namespace {

using graph::DType;
using graph::DTypeKind;
using graph::TensorType;

const float kInf = std::numeric_limits<float>::infinity();
const float kNan = std::numeric_limits<float>::quiet_NaN();

struct UnaryCase {
  const char* op;
  double (*f)(double);
  float lo, hi;  // where it is defined
};

double Clamp(double x, double lo, double hi) { return x < lo ? lo : x > hi ? hi : x; }

const UnaryCase kUnary[] = {
    {"relu", [](double x) { return x > 0 ? x : 0; }, -3, 3},
    {"abs", [](double x) { return std::fabs(x); }, -3, 3},
    {"acos", [](double x) { return std::acos(x); }, -1, 1},
    {"asin", [](double x) { return std::asin(x); }, -1, 1},
    {"ceil", [](double x) { return std::ceil(x); }, -3, 3},
    {"cos", [](double x) { return std::cos(x); }, -9, 9},
    {"exp", [](double x) { return std::exp(x); }, -3, 3},
    {"expm1", [](double x) { return std::expm1(x); }, -3, 3},
    {"floor", [](double x) { return std::floor(x); }, -3, 3},
    {"log", [](double x) { return std::log(x); }, 0.1f, 3},
    {"log1p", [](double x) { return std::log1p(x); }, -0.9f, 3},
    {"negate", [](double x) { return -x; }, -3, 3},
    {"sigmoid", [](double x) { return 1 / (1 + std::exp(-x)); }, -9, 9},
    {"sin", [](double x) { return std::sin(x); }, -9, 9},
    {"tan", [](double x) { return std::tan(x); }, -1, 1},
    {"tanh", [](double x) { return std::tanh(x); }, -3, 3},
    {"sinh", [](double x) { return std::sinh(x); }, -3, 3},
    {"cosh", [](double x) { return std::cosh(x); }, -3, 3},
    {"asinh", [](double x) { return std::asinh(x); }, -3, 3},
    {"acosh", [](double x) { return std::acosh(x); }, 1, 3},
    {"atanh", [](double x) { return std::atanh(x); }, -0.9f, 0.9f},
    {"fast_tanh", [](double x) { return x * (27 + x * x) / (27 + 9 * x * x); }, -3, 3},
    {"round", [](double x) { return std::round(x); }, -3, 3},
    {"erf", [](double x) { return std::erf(x); }, -3, 3},
    {"erfc", [](double x) { return std::erfc(x); }, -3, 3},
    {"h_swish", [](double x) { return x * Clamp(x + 3, 0, 6) / 6; }, -5, 5},
    {"hsigmoid", [](double x) { return Clamp(x + 3, 0, 6) / 6; }, -5, 5},
    {"silu", [](double x) { return x / (1 + std::exp(-x)); }, -5, 5},
    {"sigmoid_exp2", [](double x) { return 1 / (1 + std::exp2(x)); }, -5, 5},
    {"silu_exp2", [](double x) { return -x * M_LN2 / (1 + std::exp2(x)); }, -5, 5},
    {"gelu", [](double x) { return x * 0.5 * (1 + std::erf(x / std::sqrt(2.0))); }, -5, 5},
    {"relu6", [](double x) { return Clamp(x, 0, 6); }, -9, 9},
    {"softplus", [](double x) { return std::log1p(std::exp(-std::fabs(x))) + (x > 0 ? x : 0); }, -9, 9},
    {"logsigmoid", [](double x) { return -std::log1p(std::exp(-std::fabs(x))) + (x < 0 ? x : 0); }, -9, 9},
    {"sqrt", [](double x) { return std::sqrt(x); }, 0, 9},
    {"square", [](double x) { return x * x; }, -3, 3},
    {"sign", [](double x) { return x > 0 ? 1.0 : x < 0 ? -1.0 : 0.0; }, -3, 3},
    {"identity", [](double x) { return x; }, -3, 3},
};

TEST(PointwiseTest, UnaryModes) {
  for (const UnaryCase& c : kUnary) {
    std::vector<float> x(21), want;
    for (size_t i = 0; i < x.size(); ++i) x[i] = c.lo + (c.hi - c.lo) * static_cast<float>(i) / 20;
    for (float v : x) want.push_back(static_cast<float>(c.f(v)));
    SCOPED_TRACE(c.op);
    ExpectNear(RunFloats(c.op, {F32({3, 7}, x)}), want, 2e-5f);
  }
}

TEST(PointwiseTest, InverseErrorFunctionsInvert) {
  const std::vector<float> x = {-0.9f, -0.3f, 0, 0.4f, 0.99f};
  ExpectNear(RunFloats("erf", {RunOp("erfinv", {F32({5}, x)}).value()}), x);
  const std::vector<float> y = {0.1f, 0.7f, 1, 1.4f, 1.9f};
  ExpectNear(RunFloats("erfc", {RunOp("erfcinv", {F32({5}, y)}).value()}), y);
}

struct NaryCase {
  const char* op;
  int arity;
  double (*f)(const double*);
};

const NaryCase kNary[] = {
    {"add", 2, [](const double* a) { return a[0] + a[1]; }},
    {"sub", 2, [](const double* a) { return a[0] - a[1]; }},
    {"mul", 2, [](const double* a) { return a[0] * a[1]; }},
    {"true_div", 2, [](const double* a) { return a[0] / a[1]; }},
    {"floor_div", 2, [](const double* a) { return std::floor(a[0] / a[1]); }},
    {"mod", 2, [](const double* a) { return std::fmod(a[0], a[1]); }},
    {"max", 2, [](const double* a) { return std::fmax(a[0], a[1]); }},
    {"min", 2, [](const double* a) { return std::fmin(a[0], a[1]); }},
    {"atan2", 2, [](const double* a) { return std::atan2(a[0], a[1]); }},
    {"log_sum_exp", 2, [](const double* a) { return std::log(std::exp(a[0]) + std::exp(a[1])); }},
    {"lt", 2, [](const double* a) { return a[0] < a[1] ? 1.0 : 0.0; }},
    {"leq", 2, [](const double* a) { return a[0] <= a[1] ? 1.0 : 0.0; }},
    {"eq", 2, [](const double* a) { return a[0] == a[1] ? 1.0 : 0.0; }},
    {"neq", 2, [](const double* a) { return a[0] != a[1] ? 1.0 : 0.0; }},
    {"switch_gt0", 2, [](const double* a) { return a[0] > 0 ? a[1] : 0; }},
    {"prelu", 2, [](const double* a) { return a[0] > 0 ? a[0] : a[0] * a[1]; }},
    {"fuse_add_relu", 2, [](const double* a) { return std::fmax(a[0] + a[1], 0); }},
    {"fuse_add_sigmoid", 2, [](const double* a) { return 1 / (1 + std::exp(-a[0] - a[1])); }},
    {"fuse_add_tanh", 2, [](const double* a) { return std::tanh(a[0] + a[1]); }},
    {"fuse_add_h_swish", 2, [](const double* a) { const double s = a[0] + a[1]; return s * Clamp(s + 3, 0, 6) / 6; }},
    {"abs_grad", 2, [](const double* a) { return a[0] > 0 ? a[1] : -a[1]; }},
    {"sigmoid_grad", 2, [](const double* a) { return a[0] * (1 - a[0]) * a[1]; }},
    {"tanh_grad", 2, [](const double* a) { return (1 - a[0] * a[0]) * a[1]; }},
    {"cond_leq_mov", 3, [](const double* a) { return a[0] <= a[1] ? a[2] : 0; }},
    {"cond_lt_mov", 3, [](const double* a) { return a[0] < a[1] ? a[2] : 0; }},
    {"fuse_mul_add3", 3, [](const double* a) { return a[0] * a[1] + a[2]; }},
    {"clip", 3, [](const double* a) { return a[0] <= a[1] ? a[1] : a[0] <= a[2] ? a[0] : a[2]; }},
    {"fuse_mul_add4", 4, [](const double* a) { return a[0] * a[1] + a[2] * a[3]; }},
};

TEST(PointwiseTest, OtherModesBroadcast) {
  // Index of element (i, j) of a [3,5] result in each operand.
  const graph::Shape shapes[] = {{3, 5}, {5}, {3, 1}, {1}};
  auto index = [](int operand, int i, int j) {
    return operand == 0 ? i * 5 + j : operand == 1 ? j : operand == 2 ? i : 0;
  };
  for (const NaryCase& c : kNary) {
    std::vector<Tensor> operands;
    for (int k = 0; k < c.arity; ++k) operands.push_back(Counting(shapes[k], -8 + 6 * k, 3));
    std::vector<float> want;
    for (int i = 0; i < 3; ++i) {
      for (int j = 0; j < 5; ++j) {
        double a[4] = {};
        for (int k = 0; k < c.arity; ++k) a[k] = ValuesOf<float>(operands[k])[index(k, i, j)];
        want.push_back(static_cast<float>(c.f(a)));
      }
    }
    SCOPED_TRACE(c.op);
    ExpectNear(RunFloats(c.op, operands), want, 1e-5f);
  }
  ExpectNear(RunFloats("pow", {F32({4}, {4, 2, 0.5f, 9}), F32({1}, {0.5f})}), {2, std::sqrt(2.0f), std::sqrt(0.5f), 3});
}

void ExpectSame(const std::vector<float>& got, const std::vector<float>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    if (std::isnan(want[i])) EXPECT_TRUE(std::isnan(got[i])) << i << ": " << got[i];
    else EXPECT_EQ(got[i], want[i]) << i;
  }
}

TEST(PointwiseTest, NanAndInfinity) {
  const Tensor x = F32({5}, {1, kNan, kInf, -kInf, -0.0f});
  ExpectSame(RunFloats("relu", {x}), {1, 0, kInf, 0, 0});
  // Where an operand is NaN, MAX gives the first operand and MIN the second.
  const Tensor half = F32({1}, {0.5f});
  ExpectSame(RunFloats("max", {x, half}), {1, kNan, kInf, 0.5f, 0.5f});
  ExpectSame(RunFloats("max", {half, x}), {1, 0.5f, kInf, 0.5f, 0.5f});
  ExpectSame(RunFloats("min", {x, half}), {0.5f, 0.5f, 0.5f, -kInf, 0});
  ExpectSame(RunFloats("min", {half, x}), {0.5f, kNan, 0.5f, -kInf, 0});
  ExpectSame(RunFloats("sign", {F32({3}, {kInf, -kInf, 0})}), {1, -1, 0});
  ExpectSame(RunFloats("sigmoid", {x}), {1 / (1 + std::exp(-1.0f)), kNan, 1, 0, 0.5f});
  ExpectSame(RunFloats("prelu", {F32({2}, {-kInf, kNan}), F32({1}, {0.5f})}), {-kInf, kNan});
  ExpectSame(RunFloats("switch_gt0", {F32({2}, {kNan, 1}), F32({1}, {kInf})}), {0, kInf});
  ExpectSame(RunFloats("neq", {F32({1}, {kNan}), F32({1}, {kNan})}), {1});
  ExpectSame(RunFloats("eq", {F32({1}, {kNan}), F32({1}, {kNan})}), {0});
  ExpectSame(RunFloats("pow", {F32({1}, {-2}), F32({1}, {0.5f})}), {kNan});
  ExpectSame(RunFloats("round", {F32({4}, {0.5f, 1.5f, -0.5f, -2.5f})}), {1, 2, -1, -3});  // half away from zero
  EXPECT_EQ(ValuesOf<uint8_t>(RunOp("is_nan", {x}).value()), (std::vector<uint8_t>{0, 1, 0, 0, 0}));
  EXPECT_EQ(ValuesOf<uint8_t>(RunOp("is_inf", {x}).value()), (std::vector<uint8_t>{0, 0, 1, 1, 0}));
}

TEST(PointwiseTest, Integers) {
  const Tensor x = I32({4}, {7, -7, 7, -7}), y = I32({4}, {2, 2, -2, -2});
  auto run = [&](const char* op) { return ValuesOf<int32_t>(RunOp(op, {x, y}).value()); };
  EXPECT_EQ(run("floor_div"), (std::vector<int32_t>{3, -4, -4, 3}));
  EXPECT_EQ(run("mod"), (std::vector<int32_t>{1, 1, -1, -1}));  // the divisor's sign
  EXPECT_EQ(run("max"), (std::vector<int32_t>{7, 2, 7, -2}));
  EXPECT_EQ(run("lt"), (std::vector<int32_t>{0, 1, 0, 1}));
  EXPECT_EQ(ValuesOf<int32_t>(RunOp("shr", {I32({2}, {-5, 5}), I32({1}, {1})}).value()), (std::vector<int32_t>{-3, 2}));
  EXPECT_EQ(ValuesOf<int32_t>(RunOp("shl", {I32({2}, {-5, 5}), I32({1}, {2})}).value()),
            (std::vector<int32_t>{-20, 20}));
  EXPECT_EQ(ValuesOf<int32_t>(RunOp("add", {I32({1}, {2147483647}), I32({1}, {1})}).value()),
            (std::vector<int32_t>{-2147483647 - 1}));
  const int32_t lowest = std::numeric_limits<int32_t>::min();
  EXPECT_EQ(ValuesOf<int32_t>(RunOp("rmulh", {I32({4}, {lowest, 1 << 30, 3 << 15, 3 << 15}),
                                              I32({4}, {lowest, 1 << 30, 1 << 15, -(1 << 15)})}).value()),
            (std::vector<int32_t>{2147483647, 1 << 29, 2, -1}));  // ties go up
}

TEST(PointwiseTest, Booleans) {
  auto bools = [](std::vector<uint8_t> v) { return TensorOf<uint8_t>(DTypeKind::kBool, {4}, v); };
  const Tensor x = bools({0, 0, 1, 1}), y = bools({0, 1, 0, 1});
  auto run = [&](const char* op) { return ValuesOf<uint8_t>(RunOp(op, {x, y}).value()); };
  EXPECT_EQ(run("and"), (std::vector<uint8_t>{0, 0, 0, 1}));
  EXPECT_EQ(run("or"), (std::vector<uint8_t>{0, 1, 1, 1}));
  EXPECT_EQ(run("xor"), (std::vector<uint8_t>{0, 1, 1, 0}));
  EXPECT_EQ(run("eq"), (std::vector<uint8_t>{1, 0, 0, 1}));
  EXPECT_EQ(ValuesOf<uint8_t>(RunOp("not", {x}).value()), (std::vector<uint8_t>{1, 1, 0, 0}));
  EXPECT_EQ(ValuesOf<float>(RunOp("where", {x, F32({4}, {1, 2, 3, 4}), F32({1}, {-1})}).value()),
            (std::vector<float>{-1, -1, 3, 4}));
  const Tensor a = F32({3}, {1, kNan, 3}), b = F32({1}, {1});
  EXPECT_EQ(ValuesOf<uint8_t>(RunOp("equal", {a, b}).value()), (std::vector<uint8_t>{1, 0, 0}));
  EXPECT_EQ(ValuesOf<uint8_t>(RunOp("not_equal", {a, b}).value()), (std::vector<uint8_t>{0, 1, 1}));
  EXPECT_EQ(ValuesOf<uint8_t>(RunOp("less", {b, a}).value()), (std::vector<uint8_t>{0, 0, 1}));
  EXPECT_EQ(ValuesOf<uint8_t>(RunOp("less_equal", {b, a}).value()), (std::vector<uint8_t>{1, 0, 1}));
}

TEST(PointwiseTest, ConstantPowers) {
  const Tensor x = F32({4}, {-2, -0.5f, 0.5f, 3});
  for (double exp : {0.0, 1.0, 2.0, 3.0, -1.0, -2.0, 7.0, 33.0, 34.0, -35.0}) {
    SCOPED_TRACE(exp);
    const std::vector<float> got = RunFloats("powc", {x}, {{"exp", exp}});
    const std::vector<float> in = ValuesOf<float>(x);
    for (size_t i = 0; i < in.size(); ++i) {
      const double want = std::pow(in[i], exp);
      EXPECT_NEAR(got[i], want, 1e-6 * std::fabs(want)) << in[i];
    }
  }
  ExpectSame(RunFloats("powc", {F32({4}, {4, -4, 0, kInf})}, {{"exp", 0.5}}), {2, kNan, 0, kInf});
  ExpectNear(RunFloats("powc", {F32({1}, {2})}, {{"exp", 1.5}}), {2.828427f});
  ExpectSame(RunFloats("powc", {F32({2}, {kNan, 0})}), {1, 1});  // x^0
}

TEST(PointwiseTest, Casts) {
  const Tensor x = F32({5}, {1.9f, -1.9f, 0, 250.5f, 0.25f});
  auto cast = [&](const Tensor& t, const char* dtype) {
    return RunOp("cast", {t}, {{"dtype", std::string(dtype)}}).value();
  };
  EXPECT_EQ(ValuesOf<int32_t>(cast(x, "i32")), (std::vector<int32_t>{1, -1, 0, 250, 0}));
  EXPECT_EQ(ValuesOf<uint8_t>(cast(x, "bool")), (std::vector<uint8_t>{1, 1, 0, 1, 1}));
  EXPECT_EQ(ValuesOf<int8_t>(cast(I32({3}, {300, -129, 5}), "i8")), (std::vector<int8_t>{44, 127, 5}));
  EXPECT_EQ(ValuesOf<int8_t>(cast(F32({3}, {300.9f, -129, 5}), "i8")), (std::vector<int8_t>{44, 127, 5}));
  EXPECT_EQ(ValuesOf<uint8_t>(cast(cast(F32({3}, {300.25f, -1, 5}), "f16"), "u8")), (std::vector<uint8_t>{44, 255, 5}));
  EXPECT_EQ(ValuesOf<uint16_t>(cast(F32({2}, {65537, -2}), "u16")), (std::vector<uint16_t>{1, 65534}));
  EXPECT_EQ(ValuesOf<float>(cast(cast(x, "f16"), "f32")),
            (std::vector<float>{1.900390625f, -1.900390625f, 0, 250.5f, 0.25f}));
  EXPECT_EQ(ValuesOf<uint16_t>(cast(F32({2}, {1, 1 + 3.0f / 2048}), "f16")), (std::vector<uint16_t>{0x3c00, 0x3c02}));
  EXPECT_EQ(ValuesOf<float>(cast(TensorOf<uint8_t>(DTypeKind::kBool, {2}, {0, 1}), "f32")), (std::vector<float>{0, 1}));
}

TEST(PointwiseTest, HalfRoundsAfterEveryOperator) {
  const Tensor x = RunOp("cast", {F32({1}, {2048})}, {{"dtype", std::string("f16")}}).value();
  const Tensor one = RunOp("cast", {F32({1}, {1})}, {{"dtype", std::string("f16")}}).value();
  const Tensor sum = RunOp("add", {x, one}).value();
  EXPECT_EQ(sum.type.dtype, DType(DTypeKind::kFloat16));
  EXPECT_EQ(ValuesOf<uint16_t>(sum)[0], 0x6800);  // 2049 is a tie: to even
}

// Whatever inference accepts can be computed, for every pointwise operator and dtype.
TEST(PointwiseTest, AcceptsOnlyWhatItCanCompute) {
  const DTypeKind kKinds[] = {DTypeKind::kFloat32, DTypeKind::kFloat16, DTypeKind::kBFloat16, DTypeKind::kInt8,
                              DTypeKind::kUint8,   DTypeKind::kInt16,   DTypeKind::kUint16,   DTypeKind::kInt32,
                              DTypeKind::kBool};
  int accepted = 0;
  for (const std::string& name : AllOps()) {
    const OpDef* op = FindOp(name);
    if (!op->pointwise || name == "cast") continue;
    for (DTypeKind kind : kKinds) {
      std::vector<Tensor> operands;
      for (int k = 0; k < op->min_inputs; ++k) {
        const TensorType t{name == "where" && k == 0 ? DTypeKind::kBool : kind, {2, 3}};
        std::string bytes(ByteSize(t), '\0');
        for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = i % ByteSize(t.dtype) == 0 ? 1 : 0;  // small, not zero
        operands.push_back({t, std::move(bytes)});
      }
      const absl::StatusOr<Tensor> y = RunOp(name, operands);
      accepted += y.ok();
      if (!y.ok()) ExpectRefused(y.status(), "");
    }
  }
  for (DTypeKind from : kKinds) {
    for (DTypeKind to : kKinds) {
      const TensorType t{from, {3}};
      const absl::StatusOr<Tensor> y =
          RunOp("cast", {{t, std::string(ByteSize(t), '\0')}}, {{"dtype", ToString(DType(to))}});
      EXPECT_TRUE(y.ok()) << y.status();
    }
  }
  EXPECT_GT(accepted, 300);
}

TEST(PointwiseTest, Refuses) {
  const TensorType f{DTypeKind::kFloat32, {2, 3}}, i{DTypeKind::kInt32, {2, 3}}, b{DTypeKind::kBool, {2, 3}};
  const TensorType q{DType(DTypeKind::kQuantizedS8, 0.5f), {2, 3}}, other{DTypeKind::kFloat32, {4, 3}};
  ExpectRefused(InferOne("add", {f, i}).status(), "operands have different dtypes: f32 and i32");
  ExpectRefused(InferOne("add", {f, other}).status(), "shapes [2,3] and [4,3] do not broadcast");
  EXPECT_TRUE(InferOne("add", {q, q}).ok()) << "numbers of one scale";
  ExpectRefused(InferOne("mul", {q, q}).status(), "does not take quantized operands");
  ExpectRefused(InferOne("add", {b, b}).status(), "does not take operands of dtype bool");
  ExpectRefused(InferOne("exp", {i}).status(), "does not take operands of dtype i32");
  ExpectRefused(InferOne("and", {f, f}).status(), "does not take operands of dtype f32");
  ExpectRefused(InferOne("add", {f}).status(), "got 1 inputs, takes 2 to 2");
  ExpectRefused(InferOne("equal", {f, i}).status(), "different dtypes");
  ExpectRefused(InferOne("is_nan", {i}).status(), "needs a float");
  ExpectRefused(InferOne("powc", {i}).status(), "needs a float");
  ExpectRefused(InferOne("where", {f, f, f}).status(), "the mask must be bool");
  ExpectRefused(InferOne("where", {b, f, i}).status(), "different dtypes");
  ExpectRefused(InferOne("cast", {f}, {{"dtype", std::string("f31")}}).status(), "'f31' is not a dtype");
}

// The CPU would stop the program.
TEST(PointwiseTest, IntegerDivisionByAnything) {
  const int32_t lowest = std::numeric_limits<int32_t>::min();
  const Tensor x = I32({6}, {7, -7, 7, lowest, lowest, 5}), y = I32({6}, {0, 2, -1, -1, 0, -2});
  EXPECT_EQ(ValuesOf<int32_t>(RunOp("floor_div", {x, y}).value()), (std::vector<int32_t>{0, -4, -7, lowest, 0, -3}));
  EXPECT_EQ(ValuesOf<int32_t>(RunOp("mod", {x, y}).value()), (std::vector<int32_t>{0, 1, 0, 0, 0, -1}));
  const Tensor u = TensorOf<uint8_t>(DTypeKind::kUint8, {2}, {7, 200}), v = TensorOf<uint8_t>(DTypeKind::kUint8, {2}, {0, 255});
  EXPECT_EQ(ValuesOf<uint8_t>(RunOp("floor_div", {u, v}).value()), (std::vector<uint8_t>{0, 0}));
  EXPECT_EQ(ValuesOf<uint8_t>(RunOp("mod", {u, v}).value()), (std::vector<uint8_t>{0, 200}));
}

}  // namespace
}  // namespace mgec::ops
