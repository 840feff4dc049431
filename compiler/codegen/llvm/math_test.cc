// Every math function against the C library in float64, on samples of all binades, for every target that this CPU runs.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "compiler/codegen/llvm/testing/run_image.h"
#include "compiler/kernel/reference_math.h"

namespace mgec::codegen {
namespace {

using kernel::Block;
using kernel::Buffer;
using kernel::Expr;
using kernel::Kernel;
using kernel::Load;
using kernel::Op;
using kernel::Scalar;
using kernel::Target;

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Every 4093rd float, and those next to what is special. The count is a multiple of 64.
std::vector<float> Samples() {
  std::vector<float> samples;
  auto add_bits = [&](uint32_t bits) {
    float v;
    std::memcpy(&v, &bits, sizeof(v));
    samples.push_back(v);
  };
  for (uint64_t bits = 0; bits < (uint64_t{1} << 32); bits += 4093) add_bits(static_cast<uint32_t>(bits));
  for (float special : {0.0f, 1.0f, 2.0f, 0.5f, kInf, std::numeric_limits<float>::min(), 88.72283f, 103.97208f, 87.33f, 126.0f,
                        8.139f, 3.696f, 10.06f, 1.5707964f, 3.1415927f}) {
    uint32_t bits;
    std::memcpy(&bits, &special, sizeof(bits));
    for (int64_t d = -40; d <= 40; ++d) {
      add_bits(static_cast<uint32_t>(bits + d));
      add_bits(static_cast<uint32_t>(bits + d) ^ 0x80000000);
    }
  }
  while (samples.size() % 64 != 0) samples.push_back(kNan);
  return samples;
}

// f over all of `inputs`, 64 elements a task.
std::vector<float> RunGenerated(const std::function<Expr(const std::vector<Expr>&)>& f, const Target& target, int lanes,
                                const std::vector<std::vector<float>>& inputs) {
  const auto n = static_cast<int64_t>(inputs[0].size());
  Kernel k;
  k.name = "f";
  k.task = kernel::MakeVar("task");
  k.tasks = n / 64;
  for (size_t i = 0; i <= inputs.size(); ++i) {
    k.arguments.push_back(kernel::ArgumentBuffer("b", Scalar::kFloat32, n, static_cast<int>(i), 4));
  }
  Block b;
  for (int i = 0; i < 64; i += lanes) {
    const Expr at = Use(k.task) * 64 + i;
    std::vector<Expr> x;
    for (size_t j = 0; j < inputs.size(); ++j) x.push_back(Load(k.arguments[j], at, lanes));
    b.Store(k.arguments.back(), at, f(x));
  }
  k.body = b.Take();
  absl::StatusOr<CodeImage> image = Generate({k}, target, Options());
  EXPECT_TRUE(image.ok()) << image.status();
  absl::StatusOr<MappedImage> code = MappedImage::Map(*image);
  EXPECT_TRUE(code.ok()) << code.status();
  std::vector<float> out(inputs[0].size());
  std::vector<void*> buffers;
  for (const std::vector<float>& input : inputs) buffers.push_back(const_cast<float*>(input.data()));
  buffers.push_back(out.data());
  code->Run(0, buffers, 0, static_cast<uint32_t>(k.tasks));
  return out;
}

std::vector<float> RunGenerated(Op op, const Target& target, int lanes, const std::vector<std::vector<float>>& inputs) {
  return RunGenerated(
      [op](const std::vector<Expr>& x) { return x.size() == 1 ? kernel::Unary(op, x[0]) : kernel::Binary(op, x[0], x[1]); },
      target, lanes, inputs);
}

Expr SigmoidExp2(const std::vector<Expr>& e) { return kernel::Unary(Op::kSigmoid, e[0] * kernel::Float(-M_LN2)); }
Expr SiluExp2(const std::vector<Expr>& e) {
  const Expr x = e[0] * kernel::Float(-M_LN2);
  return x * kernel::Unary(Op::kSigmoid, x);
}

// The distance in units in the last place of the expected value; infinity counts as 2^128.
double Ulps(float got, double expected) {
  if (std::isnan(got) || std::isnan(expected)) return std::isnan(got) && std::isnan(expected) ? 0 : 1e30;
  auto finite = [](double v) { return std::isinf(v) ? std::copysign(0x1p128, v) : v; };
  const double e = std::clamp(finite(expected), -0x1p128, 0x1p128);
  const int exponent = e == 0 ? -149 : std::max(std::ilogb(e) - 23, -149);
  return std::fabs(finite(static_cast<double>(got)) - e) / std::ldexp(1.0, exponent);
}

struct Worst {
  double ulps = 0;
  float x = 0, y = 0, got = 0;
  double expected = 0;
  void Add(float in_x, float in_y, float out, double reference) {
    const double u = Ulps(out, reference);
    if (u > ulps) *this = {u, in_x, in_y, out, reference};
  }
};

std::string Describe(const Worst& w) {
  char text[160];
  std::snprintf(text, sizeof(text), "%.2f ulp at %.9g, %.9g: %.9g instead of %.17g", w.ulps, static_cast<double>(w.x),
                static_cast<double>(w.y), static_cast<double>(w.got), w.expected);
  return text;
}

struct UnaryCase {
  Op op;
  double ulps;       // as math.h promises
  float limit = kInf;  // for arguments of at most this magnitude
};

class UnaryMathTest : public ::testing::TestWithParam<UnaryCase> {};

TEST_P(UnaryMathTest, IsAccurateEverywhere) {
  const UnaryCase& c = GetParam();
  const std::vector<float> in = Samples();
  std::vector<double> expected(in.size());
  for (size_t i = 0; i < in.size(); ++i) expected[i] = kernel::ReferenceUnary(c.op)(static_cast<double>(in[i]));
  std::string why_not, skipped;
  for (const Target& target : kernel::DefaultTargets()) {
    if (!CanRun(target, &why_not)) {
      skipped += target.name + " " + why_not + " ";
      continue;
    }
    const std::vector<float> out = RunGenerated(c.op, target, target.vector_lanes, {in});
    Worst worst;
    for (size_t i = 0; i < in.size(); ++i) {
      if (std::fabs(in[i]) > c.limit) continue;
      // This one has no denormal results.
      if (c.op == Op::kSigmoid && in[i] < -87.33f) {
        EXPECT_NEAR(out[i], 1.18e-38, 1e-40) << in[i];
        continue;
      }
      worst.Add(in[i], 0, out[i], expected[i]);
      if (in[i] == 0 && expected[i] == 0) {
        EXPECT_EQ(std::signbit(out[i]), std::signbit(expected[i])) << in[i];
      }
      // What has limits reaches them.
      if ((c.op == Op::kTanh || c.op == Op::kErf) && std::fabs(in[i]) > 10) {
        EXPECT_EQ(out[i], in[i] < 0 ? -1 : 1) << in[i];
      }
    }
    EXPECT_LE(worst.ulps, c.ulps) << target.name << ": " << Describe(worst);
    std::printf("%-10s %s: %s\n", kernel::Name(c.op), target.name.c_str(), Describe(worst).c_str());
  }
  if (!skipped.empty()) GTEST_SKIP() << "skipped: " << skipped;
}

INSTANTIATE_TEST_SUITE_P(
    All, UnaryMathTest,
    ::testing::Values(UnaryCase{Op::kSqrt, 0.5}, UnaryCase{Op::kRsqrt, 2}, UnaryCase{Op::kExp, 1.1},
                      UnaryCase{Op::kExpm1, 1}, UnaryCase{Op::kLog, 1}, UnaryCase{Op::kLog1p, 1},
                      UnaryCase{Op::kSin, 2, 0x1p30f}, UnaryCase{Op::kCos, 2, 0x1p30f},
                      UnaryCase{Op::kTan, 3, 0x1p30f}, UnaryCase{Op::kAsin, 1}, UnaryCase{Op::kAcos, 1},
                      UnaryCase{Op::kAtan, 1}, UnaryCase{Op::kSinh, 1}, UnaryCase{Op::kCosh, 1},
                      UnaryCase{Op::kTanh, 5}, UnaryCase{Op::kAsinh, 1}, UnaryCase{Op::kAcosh, 1},
                      UnaryCase{Op::kAtanh, 1}, UnaryCase{Op::kErf, 5}, UnaryCase{Op::kErfc, 1},
                      UnaryCase{Op::kErfInv, 2}, UnaryCase{Op::kErfcInv, 2}, UnaryCase{Op::kSigmoid, 7}),
    [](const auto& info) { return std::string(kernel::Name(info.param.op)); });

// Pairs of random bits, of numbers of moderate size, of small integers and halves, and of special values.
std::vector<std::vector<float>> Pairs() {
  std::vector<std::vector<float>> pairs(2);
  std::mt19937 random(1);
  auto any = [&] {
    const auto bits = static_cast<uint32_t>(random());
    float v;
    std::memcpy(&v, &bits, sizeof(v));
    return v;
  };
  auto add = [&](float x, float y) {
    pairs[0].push_back(x);
    pairs[1].push_back(y);
  };
  std::uniform_real_distribution<float> moderate(-20, 20);
  auto small = [&] { return static_cast<float>(static_cast<int>(random() % 41) - 20); };
  for (int i = 0; i < 200000; ++i) {
    add(any(), any());
    add(moderate(random), moderate(random));
    add(std::exp(moderate(random)), moderate(random));
    add(small(), small() / 2);
  }
  const float special[] = {0.0f,   -0.0f,   1,        -1,        2,     -2,     3,    -3,    0.5f, -0.5f,
                           1e-45f, -1e-45f, 16777216, -16777215, 3e38f, -3e38f, kInf, -kInf, kNan};
  for (float x : special) {
    for (float y : special) add(x, y);
  }
  while (pairs[0].size() % 64 != 0) add(1, 1);
  return pairs;
}

struct BinaryCase {
  Op op;
  double ulps;
};

class BinaryMathTest : public ::testing::TestWithParam<BinaryCase> {};

TEST_P(BinaryMathTest, IsAccurateEverywhere) {
  const BinaryCase& c = GetParam();
  const std::vector<std::vector<float>> in = Pairs();
  std::string why_not, skipped;
  for (const Target& target : kernel::DefaultTargets()) {
    if (!CanRun(target, &why_not)) {
      skipped += target.name + " " + why_not + " ";
      continue;
    }
    const std::vector<float> out = RunGenerated(c.op, target, target.vector_lanes, in);
    Worst worst;
    for (size_t i = 0; i < out.size(); ++i) {
      const double x = static_cast<double>(in[0][i]), y = static_cast<double>(in[1][i]);
      const double expected = c.op == Op::kMod ? std::fmod(x, y) : kernel::ReferenceBinary(c.op)(x, y);
      worst.Add(in[0][i], in[1][i], out[i], expected);
      if (expected == 0) {
        EXPECT_EQ(std::signbit(out[i]), std::signbit(expected)) << in[0][i] << " " << in[1][i];
      }
    }
    EXPECT_LE(worst.ulps, c.ulps) << target.name << ": " << Describe(worst);
    std::printf("%-10s %s: %s\n", kernel::Name(c.op), target.name.c_str(), Describe(worst).c_str());
  }
  if (!skipped.empty()) GTEST_SKIP() << "skipped: " << skipped;
}

INSTANTIATE_TEST_SUITE_P(All, BinaryMathTest,
                         ::testing::Values(BinaryCase{Op::kPow, 1}, BinaryCase{Op::kAtan2, 1}, BinaryCase{Op::kMod, 0}),
                         [](const auto& info) { return std::string(kernel::Name(info.param.op)); });

// A product with a sigmoid is generated as one quotient.
TEST(MathTest, TimesSigmoid) {
  const std::vector<float> x = Samples();
  std::vector<float> factor(x.size());
  for (size_t i = 0; i < x.size(); ++i) factor[i] = static_cast<float>(i % 7) - 3;
  std::string why_not, skipped;
  for (const Target& target : kernel::DefaultTargets()) {
    if (!CanRun(target, &why_not)) {
      skipped += target.name + " " + why_not + " ";
      continue;
    }
    for (bool left : {true, false}) {
      const auto product = [&](const std::vector<Expr>& e) {
        const Expr sigmoid = kernel::Unary(Op::kSigmoid, e[1]);
        return left ? sigmoid * e[0] : e[0] * sigmoid;
      };
      const std::vector<float> out = RunGenerated(product, target, target.vector_lanes, {factor, x});
      const std::vector<float> silu = RunGenerated(product, target, target.vector_lanes, {x, x});
      Worst worst;
      for (size_t i = 0; i < x.size(); ++i) {
        if (std::isnan(x[i])) {
          EXPECT_TRUE(std::isnan(out[i]) && std::isnan(silu[i]));
          continue;
        }
        if (x[i] < -87.33f) {  // where the sigmoid has its limit
          EXPECT_NEAR(out[i], factor[i] * 1.18e-38, 1e-39) << x[i];
          continue;
        }
        const double sigmoid = kernel::ReferenceUnary(Op::kSigmoid)(static_cast<double>(x[i]));
        worst.Add(factor[i], x[i], out[i], static_cast<double>(factor[i]) * sigmoid);
        worst.Add(x[i], x[i], silu[i], static_cast<double>(x[i]) * sigmoid);
      }
      EXPECT_LE(worst.ulps, 7) << target.name << ": " << Describe(worst);
    }
  }
  if (!skipped.empty()) GTEST_SKIP() << "skipped: " << skipped;
}

// Sigmoid and silu of a product with -ln 2 are generated as 1 / (1 + 2^z) and -z ln 2 / (1 + 2^z), with ln 2 as it is.
TEST(MathTest, OverOnePlusExp2) {
  const std::vector<float> z = Samples();
  const std::vector<float> three(z.size(), 3);
  std::string why_not, skipped;
  for (const Target& target : kernel::DefaultTargets()) {
    if (!CanRun(target, &why_not)) {
      skipped += target.name + " " + why_not + " ";
      continue;
    }
    struct Case {
      const char* name;
      std::vector<float> got;
      std::function<double(double)> numerator;
    };
    const Case cases[] = {
        {"silu_exp2", RunGenerated(SiluExp2, target, target.vector_lanes, {z}), [](double v) { return -M_LN2 * v; }},
        {"sigmoid_exp2", RunGenerated(SigmoidExp2, target, target.vector_lanes, {z}), [](double) { return 1; }},
        {"3 sigmoid_exp2",
         RunGenerated([](const std::vector<Expr>& e) { return SigmoidExp2({e[0]}) * e[1]; }, target, target.vector_lanes, {z, three}),
         [](double) { return 3; }}};
    for (const Case& c : cases) {
      Worst left, right;
      for (size_t i = 0; i < z.size(); ++i) {
        const double v = static_cast<double>(z[i]), numerator = c.numerator(v);
        if (std::isnan(z[i])) {
          EXPECT_TRUE(std::isnan(c.got[i])) << c.name;
        } else if (z[i] == kInf && std::isnan(c.got[i])) {
          EXPECT_STREQ(c.name, "silu_exp2");  // minus infinity times zero
        } else if (z[i] > 125) {
          EXPECT_LE(std::fabs(c.got[i]), 3e-38 * std::min(std::fabs(numerator), 126.0)) << c.name << " " << z[i];
        } else {
          (z[i] < 0 ? right : left).Add(z[i], 0, c.got[i], numerator / (1 + std::exp2(v)));
        }
      }
      EXPECT_LE(left.ulps, 10) << c.name << " " << target.name << ": " << Describe(left);
      EXPECT_LE(right.ulps, 6) << c.name << " " << target.name << ": " << Describe(right);
      std::printf("%s %s: %s; %s\n", c.name, target.name.c_str(), Describe(left).c_str(), Describe(right).c_str());
    }
  }
  if (!skipped.empty()) GTEST_SKIP() << "skipped: " << skipped;
}

// A silu goes to zero on the left and to its argument on the right, at any distance.
TEST(MathTest, SiluFarFromZero) {
  std::vector<float> x;
  for (float v : {90.0f, 1e4f, 1e9f, 1e30f, 3e38f}) {
    x.push_back(v);
    x.push_back(-v);
  }
  while (x.size() < 64) x.push_back(kInf);
  std::string why_not, skipped;
  for (const Target& target : kernel::DefaultTargets()) {
    if (!CanRun(target, &why_not)) {
      skipped += target.name + " " + why_not + " ";
      continue;
    }
    const std::vector<float> out = RunGenerated(
        [](const std::vector<Expr>& e) { return e[0] * kernel::Unary(Op::kSigmoid, e[0]); }, target, target.vector_lanes, {x});
    for (size_t i = 0; i < x.size(); ++i) {
      if (x[i] > 0) EXPECT_EQ(out[i], x[i]) << target.name;
      else EXPECT_NEAR(out[i], 0, 2e-36f) << target.name << " " << x[i];
    }
  }
  if (!skipped.empty()) GTEST_SKIP() << "skipped: " << skipped;
}

// The same function on scalars and on vectors of other sizes gives the same bits.
TEST(MathTest, LanesDoNotMatter) {
  std::vector<float> in(64);
  for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<float>(i) * 0.37f - 11;
  std::string why_not, skipped;
  for (const Target& target : kernel::DefaultTargets()) {
    if (!CanRun(target, &why_not)) {
      skipped += target.name + " " + why_not + " ";
      continue;
    }
    const std::vector<float> silu = RunGenerated(SiluExp2, target, 8, {in});
    for (int lanes : {1, 2, 4, 16, 32, 64}) {
      const std::vector<float> got = RunGenerated(SiluExp2, target, lanes, {in});
      EXPECT_EQ(std::memcmp(got.data(), silu.data(), 256), 0) << "silu_exp2 " << lanes;
    }
    for (Op op : {Op::kExp, Op::kTanh, Op::kErf, Op::kSigmoid, Op::kSin, Op::kLog1p, Op::kErfInv}) {
      const std::vector<float> expected = RunGenerated(op, target, 8, {in});
      for (int lanes : {1, 2, 4, 16, 32}) {
        const std::vector<float> got = RunGenerated(op, target, lanes, {in});
        EXPECT_EQ(std::memcmp(got.data(), expected.data(), 256), 0) << kernel::Name(op) << " " << lanes;
      }
    }
  }
  if (!skipped.empty()) GTEST_SKIP() << "skipped: " << skipped;
}

}  // namespace
}  // namespace mgec::codegen
