#include "compiler/schedule/cuda/partial.h"

#include <algorithm>
#include <unordered_map>

#include "compiler/kernel/bounded_reduce.h"
#include "compiler/schedule/cuda/reduce.h"
#include "compiler/schedule/cuda/tile.h"
#include "compiler/schedule/vector_reduce.h"

namespace mgec::schedule {
namespace {

using kernel::Definition;
using kernel::Expr;
using kernel::Int;
using kernel::Op;
using kernel::Var;

// Blocks that keep a large GPU busy, and what a block should have to do.
constexpr int64_t kEnoughBlocks = 512, kBlockPoints = 2048;
// Where neighbouring threads have neighbouring results: threads that keep it busy, what each should have to do, and how much
// work is worth another launch.
constexpr int64_t kEnoughThreads = 16384, kThreadPoints = 16, kLeastWork = 1 << 16;
// So many neighbours read whole sectors of memory.
constexpr int64_t kLeastNeighbours = 8;

bool LoadsAlong(const Expr& e, const Var& v) {
  bool found = false;
  kernel::Visit(e, [&](const Expr& n) { found = found || (n->op == Op::kLoad && kernel::StrideOf(n->args[0], v) == 1); });
  return found;
}

// How an axis is divided: `parts` runs of `each`, the last of which may be cut short.
struct AxisParts {
  int64_t parts, each;
};

// About `parts` parts of the box, from the outermost axis on: memory within a part is near.
std::vector<AxisParts> DivideBox(const std::vector<kernel::ReduceAxis>& axes, int64_t parts) {
  std::vector<AxisParts> divided;
  for (const kernel::ReduceAxis& a : axes) {
    int64_t n = std::min(parts, a.extent);
    // Parts of equal size need no tests.
    for (int64_t divisor = n; divisor <= std::min(2 * n, a.extent); ++divisor) {
      if (a.extent % divisor != 0) continue;
      n = divisor;
      break;
    }
    const int64_t each = CeilDiv(a.extent, n);
    divided.push_back({CeilDiv(a.extent, each), each});
    parts = CeilDiv(parts, divided.back().parts);
  }
  return divided;
}

// A reduction in two steps.
struct Divided {
  kernel::Stage partial;  // the partial results, [parts of each axis.., results]
  Expr total;             // the reduction of those
};

// `tensor` is the number that the partial results get.
Divided Divide(const Definition& d, const kernel::Stage& stage, const Expr& reduce, int64_t parts, int tensor) {
  const std::vector<kernel::ReduceAxis>& axes = reduce->reduce_axes;
  const std::vector<AxisParts> divided = DivideBox(axes, parts);
  std::vector<int64_t> counts, sizes;
  for (const AxisParts& p : divided) {
    counts.push_back(p.parts);
    sizes.push_back(p.each);
  }
  std::vector<int64_t> shape = counts;
  shape.insert(shape.end(), stage.info.shape.begin(), stage.info.shape.end());
  Divided result;
  result.partial = kernel::MakeStage(std::move(shape), reduce->type.scalar, [&](const std::vector<Expr>& i) {
    return d.Reduce(reduce->combiner, sizes, [&](const std::vector<Expr>& r) {
      std::unordered_map<const kernel::VarNode*, Expr> values;
      Expr inside;
      for (size_t a = 0; a < axes.size(); ++a) {
        const Expr at = i[a] * Int(sizes[a]) + r[a];
        values[axes[a].var.get()] = at;
        if (counts[a] * sizes[a] == axes[a].extent) continue;
        const Expr in = at < Int(axes[a].extent);
        inside = inside == nullptr ? in : And(inside, in);
      }
      for (size_t v = 0; v < stage.vars.size(); ++v) values[stage.vars[v].get()] = i[axes.size() + v];
      const Expr term = kernel::Substitute(reduce->args[0], values);
      return inside == nullptr ? term : Select(inside, term, kernel::Neutral(reduce->combiner, reduce->type));
    });
  });
  result.total = d.Reduce(reduce->combiner, counts, [&](const std::vector<Expr>& r) {
    std::vector<Expr> index = r;
    for (const Var& v : stage.vars) index.push_back(Use(v));
    return Read(tensor, reduce->type.scalar, std::move(index));
  });
  return result;
}

}  // namespace

int64_t ReductionParts(const Expr& body, const Var& last, int64_t results) {
  const int64_t points = LargestReduction(body);
  if (points == 0 || results == 0 || !CanReduceTogether(body)) return 1;
  // A thread for each result would read memory in order: what is reduced, whatever else the body loads.
  bool across = last != nullptr;
  kernel::Visit(body, [&](const Expr& n) {
    if (n->op == Op::kReduce) across = across && !ReducesAlongMemory(n, last) && LoadsAlong(n, last);
  });
  if (across) {
    if (results >= kLeastNeighbours && results < kEnoughThreads && points * results >= kLeastWork) {
      return std::min(CeilDiv(kEnoughThreads, results), points / kThreadPoints);
    }
  }
  if (results >= kEnoughBlocks / 2 || points < 4 * kBlockPoints) return 1;
  return std::min(CeilDiv(kEnoughBlocks, results), points / kBlockPoints);
}

int InsertPartialReductions(Definition& d, int stage, int64_t parts) {
  const kernel::Stage whole = d.stages()[stage];
  std::vector<kernel::Stage> partial;
  Expr body = kernel::Replace(whole.body, [&](const Expr& n) -> Expr {
    if (n->op != Op::kReduce) return nullptr;
    if (kernel::Points(n) < parts * kThreadPoints || kernel::BoundsOfReduce(n)) return n;
    Divided divided = Divide(d, whole, n, parts, d.num_inputs() + stage + static_cast<int>(partial.size()));
    partial.push_back(std::move(divided.partial));
    return divided.total;
  });
  const int inserted = static_cast<int>(partial.size());
  d.InsertStages(stage, std::move(partial));
  d.stages()[stage + inserted].body = std::move(body);
  return inserted;
}

}  // namespace mgec::schedule
