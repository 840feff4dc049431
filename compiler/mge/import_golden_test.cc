// Small networks from file to result: what MegEngine computes for them is what the imported graph means. Evaluation is
// by the definitions of the operators: no pass, no schedule and no generated code is involved.
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "compiler/mge/container.h"
#include "compiler/mge/import.h"
#include "compiler/mge/test_files.h"
#include "compiler/ops/evaluate.h"
#include "gtest/gtest.h"

namespace mgec::mge {
namespace {

// The elements of a .npy file of version 1: 6 bytes of magic, 2 of version, 2 of header length, header, elements.
std::string ReadNpy(const std::string& path) {
  const std::string bytes = ReadFile(path);
  if (bytes.size() < 10) return "";
  const size_t header = static_cast<uint8_t>(bytes[8]) + 256 * static_cast<uint8_t>(bytes[9]);
  return bytes.substr(10 + header);
}

std::vector<float> AsFloats(const std::string& bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

class GoldenTest : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(GoldenTest, ComputesWhatMegEngineComputes) {
  const auto [net, file] = GetParam();
  const std::string folder = absl::StrCat("testdata/nets/", net, "/");
  const std::string bytes = ReadFile(absl::StrCat(folder, file));
  const absl::StatusOr<Model> model = ReadModel(bytes);
  ASSERT_TRUE(model.ok()) << model.status();
  const absl::StatusOr<graph::Graph> g = Import(*model);
  ASSERT_TRUE(g.ok()) << g.status();
  std::map<std::string, ops::TensorData> inputs;
  for (const graph::Node* input : g->inputs()) {
    const std::string path = absl::StrCat(folder, "input_", input->name, ".npy");
    inputs[input->name] = std::make_shared<const std::string>(ReadNpy(path));
  }
  const absl::StatusOr<std::vector<ops::TensorData>> outputs = ops::EvaluateGraph(*g, inputs);
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  for (size_t i = 0; i < outputs->size(); ++i) {
    const std::vector<float> got = AsFloats(*(*outputs)[i]);
    const std::vector<float> want = AsFloats(ReadNpy(absl::StrCat(folder, "output_", i, ".npy")));
    ASSERT_EQ(got.size(), want.size());
    float peak = 0;
    for (float v : want) peak = std::max(peak, std::abs(v));
    for (size_t k = 0; k < got.size(); ++k) {
      ASSERT_NEAR(got[k], want[k], 1e-4f * peak) << "output " << i << "[" << k << "]";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Nets, GoldenTest,
    testing::Values(std::pair("lenet5", "model.mge"), std::pair("lenet5", "model.v1.mge"),
                    std::pair("lenet5", "model.fuse.mge"), std::pair("repvgg_tiny", "model.mge"),
                    std::pair("repvgg_tiny_mgbs", "model.mge"), std::pair("two_inputs_three_outputs", "model.mge"),
                    std::pair("two_inputs_three_outputs", "model.v1.mge"),
                    std::pair("two_inputs_three_outputs", "model.fuse.mge")));

}  // namespace
}  // namespace mgec::mge
