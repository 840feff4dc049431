// Artifacts with plans for CUDA, from the model on. Where there is no NVRTC only the refusals are tested.
#include <cstdlib>

#include "absl/strings/match.h"
#include "compiler/codegen/cuda/nvrtc.h"
#include "compiler/compile.h"
#include "compiler/testing/run_artifact.h"
#include "gtest/gtest.h"

namespace mgec {
namespace {

#define SKIP_WITHOUT_NVRTC() \
  if (absl::Status s = codegen::cuda::Nvrtc::Get().status(); !s.ok()) GTEST_SKIP() << "skipped: " << s.message()

std::string Lenet() { return FileBytes("testdata/nets/lenet5/model.mge"); }

TEST(CudaCompileTest, TargetsAndArchitectures) {
  const auto targets = kernel::ParseTargets("cuda:sm_80,sm_90,x86-64-v3,cuda");
  ASSERT_TRUE(targets.ok()) << targets.status();
  ASSERT_EQ(targets->size(), 3u);
  EXPECT_TRUE((*targets)[0].cuda);
  EXPECT_EQ((*targets)[0].architectures, (std::vector<int>{80, 90}));
  EXPECT_FALSE((*targets)[1].cuda);
  EXPECT_TRUE((*targets)[2].architectures.empty());
  for (const char* wrong : {"cuda:80", "cuda:sm_", "cuda:sm_x", "cudax", "sm_80", "cuda,sm_80"}) {
    EXPECT_FALSE(kernel::ParseTargets(wrong).ok()) << wrong;
  }
}

TEST(CudaCompileTest, OneArtifactForCpuAndCuda) {
  SKIP_WITHOUT_NVRTC();
  CompileOptions options;
  options.targets = *kernel::ParseTargets("cuda:sm_90,sm_80,x86-64-v3");
  options.threads = 2;
  options.emit_cuda = options.emit_ptx = true;
  CompileReport report;
  const absl::StatusOr<std::string> bytes = Compile(Lenet(), options, &report);
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  EXPECT_TRUE(absl::StrContains(report.cuda, "__global__ void")) << report.cuda;
  EXPECT_TRUE(absl::StrContains(report.ptx, ".target sm_90"));
  const auto artifact = Artifact::FromBytes(bytes->data(), bytes->size());
  ASSERT_TRUE(artifact.ok()) << artifact.status().message();
  const auto& plans = *artifact.value()->metadata().programs()->Get(0)->plans();
  ASSERT_EQ(plans.size(), 2u);
  EXPECT_EQ(plans.Get(0)->target()->str(), "x86-64-v3");
  EXPECT_EQ(plans.Get(1)->target()->str(), "cuda");
  EXPECT_EQ(plans.Get(1)->modules()->Get(0)->architecture(), 80u);
  EXPECT_TRUE(plans.Get(1)->modules()->Get(plans.Get(1)->modules()->size() - 1)->ptx());
  if (CpuSupports("x86-64-v3")) {
    const auto outputs = RunArtifact(*bytes, {});
    EXPECT_TRUE(outputs.ok()) << outputs.status();
  }
  // The same bytes again, on another number of threads.
  options.threads = 1;
  EXPECT_TRUE(*Compile(Lenet(), options) == *bytes);
}

TEST(CudaCompileTest, UnknownArchitecturesAreRefused) {
  SKIP_WITHOUT_NVRTC();
  CompileOptions options;
  options.targets = {kernel::CudaTarget({3})};
  const absl::Status s = Compile(Lenet(), options).status();
  EXPECT_EQ(s.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::StrContains(s.message(), "does not compile for sm_3; it knows sm_")) << s;
}

}  // namespace
}  // namespace mgec
