// Damaged and hostile models: whatever a file says, compiling it ends soon, in an error or in an artifact that runs. Worth
// most under --config=asan and --config=ubsan.
#include <random>

#include "absl/strings/match.h"
#include "compiler/compile.h"
#include "compiler/testing/run_artifact.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mgec {
namespace {

using testing::HasSubstr;

// What a damaged number may ask for and still be run here: memory, and time.
constexpr int64_t kMaxBytes = int64_t{256} << 20, kMaxMacs = int64_t{1} << 32;

// Compiles and, where that works, runs with inputs of zeros. Whether it was run.
bool CompileAndRun(const std::string& model) {
  CompileOptions options;
  options.targets = {RunnableTargets().back()};
  CompileReport report;
  const absl::StatusOr<std::string> artifact = Compile(model, options, &report);
  if (!artifact.ok()) {
    EXPECT_FALSE(artifact.status().message().empty());
    EXPECT_NE(artifact.status().code(), absl::StatusCode::kInternal) << artifact.status();
    return false;
  }
  if (report.targets[0].arena_bytes > kMaxBytes || report.macs > kMaxMacs) return false;
  const auto outputs = RunArtifact(*artifact, {});
  EXPECT_TRUE(outputs.ok()) << outputs.status();
  return outputs.ok();
}

class DamageTest : public testing::TestWithParam<const char*> {};

TEST_P(DamageTest, CutOff) {
  const std::string model = FileBytes(std::string("testdata/") + GetParam());
  ASSERT_TRUE(CompileAndRun(model));
  for (int i = 0; i < 50; ++i) {
    const size_t length = model.size() * i / 50;
    EXPECT_FALSE(CompileAndRun(model.substr(0, length))) << length;
  }
}

TEST_P(DamageTest, OneBitFlipped) {
  const std::string model = FileBytes(std::string("testdata/") + GetParam());
  const std::string net = GetParam();
  const bool often = absl::StartsWith(net, "nets/lenet5") || absl::StartsWith(net, "nets/two_inputs");
  const int flips = often ? 200 : net == "shufflenet.mge" ? 6 : 25;
  std::mt19937 random(1);
  int ran = 0;
  for (int i = 0; i < flips; ++i) {
    // Most bytes of a model are weights, and most weights are as good as others.
    std::string damaged = model;
    const size_t at = random() % model.size(), bit = random() % 8;
    damaged[at] ^= static_cast<char>(1 << bit);
    SCOPED_TRACE("bit " + std::to_string(bit) + " of byte " + std::to_string(at));
    ran += CompileAndRun(damaged);
  }
  EXPECT_GT(ran, 0);
}

// The same for bytes that are not weights: changed where values are small, as lengths, types and parameters are.
TEST_P(DamageTest, StructureDamaged) {
  const std::string model = FileBytes(std::string("testdata/") + GetParam());
  if (model.size() > (1 << 20)) GTEST_SKIP() << "skipped: small networks are enough";
  std::mt19937 random(2);
  for (int i = 0; i < 60;) {
    const size_t at = random() % (model.size() - 4) / 4 * 4;
    uint32_t word;
    std::memcpy(&word, &model[at], 4);
    if (word > 4096) continue;  // hardly a float
    ++i;
    const uint32_t values[] = {0, 1, 255, 65536, 0x7fffffff, 0xffffffff, word + 1, word * 2};
    word = values[random() % std::size(values)];
    std::string damaged = model;
    std::memcpy(&damaged[at], &word, 4);
    SCOPED_TRACE("word at " + std::to_string(at) + " is " + std::to_string(word));
    CompileAndRun(damaged);
  }
}

INSTANTIATE_TEST_SUITE_P(Nets, DamageTest,
                         testing::Values("nets/lenet5/model.mge", "nets/lenet5/model.v1.mge",
                                         "nets/two_inputs_three_outputs/model.mge",
                                         "nets/two_inputs_three_outputs/model.v1.mge", "nets/gpt_micro/model.mge",
                                         "nets/rnn_op_l2_bi/model.v1.mge", "nets/q_quint8_act/model.mge",
                                         "shufflenet.mge"));

// --- Sizes that no one means ---

TEST(HostileShapeTest, InputsByOption) {
  const std::string model = FileBytes("testdata/nets/repvgg_tiny/model.mge");
  for (const graph::Shape& shape :
       {graph::Shape{int64_t{1} << 40, 3, 64, 64}, graph::Shape{1, 3, int64_t{1} << 31, int64_t{1} << 31},
        graph::Shape{1000, 3, 4096, 4096}, graph::Shape{1, 3, 16384, 16384}}) {
    CompileOptions options;
    options.input_shapes = {{{"data", shape}}};
    const absl::Status status = Compile(model, options).status();
    EXPECT_FALSE(status.ok()) << graph::ToString(shape);
    EXPECT_THAT(std::string(status.message()), testing::AnyOf(HasSubstr("limit"), HasSubstr("2^44")));
  }
}

}  // namespace
}  // namespace mgec
