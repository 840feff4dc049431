#include "compiler/codegen/llvm/codegen.h"

#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "compiler/codegen/llvm/testing/run_image.h"

namespace mgec::codegen {
namespace {

using namespace kernel;  // NOLINT: these tests are written in its language

Kernel Scale(const std::string& name, double factor) {
  Kernel k;
  k.name = name;
  k.task = MakeVar("task");
  k.tasks = 4;
  Buffer x = ArgumentBuffer("x", Scalar::kFloat32, 32, 0, 4), y = ArgumentBuffer("y", Scalar::kFloat32, 32, 1, 4);
  k.arguments = {x, y};
  Block b;
  b.Store(y, Use(k.task) * 8, Unary(Op::kExp, Load(x, Use(k.task) * 8, 8)) * Float(factor));
  k.body = b.Take();
  return k;
}

std::vector<Kernel> ManyKernels(int n) {
  std::vector<Kernel> kernels;
  for (int i = 0; i < n; ++i) kernels.push_back(Scale(absl::StrCat("scale_", i), i + 0.5));
  return kernels;
}

// rows x (vectors * lanes) of C += A B: A packed by column, B by row, `unroll` steps of K in a straight line.
Kernel Tile(int rows, int vectors, int lanes, int unroll) {
  constexpr int64_t kDepth = 64;
  const int64_t columns = vectors * lanes;
  Kernel k;
  k.name = "tile";
  k.task = MakeVar("task");
  Buffer a = ArgumentBuffer("a", Scalar::kFloat32, kDepth * rows, 0, 4);
  Buffer w = ArgumentBuffer("w", Scalar::kFloat32, kDepth * columns, 1, 64);
  Buffer o = ArgumentBuffer("o", Scalar::kFloat32, rows * columns, 2, 4);
  Buffer acc = RegisterBuffer("acc", Scalar::kFloat32, lanes, rows * vectors);
  k.arguments = {a, w, o};
  Block b;
  for (int i = 0; i < rows * vectors; ++i) b.Set(acc, i, Float(0));
  b.For("k", Int(0), Int(kDepth), unroll, [&](Block& b, Expr k0) {
    for (int u = 0; u < unroll; ++u) {
      std::vector<Expr> row;
      for (int v = 0; v < vectors; ++v) row.push_back(b.Let("w", Load(w, (k0 + u) * columns + v * lanes, lanes)));
      for (int r = 0; r < rows; ++r) {
        const Expr x = b.Let("x", Broadcast(Load(a, (k0 + u) * rows + r), lanes));
        for (int v = 0; v < vectors; ++v) b.Set(acc, r * vectors + v, Fma(x, row[v], Reg(acc, r * vectors + v)));
      }
    }
  });
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v < vectors; ++v) b.Store(o, Int(r * columns + v * lanes), Reg(acc, r * vectors + v));
  }
  k.body = b.Take();
  return k;
}

TEST(CodegenTest, RunsWhatWasGenerated) {
  const std::vector<Kernel> kernels = ManyKernels(20);
  std::string why_not, skipped;
  for (const Target& target : DefaultTargets()) {
    if (!CanRun(target, &why_not)) {
      skipped += target.name + " " + why_not + " ";
      continue;
    }
    absl::StatusOr<CodeImage> image = Generate(kernels, target, Options());
    ASSERT_TRUE(image.ok()) << image.status();
    ASSERT_EQ(image->entry_offsets.size(), kernels.size());
    absl::StatusOr<MappedImage> code = MappedImage::Map(*image);
    ASSERT_TRUE(code.ok()) << code.status();
    std::vector<float> x(32, 0.0f), y(32);
    for (size_t i = 0; i < kernels.size(); ++i) {
      code->Run(i, {x.data(), y.data()}, 0, 4);
      for (float v : y) EXPECT_EQ(v, static_cast<float>(i) + 0.5f);
    }
  }
  if (!skipped.empty()) GTEST_SKIP() << "skipped: " << skipped;
}

TEST(CodegenTest, BytesDoNotDependOnThreadsOrDirectory) {
  const std::vector<Kernel> kernels = ManyKernels(20);
  for (const Target& target : DefaultTargets()) {
    Options one, two;
    two.threads = 2;
    absl::StatusOr<CodeImage> a = Generate(kernels, target, one);
    ASSERT_TRUE(a.ok()) << a.status();
    const std::filesystem::path here = std::filesystem::current_path();
    std::filesystem::current_path("/");
    absl::StatusOr<CodeImage> b = Generate(kernels, target, two);
    std::filesystem::current_path(here);
    ASSERT_TRUE(b.ok()) << b.status();
    EXPECT_EQ(a->bytes, b->bytes);
    EXPECT_EQ(a->elf, b->elf);
    EXPECT_EQ(a->entry_offsets, b->entry_offsets);
  }
}

TEST(CodegenTest, SeveralThreadsMayGenerate) {
  const std::vector<Kernel> kernels = ManyKernels(9);
  std::vector<std::string> bytes(3);
  std::vector<std::thread> threads;
  for (std::string& b : bytes) {
    threads.emplace_back([&] { b = Generate(kernels, DefaultTargets()[1], Options()).value().bytes; });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(bytes[0], bytes[1]);
  EXPECT_EQ(bytes[0], bytes[2]);
}

TEST(CodegenTest, LeavesNoFilesBehind) {
  const std::string scratch = ::testing::TempDir() + "/codegen_test_scratch";
  std::filesystem::create_directories(scratch);
  setenv("TMPDIR", scratch.c_str(), 1);
  EXPECT_TRUE(Generate(ManyKernels(1), DefaultTargets()[0], Options()).ok());
  unsetenv("TMPDIR");
  EXPECT_TRUE(std::filesystem::is_empty(scratch));
}

TEST(CodegenTest, NoKernelsNoImage) {
  absl::StatusOr<CodeImage> image = Generate({}, DefaultTargets()[0], Options());
  ASSERT_TRUE(image.ok());
  EXPECT_TRUE(image->bytes.empty());
}

TEST(CodegenTest, ProgressCountsEveryKernel) {
  std::set<int> seen;
  Options options;
  options.threads = 2;
  options.progress = [&](int done, int total) {
    EXPECT_EQ(total, 20);
    seen.insert(done);
  };
  ASSERT_TRUE(Generate(ManyKernels(20), DefaultTargets()[1], options).ok());
  EXPECT_EQ(seen.size(), 20u);
}

TEST(CodegenTest, DumpsIrAndAssembly) {
  std::string ir, assembly;
  Options options;
  options.llvm_ir = &ir;
  options.assembly = &assembly;
  ASSERT_TRUE(Generate(ManyKernels(9), *FindTarget("x86-64-v3"), options).ok());
  EXPECT_TRUE(absl::StrContains(ir, "define hidden void @scale_8"));
  EXPECT_TRUE(absl::StrContains(assembly, "vfmadd"));
}

TEST(CodegenTest, SaysHowOftenLoopsRun) {
  Kernel k = Scale("k", 1);
  const Buffer x = k.arguments[0], y = k.arguments[1];
  Block b;
  b.For("i", Int(0), Int(32), 3, [&](Block& b, const Expr& i) { b.Store(y, i, Load(x, i)); });
  k.body = b.Take();
  std::string ir;
  Options options;
  options.llvm_ir = &ir;
  ASSERT_TRUE(Generate({k}, *FindTarget("x86-64-v3"), options).ok());
  EXPECT_TRUE(absl::StrContains(ir, "!\"branch_weights\", i32 10, i32 1")) << ir;
}

TEST(CodegenTest, RefusesMalformedKernels) {
  Kernel k = Scale("k", 1);
  k.arguments.pop_back();
  EXPECT_EQ(Generate({k}, DefaultTargets()[0], Options()).status().message(),
            "malformed kernel k, store to y: buffer y is not an argument");
  EXPECT_EQ(Generate({Scale("k", 1), Scale("k", 2)}, DefaultTargets()[0], Options()).status().message(),
            "two kernels are called k");
}

struct TileCase {
  const char* target;
  int rows, vectors, unroll;
};

class TileTest : public ::testing::TestWithParam<TileCase> {};

// Every register of the machine is in use, and none of them goes through memory.
TEST_P(TileTest, StaysInRegisters) {
  const TileCase& c = GetParam();
  const Target target = *FindTarget(c.target);
  std::string assembly;
  Options options;
  options.assembly = &assembly;
  ASSERT_TRUE(Generate({Tile(c.rows, c.vectors, target.vector_lanes, c.unroll)}, target, options).ok());
  int fmas = 0;
  for (absl::string_view line : absl::StrSplit(assembly, '\n')) {
    EXPECT_FALSE(absl::StrContains(line, "(%rsp)")) << line;
    EXPECT_FALSE(absl::StrContains(line, "(%rbp)")) << line;
    fmas += absl::StrContains(line, "vfmadd");
  }
  EXPECT_EQ(fmas, c.rows * c.vectors * c.unroll);
}

INSTANTIATE_TEST_SUITE_P(Tiles, TileTest,
                         ::testing::Values(TileCase{"x86-64-v3", 6, 2, 1}, TileCase{"x86-64-v3", 6, 2, 4},
                                           TileCase{"x86-64-v3", 6, 2, 8}, TileCase{"x86-64-v3", 4, 3, 4},
                                           TileCase{"x86-64-v3", 4, 3, 8}, TileCase{"x86-64-v3", 12, 1, 1},
                                           TileCase{"x86-64-v4", 14, 2, 4}, TileCase{"x86-64-v4", 14, 2, 8},
                                           TileCase{"x86-64-v4", 6, 4, 4}, TileCase{"x86-64-v4", 8, 3, 8},
                                           TileCase{"x86-64-v4", 28, 1, 4}));

}  // namespace
}  // namespace mgec::codegen
