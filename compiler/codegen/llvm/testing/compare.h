// Generated code against the interpreter, on random data.
//
//   Comparison c;
//   Buffer x = c.Input(Scalar::kFloat32, 64), y = c.Output(Scalar::kFloat32, 64);
//   Block b;
//   b.Store(y, Int(0), Load(x, Int(0), 8) * Float(2));
//   EXPECT_EQ(c.Run(std::move(b)), "");
#ifndef MGEC_COMPILER_CODEGEN_LLVM_TESTING_COMPARE_H_
#define MGEC_COMPILER_CODEGEN_LLVM_TESTING_COMPARE_H_

#include <random>
#include <string>
#include <vector>

#include "compiler/codegen/llvm/codegen.h"
#include "compiler/kernel/stmt.h"

namespace mgec::codegen {

class Comparison {
 public:
  explicit Comparison(uint32_t seed = 1) : random_(seed) { task_ = kernel::MakeVar("task"); }

  // An argument filled with random values: for floats also NaN, infinities, zeros and denormals.
  kernel::Buffer Input(kernel::Scalar s, int64_t size);
  // An argument filled with the given values of type s.
  template <typename T>
  kernel::Buffer InputOf(kernel::Scalar s, const std::vector<T>& values) {
    const auto* p = reinterpret_cast<const char*>(values.data());
    return Add(s, std::vector<char>(p, p + values.size() * sizeof(T)));
  }
  // An argument that is compared.
  kernel::Buffer Output(kernel::Scalar s, int64_t size);
  kernel::Expr task() const { return kernel::Use(task_); }
  void set_tasks(int64_t tasks) { tasks_ = tasks; }
  // Float results may differ by this; zero unless math functions are involved.
  void set_ulps(double ulps) { ulps_ = ulps; }

  // Runs the statements with the interpreter and on every target that this CPU runs. Returns the first difference or
  // error, "" if there is none.
  std::string Run(kernel::Block b);
  // Targets that Run() has left out, as "x86-64-v4 needs AVX-512".
  const std::string& skipped() const { return skipped_; }

 private:
  kernel::Buffer Add(kernel::Scalar s, std::vector<char> bytes);
  std::string Compare(const std::vector<std::vector<char>>& expected, const std::vector<std::vector<char>>& got) const;

  std::mt19937 random_;
  kernel::Var task_;
  int64_t tasks_ = 1;
  double ulps_ = 0;
  std::vector<kernel::Buffer> buffers_;
  std::vector<std::vector<char>> data_;
  std::string skipped_;
};

}  // namespace mgec::codegen

#endif  // MGEC_COMPILER_CODEGEN_LLVM_TESTING_COMPARE_H_
