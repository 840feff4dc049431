#include "compiler/schedule/cuda/vectors.h"

#include <algorithm>

#include "compiler/kernel/work.h"

namespace mgec::schedule {
namespace {

using kernel::Block;
using kernel::Expr;
using kernel::Int;
using kernel::Op;
using kernel::Ranges;

constexpr int kMostLanes = 8;              // with more, what a thread keeps does not fit its registers
constexpr int64_t kEnoughThreads = 32768;
constexpr int64_t kUnroll = 4;             // of reductions

// Along `v`, loads are neighbours or the same, and nothing else changes.
bool IsUniform(const Expr& body, const kernel::Var& v) {
  bool uniform = true;
  kernel::Visit(body, [&](const Expr& n) {
    if (n->op == Op::kLoad && DependsOn(n->args[0], v)) {
      uniform = uniform && n->args.size() == 1 && n->type.lanes == 1 && kernel::StrideOf(n->args[0], v) == 1;
    } else if (n->op == Op::kSelect && n->args[0]->type == kernel::Type(kernel::Scalar::kBool)) {
      uniform = uniform && !DependsOn(n->args[0], v);
    }
  });
  // The variable occurs in places of loads only.
  const Expr rest = kernel::Replace(body, [](const Expr& n) { return n->op == Op::kLoad ? Cast(n->type, Int(0)) : nullptr; });
  return uniform && !DependsOn(rest, v);
}

}  // namespace

bool EmitVectors(const GpuStage& s, kernel::Kernel* k) {
  if (s.vars.empty()) return false;
  const kernel::Var& last = s.vars.back();
  const int64_t size = SizeOf(s.out->scalar);
  int64_t lanes = std::min<int64_t>(kMostLanes, kernel::kGpuAccessBytes / size);
  auto fits = [&](int64_t n) {
    return s.extents.back() % n == 0 && s.out->alignment % (n * size) == 0 && s.elements() / n >= kEnoughThreads;
  };
  while (lanes > 1 && !fits(lanes)) lanes /= 2;
  if (lanes == 1) return false;
  if (kernel::StrideOf(s.offset, last) != 1 || !IsUniform(s.body, last)) return false;

  GpuStage units = s;  // of so many elements
  units.extents.back() /= lanes;
  std::vector<size_t> dims;
  for (size_t i = 0; i < s.vars.size(); ++i) dims.push_back(i);
  k->tasks = units.elements();
  Block b;
  Ranges ranges = s.ranges;
  Values values;
  Decompose(b, units, dims, k->tasks == 1 ? Int(0) : Use(k->task), k->tasks, &ranges, &values);
  const Expr first = values.at(last.get()) * lanes;
  values.erase(last.get());
  const Expr body = Simplify(kernel::Substitute(s.body, values), ranges);
  Expr result = kernel::Vectorize(body, last, first, static_cast<int>(lanes));
  result = kernel::EmitReductions(b, Simplify(result, ranges), kUnroll, ranges);
  if (result->type.lanes == 1) result = Broadcast(result, static_cast<int>(lanes));
  values[last.get()] = first;
  b.Store(s.out, Simplify(kernel::Substitute(s.offset, values), ranges), result);
  k->body = b.Take();
  return true;
}

}  // namespace mgec::schedule
