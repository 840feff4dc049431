#include <algorithm>
#include <unordered_set>

#include "compiler/base/status_macros.h"
#include "compiler/ops/op.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/util.h"

namespace mgec::passes {
namespace {

using graph::Graph;
using graph::Node;
using graph::Shape;
using graph::Value;

bool IsPointwise(const Node& n) {
  const ops::OpDef* op = ops::FindOp(n.op);
  return op != nullptr && op->pointwise && n.outputs.size() == 1;
}

absl::StatusOr<Value*> Reshaped(Graph& g, Value* v, const Shape& shape, const std::string& name) {
  ASSIGN_OR_RETURN(Value * reshaped, g.Add("reshape", {v}, {{"shape", shape}}, name));
  reshaped->origin = v->origin;
  return reshaped;
}

class Sinker {
 public:
  explicit Sinker(Graph& g) : g_(g) {}

  absl::StatusOr<bool> Run() {
    bool changed = false;
    for (Node* n : NodesOf(g_)) {
      if (n->op == "matmul" || n->op == "int_matmul") products_.insert(n->output());
      if (n->op == "reshape" && n->inputs[0]->producer->op == "reshape") {
        n->inputs[0] = n->inputs[0]->producer->inputs[0];
        changed = true;
      }
      if (!IsPointwise(*n)) continue;
      const Shape* inner = InnerShape(*n);
      if (inner == nullptr) continue;
      RETURN_IF_ERROR(Sink(n, Shape(*inner)));
      changed = true;
    }
    return changed;
  }

 private:
  // What is reshaped, if that is the result of a product, or of pointwise nodes after one; null otherwise.
  Value* ReshapedProduct(const Value* v) const {
    const Node& p = *v->producer;
    return p.op == "reshape" && products_.count(p.inputs[0]) != 0 ? p.inputs[0] : nullptr;
  }

  // The shape in which the node can be computed before a reshape that comes before it; null: it cannot.
  const Shape* InnerShape(const Node& n) const {
    const Shape& outer = n.output()->type.shape;
    const Shape* inner = nullptr;
    for (const Value* v : n.inputs) {
      const Value* product = ReshapedProduct(v);
      if (product == nullptr || v->type.shape != outer) continue;
      if (inner != nullptr && *inner != product->type.shape) return nullptr;
      inner = &product->type.shape;
    }
    if (inner == nullptr || inner->empty() || outer.empty() || inner->back() != outer.back()) return nullptr;
    const bool fit = std::all_of(n.inputs.begin(), n.inputs.end(), [&](const Value* v) { return Fits(v, outer, *inner); });
    return fit ? inner : nullptr;
  }

  // Whether an operand is the same number for the same element in both shapes, whatever it takes: its own reshape costs nothing
  // but for images, which lie otherwise.
  bool Fits(const Value* v, const Shape& outer, const Shape& inner) const {
    const Shape& shape = v->type.shape;
    const Value* product = ReshapedProduct(v);
    if (product != nullptr && product->type.shape == inner && shape == outer) return true;
    if (shape == outer) return outer.size() != 4;
    return graph::NumElements(shape) == 1 || (graph::NumElements(shape) == inner.back() && shape.back() == inner.back());
  }

  absl::Status Sink(Node* n, const Shape& inner) {
    g_.SetInsertionPoint(n);
    const Shape& outer = n->output()->type.shape;
    std::vector<Value*> inputs;
    for (Value* v : n->inputs) {
      Value* product = ReshapedProduct(v);
      if (product != nullptr && product->type.shape == inner && v->type.shape == outer) {
        inputs.push_back(product);
        continue;
      }
      const Shape wanted = v->type.shape == outer ? inner : Shape{graph::NumElements(v->type.shape)};
      if (v->type.shape != wanted) {
        ASSIGN_OR_RETURN(v, Reshaped(g_, v, wanted, n->name));
      }
      inputs.push_back(v);
    }
    ASSIGN_OR_RETURN(Value * y, g_.Add(n->op, std::move(inputs), n->attributes, n->name));
    y->origin = n->output()->origin;
    products_.insert(y);
    ASSIGN_OR_RETURN(Value * back, Reshaped(g_, y, outer, n->name));
    g_.SetInsertionPoint(nullptr);
    g_.ReplaceAllUses(n->output(), back);
    return absl::OkStatus();
  }

  Graph& g_;
  std::unordered_set<const Value*> products_;  // and what pointwise nodes make of them
};

}  // namespace

PassResult SinkReshapes(Graph& g) {
  g.EraseDeadNodes();
  ASSIGN_OR_RETURN(const bool changed, Sinker(g).Run());
  g.EraseDeadNodes();
  return changed;
}

}  // namespace mgec::passes
