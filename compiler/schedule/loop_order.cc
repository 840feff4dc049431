#include "compiler/schedule/loop_order.h"

#include <algorithm>
#include <cstdlib>

namespace mgec::schedule {
namespace {

using kernel::Expr;
using kernel::Int;
using kernel::Op;

constexpr int64_t kLine = 64;  // bytes of a cache line

// Whether the load reads another cache line for v = 1 than for v = 0; also where that depends on what was loaded.
bool Moves(const Expr& load, const kernel::Var& v) {
  if (!kernel::DependsOn(load, v)) return false;
  std::unordered_map<const kernel::VarNode*, Expr> origin;
  kernel::Visit(load->args[0], [&](const Expr& e) {
    if (e->op == Op::kVar) origin[e->var.get()] = Int(0, e->type);
  });
  int64_t at[2];
  for (int64_t i = 0; i < 2; ++i) {
    origin[v.get()] = Int(i, v->type);
    if (!IsConst(kernel::Simplify(kernel::Substitute(load->args[0], origin), {}), &at[i])) return true;
  }
  return std::abs(at[1] - at[0]) * SizeOf(load->type.scalar) >= kLine;
}

int LoadsMoved(const Expr& body, const kernel::Var& v) {
  int moved = 0;
  kernel::Visit(body, [&](const Expr& e) { moved += e->op == Op::kLoad && Moves(e, v) ? 1 : 0; });
  return moved;
}

}  // namespace

void OrderLoops(const Box& box) {
  if (box.vars.size() < 3) return;
  const size_t last = box.vars.size() - 2;
  size_t best = last;
  int fewest = LoadsMoved(box.body, box.vars[last]);
  for (size_t i = last; i-- > 0;) {
    const int moved = box.extents[i] > 1 ? LoadsMoved(box.body, box.vars[i]) : fewest;
    if (moved >= fewest) continue;
    best = i;
    fewest = moved;
  }
  std::rotate(box.vars.begin() + best, box.vars.begin() + best + 1, box.vars.begin() + last + 1);
  std::rotate(box.extents.begin() + best, box.extents.begin() + best + 1, box.extents.begin() + last + 1);
}

}  // namespace mgec::schedule
