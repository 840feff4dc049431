#include "compiler/schedule/cuda/sum_box.h"

#include <algorithm>
#include <optional>
#include <string>

namespace mgec::schedule {

using kernel::Block;
using kernel::Expr;
using kernel::Int;
using kernel::Op;
using kernel::Ranges;
using kernel::ReduceAxis;

namespace {

// Multiply-adds of a thread between two barriers: more are too long a program for the processor's instruction cache.
constexpr int64_t kMostMacs = 2048;
constexpr int64_t kMostDepth = 32;
// Of two tiles of both factors.
constexpr int64_t kMostSharedBytes = 44 << 10;

// Instructions of a thread for all tiles; what guards against the axis' end takes is a guess.
double Cost(const Tile& t, const SumBox& box) {
  const double term = InstructionsPerTerm(t) + (box.partial ? static_cast<double>(t.rows + t.cols) / t.threads() : 0);
  return static_cast<double>(box.count) * (static_cast<double>(box.depth) * term + kInstructionsPerTile);
}

// Sets the variables of axes (begin, end) by the row-major number `flat`, a multiple of `run`, of those in [begin, end); returns the
// first's index.
Expr Split(Block& b, const std::vector<ReduceAxis>& axes, size_t begin, size_t end, const Expr& flat, int64_t run, Ranges* ranges,
           Values* values) {
  const size_t innermost = InnermostAxis(axes);
  Expr rest = flat;
  for (size_t j = end; j-- > begin + 1;) {
    const int64_t unit = j == innermost && axes[j].extent % run == 0 ? run : 1, units = axes[j].extent / unit;
    const Expr index = b.Let(axes[j].var->name, Simplify(Binary(Op::kMod, rest / Int(unit), Int(units)), *ranges));
    if (index->op == Op::kVar) (*ranges)[index->var.get()] = {0, units - 1};
    (*values)[axes[j].var.get()] = index * unit;
    rest = b.Let("rest", Simplify(rest / Int(axes[j].extent), *ranges));
  }
  return rest;
}

}  // namespace

size_t InnermostAxis(const std::vector<ReduceAxis>& axes) {
  size_t j = axes.size() - 1;
  while (j > 0 && axes[j].extent == 1) --j;
  return j;
}

SumBox ChooseSumBox(const std::vector<ReduceAxis>& axes, const Tile& tile) {
  std::optional<SumBox> best;
  int64_t inner = 1, outer = 1;
  for (const ReduceAxis& a : axes) outer *= a.extent;
  for (size_t j = axes.size(); j-- > 0;) {
    outer /= axes[j].extent;
    for (int64_t chunk = 1; chunk <= axes[j].extent; ++chunk) {
      SumBox box{j, chunk, chunk * inner, outer * CeilDiv(axes[j].extent, chunk), axes[j].extent % chunk != 0};
      if (box.depth < kTileDepth) continue;
      const bool fits = box.depth <= kMostDepth && box.depth * tile.thread_rows * tile.thread_cols <= kMostMacs &&
                        2 * TileBytes(tile, box.depth, kRowPadding) <= kMostSharedBytes;
      if (!fits && best) break;
      if (!best || Cost(tile, box) < Cost(tile, *best)) best = box;
      if (!fits) break;  // the least there is
    }
    inner *= axes[j].extent;
    if (inner > kMostDepth && best) break;
  }
  return *best;
}

std::optional<SumBox> FindTensorBox(const std::vector<ReduceAxis>& axes, int elements) {
  const size_t innermost = InnermostAxis(axes);
  int64_t terms = 1;
  for (const ReduceAxis& a : axes) terms *= a.extent;
  for (int64_t words = TensorTileDepth(terms, elements); words >= kTileDepth; words /= 2) {
    const int64_t depth = words * elements;
    int64_t inner = 1;
    for (size_t j = axes.size(); j-- > 0; inner *= axes[j].extent) {
      if (depth % inner != 0) break;
      if (j < innermost && axes[innermost].extent % elements != 0) break;  // words are to have neighbours
      const int64_t chunk = depth / inner;
      if (axes[j].extent % chunk == 0) return SumBox{j, chunk, depth, terms / depth, false};
    }
  }
  return std::nullopt;
}

Expr LocateBox(Block& b, const std::vector<ReduceAxis>& axes, const SumBox& box, const Expr& number, Ranges* ranges, Values* values) {
  const int64_t chunks = CeilDiv(axes[box.axis].extent, box.chunk);
  Expr chunk = number;
  if (box.axis > 0) {
    const Expr rest = b.Let("rest", Simplify(number / Int(chunks), *ranges));
    if (rest->op == Op::kVar) (*ranges)[rest->var.get()] = {0, box.count / chunks - 1};
    const Expr first = Split(b, axes, 0, box.axis, rest, 1, ranges, values);
    if (first->op == Op::kVar) (*ranges)[first->var.get()] = {0, axes[0].extent - 1};
    (*values)[axes[0].var.get()] = first;
    chunk = b.Let(axes[box.axis].var->name + "_chunk", Simplify(Binary(Op::kMod, number, Int(chunks)), *ranges));
    if (chunk->op == Op::kVar) (*ranges)[chunk->var.get()] = {0, chunks - 1};
  }
  return Simplify(chunk * box.chunk, *ranges);
}

Expr LocateInBox(Block& b, const std::vector<ReduceAxis>& axes, const SumBox& box, const Expr& place, int64_t run, Ranges* ranges,
                 Values* values) {
  return Split(b, axes, box.axis, axes.size(), place, run, ranges, values);
}

void LocateInSum(Block& b, const std::vector<ReduceAxis>& axes, const Expr& flat, int64_t run, Ranges* ranges, Values* values) {
  const Expr first = Split(b, axes, 0, axes.size(), flat, run, ranges, values);
  const int64_t extent = axes[0].extent, unit = InnermostAxis(axes) == 0 && extent % run == 0 ? run : 1;
  const Expr index = unit == 1 ? first : b.Let(axes[0].var->name, Simplify(first / Int(unit), *ranges));
  if (index->op == Op::kVar) (*ranges)[index->var.get()] = {0, extent / unit - 1};
  (*values)[axes[0].var.get()] = index * unit;
}

}  // namespace mgec::schedule
