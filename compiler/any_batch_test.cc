// Models compiled for a batch of any size: what each batch gives is what programs of fixed shape give for its parts, bit by
// bit, and close to what one program of that shape gives for all of it.
#include <cmath>
#include <random>

#include "compiler/compile.h"
#include "compiler/testing/run_artifact.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mgec {
namespace {

using testing::HasSubstr;
using Shapes = std::map<std::string, graph::Shape>;

struct Case {
  const char* model;
  Shapes entry;  // the shape of each input, for one entry
};

Shapes WithBatch(Shapes shapes, int64_t n) {
  for (auto& [name, shape] : shapes) shape[0] = n;
  return shapes;
}

std::unique_ptr<Network> Load(const std::string& model, const kernel::Target& target, const Shapes& shapes,
                              int threads = 1) {
  CompileOptions options;
  options.targets = {target};
  options.input_shapes = {shapes};
  const absl::StatusOr<std::string> artifact = Compile(FileBytes(model), options);
  EXPECT_TRUE(artifact.ok()) << artifact.status();
  if (!artifact.ok()) return nullptr;
  auto file = Artifact::FromBytes(artifact->data(), artifact->size());
  EXPECT_TRUE(file.ok()) << file.status().message();
  NetworkOptions network_options;
  network_options.threads = threads;
  auto network = Network::Load(file.value(), network_options);
  EXPECT_TRUE(network.ok()) << network.status().message();
  return std::move(network.value());
}

// Selects a batch of n and computes entries [first, first + n) of an endless stream of them. All outputs.
std::vector<std::string> RunBatch(Network& network, uint32_t n, int first) {
  std::vector<Shape> shapes;
  for (size_t i = 0; i < network.input_count(); ++i) {
    shapes.push_back(network.input(i).shape);
    shapes.back()[0] = n;
  }
  const Status selected = network.SelectShapes(shapes);
  EXPECT_TRUE(selected.ok()) << selected.message();
  for (size_t i = 0; i < network.input_count(); ++i) {
    const TensorInfo& info = network.input(i);
    EXPECT_EQ(info.shape[0], n);
    const size_t entry = info.bytes / n;
    for (uint32_t k = 0; k < n; ++k) {
      std::mt19937 random(100 * i + static_cast<size_t>(first) + k);
      uint8_t* const data = network.input_data(i) + k * entry;
      if (info.dtype == DataType::kFloat32) {
        for (size_t e = 0; e < entry / 4; ++e) {
          reinterpret_cast<float*>(data)[e] = static_cast<float>(random() % 2001) / 1000.0f - 1.0f;
        }
      } else {  // token ids
        for (size_t e = 0; e < entry / 4; ++e) reinterpret_cast<int32_t*>(data)[e] = static_cast<int32_t>(random() % 50);
      }
    }
  }
  EXPECT_TRUE(network.Forward().ok());
  std::vector<std::string> outputs;
  for (size_t i = 0; i < network.output_count(); ++i) {
    outputs.emplace_back(reinterpret_cast<const char*>(network.output_data(i)), network.output(i).bytes);
  }
  return outputs;
}

void ExpectNear(const std::string& got, const std::string& want, DataType dtype) {
  ASSERT_EQ(got.size(), want.size());
  if (dtype != DataType::kFloat32) return;  // positions of maxima may move where values are close
  const float *a = reinterpret_cast<const float*>(got.data()), *b = reinterpret_cast<const float*>(want.data());
  float peak = 0;
  for (size_t i = 0; i < want.size() / 4; ++i) peak = std::max(peak, std::fabs(b[i]));
  for (size_t i = 0; i < want.size() / 4; ++i) ASSERT_NEAR(a[i], b[i], 1e-4f * peak) << i;
}

class AnyBatchTest : public testing::TestWithParam<Case> {};

TEST_P(AnyBatchTest, GivesWhatFixedShapesGive) {
  const Case& c = GetParam();
  for (const kernel::Target& target : RunnableTargets()) {
    SCOPED_TRACE(target.name);
    const auto any = Load(c.model, target, WithBatch(c.entry, kAnyBatch));
    const auto one = Load(c.model, target, WithBatch(c.entry, 1)), eight = Load(c.model, target, WithBatch(c.entry, 8));
    const auto three = Load(c.model, target, WithBatch(c.entry, 3));
    ASSERT_TRUE(any != nullptr && one != nullptr && eight != nullptr && three != nullptr);
    EXPECT_EQ(any->input(0).shape[0], 1u);
    for (uint32_t n : {1u, 2u, 3u, 9u, 8u}) {
      SCOPED_TRACE(n);
      const std::vector<std::string> got = RunBatch(*any, n, 0);
      std::vector<std::string> want(got.size());
      for (uint32_t k = 0; k < n;) {
        const uint32_t part = n - k >= 8 ? 8 : 1;
        const std::vector<std::string> outputs = RunBatch(part == 8 ? *eight : *one, part, static_cast<int>(k));
        for (size_t i = 0; i < want.size(); ++i) want[i] += outputs[i];
        k += part;
      }
      for (size_t i = 0; i < want.size(); ++i) EXPECT_TRUE(got[i] == want[i]) << "output " << i;
      if (n != 3) continue;
      const std::vector<std::string> all = RunBatch(*three, 3, 0);
      for (size_t i = 0; i < want.size(); ++i) ExpectNear(got[i], all[i], any->output(i).dtype);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Nets, AnyBatchTest,
    testing::Values(Case{"testdata/shufflenet.mge", {{"data", {0, 3, 224, 224}}}},
                    Case{"testdata/nets/lenet5/model.v1.mge", {{"data", {0, 1, 32, 32}}}},
                    Case{"testdata/nets/repvgg_tiny/model.mge", {{"data", {0, 3, 64, 64}}}},
                    Case{"testdata/nets/unet_bilinear/model.mge", {{"data", {0, 3, 96, 96}}}},
                    Case{"testdata/nets/gpt_micro/model.mge", {{"ids", {0, 16}}}},
                    Case{"testdata/nets/two_inputs_three_outputs/model.mge",
                         {{"img", {0, 3, 48, 40}}, {"vec", {0, 6}}}}));

const char kTwoInputs[] = "testdata/nets/two_inputs_three_outputs/model.mge";
const Shapes kTwoShapes = {{"img", {kAnyBatch, 3, 48, 40}}, {"vec", {kAnyBatch, 6}}};

TEST(AnyBatch, AnyNumberOfThreads) {
  const auto one = Load(kTwoInputs, RunnableTargets()[0], kTwoShapes);
  const auto two = Load(kTwoInputs, RunnableTargets()[0], kTwoShapes, 2);
  EXPECT_EQ(RunBatch(*one, 11, 0), RunBatch(*two, 11, 0));
}

TEST(AnyBatch, InputsMustAgree) {
  const auto network = Load(kTwoInputs, RunnableTargets()[0], kTwoShapes);
  const Status status = network->SelectShapes({{3, 3, 48, 40}, {4, 6}});
  EXPECT_THAT(status.message(), HasSubstr("img has a batch of 3, but vec one of 4"));
  EXPECT_EQ(network->input(0).shape[0], 1u) << "nothing has changed";
  EXPECT_THAT(network->SelectShapes({{3, 3, 48, 41}, {3, 6}}).message(),
              HasSubstr("it was for img [N, 3, 48, 40], vec [N, 6] for any N"));
  EXPECT_FALSE(network->SelectShapes({{0, 3, 48, 40}, {0, 6}}).ok());
  EXPECT_FALSE(network->SelectShapes({{4000000000u, 3, 48, 40}, {4000000000u, 6}}).ok());
}

TEST(AnyBatch, BesideFixedShapes) {
  CompileOptions options;
  options.targets = {RunnableTargets()[0]};
  const std::string lenet = "testdata/nets/lenet5/model.mge";
  options.input_shapes = {{{"data", {2, 1, 32, 32}}}, {{"data", {kAnyBatch, 1, 32, 32}}}};
  const auto artifact = Compile(FileBytes(lenet), options);
  ASSERT_TRUE(artifact.ok()) << artifact.status();
  auto file = Artifact::FromBytes(artifact->data(), artifact->size());
  ASSERT_TRUE(file.ok()) << file.status().message();
  auto network = Network::Load(file.value(), {});
  ASSERT_TRUE(network.ok());
  EXPECT_EQ(network.value()->input(0).shape, (Shape{2, 1, 32, 32}));
  EXPECT_EQ(network.value()->program(), 0u);
  EXPECT_TRUE(network.value()->SelectShapes({{5, 1, 32, 32}}).ok());
  EXPECT_EQ(network.value()->output(0).shape[0], 5u);
  EXPECT_TRUE(network.value()->SelectShapes({{2, 1, 32, 32}}).ok());
  EXPECT_EQ(network.value()->program(), 0u) << "the program for just this shape";
}

TEST(AnyBatch, RefusesWhatMixesEntries) {
  CompileOptions options;
  options.input_shapes = {{{"x", {kAnyBatch, 4, 5}}}};
  // Its recurrence goes along the first dimension.
  const auto lstm = Compile(FileBytes("testdata/nets/lstm_op_l1/model.mge"), options);
  EXPECT_FALSE(lstm.ok());
  // Its shape is part of the model.
  options.input_shapes = {{{"a", {kAnyBatch, 6}}}};
  const auto fixed = Compile(FileBytes("testdata/ops/mask_index__reshape/model.mge"), options);
  EXPECT_EQ(fixed.status().code(), absl::StatusCode::kInvalidArgument) << fixed.status();
  options.input_shapes = {{{"s", {kAnyBatch}}}};
  const auto status = Compile(FileBytes("testdata/ops/mask_index__sort/model.mge"), options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("give fixed sizes with several --input-shape instead"));
}

}  // namespace
}  // namespace mgec
