// Every folder of testdata/ops and testdata/nets, compiled for CUDA: by NVRTC, where it is, for three architectures, and by g++ with the
// emulator, which runs it; compared with what MegEngine computes. MGEC_CORPUS=FOLDER,.. names other folders of such cases.
#include <algorithm>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "compiler/base/status_macros.h"
#include "compiler/codegen/cuda/codegen.h"
#include "compiler/codegen/cuda/nvrtc.h"
#include "compiler/codegen/cuda/testing/run_emulated.h"
#include "compiler/mge/container.h"
#include "compiler/mge/import.h"
#include "compiler/passes/passes.h"
#include "compiler/plan/program.h"
#include "compiler/schedule/schedule.h"
#include "compiler/schedule/testing/run_steps.h"
#include "compiler/testing/corpus.h"
#include "gtest/gtest.h"

namespace mgec {
namespace {

// Cases are compiled together, many at a time: starting compilers takes long. Cases share kernels.
constexpr int kBatches = 16;

// A model scheduled for CUDA.
struct Scheduled {
  graph::Graph graph;
  plan::PlannedProgram program;
  std::string constants;
  std::vector<int> kernels;  // those of the program among the batch's
};

absl::StatusOr<Scheduled> Schedule(const std::string& path) {
  Scheduled s;
  const std::string bytes = FileBytes(path);
  ASSIGN_OR_RETURN(const mge::Model model, mge::ReadModel(bytes));
  std::vector<mge::UnsupportedItem> unsupported;
  ASSIGN_OR_RETURN(s.graph, mge::Import(model, {}, &unsupported));
  RETURN_IF_ERROR(passes::RunPasses(s.graph));
  ASSIGN_OR_RETURN(plan::Program program, schedule::ScheduleGraph(s.graph, kernel::CudaTarget()));
  plan::ConstantPool pool;
  ASSIGN_OR_RETURN(s.program, std::move(program).Finish(pool));
  s.constants = pool.bytes();
  return s;
}

// What a user sees of the outputs: internal ones left out, dynamic dimensions cut to their actual size.
void CutOutputs(const graph::Graph& g, std::vector<std::string>* outputs, std::vector<Shape>* shapes) {
  const std::vector<std::string> all = *outputs;
  outputs->clear();
  for (size_t i = 0; i < all.size(); ++i) {
    const graph::GraphOutput& o = g.outputs()[i];
    if (o.internal) continue;
    std::vector<int64_t> shape = o.value->type.shape;
    for (size_t axis = 0; axis < o.sizes.size(); ++axis) {
      if (o.sizes[axis] < 0) continue;
      int32_t size;
      std::memcpy(&size, all[o.sizes[axis]].data(), sizeof(size));
      shape[axis] = size;
    }
    // The elements of the actual shape are at the front.
    const int64_t bytes = graph::NumElements(shape) * graph::ByteSize(o.value->type.dtype);
    outputs->push_back(shape == o.value->type.shape ? all[i] : all[i].substr(0, bytes));
    Shape& seen = shapes->emplace_back();
    for (int64_t d : shape) seen.push_back(static_cast<uint32_t>(d));
    if (seen.empty()) seen.push_back(1);
  }
}

class CudaCorpusTest : public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    std::vector<std::string> all;
    const char* named = std::getenv("MGEC_CORPUS");
    const std::string folders = named != nullptr && *named != '\0' ? named : "testdata/ops,testdata/nets";
    for (absl::string_view folder : absl::StrSplit(folders, ',')) {
      for (const std::string& name : CorpusCases(std::string(folder))) {
        const std::string path = absl::StrCat(folder, "/", name);
        if (std::filesystem::exists(path + "/meta.json") && std::filesystem::exists(path + "/model.mge")) all.push_back(path);
      }
    }
    for (size_t i = GetParam(); i < all.size(); i += kBatches) {
      SCOPED_TRACE(all[i]);
      absl::StatusOr<Scheduled> s = Schedule(all[i] + "/model.mge");
      ASSERT_TRUE(s.ok()) << s.status();
      for (const kernel::Kernel& k : s->program.kernels) {
        const auto [it, is_new] = by_fingerprint_.emplace(Fingerprint(k), static_cast<int>(kernels_.size()));
        if (is_new) {
          kernels_.push_back(k);
          kernels_.back().name = absl::StrCat("c", kernels_.size(), "_", k.name);
        }
        s->kernels.push_back(it->second);
      }
      names_.push_back(all[i]);
      cases_.push_back(*std::move(s));
    }
  }

  std::vector<std::string> names_;
  std::vector<Scheduled> cases_;
  std::vector<kernel::Kernel> kernels_;
  std::map<std::string, int> by_fingerprint_;
};

TEST_P(CudaCorpusTest, GivesMegEnginesResults) {
  const auto emulated = codegen::cuda::EmulatedKernels::Compile(kernels_);
  ASSERT_TRUE(emulated.ok()) << emulated.status();
  for (size_t i = 0; i < cases_.size(); ++i) {
    SCOPED_TRACE(names_[i]);
    const Scheduled& s = cases_[i];
    const CorpusCase corpus(names_[i]);
    const std::map<std::string, std::string> given = corpus.Inputs();
    std::vector<std::string> inputs;
    for (const graph::Node* n : s.graph.inputs()) {
      const auto it = given.find(n->name);
      inputs.push_back(it != given.end() ? it->second : std::string(graph::ByteSize(n->output()->type), '\0'));
    }
    std::vector<int64_t> bytes;
    for (const graph::GraphOutput& o : s.graph.outputs()) bytes.push_back(graph::ByteSize(o.value->type));
    for (int architecture : codegen::cuda::EmulatedKernels::kArchitectures) {
      SCOPED_TRACE(architecture);
      auto outputs = schedule::RunSteps(s.program, s.constants, bytes, inputs, [&](const auto& step, const auto& pointers) {
        return emulated->Run(s.kernels[step.kernel], std::vector<void*>(pointers.begin(), pointers.end()), step.tasks,
                             /*order=*/1, architecture);
      });
      EXPECT_TRUE(outputs.ok()) << outputs.status();
      if (!outputs.ok()) continue;
      std::vector<Shape> shapes;
      CutOutputs(s.graph, &*outputs, &shapes);
      corpus.ExpectOutputs(*outputs, shapes);
    }
  }
}

TEST_P(CudaCorpusTest, Compiles) {
  const auto nvrtc = codegen::cuda::Nvrtc::Get();
  if (!nvrtc.ok()) GTEST_SKIP() << "skipped: " << nvrtc.status().message();
  const auto architectures = codegen::cuda::Architectures({});
  ASSERT_TRUE(architectures.ok()) << architectures.status();
  const auto code = codegen::cuda::Generate(kernels_, *architectures, {});
  EXPECT_TRUE(code.ok()) << code.status();
}

INSTANTIATE_TEST_SUITE_P(All, CudaCorpusTest, testing::Range(0, kBatches));

}  // namespace
}  // namespace mgec
