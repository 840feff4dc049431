#include "compiler/graph/graph.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <unordered_set>

#include "absl/strings/str_cat.h"
#include "compiler/graph/infer_hook.h"

namespace mgec::graph {
namespace {

InferHook infer_hook = nullptr;

std::string Describe(const Node& n) {
  return n.name.empty() ? n.op : absl::StrCat(n.op, " \"", n.name, "\"");
}

}  // namespace

void SetInferHook(InferHook hook) { infer_hook = hook; }

absl::StatusOr<std::vector<TensorType>> InferTypes(const Node& node) {
  if (infer_hook == nullptr) return absl::InternalError("no operator registry is linked in");
  absl::Status status;
  try {
    auto types = infer_hook(node);
    if (types.ok()) return types;
    status = types.status();
  } catch (const std::bad_variant_access&) {  // Attributes' accessors; nothing else here throws
    status = absl::InvalidArgumentError("an attribute has the wrong type");
  }
  return absl::Status(status.code(), absl::StrCat(Describe(node), ": ", status.message()));
}

int64_t Attributes::Int(const std::string& name, int64_t otherwise) const {
  auto it = map_.find(name);
  return it == map_.end() ? otherwise : std::get<int64_t>(it->second);
}

double Attributes::Float(const std::string& name, double otherwise) const {
  auto it = map_.find(name);
  if (it == map_.end()) return otherwise;
  if (const auto* i = std::get_if<int64_t>(&it->second)) return static_cast<double>(*i);
  return std::get<double>(it->second);
}

std::string Attributes::String(const std::string& name, const std::string& otherwise) const {
  auto it = map_.find(name);
  return it == map_.end() ? otherwise : std::get<std::string>(it->second);
}

std::vector<int64_t> Attributes::Ints(const std::string& name) const {
  auto it = map_.find(name);
  return it == map_.end() ? std::vector<int64_t>() : std::get<std::vector<int64_t>>(it->second);
}

Node* Graph::Insert(std::unique_ptr<Node> node, const std::vector<TensorType>& output_types) {
  for (size_t i = 0; i < output_types.size(); ++i) {
    node->outputs.push_back(std::make_unique<Value>(Value{node.get(), static_cast<int>(i), output_types[i]}));
  }
  auto where = nodes_.end();
  if (insertion_point_ != nullptr) {
    where = std::find_if(nodes_.begin(), nodes_.end(), [&](const auto& n) { return n.get() == insertion_point_; });
  }
  return nodes_.insert(where, std::move(node))->get();
}

Node* Graph::InsertCopy(const Node& node, std::vector<Value*> inputs) {
  assert(node.body == nullptr && node.op != "input");
  auto copy = std::make_unique<Node>();
  copy->op = node.op;
  copy->name = node.name;
  copy->attributes = node.attributes;
  copy->inputs = std::move(inputs);
  copy->data = node.data;
  std::vector<TensorType> types;
  for (const auto& v : node.outputs) types.push_back(v->type);
  Node* placed = Insert(std::move(copy), types);
  for (size_t i = 0; i < node.outputs.size(); ++i) placed->outputs[i]->origin = node.outputs[i]->origin;
  return placed;
}

Value* Graph::AddInput(std::string name, TensorType type) {
  auto node = std::make_unique<Node>();
  node->op = "input";
  node->name = std::move(name);
  Node* n = Insert(std::move(node), {type});
  inputs_.push_back(n);
  return n->output();
}

Value* Graph::AddConstant(TensorType type, std::shared_ptr<const std::string> data, std::string name) {
  assert(static_cast<int64_t>(data->size()) == ByteSize(type));
  auto node = std::make_unique<Node>();
  node->op = "constant";
  node->name = std::move(name);
  node->data = std::move(data);
  return Insert(std::move(node), {type})->output();
}

Value* Graph::AddConstant(TensorType type, std::string data, std::string name) {
  return AddConstant(std::move(type), std::make_shared<const std::string>(std::move(data)), std::move(name));
}

Value* Graph::AddInts(const std::vector<int64_t>& values) {
  std::string data(values.size() * 4, '\0');
  for (size_t i = 0; i < values.size(); ++i) {
    const int32_t v = static_cast<int32_t>(values[i]);
    std::memcpy(&data[i * 4], &v, 4);
  }
  return AddConstant({DTypeKind::kInt32, {static_cast<int64_t>(values.size())}}, std::move(data));
}

Value* Graph::AddScalar(float v) {
  return AddConstant({DTypeKind::kFloat32, {1}}, std::string(reinterpret_cast<const char*>(&v), 4));
}

absl::StatusOr<Node*> Graph::AddNode(absl::string_view op, std::vector<Value*> inputs, Attributes attributes,
                                     std::string name) {
  auto node = std::make_unique<Node>();
  node->op = std::string(op);
  node->name = std::move(name);
  node->attributes = std::move(attributes);
  node->inputs = std::move(inputs);
  auto types = InferTypes(*node);
  if (!types.ok()) return types.status();
  return Insert(std::move(node), *types);
}

absl::StatusOr<Value*> Graph::Add(absl::string_view op, std::vector<Value*> inputs, Attributes attributes,
                                  std::string name) {
  auto node = AddNode(op, std::move(inputs), std::move(attributes), std::move(name));
  if (!node.ok()) return node.status();
  assert((*node)->outputs.size() == 1);
  return (*node)->output();
}

void Graph::ReplaceAllUses(Value* from, Value* to) {
  if (!to->origin.has_value()) to->origin = from->origin;
  for (auto& n : nodes_) std::replace(n->inputs.begin(), n->inputs.end(), from, to);
  for (GraphOutput& o : outputs_) {
    if (o.value == from) o.value = to;
  }
}

int Graph::EraseDeadNodes() {
  std::unordered_set<const Value*> used;
  for (const GraphOutput& o : outputs_) used.insert(o.value);
  int erased = 0;
  for (auto it = nodes_.end(); it != nodes_.begin();) {
    --it;
    const Node& n = **it;
    const bool live = n.op == "input" || std::any_of(n.outputs.begin(), n.outputs.end(),
                                                      [&](const auto& v) { return used.count(v.get()) != 0; });
    if (live) {
      used.insert(n.inputs.begin(), n.inputs.end());
    } else {
      if (insertion_point_ == it->get()) insertion_point_ = nullptr;
      it = nodes_.erase(it);
      ++erased;
    }
  }
  return erased;
}

std::unordered_map<const Value*, std::vector<Node*>> Graph::Users() const {
  std::unordered_map<const Value*, std::vector<Node*>> users;
  for (const auto& n : nodes_) {
    for (const Value* v : n->inputs) users[v].push_back(n.get());
  }
  return users;
}

bool Graph::IsOutput(const Value* v) const {
  return std::any_of(outputs_.begin(), outputs_.end(), [&](const GraphOutput& o) { return o.value == v; });
}

namespace {

absl::Status Bad(const Node& n, absl::string_view what) {
  return absl::InternalError(absl::StrCat("invalid graph: ", Describe(n), " ", what));
}

// More would overflow the arithmetic on sizes.
bool IsTooLarge(const Shape& s) {
  constexpr int64_t kMostElements = int64_t{1} << 40;
  int64_t n = 1;
  for (int64_t d : s) {
    if (d > kMostElements / std::max<int64_t>(n, 1)) return true;
    n *= d;
  }
  return s.size() > 7;
}

}  // namespace

absl::Status VerifyNode(const Node& n) {
  for (size_t i = 0; i < n.outputs.size(); ++i) {
    const Value& v = *n.outputs[i];
    if (v.producer != &n || v.index != static_cast<int>(i)) return Bad(n, "has an output that belongs elsewhere");
    for (int64_t d : v.type.shape) {
      if (d < 0) return Bad(n, absl::StrCat("has the negative shape ", ToString(v.type.shape)));
    }
    if (IsTooLarge(v.type.shape)) return Bad(n, absl::StrCat("has the shape ", ToString(v.type.shape), ", too large"));
  }
  if (n.op == "input") return absl::OkStatus();
  if (n.op == "constant") {
    const bool right = n.data != nullptr && n.outputs.size() == 1 &&
                       static_cast<int64_t>(n.data->size()) == ByteSize(n.outputs[0]->type);
    return right ? absl::OkStatus() : Bad(n, "does not hold the bytes of its type");
  }
  if (n.body != nullptr) {
    if (absl::Status s = Verify(*n.body); !s.ok()) return s;
    if (n.body->inputs().size() != n.inputs.size() || n.body->outputs().size() != n.outputs.size()) {
      return Bad(n, "and its body differ in the number of inputs or outputs");
    }
    for (size_t i = 0; i < n.inputs.size(); ++i) {
      if (n.body->inputs()[i]->output()->type != n.inputs[i]->type) return Bad(n, "and its body differ in input types");
    }
    for (size_t i = 0; i < n.outputs.size(); ++i) {
      if (n.body->outputs()[i].value->type != n.outputs[i]->type) return Bad(n, "and its body differ in output types");
    }
    return absl::OkStatus();
  }
  auto types = InferTypes(n);
  if (!types.ok()) return absl::InternalError(absl::StrCat("invalid graph: ", types.status().message()));
  if (types->size() != n.outputs.size()) return Bad(n, "has the wrong number of outputs");
  for (size_t i = 0; i < types->size(); ++i) {
    if ((*types)[i] != n.outputs[i]->type) {
      return Bad(n, absl::StrCat("has an output of type ", ToString(n.outputs[i]->type), " where its operator infers ",
                                 ToString((*types)[i])));
    }
  }
  return absl::OkStatus();
}

// The sizes of outputs refer to internal outputs, which come last.
static absl::Status VerifySizes(const Graph& g) {
  const std::vector<GraphOutput>& outputs = g.outputs();
  for (size_t i = 0; i < outputs.size(); ++i) {
    const auto bad = [&](absl::string_view what) {
      return absl::InternalError(absl::StrCat("invalid graph: the output \"", outputs[i].name, "\" ", what));
    };
    const GraphOutput& o = outputs[i];
    if (i > 0 && outputs[i - 1].internal && !o.internal) return bad("comes after an internal one");
    if (o.sizes.empty()) continue;
    if (o.internal || o.sizes.size() != o.value->type.shape.size()) return bad("cannot have these sizes");
    for (int size : o.sizes) {
      if (size == -1) continue;
      const bool right = size >= 0 && size < static_cast<int>(outputs.size()) && outputs[size].internal &&
                         outputs[size].value->type == TensorType{DTypeKind::kInt32, {1}};
      if (!right) return bad("has a size that is no internal i32[1]");
    }
  }
  return absl::OkStatus();
}

absl::Status Verify(const Graph& g) {
  std::unordered_set<const Value*> defined;
  std::unordered_set<std::string> names;
  for (const auto& n : g.nodes()) {
    for (const Value* v : n->inputs) {
      if (defined.count(v) == 0) return Bad(*n, "uses a value that is not defined before it");
    }
    if (absl::Status s = VerifyNode(*n); !s.ok()) return s;
    for (const auto& v : n->outputs) defined.insert(v.get());
    if (n->op == "input" && !names.insert(n->name).second) return Bad(*n, "has a name that another input has");
  }
  for (const GraphOutput& o : g.outputs()) {
    if (defined.count(o.value) == 0) {
      return absl::InternalError(absl::StrCat("invalid graph: the output \"", o.name, "\" is not defined"));
    }
  }
  return VerifySizes(g);
}

}  // namespace mgec::graph
