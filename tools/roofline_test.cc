// What kernels of contractions are predicted to reach on GPUs, for 32 images: of each layer of ResNet-50, and of ShuffleNetV2 as a whole.
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "compiler/codegen/cuda/print_kernel.h"
#include "compiler/kernel/work.h"
#include "compiler/mge/container.h"
#include "compiler/mge/import.h"
#include "compiler/passes/passes.h"
#include "compiler/schedule/schedule.h"
#include "gtest/gtest.h"
#include "tools/gpu_model.h"

namespace mgec {
namespace {

using graph::Graph;
using graph::Shape;
using graph::Value;
using Ints = std::vector<int64_t>;

constexpr int64_t kImages = 32;
constexpr double kLeastShare = 0.6;

plan::PlannedProgram Scheduled(Graph g) {
  EXPECT_TRUE(passes::RunPasses(g).ok());
  absl::StatusOr<plan::Program> program = schedule::ScheduleGraph(g, kernel::CudaTarget(), {});
  EXPECT_TRUE(program.ok()) << program.status();
  plan::ConstantPool pool;
  absl::StatusOr<plan::PlannedProgram> planned = std::move(*program).Finish(pool);
  EXPECT_TRUE(planned.ok()) << planned.status();
  return *std::move(planned);
}

// Returns how many contractions there are.
int ExpectCloseToRoofline(const plan::PlannedProgram& program) {
  int contractions = 0;
  for (const char* name : {"a100", "h100"}) {
    const Gpu gpu = *FindGpu(name);
    for (const plan::PlannedStep& step : program.steps) {
      if (step.info.macs == 0 || step.info.name == "around") continue;
      ++contractions;
      const kernel::Kernel& k = program.kernels[step.kernel];
      const kernel::GpuWork w = kernel::WorkOnGpu(k, step.tasks);
      const StepWork work = {static_cast<uint64_t>(step.info.macs), static_cast<uint64_t>(step.info.bytes),
                             codegen::cuda::LaunchOf(k, step.tasks).grid, static_cast<uint64_t>(w.instructions),
                             static_cast<uint64_t>(w.products)};
      EXPECT_GT(RooflineShare(gpu, work), kLeastShare) << step.info.name << " on " << name << ": " << step.info.macs << " multiply-adds, "
                                                       << w.instructions << " instructions, " << work.grid << " blocks";
    }
  }
  return contractions / 2;
}

void CheckResNet50(graph::DTypeKind dtype) {
  struct Layer {
    int64_t in, out, size, window, stride;
  };
  Graph g;
  int layers = 0;
  for (const Layer& l :
       {Layer{3, 64, 224, 7, 2},    Layer{64, 64, 56, 1, 1},     Layer{64, 64, 56, 3, 1},    Layer{64, 256, 56, 1, 1},
        Layer{256, 64, 56, 1, 1},   Layer{256, 128, 56, 1, 1},   Layer{128, 128, 56, 3, 2},  Layer{256, 512, 56, 1, 2},
        Layer{128, 512, 28, 1, 1},  Layer{512, 128, 28, 1, 1},   Layer{128, 128, 28, 3, 1},  Layer{512, 256, 28, 1, 1},
        Layer{256, 256, 28, 3, 2},  Layer{512, 1024, 28, 1, 2},  Layer{256, 1024, 14, 1, 1}, Layer{1024, 256, 14, 1, 1},
        Layer{256, 256, 14, 3, 1},  Layer{1024, 512, 14, 1, 1},  Layer{512, 512, 14, 3, 2},  Layer{1024, 2048, 14, 1, 2},
        Layer{512, 2048, 7, 1, 1},  Layer{2048, 512, 7, 1, 1},   Layer{512, 512, 7, 3, 1}}) {
    const std::string name = absl::StrCat(l.in, "->", l.out, " at ", l.size, ", window ", l.window, ", stride ", l.stride);
    auto constant = [&](const Shape& shape) {
      const graph::TensorType type = {dtype, shape};
      return g.AddConstant(type, std::make_shared<std::string>(graph::ByteSize(type), '\x3d'), name);
    };
    // The result of another step, and read by one; in float16 by convolutions, so that images have the layout that is best.
    const bool half = dtype == graph::DTypeKind::kFloat16, first = l.in == 3;
    Value* x = g.AddInput(absl::StrCat("x", layers), {dtype, {kImages, half && !first ? 64 : l.in, l.size, l.size}});
    if (!first) x = half ? *g.Add("conv2d", {x, constant({l.in, 64, 1, 1})}, {}, "around") : *g.Add("exp", {x});
    const Ints pad(2, l.window / 2), stride(2, l.stride);
    Value* y = *g.Add("conv2d", {x, constant({l.out, l.in, l.window, l.window}), constant({1, l.out, 1, 1})}, {{"pad", pad}, {"stride", stride}}, name);
    y = *g.Add("relu", {y}, {}, name);
    if (half) y = *g.Add("conv2d", {y, constant({8, l.out, 1, 1})}, {}, "around");
    g.AddOutput(y, absl::StrCat("y", layers++));
  }
  EXPECT_GE(ExpectCloseToRoofline(Scheduled(std::move(g))), layers);
}

TEST(RooflineTest, ResNet50) { CheckResNet50(graph::DTypeKind::kFloat32); }
TEST(RooflineTest, ResNet50InFloat16) { CheckResNet50(graph::DTypeKind::kFloat16); }

TEST(RooflineTest, ShuffleNet) {
  std::ifstream file("testdata/shufflenet.mge", std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const auto model = mge::ReadModel(bytes);
  ASSERT_TRUE(model.ok()) << model.status();
  absl::StatusOr<Graph> g = mge::Import(*model);
  ASSERT_TRUE(g.ok()) << g.status();
  mge::ImportOptions options;
  const graph::Node& input = *g->inputs()[0];
  options.input_shapes[input.name] = input.output()->type.shape;
  options.input_shapes[input.name][0] = kImages;
  g = mge::Import(*model, options);
  ASSERT_TRUE(g.ok()) << g.status();
  const plan::PlannedProgram program = Scheduled(*std::move(g));
  EXPECT_GE(ExpectCloseToRoofline(program), 56);
  // Nothing is written but what convolutions with their epilogues, poolings and the classifier have to: no channels are moved.
  const std::set<std::string> moves = {"concat", "slice", "gather", "transpose", "reshape", "identity", "pad"};
  for (const plan::PlannedStep& step : program.steps) EXPECT_EQ(moves.count(step.info.op), 0u) << step.info.op;
}

}  // namespace
}  // namespace mgec
