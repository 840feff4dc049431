#include "compiler/schedule/cuda/transpose.h"

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <unordered_map>

#include "compiler/schedule/cuda/tile.h"
#include "compiler/schedule/vector_reduce.h"

namespace mgec::schedule {
namespace {

using kernel::Block;
using kernel::Buffer;
using kernel::Expr;
using kernel::Int;
using kernel::Op;
using kernel::Ranges;
using kernel::Var;

constexpr int64_t kSide = 32;          // of a square: a warp takes a row, or a column
constexpr int64_t kPitch = kSide + 1;  // elements from row to row: those of a column lie in different banks
constexpr int kThreads = 256;
constexpr int64_t kRowsAtOnce = kThreads / kSide;
// Of both dimensions. Elements less far apart share sectors of memory, which caches keep for the neighbours.
constexpr int64_t kLeastExtent = 16, kLeastStride = 8;
// Fewer elements are in the cache anyway.
constexpr int64_t kLeastElements = 4096;
constexpr size_t kMostSquares = 4;  // that fit into shared memory

// Loads that go through shared memory: those along dimension `along` of the stage.
struct Transposition {
  size_t along = 0;
  std::vector<Expr> loads;
};

Transposition FindLoads(const GpuStage& s, size_t along) {
  Transposition t = {along, {}};
  kernel::Visit(s.body, [&](const Expr& n) {
    if (n->op != Op::kLoad || n->args.size() != 1 || n->type.lanes != 1) return;
    const auto stride = kernel::StrideOf(n->args[0], s.vars.back());
    if (kernel::StrideOf(n->args[0], s.vars[along]) != 1 || !stride || std::abs(*stride) < kLeastStride) return;
    t.loads.push_back(n);
  });
  return t;
}

bool FindTransposition(const GpuStage& s, Transposition* found) {
  if (s.vars.size() < 2 || s.extents.back() < kLeastExtent) return false;
  if (HasReduce(s.body) || s.elements() < kLeastElements) return false;
  for (size_t i = 0; i + 1 < s.vars.size(); ++i) {
    if (s.extents[i] < kLeastExtent) continue;
    Transposition t = FindLoads(s, i);
    if (t.loads.size() > found->loads.size()) *found = std::move(t);
  }
  return !found->loads.empty() && found->loads.size() <= kMostSquares;
}

class Emitter {
 public:
  Emitter(const GpuStage& stage, const Transposition& t)
      : s_(stage), t_(t), rows_(stage.extents[t.along]), cols_(stage.extents.back()), ranges_(stage.ranges) {}

  void Emit(kernel::Kernel* k) {
    std::vector<size_t> others;
    int64_t batches = 1;
    for (size_t i = 0; i + 1 < s_.vars.size(); ++i) {
      if (i == t_.along) continue;
      others.push_back(i);
      batches *= s_.extents[i];
    }
    const int64_t row_squares = CeilDiv(rows_, kSide), col_squares = CeilDiv(cols_, kSide);
    k->tasks = batches * row_squares * col_squares;
    k->threads = kThreads;
    k->thread = kernel::MakeVar("thread");
    ranges_[k->thread.get()] = {0, kThreads - 1};
    ranges_[k->task.get()] = {0, k->tasks - 1};
    Block b;
    const Expr task = k->tasks == 1 ? Int(0) : Use(k->task);
    const Expr first_col = b.Let("first_col", Simplify(Binary(Op::kMod, task, Int(col_squares)) * kSide, ranges_));
    const Expr rest = b.Let("rest", Simplify(task / Int(col_squares), ranges_));
    if (rest->op == Op::kVar) ranges_[rest->var.get()] = {0, batches * row_squares - 1};
    const Expr first_row = b.Let("first_row", Simplify(Binary(Op::kMod, rest, Int(row_squares)) * kSide, ranges_));
    Decompose(b, s_, others, b.Let("batch", Simplify(rest / Int(row_squares), ranges_)), batches, &ranges_, &batch_);
    const Expr fast = b.Let("fast", Binary(Op::kMod, Use(k->thread), Int(kSide)));
    const Expr slow = b.Let("slow", Use(k->thread) / Int(kSide));

    std::unordered_map<const kernel::ExprNode*, Buffer> squares;
    for (const Expr& load : t_.loads) {
      squares[load.get()] = kernel::SharedBuffer("square", load->buffer->scalar, kSide * kPitch);
    }
    // Neighbouring threads go along the rows' dimension here, along that of columns there.
    const Expr my_row = b.Let("row", first_row + fast);
    for (int64_t i = 0; i < kSide; i += kRowsAtOnce) {
      Guarded(b, my_row, b.Let("col", first_col + slow + i), [&](Block& b, const Values& values) {
        for (const Expr& load : t_.loads) {
          b.Store(squares[load.get()], (slow + i) * kPitch + fast, At(load, values));
        }
      });
    }
    b.Barrier();
    const Expr my_col = b.Let("col", first_col + fast);
    for (int64_t i = 0; i < kSide; i += kRowsAtOnce) {
      Guarded(b, b.Let("row", first_row + slow + i), my_col, [&](Block& b, const Values& values) {
        const Expr body = kernel::Replace(s_.body, [&](const Expr& n) {
          const auto it = squares.find(n.get());
          return it == squares.end() ? nullptr : Load(it->second, fast * kPitch + slow + i);
        });
        b.Store(s_.out, At(s_.offset, values), At(body, values));
      });
    }
    k->body = b.Take();
  }

 private:
  Expr At(const Expr& e, const Values& values) const { return kernel::Simplify(kernel::Substitute(e, values), ranges_); }

  // `body` where the stage has an element at that row and column.
  void Guarded(Block& b, const Expr& row, const Expr& col, const std::function<void(Block&, const Values&)>& body) {
    Values values = batch_;
    values[s_.vars[t_.along].get()] = row;
    values[s_.vars.back().get()] = col;
    if (row->op == Op::kVar) ranges_[row->var.get()] = {0, rows_ - 1};
    if (col->op == Op::kVar) ranges_[col->var.get()] = {0, cols_ - 1};
    std::vector<Expr> conditions;
    if (rows_ % kSide != 0) conditions.push_back(row < Int(rows_));
    if (cols_ % kSide != 0) conditions.push_back(col < Int(cols_));
    if (conditions.empty()) return body(b, values);
    b.If(conditions.size() == 1 ? conditions[0] : And(conditions[0], conditions[1]), [&](Block& b) { body(b, values); });
  }

  const GpuStage& s_;
  const Transposition& t_;
  const int64_t rows_, cols_;  // extents of the dimensions along which memory is read and written
  Ranges ranges_;
  Values batch_;
};

}  // namespace

bool EmitTransposed(const GpuStage& stage, kernel::Kernel* k) {
  Transposition t;
  if (!FindTransposition(stage, &t)) return false;
  Emitter(stage, t).Emit(k);
  return true;
}

}  // namespace mgec::schedule
