// Definitions of operators as tensor expressions.
//
// A definition computes each element of its output from elements of its inputs. It is what the interpreter evaluates (the
// oracle for every schedule) and what schedules are derived from.
//
//   // y[i, j] = sum over k of a[i, k] * b[k, j]
//   Definition d({TypeOf(a), TypeOf(b)});
//   d.AddStage({M, N}, Scalar::kFloat32, [&](const std::vector<Expr>& i) {
//     return d.Reduce(Combiner::kSum, {K}, [&](const std::vector<Expr>& k) {
//       return d.At(0, {i[0], k[0]}) * d.At(1, {k[0], i[1]});
//     });
//   });
//
// Operators such as softmax have several stages: a stage may read the inputs and all earlier stages. A scan may also read
// its own elements that come before along one dimension:
//
//   // y[i] = x[0] + .. + x[i]
//   d.AddScan({N}, Scalar::kFloat32, 0, [&](const std::vector<Expr>& i, int y) {
//     return d.At(0, i) + Select(i[0] > 0, d.At(y, {i[0] + (-1)}), Float(0));
//   });
#ifndef MGEC_COMPILER_KERNEL_TENSOR_EXPR_H_
#define MGEC_COMPILER_KERNEL_TENSOR_EXPR_H_

#include <functional>
#include <string>
#include <vector>

#include "compiler/kernel/expr.h"

namespace mgec::kernel {

struct TensorInfo {
  Scalar scalar;
  std::vector<int64_t> shape;
};

// Tensor number inputs.size() + s of a definition is the result of stage s.
struct Stage {
  TensorInfo info;
  std::vector<Var> vars;  // one index per dimension
  Expr body;              // scalar, of type info.scalar; holds kRead and kReduce
  // The dimension of a scan: its elements are computed in order of this index, and the body may read the stage's own
  // tensor at smaller ones. What it reads elsewhere of itself is undefined. -1: not a scan.
  int scan = -1;
};

// What an element at an index is.
using IndexFunction = std::function<Expr(const std::vector<Expr>&)>;

Stage MakeStage(std::vector<int64_t> shape, Scalar scalar, const IndexFunction& body);

class Definition {
 public:
  explicit Definition(std::vector<TensorInfo> inputs) : inputs_(std::move(inputs)) {}

  // Appends a stage and returns its tensor number.
  int AddStage(std::vector<int64_t> shape, Scalar scalar, const IndexFunction& body);
  using ScanFunction = std::function<Expr(const std::vector<Expr>&, int self)>;
  // The same for a scan along dimension `axis`; `self` is the tensor number of the stage.
  int AddScan(std::vector<int64_t> shape, Scalar scalar, int axis, const ScanFunction& body);
  // Inserts stages before stage number `at`. Tensors from there on get larger numbers, also where stages and outputs refer to
  // them; the new stages read by number what comes before, and each other by the numbers that they get.
  void InsertStages(int at, std::vector<Stage> stages);
  // Element of tensor t. Indices must be in bounds wherever the expression is evaluated.
  Expr At(int t, std::vector<Expr> indices) const;
  // Element of tensor t where every index is in bounds, `otherwise` elsewhere.
  Expr AtOr(int t, std::vector<Expr> indices, Expr otherwise) const;
  // Element of tensor t, broadcast (NumPy's rule) to an output index of equal or higher rank.
  Expr AtBroadcast(int t, const std::vector<Expr>& output_index) const;
  // Reduction over a box of the given extents.
  Expr Reduce(Combiner c, const std::vector<int64_t>& extents, const IndexFunction& body) const;

  const TensorInfo& info(int t) const {
    return t < num_inputs() ? inputs_[t] : stages_[t - num_inputs()].info;
  }
  int num_inputs() const { return static_cast<int>(inputs_.size()); }
  const std::vector<Stage>& stages() const { return stages_; }
  std::vector<Stage>& stages() { return stages_; }
  // Tensor numbers of the operator's outputs; the last stage unless set.
  std::vector<int> outputs() const;
  void SetOutputs(std::vector<int> tensors) { outputs_ = std::move(tensors); }

 private:
  std::vector<TensorInfo> inputs_;
  std::vector<Stage> stages_;
  std::vector<int> outputs_;
};

}  // namespace mgec::kernel

#endif  // MGEC_COMPILER_KERNEL_TENSOR_EXPR_H_
