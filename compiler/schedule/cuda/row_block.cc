#include "compiler/schedule/cuda/row_block.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "compiler/kernel/lower.h"
#include "compiler/kernel/work.h"
#include "compiler/schedule/cuda/gpu_stage.h"
#include "compiler/schedule/cuda/product.h"
#include "compiler/schedule/cuda/reduce.h"
#include "compiler/schedule/rows.h"
#include "compiler/schedule/vector_reduce.h"

namespace mgec::schedule {
namespace {

using kernel::Block;
using kernel::Buffer;
using kernel::Definition;
using kernel::Expr;
using kernel::Int;
using kernel::Op;
using kernel::Ranges;
using kernel::Scalar;
using kernel::Stage;

constexpr int64_t kSharedBytes = 32 << 10;  // of stages; reductions need some as well
// Shorter rows leave most of a warp idle.
constexpr int64_t kShortestRow = 16;
// Rows of more elements keep a block busy for longer than launches take, if there are not enough rows for all processors.
constexpr int64_t kLongRow = 8192, kEnoughRows = 256;
// Of a reduction that a thread does by itself, for an element of a row.
constexpr int64_t kMostAlone = 32;
constexpr int64_t kUnroll = 4;

int64_t RowElements(const std::vector<int64_t>& shape, size_t dims) {
  int64_t n = 1;
  for (size_t i = dims; i < shape.size(); ++i) n *= shape[i];
  return n;
}

int ThreadsFor(int64_t row) { return row <= 256 ? 32 : row <= 2048 ? 128 : 256; }

// Elements of the longest row that a stage computes or adds up.
int64_t LongestRow(const Definition& d, size_t dims) {
  int64_t longest = 0;
  for (const Stage& stage : d.stages()) {
    longest = std::max({longest, RowElements(stage.info.shape, dims), LargestReduction(stage.body)});
  }
  return longest;
}

bool CanBeShared(Scalar s) { return s == Scalar::kFloat32 || s == Scalar::kInt32; }

class Emitter {
 public:
  Emitter(const Definition& d, const RowBlocks& rows, const std::function<Expr(int, const std::vector<Expr>&)>& input,
          Buffer out, kernel::Kernel* k)
      : d_(d), rows_(rows), input_(input), out_(std::move(out)), k_(*k) {}

  void Emit() {
    k_.tasks = rows_.rows;
    k_.threads = rows_.threads;
    k_.thread = kernel::MakeVar("thread");
    ranges_[k_.thread.get()] = {0, rows_.threads - 1};
    Block b;
    LocateRow(b);
    for (size_t i = 0; i < d_.stages().size(); ++i) EmitStage(b, i);
    k_.body = b.Take();
  }

 private:
  // What the leading dimensions of all stages are in this block.
  void LocateRow(Block& b) {
    const std::vector<int64_t>& shape = d_.stages().back().info.shape;
    Expr rest = rows_.rows == 1 ? Int(0) : Use(k_.task);
    if (rows_.rows > 1) ranges_[k_.task.get()] = {0, rows_.rows - 1};
    row_.resize(rows_.dims);
    for (size_t i = rows_.dims; i-- > 0;) {
      if (i == 0) {
        row_[i] = rest;
        break;
      }
      row_[i] = Let(b, "row", Binary(Op::kMod, rest, Int(shape[i])), shape[i]);
      rest = Let(b, "rest", rest / Int(shape[i]), rows_.rows);
    }
  }

  Expr Let(Block& b, const char* name, const Expr& value, int64_t extent) {
    const Expr e = b.Let(name, Simplify(value, ranges_));
    if (e->op == Op::kVar) ranges_.emplace(e->var.get(), kernel::Range{0, extent - 1});
    return e;
  }

  // The body of a stage at one element of the row, whose reads are loads.
  Expr BodyAt(const Stage& stage, const std::vector<Expr>& index, const Ranges& ranges) {
    std::unordered_map<const kernel::VarNode*, Expr> values;
    for (size_t v = 0; v < stage.vars.size(); ++v) values[stage.vars[v].get()] = index[v];
    const Expr body = kernel::ReplaceReads(kernel::Substitute(stage.body, values), d_, ranges,
                                           [&](int t, const std::vector<Expr>& at) { return Access(t, at); });
    return Simplify(body, ranges);
  }

  Expr Access(int t, const std::vector<Expr>& index) {
    if (t < d_.num_inputs()) return input_(t, index);
    const auto number = numbers_.find(t);
    if (number != numbers_.end()) return number->second;
    const std::vector<int64_t>& shape = d_.info(t).shape;
    return Load(shared_.at(t), kernel::FlatIndex({index.begin() + static_cast<int64_t>(rows_.dims), index.end()},
                                                 {shape.begin() + static_cast<int64_t>(rows_.dims), shape.end()}));
  }

  // The index in a stage of this shape of element number `element` of the row.
  std::vector<Expr> IndexOf(Block& b, const std::vector<int64_t>& shape, const Expr& element, int64_t elements, Ranges* ranges) {
    std::vector<Expr> index = row_;
    index.resize(shape.size(), Int(0));
    Expr rest = element;
    for (size_t i = shape.size(); i-- > rows_.dims && elements > 1;) {
      if (shape[i] == 1) continue;
      index[i] = rest;
      if (shape[i] == elements) break;
      elements /= shape[i];
      index[i] = b.Let("i", Simplify(Binary(Op::kMod, rest, Int(shape[i])), *ranges));
      rest = b.Let("rest", Simplify(rest / Int(shape[i]), *ranges));
      if (index[i]->op == Op::kVar) ranges->emplace(index[i]->var.get(), kernel::Range{0, shape[i] - 1});
      if (rest->op == Op::kVar) ranges->emplace(rest->var.get(), kernel::Range{0, elements - 1});
    }
    return index;
  }

  void EmitStage(Block& b, size_t i) {
    const Stage& stage = d_.stages()[i];
    const int t = d_.num_inputs() + static_cast<int>(i);
    const bool last = i + 1 == d_.stages().size();
    const std::vector<int64_t>& shape = stage.info.shape;
    const int64_t elements = RowElements(shape, rows_.dims);
    if (elements == 1) {
      std::vector<Expr> index = row_;
      index.resize(shape.size(), Int(0));
      const Expr value = EmitGroupReductions(b, BodyAt(stage, index, ranges_), Use(k_.thread), rows_.threads, ranges_);
      if (!last) {
        numbers_[t] = b.Let("number", value);
        return;
      }
      const Expr result = b.Let("number", value);
      b.If(Binary(Op::kEq, Use(k_.thread), Int(0)),
           [&](Block& b) { b.Store(out_, Simplify(kernel::FlatIndex(index, shape), ranges_), result); });
      return;
    }
    if (!last) shared_[t] = kernel::SharedBuffer("row", stage.info.scalar, elements);
    b.For("element", Use(k_.thread), Int(elements), rows_.threads, [&](Block& b, const Expr& element) {
      Ranges ranges = ranges_;
      if (element->op == Op::kVar) ranges[element->var.get()] = {0, elements - 1};
      const std::vector<Expr> index = IndexOf(b, shape, element, elements, &ranges);
      const Expr value = kernel::EmitReductions(b, BodyAt(stage, index, ranges), kUnroll, ranges);
      if (!last) b.Store(shared_.at(t), element, value);
      else b.Store(out_, Simplify(kernel::FlatIndex(index, shape), ranges), value);
    });
    if (!last) b.Barrier();
  }

  const Definition& d_;
  const RowBlocks& rows_;
  const std::function<Expr(int, const std::vector<Expr>&)>& input_;
  const Buffer out_;
  kernel::Kernel& k_;
  Ranges ranges_;
  std::vector<Expr> row_;
  std::unordered_map<int, Expr> numbers_;   // of stages with one number in a row
  std::unordered_map<int, Buffer> shared_;  // of others
};

}  // namespace

RowBlocks RowBlocksOf(const Definition& d) {
  // Of any number of tasks: what rows there are is asked for only.
  const Rows rows = RowsOf(d, /*task_elements=*/int64_t{1} << 40, /*most_tasks=*/1);
  if (rows.dims == 0) return {};
  const int64_t longest = LongestRow(d, rows.dims);
  if (longest < kShortestRow || (longest > kLongRow && rows.count < kEnoughRows)) return {};
  int64_t shared = 0;
  bool reduces = false;
  for (size_t i = 0; i < d.stages().size(); ++i) {
    const Stage& stage = d.stages()[i];
    Product product;
    if (FindProduct(stage, &product)) return {};
    const int64_t elements = RowElements(stage.info.shape, rows.dims);
    if (elements == 1) {
      if (!CanReduceTogether(stage.body)) return {};
      reduces = reduces || HasReduce(stage.body);
      continue;
    }
    if (HasLongReduction(stage.body, kMostAlone)) return {};
    if (i + 1 == d.stages().size()) continue;
    if (!CanBeShared(stage.info.scalar)) return {};
    shared += elements * SizeOf(stage.info.scalar);
  }
  if (!reduces || shared > kSharedBytes) return {};
  return {rows.dims, rows.count, ThreadsFor(longest)};
}

void EmitRowBlocks(const Definition& d, const RowBlocks& rows, const std::function<Expr(int, const std::vector<Expr>&)>& input,
                   const Buffer& out, kernel::Kernel* k) {
  Emitter(d, rows, input, out, k).Emit();
}

}  // namespace mgec::schedule
