// Artifacts with a plan for GPUs: what is written is accepted, every wrong number is refused. Needs no GPU and no NVRTC.
#include "compiler/plan/artifact.h"
#include "gtest/gtest.h"
#include "runtime/artifact.h"

namespace mgec::plan {
namespace {

// Two steps with one kernel each; y = f(g(x)).
struct Parts {
  std::vector<GpuModule> modules = {{75, false, 0, 2, "cubin seventy-five"},
                                    {80, false, 0, 1, "cubin eighty, first"},
                                    {80, false, 1, 1, "cubin eighty, second"},
                                    {80, true, 0, 2, ".version 8.0"}};
  std::vector<int> blocks = {128, 256};
  std::vector<int64_t> grids = {3, 1};
};

std::string Artifact1(const Parts& parts) {
  ShapeProgram p;
  const graph::TensorType type{graph::DTypeKind::kFloat32, {4, 4}};
  p.graph.AddOutput(p.graph.AddInput("x", type), "y");
  TargetProgram t;
  t.target = "cuda";
  for (const char* name : {"k0_f", "k1_g"}) {
    kernel::Kernel k;
    k.name = name;
    t.program.kernels.push_back(k);
  }
  for (int i = 0; i < 2; ++i) {
    PlannedStep s{i, {{Space::kInput, 0, 0, 64}, {Space::kOutput, 0, 0, 64}}, 300, false, {}};
    t.program.steps.push_back(s);
  }
  t.gpu = {parts.modules, parts.blocks, parts.grids};
  p.targets.push_back(std::move(t));
  std::vector<ShapeProgram> programs;
  programs.push_back(std::move(p));
  return BuildArtifact({}, std::move(programs), ConstantPool());
}

std::string ErrorOf(const Parts& parts) {
  const std::string bytes = Artifact1(parts);
  const auto artifact = Artifact::FromBytes(bytes.data(), bytes.size());
  return artifact.ok() ? "" : artifact.status().message();
}

#define EXPECT_ERROR(parts, text) EXPECT_NE(ErrorOf(parts).find(text), std::string::npos) << "error: " << ErrorOf(parts)

TEST(GpuArtifactTest, HoldsEverything) {
  const std::string bytes = Artifact1({});
  const auto artifact = Artifact::FromBytes(bytes.data(), bytes.size());
  ASSERT_TRUE(artifact.ok()) << artifact.status().message();
  const fb::Plan& plan = *artifact.value()->metadata().programs()->Get(0)->plans()->Get(0);
  EXPECT_EQ(plan.target()->str(), "cuda");
  ASSERT_EQ(plan.modules()->size(), 4u);
  const SectionEntry& section = artifact.value()->layout().sections[plan.code_section()];
  EXPECT_EQ(section.kind, static_cast<uint32_t>(SectionKind::kGpuCode));
  const Parts parts;
  for (size_t i = 0; i < parts.modules.size(); ++i) {
    const fb::Module& m = *plan.modules()->Get(i);
    EXPECT_EQ(m.architecture(), static_cast<uint32_t>(parts.modules[i].architecture));
    EXPECT_EQ(m.ptx(), parts.modules[i].ptx);
    EXPECT_EQ(m.offset() % 64, 0u);
    EXPECT_EQ(std::string(bytes.data() + section.offset + m.offset(), m.size()), parts.modules[i].bytes);
  }
  EXPECT_EQ(plan.kernels()->Get(1)->name()->str(), "k1_g");
  EXPECT_EQ(plan.kernels()->Get(1)->block(), 256u);
  EXPECT_EQ(plan.steps()->Get(0)->grid(), 3u);
  EXPECT_EQ(plan.steps()->Get(0)->tasks(), 300u);
}

TEST(GpuArtifactTest, CpusSayThatItIsNotForThem) {
  const std::string bytes = Artifact1({});
  const auto artifact = Artifact::FromBytes(bytes.data(), bytes.size(), "model.mgec");
  ASSERT_TRUE(artifact.ok()) << artifact.status().message();
  const auto plan = artifact.value()->ChoosePlan(0);
  ASSERT_FALSE(plan.ok());
  EXPECT_EQ(plan.status().message(),
            "model.mgec: compiled for cuda only, and not for any CPU; compile the model again with "
            "--target=cuda,x86-64-v4,x86-64-v3");
}

TEST(GpuArtifactTest, EveryArchitectureHasEveryKernel) {
  Parts parts;
  parts.modules[2].first_kernel = 0;
  EXPECT_ERROR(parts, "module 2: wrong kernels");
  parts = {};
  parts.modules[2].kernel_count = 2;
  EXPECT_ERROR(parts, "module 2: wrong kernels");
  parts = {};
  parts.modules[2].kernel_count = 0;
  EXPECT_ERROR(parts, "module 2: wrong kernels");
  parts = {};
  parts.modules[2].architecture = 86;
  EXPECT_ERROR(parts, "module 2: kernels are missing before it");
  parts = {};
  parts.modules.pop_back();
  parts.modules.pop_back();
  EXPECT_ERROR(parts, "kernels without code");
  parts.modules.clear();
  EXPECT_ERROR(parts, "kernels without code");
  parts = {};
  parts.modules[0].bytes.clear();
  EXPECT_ERROR(parts, "module 0: it lies outside the code section");
}

TEST(GpuArtifactTest, LaunchesAreWithinLimits) {
  Parts parts;
  parts.blocks[1] = 0;
  EXPECT_ERROR(parts, "step 1: its kernel needs an impossible block");
  parts.blocks[1] = 1025;
  EXPECT_ERROR(parts, "step 1: its kernel needs an impossible block");
  parts = {};
  parts.grids[0] = 0;
  EXPECT_ERROR(parts, "step 0: an impossible grid");
  parts.grids[0] = int64_t{1} << 31;
  EXPECT_ERROR(parts, "step 0: an impossible grid");
}

}  // namespace
}  // namespace mgec::plan
