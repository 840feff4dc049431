// What the importers of all operator families share (import_*.cc).
//
// An importer is a function that adds the nodes for one operator to the graph and returns its outputs:
//
//   absl::StatusOr<Value*> ImportPowC(ImportContext& c) {
//     return c.Add("powc", {c.input(0)}, {{"exp", double{c.Param<param::PowC>().exp()}}});
//   }
//
// It may come with a check of the parameters, which is made even if the operands are unknown because an operator before
// it is not supported: the user learns of everything at once.
#ifndef MGEC_COMPILER_MGE_IMPORTER_H_
#define MGEC_COMPILER_MGE_IMPORTER_H_

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "compiler/base/status_macros.h"
#include "compiler/graph/graph.h"
#include "compiler/mge/conditions.h"
#include "compiler/mge/dynamic_shapes.h"
#include "compiler/mge/import.h"
#include "compiler/mge/model.h"

namespace mgec::mge {

namespace param = fbs::param;
using graph::Shape;
using graph::TensorType;
using graph::Value;
using Values = std::vector<Value*>;

// An error that becomes a line of the report of unsupported things. `supported` says what would be possible instead.
absl::Status Unsupported(absl::string_view detail, absl::string_view supported = "");
// The second argument of the Unsupported that made `status`.
std::string SupportedInstead(const absl::Status& status);

// Whether `status` says that an operand, which was to be a constant, is computed: ImportContext::Ints() and the like.
bool NeedsComputedOperand(const absl::Status& status);

// Unsupported for element types that the graph IR does not have.
absl::StatusOr<graph::DType> ToGraphDType(const DType& dtype);

// "NCHW88" for a named enumerator, "17" for a number without one, without the underscore of MIN_ and MAX_.
std::string EnumText(const char* name, uint32_t number);

// `axis` counted from the start; InvalidArgument unless it is in [-rank, rank).
absl::StatusOr<int64_t> NormalizeAxis(int64_t axis, size_t rank);

class ImportContext {
 public:
  ImportContext(const Operator& op, const ImportOptions& options, graph::Graph& g, DynamicShapes& shapes,
                Conditions& conditions, std::string name, Values inputs)
      : op_(op),
        options_(options),
        graph_(g),
        shapes_(shapes),
        conditions_(conditions),
        name_(std::move(name)),
        inputs_(std::move(inputs)) {}

  const Operator& op() const { return op_; }
  const ImportOptions& options() const { return options_; }
  graph::Graph& graph() { return graph_; }
  // Sizes that depend on values.
  DynamicShapes& shapes() { return shapes_; }
  // Conditional execution.
  Conditions& conditions() { return conditions_; }
  const std::string& name() const { return name_; }

  int num_inputs() const { return static_cast<int>(inputs_.size()); }
  Value* input(int i) const { return inputs_[i]; }
  const Values& inputs() const { return inputs_; }
  const Shape& shape(int i) const { return inputs_[i]->type.shape; }
  void set_input(int i, Value* v) { inputs_[i] = v; }

  // Whether anything in the model takes output i. True where nobody said.
  bool uses(int i) const { return used_ == nullptr || (*used_)[op_.first_output + i]; }
  // `used`, which must outlive the context, says so of each variable of the model.
  void set_used(const std::vector<bool>& used) { used_ = &used; }

  // The parameter, which has the type that the table of operators gives for this operator.
  template <typename T>
  const T& Param() const {
    return *op_.Param<T>();
  }

  // Adds a node with one output, named after the operator.
  absl::StatusOr<Value*> Add(absl::string_view op, Values inputs, graph::Attributes attributes = {}) {
    return graph_.Add(op, std::move(inputs), std::move(attributes), name_);
  }
  // These return `x` itself where there is nothing to do.
  absl::StatusOr<Value*> Reshape(Value* x, Shape shape);
  absl::StatusOr<Value*> Transpose(Value* x, std::vector<int64_t> perm);
  absl::StatusOr<Value*> Cast(Value* x, const graph::DType& dtype);

  // The value of an operand that decides a shape. Unsupported if it depends on data.
  absl::StatusOr<std::vector<int64_t>> Ints(int i) const;
  // The same for exactly one number.
  absl::StatusOr<int64_t> Int(int i) const;
  absl::StatusOr<double> Number(int i) const;

  // Unsupported unless input i is floating point.
  absl::Status RequireFloat(int i) const;

 private:
  const Operator& op_;
  const ImportOptions& options_;
  graph::Graph& graph_;
  DynamicShapes& shapes_;
  Conditions& conditions_;
  std::string name_;
  Values inputs_;
  const std::vector<bool>* used_ = nullptr;
};

struct OperatorImporter {
  // Null entries stand for outputs that are not available.
  std::function<absl::StatusOr<Values>(ImportContext&)> import;
  std::function<absl::Status(const Operator&)> check;  // may be null
  // For operands whose size depends on values, or that decide a size and are computed; null: there must be none.
  std::function<absl::StatusOr<Values>(ImportContext&)> import_dynamic;
};

class Registry {
 public:
  using ImportOne = absl::StatusOr<Value*> (*)(ImportContext&);
  using ImportMany = absl::StatusOr<Values> (*)(ImportContext&);
  using Check = absl::Status (*)(const Operator&);

  // For an operator whose first output is the only one that matters.
  void Add(absl::string_view type, ImportOne import, Check check = nullptr);
  void AddMany(absl::string_view type, ImportMany import, Check check = nullptr);

  // What the importer of an operator, which is there already, does with sizes that depend on values.
  void AddDynamic(absl::string_view type, std::function<absl::StatusOr<Values>(ImportContext&)> import);
  // The operator is imported as ever, and the sizes follow from the nodes that it becomes (dynamic_rules.h).
  void AddFollowing(absl::string_view type);

  // Null if there is none.
  const OperatorImporter* Find(absl::string_view type) const;
  // Of all operators, sorted.
  std::vector<std::string> Names() const;

 private:
  std::map<std::string, OperatorImporter, std::less<>> importers_;
};

// Those of all families.
const Registry& AllImporters();

// One for each family.
void RegisterData(Registry& registry);
void RegisterDct(Registry& registry);
void RegisterElemwise(Registry& registry);
void RegisterQuantize(Registry& registry);
void RegisterConv(Registry& registry);
void RegisterConv3d(Registry& registry);
void RegisterWindows(Registry& registry);
void RegisterPool(Registry& registry);
void RegisterImage(Registry& registry);
void RegisterResize(Registry& registry);
void RegisterRoi(Registry& registry);
void RegisterNorm(Registry& registry);
void RegisterReduce(Registry& registry);
void RegisterLinalg(Registry& registry);
void RegisterShape(Registry& registry);    // with those of RegisterPadding
void RegisterPadding(Registry& registry);
void RegisterIndex(Registry& registry);
void RegisterScatter(Registry& registry);
void RegisterRandom(Registry& registry);
void RegisterScan(Registry& registry);
void RegisterRelayout(Registry& registry);
void RegisterRecurrent(Registry& registry);
void RegisterAttention(Registry& registry);
void RegisterSelect(Registry& registry);
void RegisterCond(Registry& registry);
// After the others: what they do with sizes that depend on values.
void RegisterDynamic(Registry& registry);  // with those of RegisterDynamicAlong
void RegisterDynamicAlong(Registry& registry);
void RegisterDynamicIndex(Registry& registry);
void RegisterDynamicWrite(Registry& registry);

}  // namespace mgec::mge

#endif  // MGEC_COMPILER_MGE_IMPORTER_H_
