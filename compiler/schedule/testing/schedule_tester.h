// Property tests of schedules: random graphs, scheduled for every target, against the definitions of their operators.
//
//   ScheduleTester t;
//   Value* x = t.Input({1, 13, 7, 5});
//   Value* y = t.Add("relu", {x});
//   t.Expect(y);       // a graph output
//   t.Check();
//
// Every failure names the seed; MGEC_TEST_SEED=N repeats it or tries others.
#ifndef MGEC_COMPILER_SCHEDULE_TESTING_SCHEDULE_TESTER_H_
#define MGEC_COMPILER_SCHEDULE_TESTING_SCHEDULE_TESTER_H_

#include <random>
#include <set>
#include <string>
#include <vector>

#include "compiler/graph/graph.h"
#include "compiler/kernel/target.h"
#include "compiler/plan/program.h"
#include "compiler/schedule/testing/run_program.h"

namespace mgec::schedule {

// The seed that the environment asks for, 1 otherwise; printed once.
uint32_t TestSeed();

class ScheduleTester {
 public:
  explicit ScheduleTester(uint32_t salt = 0) : random_(TestSeed() * 1000003u + salt) {}

  // Uniform in [lo, hi].
  int64_t Int(int64_t lo, int64_t hi) { return lo + static_cast<int64_t>(random_() % (hi - lo + 1)); }
  bool Coin() { return Int(0, 1) == 1; }
  template <typename T>
  T OneOf(std::initializer_list<T> values) {
    return values.begin()[Int(0, static_cast<int64_t>(values.size()) - 1)];
  }

  // What integers the following inputs and constants hold, cut to their type; -20 to 20 at first.
  void set_integers(int64_t lo, int64_t hi) {
    lowest_ = lo;
    highest_ = hi;
  }
  // A network input, and a constant, of random values: floats in [-2, 2], integers as set.
  graph::Value* Input(const graph::Shape& shape, graph::DType dtype = graph::DTypeKind::kFloat32);
  graph::Value* Constant(const graph::Shape& shape, graph::DType dtype = graph::DTypeKind::kFloat32);
  graph::Value* Scalar(float v) { return graph_.AddScalar(v); }
  // A node; ends the process where the operator refuses its operands: the test is wrong then.
  graph::Value* Add(const std::string& op, std::vector<graph::Value*> inputs, graph::Attributes attributes = {});
  // A blocked tensor of the given shape [N, C, H, W] whose channels fill blocks in order: a 1x1 convolution's result.
  graph::Value* Blocked(const graph::Shape& shape);
  // The same with channels in other places: halves swapped, shuffled, or a concatenation whose parts end inside blocks.
  graph::Value* Scattered(const graph::Shape& shape);
  void Expect(graph::Value* v);

  graph::Graph& graph() { return graph_; }
  // How far a float result may be from the definition's, relative to the largest.
  void set_tolerance(double t) { tolerance_ = t; }
  // What CheckCuda() schedules with.
  void set_cuda_options(const Options& o) { cuda_options_ = o; }

  // Schedules the graph as it is and after all passes, for every target, and compares the interpreter's and the generated
  // code's results with the definitions': natively where this CPU can, and beyond AVX2 also limited to AVX2. Fails the test with everything needed to repeat it.
  void Check();
  // The same for the graph after all passes with every alternative that schedules offer (choice.h). The text of each that was
  // tried, "winograd=2", once.
  std::set<std::string> CheckAlternatives();
  // Runs all passes first and compares with the definitions of what they made: of graphs that are rounded there.
  void CheckAfterPasses();
  // The same for CUDA, by the emulator.
  void CheckCuda();
  void CheckCudaAfterPasses();
  // The target whose programs the following report; x86-64-v3 at first.
  void set_reported(const std::string& target) { reported_ = target; }
  // The steps of the last program: the graph after all passes.
  const std::vector<std::string>& ops() const { return ops_; }
  // How many of the last program's steps compute `op`.
  int CountOps(const std::string& op) const;
  // Whether its kernels, printed, contain a text: "dot2(".
  bool KernelsContain(const std::string& text) const;

  const std::vector<kernel::Kernel>& kernels() const { return kernels_; }

  // Targets whose generated code this CPU cannot run ("x86-64-v4 needs AVX-512"); "" if there is none.
  static std::string Skipped();

 private:
  void RunPasses();
  std::string RandomBytes(const graph::TensorType& type);
  // What the definitions say, in the order of the outputs.
  std::vector<std::string> Expected();
  void CheckScheduled(const std::vector<std::string>& expected, const std::string& which);
  void CheckProgram(const RunnableProgram& program, const kernel::Target& target, const std::vector<std::string>& expected);
  std::string Trace(const std::string& which, const kernel::Target& target) const;
  void CheckEmulated(const std::vector<std::string>& expected, const char* which);

  std::mt19937 random_;
  graph::Graph graph_;
  std::vector<std::string> inputs_;
  std::string reported_ = "x86-64-v3";
  std::vector<std::string> ops_;
  std::vector<kernel::Kernel> kernels_;
  int64_t lowest_ = -20, highest_ = 20;
  double tolerance_ = 1e-5;
  Options cuda_options_;
};

// The last statement of tests that run generated code: reports what this CPU cannot run.
#define SKIP_IF_TARGETS_WERE_LEFT_OUT()                                              \
  do {                                                                               \
    const std::string left_out = ScheduleTester::Skipped();                          \
    if (!left_out.empty()) GTEST_SKIP() << "skipped generated code for " << left_out; \
  } while (false)

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_TESTING_SCHEDULE_TESTER_H_
