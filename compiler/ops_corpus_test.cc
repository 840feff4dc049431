// Every folder of testdata/ops: one small model for each operator case, compiled, run, and compared with what MegEngine
// computes. A new case is a new folder.
#include <algorithm>
#include <cctype>
#include <filesystem>

#include "compiler/compile.h"
#include "compiler/testing/corpus.h"
#include "compiler/testing/run_artifact.h"
#include "gtest/gtest.h"

namespace mgec {
namespace {

class OpsCorpusTest : public testing::TestWithParam<std::string> {
 protected:
  void ExpectOutputs(const std::string& artifact) {
    std::vector<Shape> shapes;
    const auto outputs = RunArtifact(artifact, case_.Inputs(), 1, &shapes);
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    case_.ExpectOutputs(*outputs, shapes);
  }

  const CorpusCase case_{"testdata/ops/" + GetParam()};
};

TEST_P(OpsCorpusTest, GivesMegEnginesResults) {
  for (const char* file : {"model.mge", "model.v1.mge"}) {
    const std::string path = case_.folder() + file;
    if (!std::filesystem::exists(path)) continue;
    SCOPED_TRACE(path);
    for (const kernel::Target& target : RunnableTargets()) {
      SCOPED_TRACE(target.name);
      CompileOptions options;
      options.targets = {target};
      options.threads = 1;
      const absl::StatusOr<std::string> artifact = Compile(FileBytes(path), options);
      ASSERT_TRUE(artifact.ok()) << artifact.status();
      ExpectOutputs(*artifact);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, OpsCorpusTest, testing::ValuesIn(CorpusCases()), [](const auto& info) {
  std::string name = info.param;
  std::replace_if(name.begin(), name.end(), [](char c) { return !std::isalnum(c); }, '_');
  return name;
});

}  // namespace
}  // namespace mgec
