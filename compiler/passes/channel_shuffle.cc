#include <cstring>
#include <optional>

#include "compiler/base/status_macros.h"
#include "compiler/kernel/simplify.h"
#include "compiler/ops/op.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/util.h"

namespace mgec::passes {
namespace {

using graph::Graph;
using graph::Node;
using graph::Value;
using kernel::Expr;

bool IsIota(const std::vector<int64_t>& v) {
  for (size_t i = 0; i < v.size(); ++i) {
    if (v[i] != static_cast<int64_t>(i)) return false;
  }
  return true;
}

bool IsMovement(const Node& n) { return n.op == "reshape" || n.op == "transpose" || n.op == "slice"; }

// The index into `n`'s operand that element `index` of its result comes from.
absl::StatusOr<std::vector<Expr>> SourceIndex(const Node& n, const std::vector<Expr>& index,
                                              const kernel::Ranges& ranges) {
  ASSIGN_OR_RETURN(kernel::Definition d, ops::DefinitionOf(n));
  const kernel::Stage& stage = d.stages()[0];
  std::unordered_map<const kernel::VarNode*, Expr> values;
  for (size_t i = 0; i < index.size(); ++i) values[stage.vars[i].get()] = index[i];
  std::vector<Expr> source;
  for (const Expr& e : stage.body->args) source.push_back(kernel::Simplify(kernel::Substitute(e, values), ranges));
  return source;
}

// If source[1] depends on the channel alone and the other indices are the output's own: the source of each channel.
std::optional<std::vector<int64_t>> ChannelsOf(const std::vector<Expr>& source, const std::vector<kernel::Var>& vars,
                                               int64_t channels) {
  if (source.size() != vars.size()) return std::nullopt;
  for (size_t i = 0; i < vars.size(); ++i) {
    if (i == 1) continue;
    int64_t zero;
    const bool same = (source[i]->op == kernel::Op::kVar && source[i]->var == vars[i]) ||
                      (kernel::IsConst(source[i], &zero) && zero == 0);
    if (!same || kernel::DependsOn(source[1], vars[i])) return std::nullopt;
  }
  std::vector<int64_t> result;
  for (int64_t c = 0; c < channels; ++c) {
    int64_t from;
    if (!kernel::IsConst(kernel::Simplify(kernel::Substitute(source[1], {{vars[1].get(), kernel::Int(c)}}), {}), &from)) {
      return std::nullopt;
    }
    result.push_back(from);
  }
  return result;
}

}  // namespace

PassResult FindChannelShuffles(Graph& g) {
  bool changed = false;
  for (Node* n : NodesOf(g)) {
    if (!IsMovement(*n) || n->output()->type.shape.size() != 4) continue;
    const graph::Shape& out = n->output()->type.shape;
    std::vector<kernel::Var> vars;
    std::vector<Expr> index;
    kernel::Ranges ranges;
    for (int64_t d : out) {
      vars.push_back(kernel::MakeVar("i"));
      index.push_back(Use(vars.back()));
      ranges[vars.back().get()] = {0, d - 1};
    }
    // Walk up the chain; the farthest ancestor of which this is a selection of channels wins.
    Value* best = nullptr;
    std::vector<int64_t> channels;
    int length = 0, best_length = 0;
    for (Node* at = n; IsMovement(*at); at = at->inputs[0]->producer) {
      ASSIGN_OR_RETURN(index, SourceIndex(*at, index, ranges));
      ++length;
      Value* source = at->inputs[0];
      const graph::Shape& in = source->type.shape;
      if (in.size() != 4 || in[0] != out[0] || in[2] != out[2] || in[3] != out[3]) continue;
      if (auto found = ChannelsOf(index, vars, out[1])) {
        best = source;
        best_length = length;
        channels = *found;
      }
    }
    // One slice is already as simple as can be.
    if (best == nullptr || (best_length == 1 && n->op == "slice") || IsConstant(best)) continue;
    if (best->type == n->output()->type && IsIota(channels)) {  // moves that cancel
      g.ReplaceAllUses(n->output(), best);
      changed = true;
      continue;
    }
    g.SetInsertionPoint(n);
    ASSIGN_OR_RETURN(Value * y, g.Add("gather", {best, g.AddInts(channels)}, {{"axis", int64_t{1}}}, n->name));
    g.ReplaceAllUses(n->output(), y);
    changed = true;
  }
  g.SetInsertionPoint(nullptr);
  return changed;
}

}  // namespace mgec::passes
