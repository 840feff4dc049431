#include "compiler/schedule/window_band.h"

#include <algorithm>

#include "compiler/schedule/channel_roles.h"
#include "compiler/schedule/contraction.h"

namespace mgec::schedule {

using kernel::Expr;
using kernel::Int;
using kernel::Op;
using kernel::Range;
using kernel::Ranges;
using kernel::Scalar;

namespace {

// Of a band: what the first level of the cache holds beside other things, and what the stack may.
constexpr int64_t kWantedElements = 5 * 1024, kMostElements = 14 * 1024;
constexpr int64_t kFewestRows = 4;  // neighbouring bands share rows, which are widened twice

// Of each element: with fewer, as in windows of 3x3 at every other pixel, writing the band takes longer than it saves.
constexpr int64_t kFewestReads = 4;

}  // namespace

int64_t WindowBand::RowsFor(int64_t out_rows) const { return std::min(rows, stride * (out_rows - 1) + after - before + 1); }

int64_t WindowBand::Divide(int64_t out_rows) {
  int64_t most = 1;
  while (most < out_rows && RowsFor(most + 1) * row_elements <= (most < kFewestRows ? kMostElements : kWantedElements)) ++most;
  const int64_t parts = (out_rows + most - 1) / most, of_part = (out_rows + parts - 1) / parts;
  wide = kernel::StackBuffer("band", Scalar::kFloat32, RowsFor(of_part) * row_elements);
  return of_part;
}

void WindowBand::Widen(kernel::Block& b, const kernel::Buffer& stored, const Expr& block, const Expr& first_row, const Expr& last_row,
                       int lanes) {
  first = b.Let("first_row", Min(Max(first_row * stride + before, Int(0)), Int(rows - 1)));
  const Expr end = Min((last_row - 1) * stride + (after + 1), Int(rows));
  const Expr from = b.Let("from", block + first * row_elements);
  const Expr count = b.Let("count", (end - first) * row_elements);
  auto copy = [&](kernel::Block& b, const Expr& i, int n) {
    b.Store(wide, i, Cast(Scalar::kFloat32, Load(stored, from + i, n)));
  };
  const Expr main_end = b.Let("main_end", count / Int(lanes) * Int(lanes));
  b.For("i", Int(0), main_end, lanes, [&](kernel::Block& b, const Expr& i) { copy(b, i, lanes); });
  if (row_elements % lanes == 0) return;
  b.For("i", main_end, count, kBlock, [&](kernel::Block& b, const Expr& i) { copy(b, i, kBlock); });
}

Expr WindowBand::Index(const std::vector<Expr>& index) const {
  return (index[index.size() - 2] - first) * row_elements + index.back() * kBlock;
}

std::optional<WindowBand> WindowBandOf(const kernel::Stage& stage, const kernel::Definition& d, int t, const Ranges& ranges) {
  const Scalar scalar = d.info(t).scalar;
  const std::vector<int64_t>& shape = d.info(t).shape;
  const size_t rank = shape.size(), row = rank - 2;
  if (!IsHalf(scalar) || rank < 4 || stage.vars.size() != rank) return std::nullopt;
  std::optional<WindowBand> band;
  int reads = 0;
  bool fits = true;
  kernel::Visit(stage.body, [&](const Expr& e) {
    for (const Expr& a : e->args) {  // float32 is what it is read as
      fits = fits && (a->op != Op::kRead || a->tensor != t || (e->op == Op::kCast && e->type.scalar == Scalar::kFloat32));
    }
    reads += e->op == Op::kRead && e->tensor == t;
    if (e->op != Op::kReduce) return;
    Ranges inside = ranges;
    for (const kernel::ReduceAxis& axis : e->reduce_axes) inside[axis.var.get()] = {0, axis.extent - 1};
    kernel::Visit(e->args[0], [&](const Expr& r) {
      if (r->op != Op::kRead || r->tensor != t) return;
      for (size_t i = 0; i < row; ++i) fits = fits && (i == 1 || kernel::IsIndexAlong(r->args[i], stage.vars[i], shape[i]));
      const std::optional<int64_t> stride = kernel::StrideOf(r->args[row], stage.vars[row]);
      const Expr offset = kernel::Simplify(kernel::Substitute(r->args[row], {{stage.vars[row].get(), Int(0)}}), inside);
      const std::optional<Range> bounds = kernel::BoundsOf(offset, inside);
      const bool again = RestElements(stage.info.shape, 1) * kernel::Points(e) >= kFewestReads * RestElements(shape, 1);
      fits = fits && !band && again && stride.value_or(0) > 0 && bounds.has_value();
      if (fits) band = WindowBand{t, shape[row], shape[rank - 1] * kBlock, *stride, bounds->lo, bounds->hi, nullptr, nullptr};
    });
  });
  const bool one = fits && reads == 1 && band.has_value();
  return one && band->RowsFor(1) * band->row_elements <= kMostElements ? band : std::nullopt;
}

}  // namespace mgec::schedule
