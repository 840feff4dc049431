// Contractions of float32 numbers with tensor cores (tf32_factors.h), by the emulator.
#include <cmath>
#include <cstring>
#include <random>

#include "compiler/kernel/reference_math.h"
#include "compiler/schedule/testing/schedule_tester.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using graph::DTypeKind;
using graph::Shape;
using graph::Value;
using Ints = std::vector<int64_t>;

Options Tf32() {
  Options options;
  options.tf32 = true;
  return options;
}

std::vector<float> Floats(const std::string& bytes) {
  std::vector<float> floats(bytes.size() / sizeof(float));
  std::memcpy(floats.data(), bytes.data(), bytes.size());
  return floats;
}

// What tf32_factors.h states of the error; and exactly what hardware is told to do, but for the order of sums.
TEST(ContractionTf32Test, KeepsItsErrorBound) {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> uniform(-2, 2);
  for (const Ints& mkn : {Ints{33, 17, 70}, Ints{100, 228, 72}, Ints{72, 900, 40}, Ints{1000, 12, 900}}) {
    const int64_t m = mkn[0], depth = mkn[1], n = mkn[2];
    graph::Graph g;
    Value* a = g.AddInput("a", {DTypeKind::kFloat32, {m, depth}});
    Value* b = g.AddInput("b", {DTypeKind::kFloat32, {n, depth}});
    g.AddOutput(*g.Add("matmul", {a, b}, {{"transpose_b", int64_t{1}}}), "y");
    std::vector<std::string> inputs = {std::string(m * depth * 4, '\0'), std::string(n * depth * 4, '\0')};
    for (std::string& bytes : inputs) {
      for (size_t i = 0; i < bytes.size(); i += 4) {
        const float v = uniform(random);
        std::memcpy(&bytes[i], &v, 4);
      }
    }
    const auto program = RunnableProgram::Make(g, kernel::CudaTarget(), Tf32());
    ASSERT_TRUE(program.ok()) << program.status();
    const auto outputs = program->Emulate(inputs);
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    ASSERT_EQ(outputs->size(), 2u);  // with tensor cores that know TF32, and without
    const std::vector<float> x = Floats(inputs[0]), y = Floats(inputs[1]), with = Floats((*outputs)[0][0]), without = Floats((*outputs)[1][0]);
    double largest = 0;
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        double exact = 0, rounded = 0, magnitude = 0;
        for (int64_t k = 0; k < depth; ++k) {
          const float p = x[i * depth + k], q = y[j * depth + k];
          exact += double{p} * q;
          rounded += double{kernel::RoundTf32(p)} * kernel::RoundTf32(q);
          magnitude += std::fabs(double{p} * q);
        }
        const double sum = magnitude * static_cast<double>(depth) * std::ldexp(1, -23);  // of adding up
        const float got = with[i * n + j];
        ASSERT_LE(std::fabs(got - exact), magnitude * std::ldexp(1, -10) * (1 + std::ldexp(1, -12)) + sum) << i << " " << j;
        ASSERT_LE(std::fabs(got - rounded), sum) << i << " " << j;
        ASSERT_LE(std::fabs(without[i * n + j] - exact), sum) << i << " " << j;
        largest = std::max(largest, std::fabs(got - exact) / magnitude);
      }
    }
    EXPECT_GT(largest, 1e-5) << "nothing was rounded";
  }
}

// Of random shapes, with what follows them; before and after all passes.
TEST(ContractionTf32Test, Convolutions) {
  for (uint32_t i = 0; i < 4; ++i) {
    ScheduleTester t(800 + i);
    t.set_cuda_options(Tf32());
    const int64_t group = t.OneOf<int64_t>({1, 2}), icg = t.Int(3, 20), ocg = t.Int(8, 40), k = t.OneOf<int64_t>({1, 3});
    const Shape x = {2, group * icg, t.Int(k, 12), t.Int(k, 12)};
    const Shape w = group == 1 ? Shape{ocg, icg, k, k} : Shape{group, ocg, icg, k, k};
    Value* y = t.Add("conv2d", {t.Input(x), t.Constant(w), t.Constant({1, group * ocg, 1, 1})},
                     {{"group", group}, {"pad", Ints{k / 2, k / 2}}});
    t.Expect(t.Add("add", {t.Add("relu", {y}), t.Input(y->type.shape)}));
    t.set_tolerance(2e-3);
    t.CheckCuda();
    EXPECT_TRUE(t.KernelsContain("mma(") && t.KernelsContain("round_tf32("));
  }
}

// Float16 numbers keep the tensor cores that are made for them, and nothing else changes.
TEST(ContractionTf32Test, OtherFactors) {
  ScheduleTester t(900);
  t.set_cuda_options(Tf32());
  t.set_integers(-100, 100);
  t.Expect(t.Add("matmul", {t.Input({40, 64}, DTypeKind::kFloat16), t.Constant({64, 48}, DTypeKind::kFloat16)}));
  t.Expect(t.Add("int_matmul", {t.Input({40, 64}, DTypeKind::kInt8), t.Constant({64, 48}, DTypeKind::kInt8)},
                 {{"dtype", std::string("i32")}}));
  t.Expect(t.Add("mul", {t.Input({40, 64}), t.Input({40, 64})}));
  t.set_tolerance(1e-3);
  t.CheckCuda();
  EXPECT_TRUE(t.KernelsContain("mma("));
  EXPECT_FALSE(t.KernelsContain("round_tf32("));
}

}  // namespace
}  // namespace mgec::schedule
