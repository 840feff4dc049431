#include "compiler/schedule/merge.h"

namespace mgec::schedule {
namespace {

using kernel::Expr;
using kernel::Int;
using kernel::Op;
using kernel::Ranges;

bool HasDivMod(const Expr& e, const kernel::Var& v) {
  bool found = false;
  kernel::Visit(e, [&](const Expr& n) {
    if (n->op == Op::kDiv || n->op == Op::kMod || n->op == Op::kFloorDiv || n->op == Op::kFloorMod) {
      found = found || kernel::DependsOn(n, v);
    }
  });
  return found;
}

}  // namespace

void MergeDimensions(const Box& box, const kernel::Var& apart) {
  for (size_t i = box.vars.size(); i-- > 1;) {
    const int64_t n = box.extents[i];
    if (n <= 0 || box.extents[i - 1] <= 0) return;
    if (box.vars[i] == apart || box.vars[i - 1] == apart) continue;
    const kernel::Var joined = kernel::MakeVar("i");
    Ranges ranges = box.ranges;
    ranges[joined.get()] = {0, box.extents[i - 1] * n - 1};
    const std::unordered_map<const kernel::VarNode*, Expr> values = {
        {box.vars[i - 1].get(), kernel::FloorDiv(Use(joined), Int(n))},
        {box.vars[i].get(), kernel::FloorMod(Use(joined), Int(n))}};
    const Expr body = kernel::Simplify(kernel::Substitute(box.body, values), ranges);
    const Expr offset = kernel::Simplify(kernel::Substitute(box.offset, values), ranges);
    if (HasDivMod(body, joined) || HasDivMod(offset, joined)) continue;
    box.body = body;
    box.offset = offset;
    box.ranges = ranges;
    box.extents[i - 1] *= n;
    box.vars[i - 1] = joined;
    box.extents.erase(box.extents.begin() + i);
    box.vars.erase(box.vars.begin() + i);
  }
}

}  // namespace mgec::schedule
