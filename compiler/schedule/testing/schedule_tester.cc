#include "compiler/schedule/testing/schedule_tester.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "compiler/codegen/cuda/testing/run_emulated.h"
#include "compiler/codegen/llvm/testing/run_image.h"
#include "compiler/graph/text.h"
#include "compiler/kernel/reference_math.h"
#include "compiler/ops/evaluate.h"
#include "compiler/passes/passes.h"
#include "compiler/schedule/testing/run_program.h"
#include "gtest/gtest.h"

namespace mgec::schedule {
namespace {

using graph::DTypeKind;
using graph::Value;

std::vector<float> AsFloats(const std::string& bytes, DTypeKind kind) {
  std::vector<float> floats(bytes.size() / graph::ByteSize(graph::DType(kind)));
  for (size_t i = 0; i < floats.size(); ++i) {
    if (kind == DTypeKind::kFloat32) {
      std::memcpy(&floats[i], &bytes[i * 4], 4);
    } else {
      uint16_t half;
      std::memcpy(&half, &bytes[i * 2], 2);
      floats[i] = kind == DTypeKind::kFloat16 ? kernel::HalfToFloat(half) : kernel::BFloat16ToFloat(half);
    }
  }
  return floats;
}

// Where `got` differs from `want`; "" if nowhere.
std::string Difference(const std::string& got, const std::string& want, const graph::DType& dtype, double tolerance) {
  if (got.size() != want.size()) return absl::StrCat("has ", got.size(), " bytes instead of ", want.size());
  if (!graph::IsFloating(dtype)) {
    for (size_t i = 0; i < got.size(); ++i) {
      if (got[i] != want[i]) return absl::StrCat("byte ", i, " is ", int{got[i]}, " instead of ", int{want[i]});
    }
    return "";
  }
  const std::vector<float> a = AsFloats(got, dtype.kind), b = AsFloats(want, dtype.kind);
  double peak = 0;
  for (float v : b) peak = std::isfinite(v) ? std::max(peak, std::fabs(double{v})) : peak;
  for (size_t i = 0; i < a.size(); ++i) {
    const bool same = std::isfinite(b[i]) ? std::fabs(double{a[i]} - b[i]) <= tolerance * peak
                                          : std::isnan(b[i]) ? std::isnan(a[i]) : a[i] == b[i];
    if (!same) return absl::StrCat("[", i, "] of ", a.size(), " is ", a[i], " instead of ", b[i]);
  }
  return "";
}

// With VNNI and its like, what multiplies 8-bit integers or holds them in blocks, which begin at convolutions, is scheduled
// differently.
bool HasSmallIntegers(const graph::Graph& g) {
  bool small = false, contracts = false;
  for (const auto& node : g.nodes()) {
    contracts = contracts || absl::StrContains(node->op, "conv2d") || node->op == "int_matmul" || node->body != nullptr;
    for (const auto& v : node->outputs) small = small || graph::ByteSize(v->type.dtype) == 1;
  }
  return small && contracts;
}

// The targets for which the graph is scheduled differently. Those of Arm come first.
std::vector<kernel::Target> TargetsOf(const graph::Graph& g) {
  const bool small_integers = HasSmallIntegers(g);
  std::vector<kernel::Target> targets = {*kernel::FindTarget("aarch64")};
  if (small_integers) targets.push_back(*kernel::FindTarget("aarch64-dotprod"));
  for (kernel::Target& t : kernel::DefaultTargets(small_integers)) targets.push_back(std::move(t));
  return targets;
}

}  // namespace

uint32_t TestSeed() {
  static const uint32_t seed = [] {
    const char* text = std::getenv("MGEC_TEST_SEED");
    const uint32_t s = text == nullptr ? 1 : static_cast<uint32_t>(std::strtoul(text, nullptr, 10));
    std::printf("MGEC_TEST_SEED=%u\n", s);
    std::fflush(stdout);
    return s;
  }();
  return seed;
}

std::string ScheduleTester::RandomBytes(const graph::TensorType& type) {
  std::string bytes(graph::ByteSize(type), '\0');
  const int size = graph::ByteSize(type.dtype);
  for (size_t i = 0; i < bytes.size(); i += size) {
    const float f = std::uniform_real_distribution<float>(-2, 2)(random_);
    const int32_t n = static_cast<int32_t>(Int(lowest_, highest_));
    switch (type.dtype.kind) {
      case DTypeKind::kFloat32: std::memcpy(&bytes[i], &f, 4); break;
      case DTypeKind::kFloat16:
      case DTypeKind::kBFloat16: {
        const uint16_t half =
            type.dtype.kind == DTypeKind::kFloat16 ? kernel::FloatToHalf(f) : kernel::FloatToBFloat16(f);
        std::memcpy(&bytes[i], &half, 2);
        break;
      }
      case DTypeKind::kBool: bytes[i] = static_cast<char>(n & 1); break;
      default: std::memcpy(&bytes[i], &n, size); break;
    }
  }
  return bytes;
}

Value* ScheduleTester::Input(const graph::Shape& shape, graph::DType dtype) {
  const graph::TensorType type{dtype, shape};
  inputs_.push_back(RandomBytes(type));
  return graph_.AddInput(absl::StrCat("in", inputs_.size()), type);
}

Value* ScheduleTester::Constant(const graph::Shape& shape, graph::DType dtype) {
  const graph::TensorType type{dtype, shape};
  return graph_.AddConstant(type, RandomBytes(type));
}

Value* ScheduleTester::Add(const std::string& op, std::vector<Value*> inputs, graph::Attributes attributes) {
  auto v = graph_.Add(op, std::move(inputs), std::move(attributes), absl::StrCat(op, graph_.nodes().size()));
  if (!v.ok()) {
    std::fprintf(stderr, "the test made a wrong graph: %s\n", v.status().ToString().c_str());
    std::abort();
  }
  return *v;
}

Value* ScheduleTester::Blocked(const graph::Shape& shape) {
  const int64_t channels = Int(1, 12);
  return Add("conv2d", {Input({shape[0], channels, shape[2], shape[3]}), Constant({shape[1], channels, 1, 1})});
}

Value* ScheduleTester::Scattered(const graph::Shape& shape) {
  const int64_t c = shape[1];
  auto slice = [&](Value* v, int64_t begin, int64_t end) {
    return Add("slice", {v},
               {{"begin", std::vector<int64_t>{0, begin, 0, 0}},
                {"end", std::vector<int64_t>{shape[0], end, shape[2], shape[3]}},
                {"step", std::vector<int64_t>{1, 1, 1, 1}}});
  };
  switch (Int(0, 2)) {
    case 0: {
      std::vector<int64_t> order(c);
      for (int64_t i = 0; i < c; ++i) order[i] = i;
      std::shuffle(order.begin(), order.end(), random_);
      return Add("gather", {Blocked(shape), graph_.AddInts(order)}, {{"axis", int64_t{1}}});
    }
    case 1: {
      if (c < 2) return Blocked(shape);
      Value* v = Blocked(shape);
      const int64_t at = Int(1, c - 1);
      return Add("concat", {slice(v, at, c), slice(v, 0, at)}, {{"axis", int64_t{1}}});
    }
    default: {
      if (c < 2) return Blocked(shape);
      const int64_t first = Int(1, c - 1), skipped = Int(0, 9);
      Value* a = slice(Blocked({shape[0], first + skipped, shape[2], shape[3]}), skipped, first + skipped);
      return Add("concat", {a, Blocked({shape[0], c - first, shape[2], shape[3]})}, {{"axis", int64_t{1}}});
    }
  }
}

void ScheduleTester::Expect(Value* v) { graph_.AddOutput(v, absl::StrCat("out", graph_.outputs().size())); }

std::string ScheduleTester::Trace(const std::string& which, const kernel::Target& target) const {
  return absl::StrCat(which, ", ", target.name, ", MGEC_TEST_SEED=", TestSeed(), "\n", graph::ToText(graph_, {64}));
}

void ScheduleTester::CheckProgram(const RunnableProgram& program, const kernel::Target& target,
                                  const std::vector<std::string>& expected) {
  auto check = [&](const char* how, const absl::StatusOr<std::vector<std::string>>& got) {
    ASSERT_TRUE(got.ok()) << how << ": " << got.status();
    for (size_t i = 0; i < expected.size(); ++i) {
      const graph::DType dtype = graph_.outputs()[i].value->type.dtype;
      EXPECT_EQ(Difference((*got)[i], expected[i], dtype, tolerance_), "") << how << ", output " << i;
    }
  };
  // Interpreting takes longest: of schedules for other CPUs the code shows enough.
  if (target.has_avx2) check("interpreted", program.Interpret(inputs_));
  std::string why_not;
  if (codegen::CanRun(target, &why_not)) check("generated", program.RunNatively(inputs_, target));
  if (target.has_avx512 || !target.has_avx2) {
    const kernel::Target in_avx2 = codegen::InAvx2(target);
    if (codegen::CanRun(in_avx2, &why_not)) check("generated for AVX2", program.RunNatively(inputs_, in_avx2));
  }
}

void ScheduleTester::CheckScheduled(const std::vector<std::string>& expected, const std::string& which) {
  for (const kernel::Target& target : TargetsOf(graph_)) {
    SCOPED_TRACE(Trace(which, target));
    auto program = RunnableProgram::Make(graph_, target);
    ASSERT_TRUE(program.ok()) << program.status();
    if (target.name == reported_) {
      ops_ = program->Ops();
      kernels_ = program->program().kernels;
    }
    CheckProgram(*program, target, expected);
    if (testing::Test::HasFailure()) return;
  }
}

std::set<std::string> ScheduleTester::CheckAlternatives() {
  std::set<std::string> tried;
  const std::vector<std::string> expected = Expected();
  const absl::Status passes = passes::RunPasses(graph_);
  EXPECT_TRUE(passes.ok()) << passes;
  if (testing::Test::HasFailure()) return tried;
  for (const kernel::Target& target : TargetsOf(graph_)) {
    Alternatives alternatives;
    const auto program = RunnableProgram::Make(graph_, target, {}, &alternatives);
    EXPECT_TRUE(program.ok()) << program.status();
    size_t most = 0;
    for (const auto& [node, others] : alternatives) most = std::max(most, others.size());
    for (size_t i = 0; i < most; ++i) {
      std::string which = "choices:";
      Options options;
      options.choose = [&](const kernel::Target&, const std::string& node) {
        const auto it = alternatives.find(node);
        if (it == alternatives.end() || i >= it->second.size()) return Choice();
        tried.insert(ToString(it->second[i]));
        absl::StrAppend(&which, " ", ToString(it->second[i]));
        return it->second[i];
      };
      const auto other = RunnableProgram::Make(graph_, target, options);
      SCOPED_TRACE(Trace(which, target));
      EXPECT_TRUE(other.ok()) << other.status();
      if (testing::Test::HasFailure()) return tried;
      CheckProgram(*other, target, expected);
      if (testing::Test::HasFailure()) return tried;
    }
  }
  return tried;
}

void ScheduleTester::CheckEmulated(const std::vector<std::string>& expected, const char* which) {
  SCOPED_TRACE(Trace(which, kernel::CudaTarget()));
  auto program = RunnableProgram::Make(graph_, kernel::CudaTarget(), cuda_options_);
  ASSERT_TRUE(program.ok()) << program.status();
  ops_ = program->Ops();
  kernels_ = program->program().kernels;
  const auto got = program->Emulate(inputs_);
  ASSERT_TRUE(got.ok()) << got.status();
  for (size_t a = 0; a < got->size(); ++a) {
    for (size_t i = 0; i < expected.size(); ++i) {
      const graph::DType dtype = graph_.outputs()[i].value->type.dtype;
      EXPECT_EQ(Difference((*got)[a][i], expected[i], dtype, tolerance_), "")
          << "output " << i << ", sm_" << codegen::cuda::EmulatedKernels::kArchitectures[a];
    }
  }
}

std::vector<std::string> ScheduleTester::Expected() {
  std::map<std::string, ops::TensorData> inputs;
  for (size_t i = 0; i < inputs_.size(); ++i) {
    inputs[graph_.inputs()[i]->name] = std::make_shared<const std::string>(inputs_[i]);
  }
  const auto evaluated = ops::EvaluateGraph(graph_, inputs);
  EXPECT_TRUE(evaluated.ok()) << evaluated.status();
  std::vector<std::string> expected;
  if (!evaluated.ok()) return expected;
  for (const ops::TensorData& d : *evaluated) expected.push_back(*d);
  return expected;
}

void ScheduleTester::CheckCuda() {
  const std::vector<std::string> expected = Expected();
  if (testing::Test::HasFailure()) return;
  CheckEmulated(expected, "graph as it is");
  if (!testing::Test::HasFailure()) RunPasses();
  if (testing::Test::HasFailure()) return;
  CheckEmulated(expected, "after all passes");
}

void ScheduleTester::RunPasses() {
  const absl::Status passes = passes::RunPasses(graph_);
  ASSERT_TRUE(passes.ok()) << passes;
}

void ScheduleTester::CheckCudaAfterPasses() {
  RunPasses();
  if (testing::Test::HasFailure()) return;
  const std::vector<std::string> expected = Expected();
  if (!testing::Test::HasFailure()) CheckEmulated(expected, "after all passes");
}

void ScheduleTester::CheckAfterPasses() {
  RunPasses();
  if (testing::Test::HasFailure()) return;
  const std::vector<std::string> expected = Expected();
  if (!testing::Test::HasFailure()) CheckScheduled(expected, "after all passes");
}

void ScheduleTester::Check() {
  const std::vector<std::string> expected = Expected();
  if (testing::Test::HasFailure()) return;
  CheckScheduled(expected, "graph as it is");
  if (!testing::Test::HasFailure()) RunPasses();
  if (testing::Test::HasFailure()) return;
  CheckScheduled(expected, "after all passes");
}

bool ScheduleTester::KernelsContain(const std::string& text) const {
  return std::any_of(kernels_.begin(), kernels_.end(),
                     [&](const kernel::Kernel& k) { return ToString(k).find(text) != std::string::npos; });
}

int ScheduleTester::CountOps(const std::string& op) const {
  return static_cast<int>(std::count(ops_.begin(), ops_.end(), op));
}

std::string ScheduleTester::Skipped() {
  std::string skipped;
  for (const kernel::Target& target : kernel::X86Targets()) {
    std::string why_not;
    if (!codegen::CanRun(target, &why_not)) absl::StrAppend(&skipped, skipped.empty() ? "" : ", ", target.name, ", which ", why_not);
  }
  return skipped;
}

}  // namespace mgec::schedule
