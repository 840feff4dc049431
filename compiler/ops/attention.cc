#include "compiler/ops/attention.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "compiler/ops/op.h"
#include "compiler/ops/strided_view.h"

namespace mgec::ops {
namespace {

using graph::DTypeKind;
using graph::Node;
using graph::Shape;
using graph::Value;

bool IsFloat(const Value* v) { return v->type.dtype.kind == DTypeKind::kFloat32; }

// The axes of a matrix product's operand as [batch, rows, cols].
std::optional<StridedView> AsMatrices(std::optional<StridedView> view, bool transposed) {
  if (!view) return view;
  if (view->axes.size() == 2) view->axes.insert(view->axes.begin(), Axis{});
  if (transposed) std::swap(view->axes[1], view->axes[2]);
  return view;
}

// Converts float32 to a 16-bit float.
bool Narrows(const Node& n) { return n.op == "cast" && IsFloat(n.inputs[0]) && IsHalf(n.output()->type.dtype); }

bool IsMatrix(const StridedView& v) { return v.axes.size() == 3 && v.axes[1].size() <= 1 && v.axes[2].size() <= 1; }

class Finder {
 public:
  Finder(const graph::Graph& g, const Users& users, const Node& product, const Resolve& resolve)
      : graph_(g), users_(users), product_(product), resolve_(resolve) {}

  std::optional<Attention> Find() {
    if (product_.op != "matmul" || product_.attributes.Int("transpose_a") != 0) return std::nullopt;
    const Shape weights = Matrices(product_.inputs[0]->type.shape), out = Matrices(product_.output()->type.shape);
    if (graph::NumElements(weights) == 0 || graph::NumElements(out) == 0) return std::nullopt;
    products_ = weights[0];
    a_.queries = weights[1];
    a_.keys = weights[2];
    a_.value_depth = out[2];
    if (!IsFloat(product_.inputs[0]) || !IsFloat(product_.inputs[1])) return std::nullopt;
    const Value* logits = ThroughSoftmax(ThroughReshapes(product_.inputs[0]));
    if (logits == nullptr || !ThroughPointwise(logits)) return std::nullopt;
    inner_.push_back(&product_);
    if (!FindOperands() || !OnlyMembersRead()) return std::nullopt;
    FindResult();
    if (!UnifyBatches()) return std::nullopt;
    a_.members.insert(a_.members.end(), inner_.begin(), inner_.end());
    std::sort(a_.members.begin(), a_.members.end());
    a_.members.erase(std::unique(a_.members.begin(), a_.members.end()), a_.members.end());
    return std::move(a_);
  }

 private:
  // A shape of matrices with the batch dimension that it may lack.
  static Shape Matrices(Shape s) {
    if (s.size() == 2) s.insert(s.begin(), 1);
    return s;
  }

  const Value* ThroughReshapes(const Value* v) {
    while (v->producer->op == "reshape") {
      inner_.push_back(v->producer);
      v = v->producer->inputs[0];
    }
    return v;
  }

  bool IsLastAxis(const Value* x) const { return !x->type.shape.empty() && x->type.shape.back() == a_.keys; }

  // `v` is the reduction of x along its last axis, with that axis kept.
  bool IsReduction(const Value* v, const Value* x, const char* mode) {
    Shape kept = x->type.shape;
    kept.back() = 1;
    if (v->type.shape != kept) return false;
    const Node& n = *ThroughReshapes(v)->producer;
    const std::vector<int64_t> last = {static_cast<int64_t>(kept.size()) - 1};
    const bool is = n.op == "reduce" && n.attributes.String("mode") == mode && n.inputs[0] == x && n.attributes.Ints("axes") == last;
    if (is) inner_.push_back(&n);
    return is;
  }

  // What a softmax along the last axis, as one node or as exp(x - max) / sum, is taken of; null where `v` is none.
  const Value* ThroughSoftmax(const Value* v) {
    const Node& n = *v->producer;
    if (!IsLastAxis(v)) return nullptr;
    inner_.push_back(&n);
    if (n.op == "softmax") {
      const bool last = n.attributes.Int("axis") + 1 == static_cast<int64_t>(v->type.shape.size());
      return last ? n.inputs[0] : nullptr;
    }
    if (n.op != "true_div") return nullptr;
    const Node& exp = *n.inputs[0]->producer;
    if (exp.op != "exp" || n.inputs[0]->type != v->type || !IsReduction(n.inputs[1], n.inputs[0], "sum")) return nullptr;
    const Node& sub = *exp.inputs[0]->producer;
    if (sub.op != "sub" || sub.inputs[0]->type != v->type || !IsReduction(sub.inputs[1], sub.inputs[0], "max")) return nullptr;
    inner_.push_back(&exp);
    inner_.push_back(&sub);
    return sub.inputs[0];
  }

  // Finds the product that `v` comes from by pointwise nodes and reshapes. Which operand of a node that is, only the product tells.
  bool ThroughPointwise(const Value* v) {
    const Node& n = *v->producer;
    if (!IsFloat(v)) return false;
    if (n.op == "matmul") {
      if (Matrices(v->type.shape) != Shape{products_, a_.queries, a_.keys} || !IsFloat(n.inputs[0]) || !IsFloat(n.inputs[1])) return false;
      a_.scores = v;
      inner_.push_back(&n);
      return true;
    }
    if (n.op == "reshape") {
      if (!ThroughPointwise(n.inputs[0])) return false;
      inner_.push_back(&n);
      return true;
    }
    const OpDef* op = FindOp(n.op);
    if (op == nullptr || !op->pointwise || n.outputs.size() != 1) return false;
    for (size_t i = 0; i < n.inputs.size(); ++i) {
      if (n.inputs[i]->type != v->type || !ThroughPointwise(n.inputs[i])) continue;
      a_.pointwise.push_back(&n);
      inner_.push_back(&n);
      return true;
    }
    return false;
  }

  // The constant that `n` multiplies its other operand by; false where it does something else.
  bool IsScaling(const Node& n, const Value** x, double* factor) const {
    if (n.op != "mul" && n.op != "true_div") return false;
    for (size_t i = n.op == "mul" ? 0 : 1; i < 2; ++i) {
      const Value* c = resolve_(n.inputs[i]);
      if (c->producer->op != "constant" || !IsFloat(c) || graph::NumElements(c->type.shape) != 1) continue;
      float f;
      std::memcpy(&f, c->producer->data->data(), sizeof(f));
      *x = n.inputs[1 - i];
      *factor = n.op == "mul" ? f : 1.0 / f;
      return (*x)->type == n.output()->type;
    }
    return false;
  }

  // The operand of the product of scores, without the movements and scales that it has gone through.
  StridedView ScaledView(const Value* v) {
    std::vector<const Node*> through;
    const Node& n = *v->producer;
    const Value* x;
    double factor;
    if (IsScaling(n, &x, &factor)) {
      const StridedView view = ScaledView(x);
      a_.scale *= factor;
      a_.members.push_back(&n);
      return view;
    }
    if (IsSeenThrough(n)) {
      const double scale = a_.scale;
      const size_t members = a_.members.size();
      if (std::optional<StridedView> view = Moved(ScaledView(n.inputs[0]), n)) {
        a_.members.push_back(&n);
        return *view;
      }
      a_.scale = scale;
      a_.members.resize(members);
    }
    return WholeOf(v);
  }

  // A view as matrices, from as far back as a stride for rows and one for columns describe it.
  StridedView Operand(const Value* v, bool transposed, bool scaled) {
    const double scale = a_.scale;
    const size_t members = a_.members.size();
    const std::optional<StridedView> view = AsMatrices(scaled ? ScaledView(v) : ViewOf(v, &a_.members), transposed);
    if (IsMatrix(*view)) return *view;
    a_.scale = scale;
    a_.members.resize(members);
    return *AsMatrices(WholeOf(v), transposed);
  }

  bool IsConstant(const StridedView& v) const { return resolve_(v.source)->producer->op == "constant"; }

  bool FindOperands() {
    const Node& first = *a_.scores->producer;
    const bool ta = first.attributes.Int("transpose_a") != 0, tb = first.attributes.Int("transpose_b") != 0;
    const Shape q = Matrices(first.inputs[0]->type.shape);
    a_.depth = q[ta ? 1 : 2];
    if (a_.depth == 0) return false;
    q_ = Operand(first.inputs[0], ta, true);
    k_ = Operand(first.inputs[1], !tb, true);
    v_ = Operand(product_.inputs[1], product_.attributes.Int("transpose_b") != 0, false);
    if (IsConstant(k_) || IsConstant(v_)) return false;
    const Shape scores = {products_, a_.queries, a_.keys};
    for (const Node* n : a_.pointwise) {
      for (const Value* v : n->inputs) {
        if (std::count(inner_.begin(), inner_.end(), v->producer) != 0) {
          if (v->type != n->output()->type) return false;
          continue;
        }
        if (std::any_of(operands_.begin(), operands_.end(), [&](const auto& o) { return o.first == v; })) continue;
        std::optional<StridedView> view = BroadcastView(ViewOf(v, &a_.members), n->output()->type.shape);
        if (view) view = ReshapedView(*view, scores);
        if (!view || !IsMatrix(*view)) return false;
        operands_.emplace_back(v, *view);
      }
    }
    return true;
  }

  // What is between the operands and the result has no other reader.
  bool OnlyMembersRead() const {
    const std::set<const Node*> inner(inner_.begin(), inner_.end());
    for (const Node* n : inner_) {
      if (n == &product_) continue;
      if (graph_.IsOutput(n->output())) return false;
      const auto it = users_.find(n->output());
      if (it == users_.end()) return false;
      for (const Node* user : it->second) {
        if (inner.count(user) == 0) return false;
      }
    }
    return true;
  }

  // The result where the movements that follow put it, as far as rows stay whole.
  void FindResult() {
    const Value* v = product_.output();
    StridedView moved = WholeOf(v);  // what the elements of the result are
    a_.result = v;
    out_ = *AsMatrices(WholeOf(v), false);
    for (;;) {
      const auto it = users_.find(v);
      if (it == users_.end() || it->second.size() != 1 || graph_.IsOutput(v)) return;
      const Node& n = *it->second[0];
      if (n.op != "reshape" && n.op != "transpose" && !Narrows(n)) return;
      const std::optional<StridedView> next = Moved(moved, n);
      if (!next) return;
      v = n.output();
      moved = *next;
      passed_.push_back(&n);
      const std::optional<StridedView> out = Inverse(moved, v);
      if (!out || !IsMatrix(*out) || (a_.value_depth > 1 && out->axes[2][0].stride != 1)) continue;
      out_ = *out;
      a_.result = v;
      a_.members.insert(a_.members.end(), passed_.begin(), passed_.end());
      passed_.clear();
    }
  }

  // Where in `v` the elements of the product lie that `moved`, a view of the product of v's shape, says v to consist of.
  std::optional<StridedView> Inverse(const StridedView& moved, const Value* v) const {
    struct Place {
      Span in_product;
      int64_t stride;
    };
    std::vector<Place> places;
    int64_t stride = 1;
    for (size_t i = moved.axes.size(); i-- > 0;) {
      for (size_t j = moved.axes[i].size(); j-- > 0;) {
        places.push_back({moved.axes[i][j], stride});
        stride *= moved.axes[i][j].extent;
      }
    }
    std::sort(places.begin(), places.end(),
              [](const Place& a, const Place& b) { return a.in_product.stride > b.in_product.stride; });
    StridedView inverse{v, 0, {{}}};
    for (const Place& p : places) inverse.axes[0].push_back({p.in_product.extent, p.stride});
    return ReshapedView(inverse, {products_, a_.queries, a_.value_depth});
  }

  bool UnifyBatches() {
    std::vector<Axis*> axes = {&q_.axes[0], &k_.axes[0], &v_.axes[0], &out_.axes[0]};
    for (auto& [v, view] : operands_) axes.push_back(&view.axes[0]);
    if (!DivideAlike(axes)) return false;
    for (const Span& s : q_.axes[0]) a_.batch.push_back(s.extent);
    a_.q = MatrixOf(q_);
    a_.k = MatrixOf(k_);
    a_.v = MatrixOf(v_);
    a_.out = MatrixOf(out_);
    for (const auto& [v, view] : operands_) a_.operands.emplace_back(v, MatrixOf(view));
    return true;
  }

  static MatrixView MatrixOf(const StridedView& v) {
    MatrixView m{v.source, v.offset, {}, 0, 0};
    for (const Span& s : v.axes[0]) m.batch.push_back(s.stride);
    if (!v.axes[1].empty()) m.row_stride = v.axes[1][0].stride;
    if (!v.axes[2].empty()) m.col_stride = v.axes[2][0].stride;
    return m;
  }

  const graph::Graph& graph_;
  const Users& users_;
  const Node& product_;
  const Resolve& resolve_;
  Attention a_{};
  int64_t products_ = 1;
  std::vector<const Node*> inner_;   // from the scores to the second product
  std::vector<const Node*> passed_;  // movements after the result so far
  StridedView q_, k_, v_, out_;
  std::vector<std::pair<const Value*, StridedView>> operands_;
};

}  // namespace

int64_t Attention::products() const {
  int64_t n = 1;
  for (const int64_t extent : batch) n *= extent;
  return n;
}

std::optional<Attention> FindAttention(const graph::Graph& g, const Users& users, const Node& product, const Resolve& resolve) {
  return Finder(g, users, product, resolve).Find();
}

std::optional<Attention> AttentionOf(const Node& fused) {
  if (fused.body == nullptr || fused.outputs.size() != 1) return std::nullopt;
  const graph::Graph& g = *fused.body;
  const auto products = std::count_if(g.nodes().begin(), g.nodes().end(), [](const auto& n) { return n->op == "matmul"; });
  if (products != 2) return std::nullopt;
  std::unordered_map<const Value*, const Value*> outer;
  for (size_t i = 0; i < g.inputs().size(); ++i) outer[g.inputs()[i]->output()] = fused.inputs[i];
  const Resolve resolve = [&](const Value* v) {
    const auto it = outer.find(v);
    return it == outer.end() ? v : it->second;
  };
  const Users users = g.Users();
  size_t nodes = g.nodes().size() - g.inputs().size();
  for (const auto& n : g.nodes()) {
    std::optional<Attention> a = FindAttention(g, users, *n, resolve);
    if (a && a->result == g.outputs()[0].value && a->members.size() == nodes) return a;
  }
  return std::nullopt;
}

}  // namespace mgec::ops
