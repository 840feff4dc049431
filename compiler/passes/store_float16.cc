#include <algorithm>
#include <map>
#include <optional>
#include <unordered_map>

#include "compiler/base/status_macros.h"
#include "compiler/ops/evaluate.h"
#include "compiler/ops/op.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/util.h"

namespace mgec::passes {
namespace {

using graph::DType;
using graph::DTypeKind;
using graph::Graph;
using graph::Node;
using graph::Value;

bool IsFloat32(const Value* v) { return v->type.dtype.kind == DTypeKind::kFloat32; }

// Nodes that only say where elements are: no kernel of theirs could convert them, so operands and result agree.
bool OnlyMoves(const Node& n) {
  return n.op == "concat" || n.op == "slice" || n.op == "reshape" || n.op == "gather" || n.op == "identity";
}

// The operands whose elements such a node moves; indices are not among them.
std::vector<Value*> Moved(const Node& n) {
  return n.op == "gather" ? std::vector<Value*>{n.inputs[0]} : n.inputs;
}

// Has one kernel that can convert what it reads and writes. Routines bring kernels of their own, and the steps of a scan read
// what they have written.
absl::StatusOr<bool> CanConvert(const Node& n) {
  if (n.outputs.size() != 1) return false;
  if (n.body == nullptr) {
    const ops::OpDef* op = ops::FindOp(n.op);
    if (op == nullptr || op->define == nullptr || op->routine != nullptr) return false;
  }
  ASSIGN_OR_RETURN(const kernel::Definition d, ops::DefinitionOf(n));
  return std::none_of(d.stages().begin(), d.stages().end(), [](const kernel::Stage& s) { return s.scan >= 0; });
}

// The convolution of a node without groups, with its input as the node knows it.
struct DenseConv {
  const Node* conv = nullptr;
  const Value* x = nullptr;
};

DenseConv DenseConvOf(const Node& n) {
  if (n.body == nullptr) return n.op == "conv2d" && n.inputs[1]->type.shape.size() == 4 ? DenseConv{&n, n.inputs[0]} : DenseConv{};
  for (const auto& m : n.body->nodes()) {
    const DenseConv inner = m->op == "input" ? DenseConv{} : DenseConvOf(*m);
    if (inner.conv == nullptr) continue;
    for (size_t i = 0; i < n.inputs.size(); ++i) {
      if (n.body->inputs()[i]->output() == inner.x) return {inner.conv, n.inputs[i]};
    }
  }
  return {};
}

bool IsPadded(const Node& conv) {
  for (const char* name : {"pad", "pad_after"}) {
    for (int64_t p : conv.attributes.Ints(name)) {
      if (p != 0) return true;
    }
  }
  return false;
}

constexpr int64_t kBlock = 8;  // channels that lie together (schedule/placement.h)

// Moves channels so that they do not fill blocks any more.
bool ScattersChannels(const Node& n) {
  if (n.op == "gather") return n.attributes.Int("axis") == 1;
  if (n.op == "concat" && n.attributes.Int("axis") == 1) {
    return std::any_of(n.inputs.begin(), n.inputs.end() - 1, [](const Value* v) { return v->type.shape[1] % kBlock != 0; });
  }
  if (n.op != "slice" || n.output()->type.shape.size() < 2) return false;
  return n.attributes.Ints("begin")[1] % kBlock != 0 || n.attributes.Ints("step")[1] != 1;
}

// What a gate of channels multiplies; null for other nodes. The gate may be left to the weights of the convolution that reads the
// product (schedule/gate.h): it reads this operand then, in place of the product.
const Value* Gated(const Node& n) {
  if (n.op != "mul") return nullptr;
  const graph::Shape& shape = n.output()->type.shape;
  for (int i = 0; i < 2; ++i) {
    const bool gate = shape.size() == 4 && n.inputs[1 - i]->type.shape == graph::Shape{shape[0], shape[1], 1, 1};
    if (gate && n.inputs[i]->type.shape == shape && !IsConstant(n.inputs[i])) return n.inputs[i];
  }
  return nullptr;
}

// Which values are stored in 16 bits. Values that nodes only move are one class.
class Classes {
 public:
  explicit Classes(const Graph& g) : g_(g) {
    for (const auto& n : g.nodes()) {
      for (const auto& v : n->outputs) parent_[v.get()] = v.get();
      if (const Value* gated = Gated(*n)) parent_[Root(gated)] = Root(n->output());
      if (!OnlyMoves(*n)) continue;
      for (Value* v : Moved(*n)) parent_[Root(v)] = Root(n->output());
    }
  }

  absl::Status Decide(bool gpu) {
    for (const auto& n : g_.nodes()) {
      for (const auto& v : n->outputs) Include(*n, v.get());
    }
    for (const auto& n : g_.nodes()) {
      if (OnlyMoves(*n)) Of(n->output()).scattered |= ScattersChannels(*n);
    }
    int64_t largest = 0;
    for (const auto& n : g_.nodes()) {
      for (const auto& v : n->outputs) {
        if (n->op != "constant" && StorageOf(v.get())) largest = std::max(largest, graph::NumElements(v->type.shape));
      }
    }
    for (const auto& n : g_.nodes()) {
      if (OnlyMoves(*n) || n->op == "input" || n->op == "constant" || n->op == "cast") continue;
      if (AllValues(*n, [&](const Value* v) { return !StorageOf(v).has_value(); })) continue;
      ASSIGN_OR_RETURN(const bool converts, CanConvert(*n));
      if (!converts) {
        AllValues(*n, [&](const Value* v) { return Of(v).is_float = true; });
        continue;
      }
      if (gpu) continue;
      const DenseConv dense = DenseConvOf(*n);
      if (dense.conv != nullptr && ReadsSingles(dense)) Of(dense.x).is_float = true;
      ASSIGN_OR_RETURN(const bool light, IsLight(*n));
      if (!light) continue;
      AllValues(*n, [&](const Value* v) {
        if (4 * Of(v).elements < largest) Of(v).is_float = true;
        return true;
      });
    }
    return absl::OkStatus();
  }

  // Float16 or bfloat16; nothing for a value that stays what it is.
  std::optional<DTypeKind> StorageOf(const Value* v) {
    const Class& c = Of(v);
    return c.is_float ? std::nullopt : c.half;
  }

 private:
  struct Class {
    bool is_float = false;
    bool scattered = false;  // channels of a member do not fill blocks in order
    std::optional<DTypeKind> half;
    int64_t elements = 0;  // of the largest member
  };

  Class& Of(const Value* v) { return classes_[Root(v)]; }

  const Value* Root(const Value* v) {
    const Value*& up = parent_.at(v);
    if (up != v) up = Root(up);
    return up;
  }

  template <typename F>
  static bool AllValues(const Node& n, const F& f) {
    bool all = true;
    for (const Value* v : n.inputs) all = f(v) && all;
    for (const auto& v : n.outputs) all = f(v.get()) && all;
    return all;
  }

  void Include(const Node& n, const Value* v) {
    Class& c = Of(v);
    if (!IsFloat32(v) || n.op == "input" || g_.IsOutput(v)) {
      c.is_float = true;
    } else if (n.op != "constant" && v->origin.has_value()) {
      if (!IsHalf(*v->origin) || (c.half.has_value() && c.half != v->origin)) c.is_float = true;
      else c.half = v->origin;
    }
    if (n.op != "constant") c.elements = std::max(c.elements, graph::NumElements(v->type.shape));
  }

  // The convolution reads channels that fill no block one by one; a copy with padding widens them on the way.
  bool ReadsSingles(const DenseConv& dense) {
    const graph::Shape& shape = dense.x->type.shape;
    return Of(dense.x).scattered || (shape[1] > kBlock && shape[1] % kBlock != 0 && !IsPadded(*dense.conv));
  }

  // Adds up so few terms for each element that converting it takes a good part of that time.
  absl::StatusOr<bool> IsLight(const Node& n) {
    constexpr int64_t kFewTerms = 16;
    ASSIGN_OR_RETURN(const kernel::Definition d, ops::DefinitionOf(n));
    bool sums = false;
    for (const kernel::Stage& s : d.stages()) {
      kernel::Visit(s.body, [&](const kernel::Expr& e) { sums = sums || e->op == kernel::Op::kReduce; });
    }
    if (!sums) return false;
    int64_t elements = 0;
    AllValues(n, [&](const Value* v) {
      if (!IsConstant(v)) elements += graph::NumElements(v->type.shape);
      return true;
    });
    ASSIGN_OR_RETURN(const int64_t work, ops::WorkOf(n));
    return work < kFewTerms * elements;
  }

  const Graph& g_;
  std::unordered_map<const Value*, const Value*> parent_;
  std::unordered_map<const Value*, Class> classes_;
};

graph::Attributes To(DTypeKind kind) { return {{"dtype", ToString(DType(kind))}}; }

// The node as a fused one that still computes in float32.
Node* Wrapped(Graph& g, Node* n) {
  auto fused = std::make_unique<Node>();
  fused->op = "fused";
  fused->name = n->name;
  fused->body = std::make_unique<Graph>();
  std::unordered_map<const Value*, Value*> inner;
  std::vector<Value*> inputs;
  for (Value* v : n->inputs) {
    if (inner.count(v) == 0) {
      graph::TensorType type = v->type;
      if (IsHalf(type.dtype)) type.dtype = DTypeKind::kFloat32;
      inner[v] = fused->body->AddInput("in" + std::to_string(fused->inputs.size()), type);
      fused->inputs.push_back(v);
    }
    inputs.push_back(inner.at(v));
  }
  fused->body->AddOutput(fused->body->InsertCopy(*n, std::move(inputs))->output(), "out");
  g.SetInsertionPoint(n);
  Node* node = g.Insert(std::move(fused), {n->output()->type});
  g.SetInsertionPoint(nullptr);
  g.ReplaceAllUses(n->output(), node->output());
  return node;
}

// Inside a fused node, operands that are 16 bits wide by now become float32.
absl::Status ConvertInputs(Node& n) {
  Graph& body = *n.body;
  Node* first = nullptr;
  for (const auto& m : body.nodes()) {
    if (m->op != "input" && first == nullptr) first = m.get();
  }
  body.SetInsertionPoint(first);
  for (size_t i = 0; i < n.inputs.size(); ++i) {
    Value* in = body.inputs()[i]->output();
    if (in->type == n.inputs[i]->type) continue;
    in->type = n.inputs[i]->type;
    ASSIGN_OR_RETURN(Value * wide, body.Add("cast", {in}, To(DTypeKind::kFloat32)));
    body.ReplaceAllUses(in, wide);
    wide->producer->inputs[0] = in;
  }
  body.SetInsertionPoint(nullptr);
  return absl::OkStatus();
}

// And its result 16 bits wide.
absl::Status ConvertOutput(Node& n, DTypeKind half) {
  graph::GraphOutput& out = n.body->outputs()[0];
  ASSIGN_OR_RETURN(out.value, n.body->Add("cast", {out.value}, To(half)));
  n.output()->type.dtype = half;
  return absl::OkStatus();
}

PassResult Store(Graph& g, bool gpu) {
  Classes classes(g);
  RETURN_IF_ERROR(classes.Decide(gpu));
  std::unordered_map<const Value*, DTypeKind> storage;
  for (const auto& n : g.nodes()) {
    for (const auto& v : n->outputs) {
      if (const auto kind = classes.StorageOf(v.get())) storage[v.get()] = *kind;
    }
  }
  if (storage.empty()) return false;
  std::map<std::pair<const Value*, DTypeKind>, Value*> constants;
  for (Node* n : NodesOf(g)) {
    if (n->op == "input" || n->op == "constant") continue;
    const auto it = n->outputs.size() == 1 ? storage.find(n->output()) : storage.end();
    const bool narrow = it != storage.end();
    if (OnlyMoves(*n)) {
      if (!narrow) continue;
      const size_t moved = Moved(*n).size();
      for (size_t i = 0; i < moved; ++i) {
        Value*& in = n->inputs[i];
        if (!IsConstant(in)) continue;
        Value*& rounded = constants[{in, it->second}];
        if (rounded == nullptr) {
          Node cast;
          cast.op = "cast";
          cast.attributes = To(it->second);
          cast.inputs = {in};
          ASSIGN_OR_RETURN(std::vector<ops::TensorData> data, ops::EvaluateNode(cast, {in->producer->data}));
          g.SetInsertionPoint(n);
          rounded = g.AddConstant({it->second, in->type.shape}, data[0], in->producer->name);
          g.SetInsertionPoint(nullptr);
        }
        in = rounded;
      }
      n->output()->type.dtype = it->second;
      continue;
    }
    if (n->op == "cast") {
      const DType to = narrow ? DType(it->second) : n->output()->type.dtype;
      if (n->inputs[0]->type.dtype == to) {  // nothing is left to convert
        g.ReplaceAllUses(n->output(), n->inputs[0]);
        continue;
      }
      n->attributes.Set("dtype", ToString(to));
      n->output()->type.dtype = to;
      continue;
    }
    const bool reads = std::any_of(n->inputs.begin(), n->inputs.end(), [](const Value* v) { return IsHalf(v->type.dtype); });
    if (!narrow && !reads) continue;
    Node* fused = n->body != nullptr ? n : Wrapped(g, n);
    RETURN_IF_ERROR(ConvertInputs(*fused));
    if (narrow) RETURN_IF_ERROR(ConvertOutput(*fused, it->second));
  }
  g.EraseDeadNodes();
  return true;
}

}  // namespace

PassResult StoreFloat16(Graph& g) { return Store(g, /*gpu=*/false); }
PassResult StoreFloat16OnGpu(Graph& g) { return Store(g, /*gpu=*/true); }

}  // namespace mgec::passes
