#include "compiler/schedule/cuda/split_sums.h"

#include <algorithm>
#include <utility>

#include "compiler/schedule/cuda/product.h"
#include "compiler/schedule/cuda/tile.h"

namespace mgec::schedule {
namespace {

using kernel::Combiner;
using kernel::Definition;
using kernel::Expr;
using kernel::Op;
using kernel::ReduceAxis;
using kernel::Stage;

struct Split {
  Expr sum;
  size_t axis = 0;  // of the sum, which is divided
  int64_t parts = 1;
};

// How the stage is best split; 1 part: not at all.
Split ChooseSplit(const Stage& st) {
  Split split;
  Product p;
  if (!FindProduct(st, &p)) return split;
  kernel::Visit(st.body, [&](const Expr& n) {
    if (n->op == Op::kReduce) split.sum = n;
  });
  std::vector<int64_t> divisors;
  const std::vector<ReduceAxis>& axes = split.sum->reduce_axes;
  for (const ReduceAxis& a : axes) {
    for (int64_t parts = 2; parts <= a.extent; ++parts) {
      if (a.extent % parts == 0) divisors.push_back(parts);
    }
  }
  std::sort(divisors.begin(), divisors.end());
  split.parts = ChooseParts(SizeOf(p), divisors);
  // The outermost axis: each part is then a range of the sum's terms.
  while (split.parts > 1 && axes[split.axis].extent % split.parts != 0) ++split.axis;
  return split;
}

std::vector<Expr> Uses(const std::vector<kernel::Var>& vars) {
  std::vector<Expr> uses;
  for (const kernel::Var& v : vars) uses.push_back(Use(v));
  return uses;
}

// The stage of partial sums.
Stage PartsOf(const Stage& st, const Split& split) {
  std::vector<int64_t> shape = st.info.shape;
  shape.insert(shape.begin(), split.parts);
  return kernel::MakeStage(std::move(shape), split.sum->type.scalar, [&](const std::vector<Expr>& index) {
    std::vector<ReduceAxis> axes = split.sum->reduce_axes;
    ReduceAxis& axis = axes[split.axis];
    const int64_t extent = axis.extent / split.parts;
    std::unordered_map<const kernel::VarNode*, Expr> values;
    for (size_t i = 0; i < st.vars.size(); ++i) values[st.vars[i].get()] = index[i + 1];
    const kernel::Var inner = kernel::MakeVar(axis.var->name);
    values[axis.var.get()] = index[0] * extent + Use(inner);
    axis = {inner, extent};
    return kernel::Reduce(Combiner::kSum, std::move(axes), kernel::Substitute(split.sum->args[0], values));
  });
}

}  // namespace

Definition SplitSums(Definition d) {
  for (int i = 0; i < static_cast<int>(d.stages().size()); ++i) {
    const Split split = ChooseSplit(d.stages()[i]);
    if (split.parts == 1) continue;
    const int parts = d.num_inputs() + i;
    d.InsertStages(i, {PartsOf(d.stages()[i], split)});
    Stage& st = d.stages()[++i];
    const Expr total = d.Reduce(Combiner::kSum, {split.parts}, [&](const std::vector<Expr>& part) {
      std::vector<Expr> index = Uses(st.vars);
      index.insert(index.begin(), part[0]);
      return d.At(parts, std::move(index));
    });
    st.body = WithSum(st.body, split.sum, total);
  }
  return d;
}

bool AddsProducts(const Expr& body) {
  bool adds = false;
  kernel::Visit(body, [&](const Expr& n) {
    adds = adds || (n->op == Op::kReduce && n->combiner == Combiner::kSum && n->args[0]->op == Op::kMul);
  });
  return adds;
}

}  // namespace mgec::schedule
