#include "runtime/artifact.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "runtime/cpu.h"
#include "runtime/testing/test_artifact.h"

namespace mgec {
namespace {

std::string WriteFile(const std::string& name, const std::string& bytes) {
  const std::string path = testing::TempDir() + "/" + name;
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

TEST(Artifact, OpensAFile) {
  const std::string path = WriteFile("good.mgec", MakeTestArtifact());
  const auto artifact = Artifact::Open(path);
  ASSERT_TRUE(artifact.ok()) << artifact.status().message();
  EXPECT_EQ(artifact.value()->name(), path);
  EXPECT_EQ(artifact.value()->metadata().source_name()->str(), "test.mge");
  EXPECT_EQ(artifact.value()->constants_size(), 64u);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(artifact.value()->constants()) % 4096, 0u);
}

TEST(Artifact, StaysUsableAfterTheFileIsGone) {
  const std::string path = WriteFile("gone.mgec", MakeTestArtifact());
  const auto artifact = Artifact::Open(path);
  unlink(path.c_str());
  ASSERT_TRUE(artifact.ok());
  EXPECT_EQ(artifact.value()->metadata().programs()->size(), 1u);
}

TEST(Artifact, OpensBytes) {
  std::string bytes = MakeTestArtifact();
  const auto artifact = Artifact::FromBytes(bytes.data(), bytes.size());
  bytes.assign(bytes.size(), 'x');  // they were copied
  ASSERT_TRUE(artifact.ok()) << artifact.status().message();
  EXPECT_EQ(artifact.value()->metadata().source_name()->str(), "test.mge");
}

TEST(Artifact, PrivateConstantsAreTheSame) {
  const std::string path = WriteFile("private.mgec", MakeTestArtifact());
  ArtifactOptions options;
  options.private_constants = true;
  const auto copy = Artifact::Open(path, options), shared = Artifact::Open(path);
  ASSERT_TRUE(copy.ok()) << copy.status().message();
  EXPECT_EQ(std::memcmp(copy.value()->constants(), shared.value()->constants(), 64), 0);
}

TEST(Artifact, ErrorsNameTheFile) {
  const auto missing = Artifact::Open("/no/such/model.mgec");
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.status().code(), StatusCode::kNotFound);
  EXPECT_NE(missing.status().message().find("failed to open /no/such/model.mgec"), std::string::npos);

  const std::string path = WriteFile("garbage.mgec", std::string(1000, 'g'));
  const auto garbage = Artifact::Open(path);
  ASSERT_FALSE(garbage.ok());
  EXPECT_NE(garbage.status().message().find(path + ": invalid model format"), std::string::npos);

  EXPECT_FALSE(Artifact::Open(testing::TempDir()).ok());
  EXPECT_FALSE(Artifact::Open(WriteFile("empty.mgec", "")).ok());
  EXPECT_FALSE(Artifact::FromBytes("", 0).ok());
}

TEST(Artifact, ARawModelGetsAHint) {
  const std::string model = std::string("\x7c\x03\0\0\x1c\0\0\0mgv2", 12) + std::string(100, 'x');
  const auto artifact = Artifact::FromBytes(model.data(), model.size(), "net.mge");
  ASSERT_FALSE(artifact.ok());
  EXPECT_NE(artifact.status().message().find("compile it first: bazel run //tools:compile"), std::string::npos)
      << artifact.status().message();
}

TEST(Artifact, AnotherVersionAsksToCompileAgain) {
  std::string bytes = MakeTestArtifact();
  bytes[4] = 9;
  const auto artifact = Artifact::FromBytes(bytes.data(), bytes.size());
  ASSERT_FALSE(artifact.ok());
  EXPECT_EQ(artifact.status().code(), StatusCode::kUnsupported);
  EXPECT_NE(artifact.status().message().find("version 9"), std::string::npos);
}

TEST(Artifact, ChoosesTheBestTarget) {
  TestArtifactOptions options;
  options.targets = {"some-new-target", "x86-64-v4", "x86-64-v3"};
  const std::string bytes = MakeTestArtifact(options);
  const auto artifact = Artifact::FromBytes(bytes.data(), bytes.size());
  ASSERT_TRUE(artifact.ok()) << artifact.status().message();
  if (!CpuSupports("x86-64-v3")) GTEST_SKIP() << "this CPU has no AVX2";
  const char* best = CpuSupports("x86-64-v4") ? "x86-64-v4" : "x86-64-v3";
  EXPECT_EQ(artifact.value()->ChoosePlan(0).value()->target()->str(), best);

  setenv("MGEC_TARGET", "x86-64-v3", 1);
  EXPECT_EQ(artifact.value()->ChoosePlan(0).value()->target()->str(), "x86-64-v3");
  setenv("MGEC_TARGET", "x86-64", 1);
  const auto none = artifact.value()->ChoosePlan(0);
  unsetenv("MGEC_TARGET");
  ASSERT_FALSE(none.ok());
  EXPECT_NE(none.status().message().find("compiled for some-new-target, x86-64-v4, x86-64-v3"), std::string::npos);
}

}  // namespace
}  // namespace mgec
