#include "compiler/ops/fused.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "compiler/base/status_macros.h"
#include "compiler/kernel/simplify.h"
#include "compiler/ops/op.h"

namespace mgec::ops {
namespace {

using kernel::Definition;
using kernel::Expr;
using kernel::Op;
using kernel::Stage;

bool HasReduce(const Expr& e) {
  bool found = false;
  kernel::Visit(e, [&](const Expr& n) { found = found || n->op == Op::kReduce; });
  return found;
}

// Functions that cost tens of instructions: computing them again for every reader does not pay.
bool IsCostly(const Expr& e) {
  bool found = false;
  kernel::Visit(e, [&](const Expr& n) {
    found = found || (n->op >= Op::kExp && n->op <= Op::kSigmoid) || n->op == Op::kPow || n->op == Op::kAtan2;
  });
  return found;
}

// Tensors that `e` reads, and whether inside a reduction or with other than the identity index.
struct Reads {
  bool in_reduction = false;
  bool identity = true;
};

// `seen` holds what was visited outside ([0]) and inside ([1]) of reductions.
void CollectReads(const Stage& s, const Expr& e, bool in_reduction, std::unordered_set<const kernel::ExprNode*> (&seen)[2],
                  std::unordered_map<int, Reads>& reads) {
  if (!seen[in_reduction].insert(e.get()).second) return;
  if (e->op == Op::kRead) {
    Reads& r = reads[e->tensor];
    r.in_reduction = r.in_reduction || in_reduction;
    bool identity = e->args.size() == s.vars.size();
    for (size_t i = 0; identity && i < e->args.size(); ++i) {
      identity = kernel::IsIndexAlong(e->args[i], s.vars[i], s.info.shape[i]);
    }
    r.identity = r.identity && identity;
  }
  for (const Expr& a : e->args) CollectReads(s, a, in_reduction || e->op == Op::kReduce, seen, reads);
}

std::unordered_map<int, Reads> ReadsOf(const Stage& s) {
  std::unordered_set<const kernel::ExprNode*> seen[2];
  std::unordered_map<int, Reads> reads;
  CollectReads(s, s.body, false, seen, reads);
  return reads;
}

// Replaces reads of tensor `t` in `e` by the body of the stage that computes it. Reads of the same element get the same
// expression: a value that is used twice, again and again, would grow exponentially otherwise.
Expr InlineStage(const Expr& e, int t, const Stage& producer) {
  std::vector<std::pair<std::vector<Expr>, Expr>> done;
  return kernel::Rewrite(e, [&](const Expr& n) -> Expr {
    if (n->op != Op::kRead || n->tensor != t) return n;
    for (const auto& [index, body] : done) {
      if (std::equal(index.begin(), index.end(), n->args.begin(), n->args.end(), kernel::Equal)) return body;
    }
    std::unordered_map<const kernel::VarNode*, Expr> values;
    for (size_t i = 0; i < producer.vars.size(); ++i) values[producer.vars[i].get()] = n->args[i];
    done.emplace_back(n->args, kernel::Substitute(producer.body, values));
    return done.back().second;
  });
}

// Copies the stages that the outputs need, renumbering tensors.
Definition Compact(const Definition& d, const std::vector<int>& outputs) {
  const int n = d.num_inputs();
  std::vector<bool> needed(d.stages().size(), false);
  for (int t : outputs) {
    if (t >= n) needed[t - n] = true;
  }
  for (size_t s = d.stages().size(); s-- > 0;) {
    if (!needed[s]) continue;
    kernel::Visit(d.stages()[s].body, [&](const Expr& e) {
      if (e->op == Op::kRead && e->tensor >= n) needed[e->tensor - n] = true;
    });
  }
  std::vector<kernel::TensorInfo> inputs;
  std::vector<int> renumbered(n + d.stages().size());
  for (int t = 0; t < n; ++t) {
    inputs.push_back(d.info(t));
    renumbered[t] = t;
  }
  Definition result(std::move(inputs));
  for (size_t s = 0; s < d.stages().size(); ++s) {
    if (!needed[s]) continue;
    renumbered[n + s] = n + static_cast<int>(result.stages().size());
    Stage stage = d.stages()[s];
    stage.body = kernel::Rewrite(stage.body, [&](const Expr& e) -> Expr {
      if (e->op != Op::kRead || renumbered[e->tensor] == e->tensor) return e;
      return kernel::Read(renumbered[e->tensor], e->type.scalar, e->args);
    });
    result.stages().push_back(std::move(stage));
  }
  std::vector<int> result_outputs;
  for (int t : outputs) result_outputs.push_back(renumbered[t]);
  result.SetOutputs(std::move(result_outputs));
  return result;
}

}  // namespace

absl::StatusOr<Definition> FusedDefinition(const graph::Graph& body) {
  std::vector<kernel::TensorInfo> inputs;
  std::unordered_map<const graph::Value*, int> tensor_of;
  for (const graph::Node* n : body.inputs()) {
    tensor_of[n->output()] = static_cast<int>(inputs.size());
    inputs.push_back(InfoOf(n->output()->type));
  }
  Definition d(std::move(inputs));
  const int n = d.num_inputs();
  std::vector<bool> is_node_output;  // per stage: the result of a node, not a step inside an operator
  for (const auto& node : body.nodes()) {
    if (node->op == "input") continue;
    ASSIGN_OR_RETURN(Definition part, DefinitionOf(*node));
    std::vector<int> map;
    for (const graph::Value* v : node->inputs) map.push_back(tensor_of.at(v));
    for (const Stage& s : part.stages()) {
      map.push_back(n + static_cast<int>(d.stages().size()));
      Stage stage = s;
      stage.body = kernel::Rewrite(s.body, [&](const Expr& e) -> Expr {
        return e->op == Op::kRead ? kernel::Read(map[e->tensor], e->type.scalar, e->args) : e;
      });
      d.stages().push_back(std::move(stage));
      is_node_output.push_back(false);
    }
    const std::vector<int> outs = part.outputs();
    for (size_t i = 0; i < outs.size(); ++i) {
      tensor_of[node->outputs[i].get()] = map[outs[i]];
      if (map[outs[i]] >= n) is_node_output[map[outs[i]] - n] = true;
    }
  }
  std::vector<int> outputs;
  for (const graph::GraphOutput& o : body.outputs()) outputs.push_back(tensor_of.at(o.value));

  // Inline earlier stages into later ones, in order, so that chains collapse completely.
  std::vector<int> readers(n + d.stages().size(), 0);
  for (const Stage& s : d.stages()) {
    for (const auto& [t, r] : ReadsOf(s)) ++readers[t];
  }
  for (int t : outputs) ++readers[t];
  for (size_t s = 0; s < d.stages().size(); ++s) {
    Stage& stage = d.stages()[s];
    for (size_t p = 0; p < s; ++p) {
      const int t = n + static_cast<int>(p);
      if (!is_node_output[p] || d.stages()[p].scan >= 0) continue;
      const std::unordered_map<int, Reads> reads = ReadsOf(stage);
      auto it = reads.find(t);
      if (it == reads.end()) continue;
      const Stage& producer = d.stages()[p];
      const Reads& r = it->second;
      const bool inline_it = HasReduce(producer.body)
                                 ? readers[t] == 1 && r.identity && !r.in_reduction
                                 : !IsCostly(producer.body) || (!r.in_reduction && readers[t] == 1);
      if (inline_it) stage.body = InlineStage(stage.body, t, producer);
    }
  }
  return Compact(d, outputs);
}

}  // namespace mgec::ops
