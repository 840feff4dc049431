#include "runtime/cuda/loaded_artifact.h"

#include <cstdlib>

#include "runtime/artifact_writer.h"
#include "runtime/cuda/testing/gpu_test.h"

namespace mgec::cuda {
namespace {

// The architectures of what a plan's modules {architecture, PTX} give a GPU, or the error.
std::string Choice(const std::vector<std::pair<int, bool>>& modules, int gpu) {
  flatbuffers::FlatBufferBuilder builder;
  std::vector<flatbuffers::Offset<fb::Module>> list;
  for (const auto& [architecture, ptx] : modules) {
    list.push_back(fb::CreateModule(builder, static_cast<uint32_t>(architecture), ptx, 0, 1, 0, 1));
  }
  builder.Finish(fb::CreatePlanDirect(builder, "cuda", 0, nullptr, nullptr, 0, 0, false, 0, &list));
  const fb::Plan& plan = *flatbuffers::GetRoot<fb::Plan>(builder.GetBufferPointer());
  const Result<std::vector<const fb::Module*>> chosen = ChooseModules(plan, gpu, "a.mgec");
  if (!chosen.ok()) return chosen.status().message();
  std::string text;
  for (const fb::Module* m : chosen.value()) text += Format("%s%u", m->ptx() ? " ptx" : " sm", m->architecture());
  return text;
}

TEST(ChooseModulesTest, MachineCodeBeforePtxAndTheBestOfEach) {
  const std::vector<std::pair<int, bool>> all = {{75, false}, {80, false}, {80, false}, {86, false}, {90, true}, {90, true}};
  EXPECT_EQ(Choice(all, 75), " sm75");
  EXPECT_EQ(Choice(all, 80), " sm80 sm80");
  EXPECT_EQ(Choice(all, 86), " sm86");
  EXPECT_EQ(Choice(all, 89), " sm86");
  EXPECT_EQ(Choice(all, 90), " ptx90 ptx90");
  EXPECT_EQ(Choice(all, 120), " ptx90 ptx90");
  EXPECT_EQ(Choice({{70, true}, {80, true}}, 100), " ptx80");
  EXPECT_EQ(Choice({}, 80), "");
}

TEST(ChooseModulesTest, SaysWhatThereIsAndHowToGetMore) {
  EXPECT_EQ(Choice({{75, false}, {80, false}, {90, true}}, 61),
            "a.mgec has code for sm_75, sm_80, PTX for 9.0, but this GPU has compute capability 6.1; compile the model again "
            "with --target=cuda:sm_61");
}

// A model whose first module of machine code, or of PTX, starts with other bytes.
std::shared_ptr<const Artifact> Damaged(const std::string& name, bool ptx, const std::string& start) {
  const std::shared_ptr<const Artifact> model = TestModel(name);
  const fb::Plan& plan = *model->CudaPlan(0).value();
  std::string file(reinterpret_cast<const char*>(model->file()), model->file_size());
  for (const fb::Module* m : *plan.modules()) {
    if (m->ptx() != ptx) continue;
    file.replace(model->layout().sections[plan.code_section()].offset + m->offset(), start.size(), start);
    break;
  }
  UpdateChecksums(&file);
  const Result<std::shared_ptr<const Artifact>> artifact = Artifact::FromBytes(file.data(), file.size(), name);
  EXPECT_TRUE(artifact.ok()) << artifact.status().message();
  return artifact.value();
}

Status LoadError(std::shared_ptr<const Artifact> artifact, int gpu) {
  NetworkOptions options;
  options.gpu = Gpu(gpu);
  return Network::Load(std::move(artifact), options).status();
}

TEST(LoadedArtifactTest, DriverRefusesDamagedCode) {
  const Status status = LoadError(Damaged("rnn_cell__relu", false, std::string(64, '\0')), 0);
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_NE(status.message().find("rnn_cell__relu: gpu0 Emulated GPU: failed to load the code"), std::string::npos)
      << status.message();
  EXPECT_NE(status.message().find("the driver supports CUDA 12.4: update it"), std::string::npos) << status.message();
}

// A GPU that is younger than the machine code gets the PTX, which its driver compiles.
TEST(LoadedArtifactTest, PtxForYoungerGpus) {
  setenv("MGEC_EMULATED_ARCHITECTURE", "90", 1);
  NetworkOptions options;
  options.gpu = Gpu(1);
  EXPECT_EQ(options.gpu->architecture(), 90);
  const std::shared_ptr<const Artifact> model = TestModel("rnn_cell__relu");
  const std::unique_ptr<Network> gpu = LoadOnGpu(model, options), cpu = LoadNetwork(model, {});
  FillInputs(*gpu, 1);
  FillInputs(*cpu, 1);
  ExpectSame(*gpu, RunOnce(*gpu), RunOnce(*cpu));
  // What the compiler in the driver has to say is shown.
  const std::string command = "// emulated PTX: sh -c 'echo no such register >&2; false' x ";
  const Status status = LoadError(Damaged("rnn_cell__relu", true, command), 1);
  EXPECT_NE(status.message().find("failed to compile the PTX"), std::string::npos) << status.message();
  EXPECT_NE(status.message().find("no such register"), std::string::npos) << status.message();
}

}  // namespace
}  // namespace mgec::cuda
