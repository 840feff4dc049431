// Every folder of testdata/ops and the small ones of testdata/nets, compiled for 64-bit Arm and run by the runtime built for it,
// under an emulator where this CPU is another; compared with what MegEngine computes.
#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "compiler/compile.h"
#include "compiler/testing/corpus.h"
#include "gtest/gtest.h"

namespace mgec {
namespace {

namespace fs = std::filesystem;

constexpr char kEmulator[] = "/usr/bin/qemu-aarch64-static";
constexpr char kLibraries[] = "/usr/aarch64-linux-gnu";
constexpr char kRunner[] = "runtime/testing/run_files_aarch64";

std::string Name(std::string folder) {
  std::replace_if(folder.begin(), folder.end(), [](char c) { return !std::isalnum(c); }, '_');
  return folder;
}

// The operators, and the networks whose weights an emulator goes through in seconds.
std::vector<std::string> Folders() {
  constexpr uintmax_t kMostBytes = 2 << 20;
  std::vector<std::string> folders;
  for (const char* parent : {"testdata/ops", "testdata/nets"}) {
    for (const std::string& name : CorpusCases(parent)) {
      const std::string folder = absl::StrCat(parent, "/", name);
      if (fs::file_size(folder + "/model.mge") <= kMostBytes) folders.push_back(folder);
    }
  }
  return folders;
}

class AArch64CorpusTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!fs::exists(kEmulator)) GTEST_SKIP() << "skipped: needs " << kEmulator << ", of Debian's package qemu-user-static";
    scratch_ = absl::StrCat(testing::TempDir(), "/", Name(GetParam()), "/");
    fs::create_directories(scratch_ + "out");
  }
  void TearDown() override {
    if (!scratch_.empty()) fs::remove_all(scratch_);
  }

  void Write(const std::string& name, const std::string& bytes) const {
    std::ofstream file(scratch_ + name, std::ios::binary);
    file << bytes;
    ASSERT_TRUE(file.flush());
  }

  // Runs the compiled model with the code for `target`.
  void Run(const std::string& target) {
    std::string command = absl::StrCat("MGEC_TARGET=", target, " ", kEmulator, " -L ", kLibraries, " ", kRunner, " '", scratch_,
                                       "model.mgec' '", scratch_, "out'");
    int i = 0;
    for (const auto& [name, bytes] : case_.Inputs()) {
      const std::string file = absl::StrCat("in", i++);
      Write(file, bytes);
      absl::StrAppend(&command, " '", name, "=", scratch_, file, "'");
    }
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
    std::vector<std::string> outputs;
    std::vector<Shape> shapes;
    std::ifstream lines(scratch_ + "out/shapes");
    for (std::string line; std::getline(lines, line);) {
      outputs.push_back(FileBytes(absl::StrCat(scratch_, "out/", outputs.size())));
      shapes.emplace_back();
      std::istringstream extents(line);
      for (int64_t extent; extents >> extent;) shapes.back().push_back(extent);
    }
    case_.ExpectOutputs(outputs, shapes);
  }

  const CorpusCase case_{GetParam()};
  std::string scratch_;
};

TEST_P(AArch64CorpusTest, GivesMegEnginesResults) {
  CompileOptions options;
  options.targets = {*kernel::FindTarget("aarch64"), *kernel::FindTarget("aarch64-dotprod")};
  options.threads = 1;
  const absl::StatusOr<std::string> artifact = Compile(FileBytes(case_.folder() + "model.mge"), options);
  ASSERT_TRUE(artifact.ok()) << artifact.status();
  Write("model.mgec", *artifact);
  for (const kernel::Target& target : options.targets) {
    SCOPED_TRACE(target.name);
    Run(target.name);
    if (testing::Test::HasFatalFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(All, AArch64CorpusTest, testing::ValuesIn(Folders()),
                         [](const auto& info) { return Name(info.param.substr(info.param.find('/') + 1)); });

}  // namespace
}  // namespace mgec
