// Random numbers: the generator against its published test vector, distributions against their moments.
#include <cmath>
#include <cstring>

#include "compiler/ops/testing.h"

namespace mgec::ops {
namespace {

using graph::DTypeKind;

TensorData State(uint32_t seed_low, uint32_t seed_high, uint32_t pass_low, uint32_t pass_high) {
  const uint32_t words[4] = {seed_low, seed_high, pass_low, pass_high};
  return std::make_shared<const std::string>(reinterpret_cast<const char*>(words), sizeof(words));
}

std::vector<float> Draw(const char* op, const TensorData& state, graph::Attributes attributes, float parameter = 0,
                        int64_t count = 4000) {
  graph::Graph g;
  std::vector<graph::Value*> in = {g.AddInput("state", {DTypeKind::kInt32, {4}})};
  std::vector<TensorData> data = {state};
  if (parameter != 0) {
    in.push_back(g.AddInput("parameter", {DTypeKind::kFloat32, {count}}));
    const std::vector<float> p(count, parameter);
    data.push_back(std::make_shared<const std::string>(reinterpret_cast<const char*>(p.data()), count * 4));
  } else {
    attributes.Set("shape", std::vector<int64_t>{count});
  }
  const auto node = g.AddNode(op, in, attributes);
  EXPECT_TRUE(node.ok()) << node.status();
  const auto results = EvaluateNode(**node, data);
  EXPECT_TRUE(results.ok()) << results.status();
  std::vector<float> v((*results)[0]->size() / 4);
  std::memcpy(v.data(), (*results)[0]->data(), v.size() * 4);
  return v;
}

struct Moments {
  double mean = 0, variance = 0, skewness = 0;
};
Moments MomentsOf(const std::vector<float>& v) {
  Moments m;
  for (float x : v) m.mean += x / static_cast<double>(v.size());
  double third = 0;
  for (float x : v) {
    m.variance += (x - m.mean) * (x - m.mean) / static_cast<double>(v.size());
    third += std::pow(x - m.mean, 3) / static_cast<double>(v.size());
  }
  m.skewness = third / std::pow(m.variance, 1.5);
  return m;
}

// Known answers of Philox4x32-10 from the authors' distribution, "kat_vectors": all counter and key words 0 give
// 6627e8d5 e169c58d bc57ac4c 9b00dbd8.
TEST(RandomTest, IsPhilox) {
  const std::vector<float> u = Draw("random_uniform", State(0, 0, 0, 0), {}, 0, 1);
  EXPECT_EQ(u[0], (static_cast<float>(0x6627e8d5 >> 8) + 0.5f) * 0x1p-24f);
}

TEST(RandomTest, EverythingInTheStateCounts) {
  const std::vector<float> base = Draw("random_uniform", State(1, 2, 3, 4), {}, 0, 8);
  EXPECT_EQ(Draw("random_uniform", State(1, 2, 3, 4), {}, 0, 8), base);
  EXPECT_NE(Draw("random_uniform", State(9, 2, 3, 4), {}, 0, 8), base);
  EXPECT_NE(Draw("random_uniform", State(1, 9, 3, 4), {}, 0, 8), base);
  EXPECT_NE(Draw("random_uniform", State(1, 2, 9, 4), {}, 0, 8), base);
  EXPECT_NE(Draw("random_uniform", State(1, 2, 3, 9), {}, 0, 8), base);
  EXPECT_NE(Draw("random_uniform", State(1, 2, 3, 4), {{"stream", int64_t{1}}}, 0, 8), base);
  EXPECT_NE(Draw("random_uniform", State(1, 2, 3, 4), {{"stream", int64_t{1} << 40}}, 0, 8), base);
}

// Bounds are six standard errors for 4000 samples.
TEST(RandomTest, UniformAndNormal) {
  const std::vector<float> u = Draw("random_uniform", State(7, 0, 0, 0), {});
  for (float x : u) {
    EXPECT_GT(x, 0);
    EXPECT_LT(x, 1);
  }
  EXPECT_NEAR(MomentsOf(u).mean, 0.5, 0.03);
  EXPECT_NEAR(MomentsOf(u).variance, 1.0 / 12, 0.01);
  const Moments n = MomentsOf(Draw("random_normal", State(8, 0, 0, 0), {}));
  EXPECT_NEAR(n.mean, 0, 0.1);
  EXPECT_NEAR(n.variance, 1, 0.14);
  EXPECT_NEAR(n.skewness, 0, 0.24);
}

TEST(RandomTest, Gamma) {
  for (float shape : {0.3f, 1.0f, 4.5f, 60.0f}) {
    const Moments m = MomentsOf(Draw("random_gamma", State(9, 0, 0, 0), {}, shape));
    EXPECT_NEAR(m.mean, shape, 6 * std::sqrt(shape / 4000)) << shape;
    // The fourth central moment is 3 k^2 + 6 k.
    EXPECT_NEAR(m.variance, shape, 6 * std::sqrt((2 * shape * shape + 6 * shape) / 4000)) << shape;
    EXPECT_NEAR(m.skewness, 2 / std::sqrt(shape), 0.5 + 1.2 / shape) << shape;
  }
}

TEST(RandomTest, Poisson) {
  for (float mean : {0.2f, 3.0f, 9.9f, 10.0f, 35.0f, 2000.0f}) {
    const std::vector<float> v = Draw("random_poisson", State(10, 0, 0, 0), {}, mean);
    for (float x : v) {
      EXPECT_EQ(x, std::floor(x));
      EXPECT_GE(x, 0);
    }
    const Moments m = MomentsOf(v);
    EXPECT_NEAR(m.mean, mean, 6 * std::sqrt(mean / 4000)) << mean;
    EXPECT_NEAR(m.variance, mean, 6 * std::sqrt((2 * mean * mean + mean) / 4000)) << mean;
  }
}

TEST(RandomTest, RefusesOtherStates) {
  ExpectRefused(InferOne("random_uniform", {{DTypeKind::kInt32, {3}}}, {{"shape", std::vector<int64_t>{2}}}).status(),
                "the state is i32[3]");
  ExpectRefused(InferOne("random_uniform", {{DTypeKind::kInt32, {4}}}, {{"shape", std::vector<int64_t>{-2}}}).status(),
                "there is no shape [-2]");
}

// Folding a constant from random numbers would freeze them.
TEST(RandomTest, AreNoConstants) {
  graph::Graph g;
  graph::Value* state = *g.Add("random_state", {});
  graph::Value* u = *g.Add("random_uniform", {state}, {{"shape", std::vector<int64_t>{2}}, {"stream", int64_t{0}}});
  EXPECT_EQ(EvaluateConstant(u).status().message(), "depends on random numbers");
}

}  // namespace
}  // namespace mgec::ops
