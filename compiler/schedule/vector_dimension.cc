#include "compiler/schedule/vector_dimension.h"

#include <algorithm>

#include "compiler/schedule/vector_reduce.h"

namespace mgec::schedule {

using kernel::Expr;
using kernel::Int;
using kernel::Op;

void JoinFewElements(const Box& box, int lanes) {
  constexpr int64_t kMostElements = 9;
  if (HasReduce(box.body) || box.vars.empty()) return;
  int64_t count = 1;
  size_t rank = box.vars.size();  // without those that are joined
  while (rank > 1 && box.extents[rank - 1] < lanes && count * box.extents[rank - 1] <= kMostElements &&
         kernel::StrideOf(box.offset, box.vars[rank - 1]) == count) {
    count *= box.extents[--rank];
  }
  if (count < 2 || box.extents[rank - 1] < lanes || kernel::StrideOf(box.offset, box.vars[rank - 1]) != count) return;
  Expr all;
  std::unordered_map<const kernel::VarNode*, Expr> at;
  for (int64_t k = 0; k < count; ++k) {
    int64_t rest = k;
    for (size_t i = box.vars.size(); i-- > rank; rest /= box.extents[i]) at[box.vars[i].get()] = Int(rest % box.extents[i]);
    const Expr one = kernel::Simplify(kernel::Substitute(box.body, at), box.ranges);
    all = all == nullptr ? one : kernel::ConcatLanes(all, one);
  }
  for (size_t i = rank; i < box.vars.size(); ++i) at[box.vars[i].get()] = Int(0);
  box.body = all;
  box.offset = kernel::Simplify(kernel::Substitute(box.offset, at), box.ranges);
  box.vars.resize(rank);
  box.extents.resize(rank);
}

namespace {

struct Loads {
  int neighbours = 0, scattered = 0;
};

Loads LoadsAlong(const Expr& body, const kernel::Var& v) {
  Loads loads;
  kernel::Visit(body, [&](const Expr& e) {
    if (e->op != Op::kLoad) return;
    const std::optional<int64_t> stride = kernel::StrideOf(e->args[0], v);
    if (stride == 1) ++loads.neighbours;
    else if (stride != 0) ++loads.scattered;
  });
  return loads;
}

}  // namespace

void ChooseVectorDimension(const Box& box) {
  constexpr int64_t kFewestLanes = 8;
  if (box.vars.size() < 2 || ReducesAlongMemory(box.body, box.vars.back())) return;
  if (LoadsAlong(box.body, box.vars.back()).scattered == 0) return;
  for (size_t i = 0; i + 1 < box.vars.size(); ++i) {
    const Loads loads = LoadsAlong(box.body, box.vars[i]);
    if (box.extents[i] < kFewestLanes || loads.scattered > 0 || loads.neighbours == 0) continue;
    if (!kernel::StrideOf(box.offset, box.vars[i])) continue;
    std::rotate(box.vars.begin() + i, box.vars.begin() + i + 1, box.vars.end());
    std::rotate(box.extents.begin() + i, box.extents.begin() + i + 1, box.extents.end());
    return;
  }
}

}  // namespace mgec::schedule
