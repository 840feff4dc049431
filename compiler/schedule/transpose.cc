#include "compiler/schedule/transpose.h"

#include <algorithm>

namespace mgec::schedule {
namespace {

using kernel::Block;
using kernel::Expr;
using kernel::Int;

constexpr int kSide = 8;  // of the square that is transposed in registers
constexpr int64_t kLine = 64;
constexpr int64_t kMinTaskElements = 4096;

Expr Merge(const Expr& a, const Expr& b, std::vector<int> lanes) {
  return kernel::Shuffle(kernel::ConcatLanes(a, b), std::move(lanes));
}

// Rows become columns. For elements of 4 bytes in steps that do not cross the halves of a register but for the last; for
// smaller ones, whose squares fit half a register, by interleaving.
std::vector<Expr> Transposed(Block& b, std::vector<Expr> row, int element_bytes) {
  auto step = [&](int distance, const std::vector<int>& low, const std::vector<int>& high, bool interleave) {
    std::vector<Expr> next(kSide);
    for (int i = 0, k = 0; i < kSide; ++i) {
      if ((i & distance) != 0) continue;
      const int j = i + distance;
      const int first = interleave ? 2 * k : i, second = interleave ? 2 * k + 1 : j;
      next[first] = b.Let("t", Merge(row[i], row[j], low));
      next[second] = b.Let("t", Merge(row[i], row[j], high));
      ++k;
    }
    row = next;
  };
  if (element_bytes == 4) {
    step(1, {0, 8, 1, 9, 4, 12, 5, 13}, {2, 10, 3, 11, 6, 14, 7, 15}, false);
    step(2, {0, 1, 8, 9, 4, 5, 12, 13}, {2, 3, 10, 11, 6, 7, 14, 15}, false);
    step(4, {0, 1, 2, 3, 8, 9, 10, 11}, {4, 5, 6, 7, 12, 13, 14, 15}, false);
    // Row k holds column order[k] by now.
    static constexpr int kOrder[kSide] = {0, 2, 1, 3, 4, 6, 5, 7};
    std::vector<Expr> columns(kSide);
    for (int k = 0; k < kSide; ++k) columns[kOrder[k]] = row[k];
    return columns;
  }
  for (int k = 0; k < 3; ++k) {
    step(4, {0, 8, 1, 9, 2, 10, 3, 11}, {4, 12, 5, 13, 6, 14, 7, 15}, true);
  }
  return row;
}

}  // namespace

std::optional<int64_t> EmitTransposedCopy(Block& b, const Expr& task, const CopyLoops& copy, int64_t max_tasks) {
  const size_t rank = copy.vars.size();
  if (rank < 2) return std::nullopt;
  // Rows run along the last dimension of the target, columns along that of the source.
  const kernel::Var& r = copy.vars.back();
  const int64_t rows = copy.extents.back();
  const std::optional<int64_t> row_stride = kernel::StrideOf(copy.from, r);
  if (!row_stride.has_value() || *row_stride == 0 || *row_stride == 1 || kernel::StrideOf(copy.to, r) != 1) {
    return std::nullopt;
  }
  size_t column = rank;
  for (size_t k = 0; k + 1 < rank; ++k) {
    if (!kernel::StrideOf(copy.from, copy.vars[k]).has_value()) return std::nullopt;
    if (kernel::StrideOf(copy.from, copy.vars[k]) == 1 && copy.extents[k] >= kSide) column = k;
  }
  if (column == rank || rows < kSide) return std::nullopt;
  const kernel::Var& c = copy.vars[column];
  const int64_t columns = copy.extents[column];
  const std::optional<int64_t> column_stride = kernel::StrideOf(copy.to, c);
  if (!column_stride.has_value()) return std::nullopt;
  const int bytes = SizeOf(copy.in->scalar);
  // Whole cache lines of the source at a time.
  const int64_t tile = columns >= kLine / bytes ? kLine / bytes : kSide;
  const int64_t tiles = (columns + tile - 1) / tile;

  int64_t outer = 1;
  for (size_t k = 0; k + 1 < rank; ++k) outer *= k == column ? 1 : copy.extents[k];
  const int64_t strips = outer * tiles;
  const int64_t wanted = std::clamp<int64_t>(strips * tile * rows / kMinTaskElements, 1, std::min(max_tasks, strips));
  const int64_t per_task = (strips + wanted - 1) / wanted;
  b.For("strip", task * per_task, Min(task * per_task + per_task, Int(strips)), 1, [&](Block& b, const Expr& strip) {
    std::unordered_map<const kernel::VarNode*, Expr> values = {{c.get(), Int(0)}, {r.get(), Int(0)}};
    // The last tile and the last rows overlap those before.
    const Expr c0 = b.Let("c", Min(Binary(kernel::Op::kMod, strip, Int(tiles)) * tile, Int(columns - tile)));
    Expr rest = b.Let("rest", strip / Int(tiles));
    for (size_t k = rank - 1; k-- > 0;) {
      if (k == column) continue;
      values[copy.vars[k].get()] = b.Let("i", Binary(kernel::Op::kMod, rest, Int(copy.extents[k])));
      rest = b.Let("rest", rest / Int(copy.extents[k]));
    }
    const Expr from = b.Let("from", kernel::Substitute(copy.from, values) + c0);
    const Expr to = b.Let("to", kernel::Substitute(copy.to, values) + c0 * *column_stride);
    b.For("r", Int(0), Int(rows), kSide, [&](Block& b, const Expr& at) {
      const Expr r0 = rows % kSide == 0 ? at : b.Let("r", Min(at, Int(rows - kSide)));
      for (int64_t t = 0; t < tile; t += kSide) {
        std::vector<Expr> square;
        for (int k = 0; k < kSide; ++k) {
          square.push_back(b.Let("x", kernel::Load(copy.in, from + (r0 + int64_t{k}) * *row_stride + t, kSide)));
        }
        square = Transposed(b, std::move(square), bytes);
        for (int k = 0; k < kSide; ++k) b.Store(copy.out, to + (t + k) * *column_stride + r0, square[k]);
      }
    });
  });
  return (strips + per_task - 1) / per_task;
}

}  // namespace mgec::schedule
