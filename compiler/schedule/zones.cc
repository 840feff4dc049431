#include "compiler/schedule/zones.h"

#include <algorithm>

namespace mgec::schedule {

using kernel::Block;
using kernel::Expr;
using kernel::Int;
using kernel::Range;

namespace {

constexpr int64_t kMaxUnrolledBorder = 3;

}  // namespace

Zones ZonesOf(const Expr& body, const kernel::Var& v, int64_t extent, const kernel::Ranges& ranges) {
  const Range decided = kernel::LargestDecided(body, v, {0, extent - 1}, ranges);
  if (decided.lo > decided.hi) {  // nowhere certain: one loop with all its tests
    return {{0, extent, false}, {extent, extent, false}, {extent, extent, false}};
  }
  auto zone = [](int64_t begin, int64_t end) { return Zone{begin, end, end - begin <= kMaxUnrolledBorder}; };
  return {zone(0, decided.lo), {decided.lo, decided.hi + 1, false}, zone(decided.hi + 1, extent)};
}

void ForEachZone(Block& b, const Zones& zones, Expr begin, Expr end,
                 const std::function<void(Block&, Expr, Range)>& f) {
  auto emit = [&](const Zone& z) {
    if (z.begin >= z.end) return;
    if (z.unroll) {
      for (int64_t i = z.begin; i < z.end; ++i) {
        b.If(And(begin <= Int(i), Int(i) < end), [&](Block& b) { f(b, Int(i), {i, i}); });
      }
      return;
    }
    b.For("i", Max(begin, Int(z.begin)), Min(end, Int(z.end)), 1,
          [&](Block& b, Expr i) { f(b, i, {z.begin, z.end - 1}); });
  };
  emit(zones.before);
  emit(zones.interior);
  emit(zones.after);
}

}  // namespace mgec::schedule
