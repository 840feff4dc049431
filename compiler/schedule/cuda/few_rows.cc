#include "compiler/schedule/cuda/few_rows.h"

#include <functional>
#include <utility>

#include "compiler/schedule/cuda/product.h"

namespace mgec::schedule {
namespace {

using kernel::Block;
using kernel::Buffer;
using kernel::Expr;
using kernel::Int;
using kernel::Ranges;

constexpr int64_t kMostRows = 8, kMostColumns = 4;
constexpr int64_t kLeastTerms = 8;
// Of a block of 128, for each of a large GPU's processors; those of fewer columns are more.
constexpr int64_t kEnoughThreads = 16384;

class Emitter {
 public:
  Emitter(const GpuStage& s, const Product& p, int64_t columns)
      : s_(s), sum_(p.sum), row_(p.rows.dims[0]), rows_(p.rows.extent), columns_(columns), step_(s.extents.back() / columns),
        ranges_(s.ranges) {}

  void Emit(kernel::Kernel* k) {
    GpuStage units = s_;
    units.extents.back() = step_;
    std::vector<size_t> dims;
    k->tasks = 1;
    for (size_t i = 0; i < s_.vars.size(); ++i) {
      if (i == row_) continue;
      dims.push_back(i);
      k->tasks *= units.extents[i];
    }
    Block b;
    Decompose(b, units, dims, k->tasks == 1 ? Int(0) : Use(k->task), k->tasks, &ranges_, &values_);
    acc_ = kernel::RegisterBuffer("acc", sum_->type.scalar, 1, rows_ * columns_);
    for (int64_t i = 0; i < acc_->size; ++i) b.Set(acc_, i, kernel::Neutral(sum_->combiner, sum_->type));
    AddUp(b, 0);
    for (int64_t row = 0; row < rows_; ++row) {
      for (int64_t column = 0; column < columns_; ++column) {
        const Values at = At(row, column);
        const Expr value = kernel::Substitute(WithSum(s_.body, sum_, Reg(acc_, row * columns_ + column)), at);
        b.Store(s_.out, Simplify(kernel::Substitute(s_.offset, at), ranges_), Simplify(value, ranges_));
      }
    }
    k->body = b.Take();
  }

 private:
  Values At(int64_t row, int64_t column) const {
    Values values = values_;
    const kernel::VarNode* last = s_.vars.back().get();
    values[s_.vars[row_].get()] = Int(row);
    values[last] = values_.at(last) + column * step_;
    return values;
  }

  // Loops over the sum's axes from number `axis` on.
  void AddUp(Block& b, size_t axis) {
    if (axis == sum_->reduce_axes.size()) return AddTerms(b);
    const kernel::ReduceAxis& a = sum_->reduce_axes[axis];
    b.For(a.var->name, 0, a.extent, [&](Block& b, const Expr& at) {
      values_[a.var.get()] = at;
      if (at->op == kernel::Op::kVar) ranges_[at->var.get()] = {0, a.extent - 1};
      AddUp(b, axis + 1);
    });
  }

  // What several products read is loaded once.
  void AddTerms(Block& b) {
    std::vector<std::pair<Expr, Expr>> loads;
    const auto loaded = [&](const Expr& n) -> Expr {
      if (n->op != kernel::Op::kLoad) return n;
      for (const auto& [load, value] : loads) {
        if (Equal(load, n)) return value;
      }
      loads.push_back({n, b.Let("loaded", n)});
      return loads.back().second;
    };
    for (int64_t row = 0; row < rows_; ++row) {
      for (int64_t column = 0; column < columns_; ++column) {
        const Expr term = Simplify(kernel::Substitute(sum_->args[0], At(row, column)), ranges_);
        const int64_t i = row * columns_ + column;
        b.Set(acc_, i, kernel::Combine(sum_->combiner, Reg(acc_, i), kernel::Rewrite(term, loaded)));
      }
    }
  }

  const GpuStage& s_;
  const Expr sum_;
  const size_t row_;                       // the dimension
  const int64_t rows_, columns_, step_;    // from column to column of a thread
  Ranges ranges_;
  Values values_;
  Buffer acc_;
};

}  // namespace

bool EmitFewRows(const GpuStage& s, kernel::Kernel* k) {
  Product p;
  if (s.vars.size() < 2 || FindProduct(s, &p) || p.depth < kLeastTerms) return false;
  const bool few = p.rows.dims.size() == 1 && p.rows.extent > 1 && p.rows.extent < kMostRows;
  if (!few || p.cols.dims.empty() || p.cols.dims.back() != s.vars.size() - 1) return false;
  const int64_t threads = s.elements() / p.rows.extent;
  int64_t columns = kMostColumns;
  while (columns > 1 && (s.extents.back() % columns != 0 || threads / columns < kEnoughThreads)) columns /= 2;
  if (threads / columns < kEnoughThreads) return false;
  Emitter(s, p, columns).Emit(k);
  return true;
}

}  // namespace mgec::schedule
