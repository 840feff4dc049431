// The graph IR: a list of nodes in topological order over immutable tensor values.
//
//   Graph g;
//   Value* x = g.AddInput("data", {DTypeKind::kFloat32, {1, 3, 8, 8}});
//   ASSIGN_OR_RETURN(Value * y, g.Add("relu", {x}, {}, "relu1"));   // types are inferred by the operator's definition
//   g.AddOutput(y, "out");
//
// Text form (text.h):
//   graph {
//     %data = input() : f32[1,3,8,8]
//     %relu1 = relu(%data) : f32[1,3,8,8]
//     return %relu1 "out"
//   }
//
// Not thread-safe. Values and nodes live as long as their graph and never move.
#ifndef MGEC_COMPILER_GRAPH_GRAPH_H_
#define MGEC_COMPILER_GRAPH_GRAPH_H_

#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "compiler/graph/type.h"

namespace mgec::graph {

class Graph;
struct Node;

// One tensor, produced by one node.
struct Value {
  Node* producer;
  int index;  // of producer's outputs
  TensorType type;
  // What the model stored where networks of 16-bit floats are computed in float32 (passes/promote_float16.cc): how many bits
  // of the value count. Nothing for values that passes have made, and for networks without such floats.
  std::optional<DTypeKind> origin = std::nullopt;
};

// An operator's parameter. Booleans are integers 0 and 1.
using Attribute = std::variant<int64_t, double, std::string, std::vector<int64_t>, std::vector<double>>;

// The parameters of a node, by name; printed in alphabetical order.
class Attributes {
 public:
  Attributes() = default;
  Attributes(std::initializer_list<std::pair<const std::string, Attribute>> init) : map_(init) {}

  void Set(const std::string& name, Attribute value) { map_[name] = std::move(value); }
  bool Has(const std::string& name) const { return map_.count(name) != 0; }
  // The value, or `otherwise` where the attribute is absent. A present attribute of another type is a
  // compiler bug: std::bad_variant_access, which type inference turns into an error that names the node.
  int64_t Int(const std::string& name, int64_t otherwise = 0) const;
  double Float(const std::string& name, double otherwise = 0) const;
  std::string String(const std::string& name, const std::string& otherwise = "") const;
  std::vector<int64_t> Ints(const std::string& name) const;
  const std::map<std::string, Attribute>& map() const { return map_; }
  bool operator==(const Attributes& o) const { return map_ == o.map_; }

 private:
  std::map<std::string, Attribute> map_;
};

struct Node {
  std::string op;    // "conv2d"; the name in the operator registry (compiler/ops/op.h), or "input", "constant", "fused"
  std::string name;  // the model's own name, for messages and profiles; may be empty
  Attributes attributes;
  std::vector<Value*> inputs;
  std::vector<std::unique_ptr<Value>> outputs;
  // "constant": dense row-major bytes of the value (shared, never changed).
  std::shared_ptr<const std::string> data;
  // "fused": the nodes that become one kernel. Its inputs and outputs correspond to this node's, in order.
  std::unique_ptr<Graph> body;

  Value* output(int i = 0) const { return outputs[i].get(); }
};

struct GraphOutput {
  Value* value;
  std::string name;
  // Where the value's size depends on other values: for each dimension the output, an internal int32[1], that has its
  // size, or -1 where the size is the shape's. Empty if all are. The shape has the largest sizes; the elements that
  // count stand together at the front, row-major by their own sizes.
  std::vector<int> sizes = {};
  bool internal = false;  // for the runtime, not for users; internal outputs come after all others
};

class Graph {
 public:
  Graph() = default;
  Graph(Graph&&) = default;
  Graph& operator=(Graph&&) = default;

  Value* AddInput(std::string name, TensorType type);
  Value* AddConstant(TensorType type, std::string data, std::string name = "");
  Value* AddConstant(TensorType type, std::shared_ptr<const std::string> data, std::string name = "");
  // A one-dimensional int32 constant; a float32 scalar of shape [1].
  Value* AddInts(const std::vector<int64_t>& values);
  Value* AddScalar(float v);
  // Appends a node of a registered operator with one output. Types come from the operator's inference.
  // InvalidArgument if the operator refuses its operands: the message names op and node.
  absl::StatusOr<Value*> Add(absl::string_view op, std::vector<Value*> inputs, Attributes attributes = {},
                             std::string name = "");
  // The same for any number of outputs.
  absl::StatusOr<Node*> AddNode(absl::string_view op, std::vector<Value*> inputs, Attributes attributes = {},
                                std::string name = "");
  // Where Add and AddNode insert: before this node; null (the default) appends.
  void SetInsertionPoint(Node* before) { insertion_point_ = before; }
  // Inserts a node made elsewhere, with output types given.
  Node* Insert(std::unique_ptr<Node> node, const std::vector<TensorType>& output_types);
  // Inserts a copy of a node without a body, mostly of another graph, that reads `inputs` instead. Outputs keep their types and
  // origins. Inputs of a graph are not copied so: see AddInput.
  Node* InsertCopy(const Node& node, std::vector<Value*> inputs);

  void AddOutput(Value* v, std::string name) { outputs_.push_back({v, std::move(name)}); }

  const std::vector<Node*>& inputs() const { return inputs_; }
  std::vector<GraphOutput>& outputs() { return outputs_; }
  const std::vector<GraphOutput>& outputs() const { return outputs_; }
  const std::list<std::unique_ptr<Node>>& nodes() const { return nodes_; }
  std::list<std::unique_ptr<Node>>& nodes() { return nodes_; }

  // Every use of `from`, including as an output, becomes a use of `to` (same type). A `to` without origin gets that of `from`.
  void ReplaceAllUses(Value* from, Value* to);
  // Erases nodes whose results nobody uses; inputs stay. Returns how many.
  int EraseDeadNodes();
  // Users of each value (a node that uses it twice is listed twice). Graph outputs are not listed.
  std::unordered_map<const Value*, std::vector<Node*>> Users() const;
  bool IsOutput(const Value* v) const;

  // How constants of type float32 are best kept: as float16 or bfloat16 where the network was made of those.
  DTypeKind float_storage() const { return float_storage_; }
  void set_float_storage(DTypeKind kind) { float_storage_ = kind; }

 private:
  std::list<std::unique_ptr<Node>> nodes_;  // topological order
  std::vector<Node*> inputs_;               // in the order of AddInput; also in nodes_
  std::vector<GraphOutput> outputs_;
  Node* insertion_point_ = nullptr;
  DTypeKind float_storage_ = DTypeKind::kFloat32;
};

// Every operand defined before its use, types as the operators infer them, constants of the right size, input
// names unique. Internal, naming the node, otherwise.
absl::Status Verify(const Graph& g);
// What can be said of one node, whose operands are taken to be defined.
absl::Status VerifyNode(const Node& n);

}  // namespace mgec::graph

#endif  // MGEC_COMPILER_GRAPH_GRAPH_H_
