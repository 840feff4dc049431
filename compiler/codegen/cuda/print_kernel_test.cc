#include "compiler/codegen/cuda/print_kernel.h"

#include <string>

#include "gtest/gtest.h"

namespace mgec::codegen::cuda {
namespace {

using kernel::ArgumentBuffer;
using kernel::Block;
using kernel::Buffer;
using kernel::Expr;
using kernel::Int;
using kernel::Kernel;
using kernel::MakeVar;
using kernel::Op;
using kernel::Scalar;

// The body of a printed kernel, without its first and last lines.
std::string BodyOf(const Kernel& k) {
  const std::string text = PrintKernel(k);
  const size_t begin = text.find("{\n") + 2;
  return text.substr(begin, text.rfind('}') - begin);
}

TEST(PrintKernelTest, ATaskIsAThread) {
  Kernel k;
  k.name = "k0_relu";
  k.task = MakeVar("task");
  k.tasks = 1000;
  k.arguments = {ArgumentBuffer("x", Scalar::kFloat32, 1000, 0, 4), ArgumentBuffer("out", Scalar::kFloat32, 1000, 1, 4)};
  Block b;
  b.Store(k.arguments[1], Use(k.task), Max(Load(k.arguments[0], Use(k.task)), kernel::Float(0)));
  k.body = b.Take();
  EXPECT_EQ(PrintKernel(k),
            "extern \"C\" __global__ void __launch_bounds__(128) k0_relu(const float* __restrict__ x, float* __restrict__ out, "
            "unsigned int tasks) {\n"
            "  const int task = blockIdx.x * 128 + threadIdx.x;\n"
            "  if (task >= tasks) return;\n"
            "  out[task] = max_of<float>(x[task], 0.0f);\n"
            "}\n");
  EXPECT_EQ(LaunchOf(k, 1000).grid, 8);
  EXPECT_EQ(LaunchOf(k, 1000).block, 128);
  EXPECT_EQ(LaunchOf(k, 128).grid, 1);
}

TEST(PrintKernelTest, ManyTasksNeed64Bits) {
  Kernel k;
  k.name = "k";
  k.task = MakeVar("task");
  k.tasks = int64_t{1} << 30;
  k.arguments = {ArgumentBuffer("x", Scalar::kInt8, k.tasks, 0, 1)};
  Block b;
  b.Store(k.arguments[0], Use(k.task), Int(1, Scalar::kInt8));
  k.body = b.Take();
  EXPECT_EQ(BodyOf(k),
            "  const long long task = (long long)blockIdx.x * 128 + threadIdx.x;\n"
            "  if (task >= tasks) return;\n"
            "  x[task] = 1;\n");
}

// What tells the assembler not to save registers.
TEST(PrintKernelTest, FewBlocksAtATime) {
  Kernel k;
  k.name = "k";
  k.task = MakeVar("task");
  k.threads = 64;
  k.thread = MakeVar("thread");
  const std::string many = PrintKernels({k});
  EXPECT_NE(many.find("__launch_bounds__(64) k("), std::string::npos) << many;
  const std::string before = Fingerprint(k);
  k.few_at_a_time = true;
  const std::string few = PrintKernels({k});
  EXPECT_NE(few.find("__launch_bounds__(64, 1) k("), std::string::npos) << few;
  EXPECT_NE(Fingerprint(k), before);
}

TEST(PrintKernelTest, ThreadsShareMemory) {
  Kernel k;
  k.name = "k";
  k.task = MakeVar("task");
  k.tasks = 7;
  k.threads = 64;
  k.thread = MakeVar("thread");
  k.arguments = {ArgumentBuffer("x", Scalar::kFloat32, 7 * 64, 0, 4)};
  const Buffer x = k.arguments[0], tile = kernel::SharedBuffer("tile", Scalar::kFloat32, 64);
  Block b;
  b.Store(tile, Use(k.thread), Load(x, Use(k.task) * 64 + Use(k.thread)));
  b.Barrier();
  const Expr v = b.Let("v", Load(tile, Int(63) - Use(k.thread)));
  const Expr other = b.Let("other", kernel::WarpXor(v, 16));
  b.Store(x, Use(k.task) * 64 + Use(k.thread), v + other);
  k.body = b.Take();
  EXPECT_EQ(BodyOf(k),
            "  const int task = blockIdx.x;\n"
            "  const int thread = threadIdx.x;\n"
            "  SHARED(float, tile, 64);\n"
            "  tile[thread] = x[(task * 64) + thread];\n"
            "  __syncthreads();\n"
            "  const float v = tile[63 - thread];\n"
            "  const float other = warp_xor(v, 16);\n"
            "  x[(task * 64) + thread] = v + other;\n");
  EXPECT_EQ(LaunchOf(k, 7).grid, 7);
  EXPECT_EQ(LaunchOf(k, 7).block, 64);
}

TEST(PrintKernelTest, WarpsMultiplyMatrices) {
  Kernel k;
  k.name = "k";
  k.task = MakeVar("task");
  k.threads = 32;
  k.thread = MakeVar("thread");
  k.arguments = {ArgumentBuffer("x", Scalar::kInt32, 64, 0, 4), ArgumentBuffer("y", Scalar::kFloat32, 32, 1, 4)};
  const Expr x = Load(k.arguments[0], Use(k.thread));
  Block b;
  const Expr words = b.Let("x", x);
  const Expr pair = ConcatLanes(words, words);
  const Expr v = b.Let("v", kernel::Mma(ConcatLanes(pair, pair), pair, kernel::Broadcast(kernel::Float(0), 4)));
  b.Store(k.arguments[1], Use(k.thread), Slice(v, 3, 1));
  k.body = b.Take();
  EXPECT_EQ(BodyOf(k),
            "  const int task = blockIdx.x;\n"
            "  const int thread = threadIdx.x;\n"
            "  const int x_1 = x[thread];\n"
            "  const float4 product = mma_f16(x_1, x_1, x_1, x_1, x_1, x_1, 0.0f, 0.0f, 0.0f, 0.0f);\n"
            "  const float v_0 = product.x;\n"
            "  const float v_1 = product.y;\n"
            "  const float v_2 = product.z;\n"
            "  const float v_3 = product.w;\n"
            "  y[thread] = v_3;\n");
}

TEST(PrintKernelTest, WarpsLoadMatrices) {
  for (const Scalar scalar : {Scalar::kInt32, Scalar::kFloat32}) {
    Kernel k;
    k.name = "k";
    k.task = MakeVar("task");
    k.threads = 32;
    k.thread = MakeVar("thread");
    k.arguments = {ArgumentBuffer("y", scalar, 64, 0, 4)};
    const kernel::Buffer tile = kernel::SharedBuffer("tile", scalar, 128);
    Block b;
    const Expr v = b.Let("v", kernel::LoadMatrices(tile, Use(k.thread) * 4 + 64));
    b.Store(k.arguments[0], Use(k.thread), Slice(v, 2, 1));
    k.body = b.Take();
    const std::string type = scalar == Scalar::kInt32 ? "int" : "float";
    EXPECT_EQ(BodyOf(k),
              "  const int task = blockIdx.x;\n"
              "  const int thread = threadIdx.x;\n"
              "  SHARED(" + type + ", tile, 128);\n"
              "  const " + type + "4 matrices = load_matrices(tile, (thread * 4) + 64);\n"
              "  const " + type + " v_0 = matrices.x;\n"
              "  const " + type + " v_1 = matrices.y;\n"
              "  const " + type + " v_2 = matrices.z;\n"
              "  const " + type + " v_3 = matrices.w;\n"
              "  y[thread] = v_2;\n");
  }
}

TEST(PrintKernelTest, WarpsTurnMatrices) {
  Kernel k;
  k.name = "k";
  k.task = MakeVar("task");
  k.threads = 32;
  k.thread = MakeVar("thread");
  k.arguments = {ArgumentBuffer("y", Scalar::kInt32, 64, 0, 4)};
  Block b;
  const Expr v = b.Let("v", kernel::LoadMatrices(kernel::SharedBuffer("tile", Scalar::kFloat16, 512), Use(k.thread) * 8));
  b.Store(k.arguments[0], Use(k.thread), Slice(v, 0, 1));
  k.body = b.Take();
  EXPECT_EQ(BodyOf(k),
            "  const int task = blockIdx.x;\n"
            "  const int thread = threadIdx.x;\n"
            "  SHARED(unsigned short, tile, 512);\n"
            "  const int4 matrices = load_turned(tile, thread * 8);\n"
            "  const int v_0 = matrices.x;\n"
            "  const int v_1 = matrices.y;\n"
            "  const int v_2 = matrices.z;\n"
            "  const int v_3 = matrices.w;\n"
            "  y[thread] = v_0;\n");
}

TEST(PrintKernelTest, CopiesForThoseWhoCan) {
  Kernel k;
  k.name = "k";
  k.task = MakeVar("task");
  k.threads = 32;
  k.thread = MakeVar("thread");
  k.arguments = {ArgumentBuffer("x", Scalar::kFloat16, 256, 0, 16), ArgumentBuffer("y", Scalar::kInt32, 128, 1, 4)};
  const Buffer tile = SharedBuffer("tile", Scalar::kInt32, 128);
  Block b;
  b.If(
      kernel::FromArchitecture(80),
      [&](Block& b) {
        b.CopyAsync(tile, Use(k.thread) * 4, Load(k.arguments[0], Use(k.thread) * 8, 8), Use(k.thread) < 5);
        b.CopyAsync(tile, Use(k.thread), Load(k.arguments[1], Use(k.thread)));
        b.CommitCopies();
        b.WaitCopies(1);
      },
      [&](Block& b) { b.Store(tile, Use(k.thread), kernel::Int(0, Scalar::kInt32)); });
  k.body = b.Take();
  EXPECT_EQ(BodyOf(k),
            "  const int task = blockIdx.x;\n"
            "  const int thread = threadIdx.x;\n"
            "  SHARED(int, tile, 128);\n"
            "  if (80 <= ARCHITECTURE) {\n"
            "    copy_async<16>(tile, thread * 4, x + (thread * 8), thread < 5);\n"
            "    copy_async<4>(tile, thread, y + thread, true);\n"
            "    commit_copies();\n"
            "    wait_copies<1>();\n"
            "  } else {\n"
            "    tile[thread] = 0;\n"
            "  }\n");
}

TEST(PrintKernelTest, SharedExpressionsGetNames) {
  Kernel k;
  k.name = "k";
  k.task = MakeVar("task");
  k.tasks = 1000;
  k.arguments = {ArgumentBuffer("x", Scalar::kFloat32, 1000, 0, 4)};
  const Expr e = Unary(Op::kExp, Load(k.arguments[0], Use(k.task)));
  Block b;
  b.Store(k.arguments[0], Use(k.task), e * e + e);
  k.body = b.Take();
  EXPECT_EQ(BodyOf(k),
            "  const int task = blockIdx.x * 128 + threadIdx.x;\n"
            "  if (task >= tasks) return;\n"
            "  const float s = expf(x[task]);\n"
            "  x[task] = (s * s) + s;\n");
}

// Indices whose bounds are known are ints; others, and what is computed from them, are not.
TEST(PrintKernelTest, IndicesAreNarrowWhereTheyFit) {
  Kernel k;
  k.name = "k";
  k.task = MakeVar("task");
  k.tasks = 1000;
  k.arguments = {ArgumentBuffer("x", Scalar::kInt64, 1000, 0, 8), ArgumentBuffer("i", Scalar::kInt32, 1000, 1, 4)};
  const Buffer x = k.arguments[0], i = k.arguments[1];
  Block b;
  const Expr at = b.Let("at", Cast(kernel::kIndexType, Load(i, Use(k.task))));
  const Expr far = b.Let("far", at * 3);
  b.Store(x, FloorMod(far, Int(7)), Load(x, Int(5)) + at);
  k.body = b.Take();
  EXPECT_EQ(BodyOf(k),
            "  const int task = blockIdx.x * 128 + threadIdx.x;\n"
            "  if (task >= tasks) return;\n"
            "  const int at = (int)i[task];\n"
            "  const long long far = (long long)at * 3;\n"
            "  x[(int)floor_mod<long long>(far, 7)] = (long long)x[5] + at;\n");
}

TEST(PrintKernelTest, FourFloatsAtOnce) {
  Kernel k;
  k.name = "k";
  k.task = MakeVar("task");
  k.tasks = 1000;
  k.arguments = {ArgumentBuffer("x", Scalar::kFloat32, 4000, 0, 16), ArgumentBuffer("y", Scalar::kFloat32, 4000, 1, 4)};
  Block b;
  b.Store(k.arguments[0], Use(k.task) * 4, Load(k.arguments[0], Use(k.task) * 4, 4) * kernel::Float(2, 4));
  b.Store(k.arguments[0], Use(k.task), Load(k.arguments[1], Use(k.task), 2));
  k.body = b.Take();
  EXPECT_EQ(BodyOf(k),
            "  const int task = blockIdx.x * 128 + threadIdx.x;\n"
            "  if (task >= tasks) return;\n"
            "  const float4 v = load4(x, task * 4);\n"
            "  store4(x, task * 4, v.x * 2.0f, v.y * 2.0f, v.z * 2.0f, v.w * 2.0f);\n"
            "  const float lane = y[task];\n"
            "  const float lane_1 = y[task + 1];\n"
            "  x[task] = lane;\n"
            "  x[task + 1] = lane_1;\n");
}

// Neighbours of all types, as many bytes at a time as the index is known to be a multiple of.
TEST(PrintKernelTest, Words) {
  Kernel k;
  k.name = "k";
  k.task = MakeVar("task");
  k.tasks = 1000;
  k.arguments = {ArgumentBuffer("h", Scalar::kFloat16, 8000, 0, 16), ArgumentBuffer("b", Scalar::kInt8, 8000, 1, 16),
                 ArgumentBuffer("n", Scalar::kInt32, 8000, 2, 8)};
  Block b;
  b.Store(k.arguments[0], Use(k.task) * 8, Load(k.arguments[0], Use(k.task) * 8 + 4, 4));
  b.Store(k.arguments[1], Use(k.task) * 4, Cast(kernel::Type(Scalar::kInt8, 4), Load(k.arguments[2], Use(k.task) * 4, 4)));
  b.Store(k.arguments[1], Use(k.task) * 2, Load(k.arguments[1], Use(k.task), 2));
  k.body = b.Take();
  EXPECT_EQ(BodyOf(k),
            "  const int task = blockIdx.x * 128 + threadIdx.x;\n"
            "  if (task >= tasks) return;\n"
            "  const uint2 w = load_words2(h + ((task * 8) + 4));\n"
            "  const unsigned short lane = (unsigned short)w.x;\n"
            "  const unsigned short lane_1 = (unsigned short)(w.x >> 16);\n"
            "  const unsigned short lane_2 = (unsigned short)w.y;\n"
            "  const unsigned short lane_3 = (unsigned short)(w.y >> 16);\n"
            "  store_words(h + (task * 8), (unsigned)(unsigned short)lane | (unsigned)(unsigned short)lane_1 << 16, "
            "(unsigned)(unsigned short)lane_2 | (unsigned)(unsigned short)lane_3 << 16);\n"
            "  const uint2 w_1 = load_words2(n + (task * 4));\n"
            "  const uint2 w_2 = load_words2(n + ((task * 4) + 2));\n"
            "  const signed char lane_4 = (signed char)((int)w_1.x);\n"
            "  const signed char lane_5 = (signed char)((int)w_1.y);\n"
            "  const signed char lane_6 = (signed char)((int)w_2.x);\n"
            "  const signed char lane_7 = (signed char)((int)w_2.y);\n"
            "  store_words(b + (task * 4), (unsigned)(unsigned char)lane_4 | (unsigned)(unsigned char)lane_5 << 8 | "
            "(unsigned)(unsigned char)lane_6 << 16 | (unsigned)(unsigned char)lane_7 << 24);\n"
            "  const signed char lane_8 = b[task];\n"
            "  const signed char lane_9 = b[task + 1];\n"
            "  b[task * 2] = lane_8;\n"
            "  b[(task * 2) + 1] = lane_9;\n");
}

}  // namespace
}  // namespace mgec::codegen::cuda
