// NVRTC, where it is, on printed kernels.
#include "compiler/codegen/cuda/codegen.h"

#include <unistd.h>

#include <cstdlib>

#include "absl/strings/match.h"
#include "compiler/codegen/cuda/nvrtc.h"
#include "compiler/codegen/cuda/prelude.h"
#include "compiler/codegen/cuda/print_kernel.h"
#include "gtest/gtest.h"

namespace mgec::codegen::cuda {
namespace {

using kernel::Block;
using kernel::Expr;
using kernel::Kernel;
using kernel::Op;
using kernel::Scalar;

#define SKIP_WITHOUT_NVRTC() \
  if (absl::Status s = Nvrtc::Get().status(); !s.ok()) GTEST_SKIP() << "skipped: " << s.message()

Kernel Scale(const std::string& name, float factor) {
  Kernel k;
  k.name = name;
  k.task = kernel::MakeVar("task");
  k.tasks = 100;
  k.arguments = {kernel::ArgumentBuffer("x", Scalar::kFloat32, 100, 0, 4)};
  Block b;
  b.Store(k.arguments[0], Use(k.task), Load(k.arguments[0], Use(k.task)) * kernel::Float(factor));
  k.body = b.Take();
  return k;
}

std::vector<Kernel> ManyKernels(int n) {
  std::vector<Kernel> kernels;
  for (int i = 0; i < n; ++i) kernels.push_back(Scale("k" + std::to_string(i), static_cast<float>(i)));
  return kernels;
}

TEST(NvrtcTest, SaysWhatIsMissing) {
  const absl::Status none = Nvrtc::Open("/nowhere/libnvrtc.so.13").status();
  EXPECT_EQ(none.code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(absl::StrContains(none.message(), "cannot open /nowhere/libnvrtc.so.13")) << none;
  const absl::Status folder = Nvrtc::Open("/usr").status();
  EXPECT_EQ(folder.message(), "/usr has no libnvrtc.so.*");
  const absl::Status other = Nvrtc::Open("libm.so.6").status();
  EXPECT_TRUE(absl::StrContains(other.message(), "libm.so.6 is no NVRTC")) << other;
}

TEST(NvrtcTest, ShowsTheLinesOfAnError) {
  SKIP_WITHOUT_NVRTC();
  const Nvrtc& nvrtc = **Nvrtc::Get();
  const absl::Status s = nvrtc.Compile("extern \"C\" __global__ void f(float* x) {\n  x[0] = nothing;\n}\n", nvrtc.architectures()[0]).status();
  EXPECT_EQ(s.code(), absl::StatusCode::kInternal);
  EXPECT_TRUE(absl::StrContains(s.message(), "line 2:   x[0] = nothing;")) << s;
}

TEST(CodegenTest, ArchitecturesAreThoseThatNvrtcKnows) {
  SKIP_WITHOUT_NVRTC();
  const absl::StatusOr<std::vector<int>> two = Architectures({90, 80, 90});
  ASSERT_TRUE(two.ok()) << two.status();
  EXPECT_EQ(*two, (std::vector<int>{80, 90}));
  const absl::Status unknown = Architectures({80, 42}).status();
  EXPECT_EQ(unknown.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::StrContains(unknown.message(), "does not compile for sm_42; it knows sm_")) << unknown;
  EXPECT_FALSE(Architectures({})->empty());
}

TEST(CodegenTest, ModulesHoldAllKernelsForEveryArchitecture) {
  SKIP_WITHOUT_NVRTC();
  const std::vector<int> architectures = *Architectures({80, 90});
  int calls = 0;
  Options options;
  options.progress = [&](int done, int total) {
    ++calls;
    EXPECT_LE(done, total);
    EXPECT_EQ(total, 40);
  };
  const absl::StatusOr<Code> code = Generate(ManyKernels(20), architectures, options);
  ASSERT_TRUE(code.ok()) << code.status();
  EXPECT_EQ(calls, 4);
  ASSERT_EQ(code->modules.size(), 6u);
  int kernels = 0;
  for (const Module& m : code->modules) {
    kernels += m.kernel_count;
    if (m.ptx) {
      EXPECT_EQ(m.architecture, 90);
      EXPECT_TRUE(absl::StrContains(m.bytes, ".target sm_90"));
    } else {
      EXPECT_EQ(m.bytes.substr(0, 4), "\x7f" "ELF");
    }
  }
  EXPECT_EQ(kernels, 60);
  EXPECT_TRUE(absl::StrContains(code->source, "k19("));
  options.progress = nullptr;
  options.threads = 2;
  const absl::StatusOr<Code> again = Generate(ManyKernels(20), architectures, options);
  ASSERT_TRUE(again.ok()) << again.status();
  for (size_t i = 0; i < code->modules.size(); ++i) EXPECT_TRUE(code->modules[i].bytes == again->modules[i].bytes) << i;
}

TEST(CodegenTest, RefusesWrongKernels) {
  EXPECT_TRUE(absl::StrContains(Generate({Scale("k", 1), Scale("k", 2)}, {80}, Options()).status().message(),
                                "two kernels are called k"));
  EXPECT_TRUE(absl::StrContains(Generate({Scale("a b", 1)}, {80}, Options()).status().message(), "not an identifier"));
}

// Every operator on every type compiles: what the prelude lacks would show here.
TEST(CodegenTest, EveryOperator) {
  SKIP_WITHOUT_NVRTC();
  Kernel k;
  k.name = "k";
  k.task = kernel::MakeVar("task");
  k.tasks = 100;
  Block b;
  auto argument = [&](Scalar s) {
    const int i = static_cast<int>(k.arguments.size());
    k.arguments.push_back(kernel::ArgumentBuffer("x" + std::to_string(i), s, 100, i, 8));
    return k.arguments.back();
  };
  const kernel::Buffer f = argument(Scalar::kFloat32);
  for (int op = static_cast<int>(Op::kNeg); op <= static_cast<int>(Op::kSigmoid); ++op) {
    if (static_cast<Op>(op) == Op::kNot) continue;
    b.Store(f, Use(k.task), Unary(static_cast<Op>(op), Load(f, Use(k.task))));
  }
  for (Op op : {Op::kAdd, Op::kSub, Op::kMul, Op::kDiv, Op::kMod, Op::kMin, Op::kMax, Op::kPow, Op::kAtan2}) {
    b.Store(f, Use(k.task), Binary(op, Load(f, Use(k.task)), kernel::Float(3)));
  }
  b.Store(f, Use(k.task), Fma(Load(f, Use(k.task)), kernel::Float(-0.5), kernel::Float(INFINITY)));
  const Scalar types[] = {Scalar::kBool,  Scalar::kInt8,    Scalar::kUint8,    Scalar::kInt16,  Scalar::kUint16,
                          Scalar::kInt32, Scalar::kFloat16, Scalar::kBFloat16, Scalar::kFloat32, Scalar::kInt64};
  std::vector<kernel::Buffer> buffers;
  for (Scalar s : types) buffers.push_back(argument(s));
  for (const kernel::Buffer& to : buffers) {
    for (const kernel::Buffer& from : buffers) b.Store(to, Use(k.task), Cast(to->scalar, Load(from, Use(k.task))));
    const Expr x = Load(to, Use(k.task)), y = Load(to, Use(k.task) + 1);
    const Scalar s = to->scalar;
    if (IsHalf(s)) continue;
    for (Op op : {Op::kLt, Op::kLe, Op::kEq, Op::kNe}) b.Store(buffers[0], Use(k.task), Binary(op, x, y));
    b.Store(to, Use(k.task), Select(x < y, x, y));
    if (s == Scalar::kFloat32) continue;
    for (Op op : {Op::kAnd, Op::kOr, Op::kXor}) b.Store(to, Use(k.task), Binary(op, x, y));
    b.Store(to, Use(k.task), Unary(Op::kNot, x));
    if (s == Scalar::kBool) continue;
    for (Op op : {Op::kAdd, Op::kSub, Op::kMul, Op::kDiv, Op::kMod, Op::kFloorDiv, Op::kFloorMod, Op::kMin, Op::kMax, Op::kShl,
                  Op::kShr}) {
      b.Store(to, Use(k.task), Binary(op, x, y));
    }
    for (Op op : {Op::kNeg, Op::kAbs, Op::kSign, Op::kFloor}) b.Store(to, Use(k.task), Unary(op, x));
  }
  b.Store(buffers[5], Use(k.task), Bitcast(Scalar::kInt32, Load(f, Use(k.task))));
  b.Store(f, Use(k.task), Bitcast(Scalar::kFloat32, Load(buffers[5], Use(k.task))));
  k.body = b.Take();
  const absl::StatusOr<Code> code = Generate({k}, {(*Nvrtc::Get())->architectures().back()}, Options());
  ASSERT_TRUE(code.ok()) << code.status();
}

}  // namespace
}  // namespace mgec::codegen::cuda
