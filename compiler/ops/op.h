// The operator registry: everything the compiler knows of an operator stands in one file of this folder.
//
//   // softmax.cc
//   REGISTER_OP(softmax).Inputs(1).Infer(InferSame).Define(DefineSoftmax);
//
// Operands that MegEngine computes in the graph but that decide a shape (Reshape's target, Subtensor's bounds, ...) are
// attributes here: the importer evaluates them (EvaluateConstant in compiler/ops/evaluate.h).
#ifndef MGEC_COMPILER_OPS_OP_H_
#define MGEC_COMPILER_OPS_OP_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "compiler/graph/graph.h"
#include "compiler/kernel/stmt.h"
#include "compiler/kernel/tensor_expr.h"

namespace mgec::ops {

// What an operator sees when it infers its types or defines itself.
struct OpContext {
  const graph::Attributes& attributes;
  std::vector<graph::TensorType> inputs;
};

using InferFunction = std::function<absl::StatusOr<std::vector<graph::TensorType>>(const OpContext&)>;
// Input tensors of the definition are the operator's, as kernel scalars of their storage types.
using DefineFunction = std::function<absl::StatusOr<kernel::Definition>(const OpContext&)>;

// An operator as kernels that run one after the other (routine.h). Arguments of each: inputs, outputs, scratch.
struct Routine {
  std::vector<kernel::Kernel> kernels;
  std::vector<int64_t> scratch;  // bytes of each
  int64_t work = 0;              // elementary operations
};
// Vectors have `lanes` float32 or int32 elements. Nothing where the definition serves better.
using RoutineFunction = std::function<absl::StatusOr<std::optional<Routine>>(const OpContext&, int lanes)>;

struct OpDef {
  std::string name;
  int min_inputs = 1;
  int max_inputs = 1;  // -1: any number
  InferFunction infer;
  // Null: the operator has a meaning of its own in the compiler ("input", "constant"), or is a routine only.
  DefineFunction define;
  RoutineFunction routine;  // null: none
  bool pointwise = false;  // one stage; output element i depends on (broadcast) element i of each input only
  bool view = false;       // moves elements without changing them

  OpDef& Inputs(int n) { min_inputs = max_inputs = n; return *this; }
  OpDef& Inputs(int lo, int hi) { min_inputs = lo; max_inputs = hi; return *this; }
  OpDef& Infer(InferFunction f) { infer = std::move(f); return *this; }
  OpDef& Define(DefineFunction f) { define = std::move(f); return *this; }
  OpDef& AsRoutine(RoutineFunction f) { routine = std::move(f); return *this; }
  OpDef& Pointwise() { pointwise = true; return *this; }
  OpDef& View() { view = true; return *this; }
};

// Null for an unknown name.
const OpDef* FindOp(absl::string_view name);
// All names, sorted.
std::vector<std::string> AllOps();
OpDef& RegisterOp(absl::string_view name);

#define REGISTER_OP(name) static ::mgec::ops::OpDef& op_registration_##name = ::mgec::ops::RegisterOp(#name)

// The definition of a node of a registered operator, or of a fused node.
absl::StatusOr<kernel::Definition> DefinitionOf(const graph::Node& node);
OpContext ContextOf(const graph::Node& node);
// The routine of a node, if its operator has one and it fits.
absl::StatusOr<std::optional<Routine>> RoutineOf(const graph::Node& node, int lanes);
// Limits that keep index arithmetic far from overflow, and memory within reason: at most 7 dimensions, at most 2^30
// elements (none of 2^31 or more where the tensor is empty). InvalidArgument beyond; every node's results are checked.
absl::Status CheckSize(const graph::Shape& s);
// The kernel scalar that stores a dtype.
kernel::Scalar StorageOf(const graph::DType& d);
kernel::TensorInfo InfoOf(const graph::TensorType& t);

}  // namespace mgec::ops

#endif  // MGEC_COMPILER_OPS_OP_H_
