// What kernels of contractions, windows and attention take of a GPU, as its assembler says: nothing spills.
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "compiler/codegen/cuda/nvrtc.h"
#include "compiler/codegen/cuda/prelude.h"
#include "compiler/codegen/cuda/print_kernel.h"
#include "compiler/graph/graph.h"
#include "compiler/passes/passes.h"
#include "compiler/schedule/schedule.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using codegen::cuda::Nvrtc;
using graph::DTypeKind;
using graph::Shape;
using Ints = std::vector<int64_t>;

std::vector<kernel::Kernel> KernelsOf(const graph::Graph& g, const Options& options = {}) {
  absl::StatusOr<plan::Program> program = ScheduleGraph(g, kernel::CudaTarget(), options);
  EXPECT_TRUE(program.ok()) << program.status();
  plan::ConstantPool pool;
  absl::StatusOr<plan::PlannedProgram> planned = std::move(*program).Finish(pool);
  EXPECT_TRUE(planned.ok()) << planned.status();
  return planned->kernels;
}

// Products and convolutions that get each of the tiles.
std::vector<kernel::Kernel> Contractions(const Options& options = {}) {
  graph::Graph g;
  auto f32 = [](const Shape& s) { return graph::TensorType{DTypeKind::kFloat32, s}; };
  int inputs = 0;
  auto input = [&](const Shape& s) { return g.AddInput(absl::StrCat("x", inputs++), f32(s)); };
  int outputs = 0;
  for (const Ints& mkn : {Ints{4096, 300, 2048}, Ints{1000, 512, 1024}, Ints{512, 100, 800}, Ints{40, 64, 100}}) {
    g.AddOutput(*g.Add("matmul", {input({mkn[0], mkn[1]}), input({mkn[1], mkn[2]})}, {}), absl::StrCat("y", outputs++));
  }
  for (int64_t size : {7, 14, 28, 56, 112}) {
    g.AddOutput(*g.Add("conv2d", {input({1, 64, size, size}), input({128, 64, 3, 3})}, {{"pad", Ints{1, 1}}}),
                absl::StrCat("y", outputs++));
  }
  // Factors that are copied several words at a time.
  for (const Ints& mkn : {Ints{4096, 320, 2048}, Ints{1000, 512, 1024}, Ints{512, 104, 800}, Ints{40, 64, 104}}) {
    graph::Value* x = *g.Add("relu", {input({mkn[0], mkn[1]})}, {});
    g.AddOutput(*g.Add("matmul", {x, *g.Add("relu", {input({mkn[1], mkn[2]})}, {})}, {}), absl::StrCat("y", outputs++));
  }
  return KernelsOf(g, options);
}

// Depthwise convolutions with the largest windows that a thread computes several of.
std::vector<kernel::Kernel> Windows() {
  graph::Graph g;
  auto f32 = [](const Shape& s) { return graph::TensorType{DTypeKind::kFloat32, s}; };
  for (int64_t window : {3, 5, 7}) {
    for (int64_t stride : {1, 2}) {
      const std::string name = absl::StrCat(window, "_", stride);
      graph::Value* x = g.AddInput(absl::StrCat("x", name), f32({1, 96, 56, 56}));
      graph::Value* w = g.AddInput(absl::StrCat("w", name), f32({96, 1, 1, window, window}));
      const Ints pad(2, window / 2), strides(2, stride);
      g.AddOutput(*g.Add("conv2d", {x, w}, {{"group", int64_t{96}}, {"pad", pad}, {"stride", strides}}), absl::StrCat("y", name));
    }
  }
  return KernelsOf(g);
}

// The same with tensor cores, of both kinds of words.
std::vector<kernel::Kernel> WordContractions() {
  graph::Graph g;
  int values = 0;
  auto input = [&](DTypeKind kind, const Shape& s) { return g.AddInput(absl::StrCat("x", values++), {kind, s}); };
  auto output = [&](const absl::StatusOr<graph::Value*>& v) { g.AddOutput(*v, absl::StrCat("y", values++)); };
  const graph::Attributes i32 = {{"dtype", std::string("i32")}};
  for (const Ints& mkn : {Ints{4096, 300, 2048}, Ints{1000, 512, 1024}, Ints{512, 100, 800}, Ints{40, 64, 100}}) {
    const Shape a = {mkn[0], mkn[1]}, b = {mkn[1], mkn[2]};
    output(g.Add("int_matmul", {input(DTypeKind::kInt8, a), input(DTypeKind::kInt8, b)}, i32));
    output(g.Add("matmul", {input(DTypeKind::kFloat16, a), input(DTypeKind::kFloat16, b)}, {}));
  }
  for (int64_t size : {7, 28, 56}) {
    const Shape x = {4, 64, size, size}, w = {128, 64, 3, 3};
    output(g.Add("int_conv2d", {input(DTypeKind::kInt8, x), input(DTypeKind::kInt8, w)},
                 {{"pad", Ints{1, 1}}, {"dtype", std::string("i32")}}));
    output(g.Add("conv2d", {input(DTypeKind::kFloat16, x), input(DTypeKind::kFloat16, w)}, {{"pad", Ints{1, 1}}}));
  }
  for (int64_t channels : {16, 24, 128}) {  // with remainders along the sum
    output(g.Add("int_conv2d", {input(DTypeKind::kInt8, {1, channels, 40, 40}), input(DTypeKind::kInt8, {channels, channels, 3, 3})},
                 {{"pad", Ints{1, 1}}, {"dtype", std::string("i32")}}));
  }
  return KernelsOf(g);
}

// Convolutions of images with channels last, of all numbers of channels that are brought together, with other kernels between.
std::vector<kernel::Kernel> Images() {
  graph::Graph g;
  int values = 0;
  auto input = [&](DTypeKind kind, const Shape& s) { return g.AddInput(absl::StrCat("x", values++), {kind, s}); };
  const graph::Attributes padded = {{"pad", Ints{1, 1}}};
  graph::Attributes integers = padded;
  integers.Set("dtype", std::string("i32"));
  for (int64_t channels : {12, 64}) {
    for (int64_t size : {28, 56}) {
      graph::Value* x = input(DTypeKind::kInt8, {4, 16, size, size});
      for (int64_t in : {int64_t{16}, channels, channels}) {
        x = *g.Add("int_conv2d", {x, input(DTypeKind::kInt8, {channels, in, 3, 3})}, integers);
        x = *g.Add("cast", {x}, {{"dtype", std::string("i8")}});
      }
      g.AddOutput(x, absl::StrCat("y", values++));
      x = input(DTypeKind::kFloat16, {4, 16, size, size});
      for (int64_t in : {int64_t{16}, channels, channels}) {
        x = *g.Add("conv2d", {x, input(DTypeKind::kFloat16, {channels, in, 3, 3})}, padded);
        x = *g.Add("pool2d", {x}, {{"mode", std::string("average")}, {"window", Ints{3, 3}}, {"stride", Ints{1, 1}}, {"pad", Ints{1, 1}}});
      }
      g.AddOutput(x, absl::StrCat("y", values++));
    }
  }
  return KernelsOf(g);
}

// Attention with heads of the usual sizes, few and many queries, with and without a mask.
std::vector<kernel::Kernel> Attentions() {
  graph::Graph g;
  int inputs = 0;
  auto input = [&](const Shape& s) { return g.AddInput(absl::StrCat("x", inputs++), {DTypeKind::kFloat32, s}); };
  auto attention = [&](int64_t products, int64_t queries, int64_t keys, int64_t depth, bool mask) {
    graph::Value* x = *g.Add("matmul", {input({products, queries, depth}), input({products, keys, depth})}, {{"transpose_b", int64_t{1}}});
    x = *g.Add("mul", {x, g.AddScalar(0.125f)});
    if (mask) x = *g.Add("add", {x, input({queries, keys})});
    x = *g.Add("softmax", {x}, {{"axis", int64_t{2}}});
    g.AddOutput(*g.Add("matmul", {x, input({products, keys, depth})}), absl::StrCat("y", inputs));
  };
  for (bool mask : {false, true}) {
    for (int64_t depth : {32, 64, 128, 256}) attention(120, 1000, 500, depth, mask);
    for (int64_t depth : {32, 64, 128}) attention(120, 30, 500, depth, mask);
    for (int64_t depth : {16, 32, 64}) attention(2, 60, 100, depth, mask);  // few blocks
  }
  EXPECT_TRUE(passes::RunPasses(g).ok());
  std::vector<kernel::Kernel> kernels;
  for (kernel::Kernel& k : KernelsOf(g)) {
    if (absl::StrContains(k.name, "attention")) kernels.push_back(std::move(k));
  }
  return kernels;
}

void ExpectNoSpills(const std::vector<kernel::Kernel>& kernels) {
  const auto nvrtc = Nvrtc::Get();
  if (!nvrtc.ok()) GTEST_SKIP() << "skipped: " << nvrtc.status().message();
  for (int architecture : {75, 80, 90}) {
    const auto result = (*nvrtc)->Compile(absl::StrCat(codegen::cuda::Prelude(), codegen::cuda::Arithmetic(),
                                                       codegen::cuda::PrintKernels(kernels)),
                                          architecture, /*verbose=*/true);
    ASSERT_TRUE(result.ok()) << result.status();
    int reports = 0;
    for (absl::string_view line : absl::StrSplit(result->log, '\n')) {
      if (line.find("spill stores") == absl::string_view::npos) continue;
      ++reports;
      EXPECT_NE(line.find(" 0 bytes spill stores"), absl::string_view::npos) << "sm_" << architecture << ": " << line;
    }
    EXPECT_EQ(reports, static_cast<int>(kernels.size())) << result->log;
  }
}

TEST(CudaResourcesTest, ContractionsDoNotSpill) {
  const std::vector<kernel::Kernel> kernels = Contractions();
  std::set<int> threads;
  for (const kernel::Kernel& k : kernels) threads.insert(k.threads);
  EXPECT_GE(threads.size(), 3u) << "not all tiles are here";
  ExpectNoSpills(kernels);
}

TEST(CudaResourcesTest, ContractionsOfTf32DoNotSpill) {
  Options options;
  options.tf32 = true;
  ExpectNoSpills(Contractions(options));
}

TEST(CudaResourcesTest, ImagesDoNotSpill) {
  const std::vector<kernel::Kernel> kernels = Images();
  int copy = 0;
  for (const kernel::Kernel& k : kernels) copy += ToString(k).find("copy rows") != std::string::npos ? 1 : 0;
  EXPECT_GE(copy, 8) << "channels are not last";  // of each size, kind and number of channels
  ExpectNoSpills(kernels);
}

TEST(CudaResourcesTest, WindowsDoNotSpill) { ExpectNoSpills(Windows()); }

TEST(CudaResourcesTest, AttentionDoesNotSpill) {
  const std::vector<kernel::Kernel> kernels = Attentions();
  EXPECT_EQ(kernels.size(), 20u);
  ExpectNoSpills(kernels);
}

TEST(CudaResourcesTest, ContractionsOnTensorCoresDoNotSpill) {
  const std::vector<kernel::Kernel> kernels = WordContractions();
  int multiply = 0;
  for (const kernel::Kernel& k : kernels) multiply += ToString(k).find("mma(") != std::string::npos ? 1 : 0;
  EXPECT_GE(multiply, 12);
  ExpectNoSpills(kernels);
}

}  // namespace
}  // namespace mgec::schedule
