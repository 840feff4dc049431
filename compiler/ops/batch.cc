#include "compiler/ops/batch.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>

#include "absl/strings/str_cat.h"
#include "compiler/base/status_macros.h"
#include "compiler/kernel/simplify.h"
#include "compiler/ops/op.h"

namespace mgec::ops {
namespace {

using graph::Graph;
using graph::Node;
using graph::Shape;
using graph::Value;
using kernel::Definition;
using kernel::Expr;
using kernel::FloorDiv;
using kernel::FloorMod;
using kernel::Int;
using kernel::Op;
using kernel::Var;
using kernel::VarNode;

// Where a tensor holds the batch: element i along `axis`, of m * n * k, belongs to entry floor(i / k) mod n.
struct Batched {
  int axis = -1;  // none
  int64_t m = 1, k = 1;
};

// c of the header, and the dimension; nothing where the shapes are equal. False if they differ in another way.
struct Difference {
  int axis = -1;
  int64_t rows = 0;
};
bool Compare(const Shape& a, int64_t n_a, const Shape& b, int64_t n_b, Difference* result) {
  *result = Difference();
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] == b[i]) continue;
    if (result->axis >= 0 || a[i] % n_a != 0 || b[i] % n_b != 0 || a[i] / n_a != b[i] / n_b) return false;
    *result = {static_cast<int>(i), a[i] / n_a};
  }
  return true;
}

// What one element of a stage is, in terms of its entry only.
struct EntryExpr {
  Expr body;
  std::vector<Var> vars;  // of the stage; then the two that stand for the axis of the batch
};

// Empty where the element depends on which entry it belongs to, or on others. `tensors` has the inputs and stages of the
// definition up to and including this one.
std::optional<EntryExpr> EntryOf(const Definition& d, size_t stage, const std::vector<Batched>& tensors, int64_t n) {
  const kernel::Stage& st = d.stages()[stage];
  const Batched& own = tensors[d.num_inputs() + stage];
  kernel::Ranges ranges;
  for (size_t i = 0; i < st.vars.size(); ++i) ranges[st.vars[i].get()] = {0, st.info.shape[i] - 1};
  kernel::Visit(st.body, [&](const Expr& e) {
    for (const kernel::ReduceAxis& a : e->reduce_axes) ranges[a.var.get()] = {0, a.extent - 1};
  });
  const Var outer = kernel::MakeVar("m"), entry = kernel::MakeVar("n"), inner = kernel::MakeVar("k");
  EntryExpr result{st.body, st.vars};
  if (own.axis >= 0) {
    ranges[outer.get()] = {0, own.m - 1};
    ranges[entry.get()] = {0, n - 1};
    ranges[inner.get()] = {0, own.k - 1};
    const Expr at = (Use(outer) * n + Use(entry)) * own.k + Use(inner);
    result.body = kernel::Substitute(result.body, {{st.vars[own.axis].get(), at}});
  }
  result.vars.push_back(outer);
  result.vars.push_back(inner);
  bool separate = true;
  result.body = kernel::Rewrite(result.body, [&](const Expr& e) -> Expr {
    if (e->op != Op::kRead || !separate) return e;
    const Batched& t = tensors[e->tensor];
    std::vector<Expr> index = e->args;
    for (size_t i = 0; i < index.size(); ++i) {
      index[i] = kernel::Simplify(index[i], ranges);
      if (static_cast<int>(i) != t.axis) continue;
      const Expr of = kernel::Simplify(FloorMod(FloorDiv(index[i], Int(t.k)), Int(n)), ranges);
      separate = of->op == Op::kVar && of->var == entry;
      const Expr before = kernel::Simplify(FloorDiv(index[i], Int(n * t.k)), ranges);
      const Expr after = kernel::Simplify(FloorMod(index[i], Int(t.k)), ranges);
      index[i] = kernel::Simplify(before * t.k + after, ranges);
    }
    return kernel::WithArgs(e, index);
  });
  if (!separate) return std::nullopt;
  result.body = kernel::Simplify(result.body, ranges);
  if (kernel::DependsOn(result.body, entry)) return std::nullopt;
  return result;
}

// Whether two expressions are the same, for corresponding variables.
class SameExpr {
 public:
  SameExpr(const EntryExpr& a, const EntryExpr& b) {
    for (size_t i = 0; i < a.vars.size(); ++i) vars_[a.vars[i].get()] = b.vars[i].get();
  }

  bool operator()(const Expr& a, const Expr& b) {
    if (!seen_.emplace(a.get(), b.get()).second) return true;
    if (a->op != b->op || a->type != b->type || a->int_value != b->int_value ||
        std::memcmp(&a->float_value, &b->float_value, sizeof(double)) != 0 || a->tensor != b->tensor ||
        a->combiner != b->combiner || a->shuffle != b->shuffle || a->args.size() != b->args.size() ||
        a->reduce_axes.size() != b->reduce_axes.size()) {
      return false;
    }
    for (size_t i = 0; i < a->reduce_axes.size(); ++i) {
      if (a->reduce_axes[i].extent != b->reduce_axes[i].extent) return false;
      vars_[a->reduce_axes[i].var.get()] = b->reduce_axes[i].var.get();
    }
    if (a->op == Op::kVar && vars_[a->var.get()] != b->var.get()) return false;
    for (size_t i = 0; i < a->args.size(); ++i) {
      if (!(*this)(a->args[i], b->args[i])) return false;
    }
    return true;
  }

 private:
  std::map<const VarNode*, const VarNode*> vars_;
  std::set<std::pair<const kernel::ExprNode*, const kernel::ExprNode*>> seen_;
};

class Prover {
 public:
  Prover(int64_t n_a, int64_t n_b) : n_a_(n_a), n_b_(n_b) {}

  absl::Status Node(const graph::Node& a, const graph::Node& b) {
    if (a.op == "input") return Input(a, b);
    if (a.op == "constant") {
      if (a.output()->type != b.output()->type || *a.data != *b.data) return Refuse(a, "depends on the size of the batch");
      batched_[a.output()] = Batched();
      return absl::OkStatus();
    }
    if (const OpDef* op = FindOp(a.op); op != nullptr && !op->define) {
      return Refuse(a, "is not known to keep the entries of a batch apart");
    }
    ASSIGN_OR_RETURN(const Definition da, DefinitionOf(a));
    ASSIGN_OR_RETURN(const Definition db, DefinitionOf(b));
    if (da.stages().size() != db.stages().size() || da.outputs() != db.outputs()) {
      return Refuse(a, "depends on the size of the batch");
    }
    std::vector<Batched> tensors;
    for (const Value* v : a.inputs) tensors.push_back(batched_.at(v));
    for (size_t stage = 0; stage < da.stages().size(); ++stage) {
      if (!Stage(da, db, stage, tensors)) return Refuse(a, "mixes the entries of a batch, or depends on their number");
    }
    const std::vector<int> outputs = da.outputs();
    for (size_t i = 0; i < outputs.size(); ++i) batched_[a.output(static_cast<int>(i))] = tensors[outputs[i]];
    return absl::OkStatus();
  }

  const Batched& of(const Value* v) const { return batched_.at(v); }

  static absl::Status Refuse(const graph::Node& n, absl::string_view what) {
    return absl::InvalidArgumentError(
        absl::StrCat(n.op, " \"", n.name, "\" ", what,
                     ": a batch of any size (N) is not possible; give fixed sizes with several --input-shape instead"));
  }

 private:
  absl::Status Input(const graph::Node& a, const graph::Node& b) {
    Difference difference;
    if (!Compare(a.output()->type.shape, n_a_, b.output()->type.shape, n_b_, &difference) || difference.axis > 0 ||
        (difference.axis == 0 && difference.rows != 1)) {
      return Refuse(a, "does not have the batch as its first dimension");
    }
    batched_[a.output()] = difference.axis < 0 ? Batched() : Batched{0, 1, 1};
    return absl::OkStatus();
  }

  // Finds out where the stage holds the batch, and appends it to the tensors.
  bool Stage(const Definition& da, const Definition& db, size_t stage, std::vector<Batched>& tensors) const {
    Difference difference;
    if (!Compare(da.stages()[stage].info.shape, n_a_, db.stages()[stage].info.shape, n_b_, &difference)) return false;
    tensors.emplace_back();
    if (difference.axis < 0) return Proven(da, db, stage, tensors);
    std::vector<int64_t> candidates;
    const auto add = [&](int64_t k) {
      if (difference.rows % k == 0 && std::count(candidates.begin(), candidates.end(), k) == 0) candidates.push_back(k);
    };
    for (const Batched& t : tensors) {
      if (t.axis >= 0) add(t.k);
    }
    add(difference.rows);
    for (int64_t k = 1; k * k <= difference.rows; ++k) {
      if (difference.rows % k == 0) add(k), add(difference.rows / k);
    }
    for (int64_t k : candidates) {
      tensors.back() = {difference.axis, difference.rows / k, k};
      if (Proven(da, db, stage, tensors)) return true;
    }
    return false;
  }

  bool Proven(const Definition& da, const Definition& db, size_t stage, const std::vector<Batched>& tensors) const {
    const std::optional<EntryExpr> a = EntryOf(da, stage, tensors, n_a_);
    if (!a.has_value()) return false;
    const std::optional<EntryExpr> b = EntryOf(db, stage, tensors, n_b_);
    return b.has_value() && da.stages()[stage].scan == db.stages()[stage].scan &&
           // The steps of a scan would go from entry to entry.
           !(tensors.back().axis >= 0 && da.stages()[stage].scan == tensors.back().axis) &&
           SameExpr(*a, *b)(a->body, b->body);
  }

  const int64_t n_a_, n_b_;
  std::unordered_map<const Value*, Batched> batched_;  // of the values of `a`
};

}  // namespace

absl::StatusOr<BatchRows> ProveBatch(Graph& a, int64_t n_a, Graph& b, int64_t n_b) {
  a.EraseDeadNodes();
  b.EraseDeadNodes();
  Prover prover(n_a, n_b);
  std::unordered_map<const Value*, const Value*> in_b;
  auto other = b.nodes().begin();
  for (const auto& node : a.nodes()) {
    bool same = other != b.nodes().end() && (*other)->op == node->op && (*other)->inputs.size() == node->inputs.size() &&
                (*other)->outputs.size() == node->outputs.size();
    for (size_t i = 0; same && i < node->inputs.size(); ++i) same = in_b.at(node->inputs[i]) == (*other)->inputs[i];
    if (!same) return Prover::Refuse(*node, "is there for some sizes of the batch only");
    for (size_t i = 0; i < node->outputs.size(); ++i) in_b[node->outputs[i].get()] = (*other)->outputs[i].get();
    RETURN_IF_ERROR(prover.Node(*node, **other));
    ++other;
  }
  BatchRows rows;
  for (const Node* n : a.inputs()) rows.inputs.push_back(prover.of(n->output()).axis < 0 ? 0 : 1);
  for (const graph::GraphOutput& o : a.outputs()) {
    const Batched& t = prover.of(o.value);
    if (t.axis > 0 || t.m > 1) {
      return Prover::Refuse(*o.value->producer, absl::StrCat("gives the output \"", o.name,
                                                             "\", of which an entry of the batch is no part in one piece"));
    }
    if (!o.sizes.empty()) {
      return Prover::Refuse(*o.value->producer, absl::StrCat("gives the output \"", o.name,
                                                             "\", whose size depends on values"));
    }
    rows.outputs.push_back(t.axis < 0 ? 0 : t.k);
  }
  return rows;
}

}  // namespace mgec::ops
