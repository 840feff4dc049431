#include "compiler/schedule/cuda/contraction.h"

#include "compiler/schedule/cuda/tile.h"

namespace mgec::schedule {
namespace {

using kernel::Block;
using kernel::Buffer;
using kernel::Expr;
using kernel::Int;
using kernel::Op;
using kernel::Ranges;
using kernel::Scalar;
using kernel::Var;
using Values = std::unordered_map<const kernel::VarNode*, Expr>;

// Rows of tiles in shared memory lie this many elements further apart, so that threads that go along the sum write to
// different banks.
constexpr int64_t kPadding = 4;

// Elements of a tile with `items` rows or columns.
int64_t TileSize(int64_t items) { return kTileDepth * (items + kPadding); }

class Emitter {
 public:
  Emitter(const GpuStage& stage, const Product& p)
      : s_(stage), p_(p), tile_(ChooseTile({p.batches, p.rows.extent, p.cols.extent, p.depth})), ranges_(stage.ranges) {}

  void Emit(kernel::Kernel* k) {
    const int64_t row_tiles = CeilDiv(p_.rows.extent, tile_.rows), col_tiles = CeilDiv(p_.cols.extent, tile_.cols);
    k->tasks = p_.batches * row_tiles * col_tiles;
    k->threads = tile_.threads();
    k->thread = kernel::MakeVar("thread");
    thread_ = Use(k->thread);
    ranges_[k->thread.get()] = {0, k->threads - 1};
    ranges_[k->task.get()] = {0, k->tasks - 1};
    Block b;
    // Neighbouring blocks share rows, of which there are mostly fewer bytes.
    const Expr task = k->tasks == 1 ? Int(0) : Use(k->task);
    first_col_ = b.Let("first_col", Simplify(Binary(Op::kMod, task, Int(col_tiles)) * tile_.cols, ranges_));
    const Expr rest = col_tiles == 1 ? task : task / Int(col_tiles);
    first_row_ = b.Let("first_row", Simplify(Binary(Op::kMod, rest, Int(row_tiles)) * tile_.rows, ranges_));
    Decompose(b, b.Let("batch", Simplify(rest / Int(row_tiles), ranges_)), p_.batch, p_.batches, &batch_);

    const Scalar scalar = p_.sum->type.scalar;
    // Two tiles of each: one is read while the next is written.
    Loader rows(*this, p_.rows, tile_.rows, first_row_, kernel::SharedBuffer("rows", scalar, 2 * TileSize(tile_.rows)), "row");
    Loader cols(*this, p_.cols, tile_.cols, first_col_, kernel::SharedBuffer("cols", scalar, 2 * TileSize(tile_.cols)), "col");
    acc_ = kernel::RegisterBuffer("acc", scalar, 1, tile_.thread_rows * tile_.thread_cols);
    for (int i = 0; i < acc_->size; ++i) b.Set(acc_, i, kernel::Neutral(kernel::Combiner::kSum, scalar));
    // Multiples of 4 that are seen to be.
    my_row_ = b.Let("thread_row", thread_ / Int(tile_.cols / tile_.thread_cols)) * 4;
    my_col_ = b.Let("thread_col", Binary(Op::kMod, thread_, Int(tile_.cols / tile_.thread_cols))) * 4;

    rows.Begin(b);
    cols.Begin(b);
    rows.Fetch(b, Int(0));
    cols.Fetch(b, Int(0));
    rows.Put(b, Int(0));
    cols.Put(b, Int(0));
    b.Barrier();
    b.For("k", Int(0), Int(p_.depth), kTileDepth, [&](Block& b, const Expr& k) {
      const bool one = k->op != Op::kVar;
      const Expr odd = one ? Int(0) : b.Let("odd", Binary(Op::kMod, k / Int(kTileDepth), Int(2)));
      const Expr more = k + kTileDepth < Int(p_.depth);
      b.If(more, [&](Block& b) {
        rows.Fetch(b, k + kTileDepth);
        cols.Fetch(b, k + kTileDepth);
      });
      Multiply(b, rows.shared(), cols.shared(), odd);
      b.If(more, [&](Block& b) {
        rows.Put(b, Int(1) - odd);
        cols.Put(b, Int(1) - odd);
      });
      if (!one) b.Barrier();
    });
    Finish(b);
    k->body = b.Take();
  }

 private:
  // Sets the variables of dimensions `dims` to the parts of the row-major number `flat` in [0, total).
  void Decompose(Block& b, const Expr& flat, const std::vector<size_t>& dims, int64_t total, Values* values) {
    Expr rest = flat;
    if (rest->op == Op::kVar) ranges_[rest->var.get()] = {0, total - 1};
    for (size_t j = dims.size(); j-- > 0;) {
      const size_t i = dims[j];
      Expr at = rest;
      if (j > 0) {
        at = b.Let(s_.vars[i]->name, Simplify(Binary(Op::kMod, rest, Int(s_.extents[i])), ranges_));
        rest = b.Let("rest", Simplify(rest / Int(s_.extents[i]), ranges_));
      }
      if (at->op == Op::kVar) ranges_[at->var.get()] = {0, s_.extents[i] - 1};
      (*values)[s_.vars[i].get()] = at;
    }
  }

  // Brings tiles of one factor to shared memory, [depth][items, padding].
  class Loader {
   public:
    Loader(Emitter& e, const Factor& factor, int64_t size, Expr first, Buffer shared, const char* name)
        : e_(e), factor_(factor), size_(size), first_(std::move(first)), shared_(std::move(shared)), name_(name),
          threads_(e.tile_.threads()), fetched_(size * kTileDepth / threads_) {
      staged_ = kernel::RegisterBuffer(std::string(name) + "s_next", shared_->scalar, 1, fetched_);
      along_depth_ = RunsAlongDepth();
    }
    const Buffer& shared() const { return shared_; }

    // Element i of this thread is (item(i), depth(i)) of the tile: threads are neighbours along memory.
    void Begin(Block& b) {
      for (int64_t i = 0; i < fetched_; ++i) {
        const Expr flat = e_.thread_ + i * threads_;
        const int64_t inner = along_depth_ ? kTileDepth : size_;
        // The faster index is the same for all i where it divides the number of threads.
        const bool same = threads_ % inner == 0;
        Expr fast = same ? (i == 0 ? b.Let("fast", Simplify(Binary(Op::kMod, e_.thread_, Int(inner)), e_.ranges_)) : fast_[0])
                         : b.Let("fast", Simplify(Binary(Op::kMod, flat, Int(inner)), e_.ranges_));
        Expr slow = same && i > 0 ? slow_[0] + i * (threads_ / inner)
                                  : b.Let("slow", Simplify(flat / Int(inner), e_.ranges_));
        if (fast->op == Op::kVar) e_.ranges_[fast->var.get()] = {0, inner - 1};
        if (slow->op == Op::kVar) e_.ranges_[slow->var.get()] = {0, (fetched_ * threads_ - 1) / inner};
        fast_.push_back(fast);
        slow_.push_back(slow);
        // Where the faster index is the item, its place in the result is found once.
        if (!along_depth_ && same && i > 0) values_.push_back(values_[0]);
        else values_.push_back(Locate(b, along_depth_ ? slow : fast));
      }
    }

    // The elements from depth `k` on, into registers.
    void Fetch(Block& b, const Expr& k) {
      const bool partial = e_.p_.depth % kTileDepth != 0;
      for (int64_t i = 0; i < fetched_; ++i) {
        const Expr depth = b.Let("depth", k + (along_depth_ ? fast_[i] : slow_[i]));
        Ranges ranges = e_.ranges_;
        const Expr at = partial ? b.Let("inside", Min(depth, Int(e_.p_.depth - 1))) : depth;
        if (at->op == Op::kVar) ranges[at->var.get()] = {0, e_.p_.depth - 1};
        Values values = values_[i];
        Expr rest = at;
        const std::vector<kernel::ReduceAxis>& axes = e_.p_.sum->reduce_axes;
        for (size_t j = axes.size(); j-- > 0;) {
          Expr index = rest;
          if (j > 0) {
            index = b.Let(axes[j].var->name, Simplify(Binary(Op::kMod, rest, Int(axes[j].extent)), ranges));
            rest = b.Let("rest", Simplify(rest / Int(axes[j].extent), ranges));
          }
          if (index->op == Op::kVar) ranges[index->var.get()] = {0, axes[j].extent - 1};
          values[axes[j].var.get()] = index;
        }
        Expr value = Simplify(kernel::Substitute(factor_.value, values), ranges);
        if (partial) value = Select(depth < Int(e_.p_.depth), value, Cast(value->type, kernel::Float(0)));
        b.Set(staged_, i, value);
      }
    }

    // From registers to the tile number `which` of two.
    void Put(Block& b, const Expr& which) {
      for (int64_t i = 0; i < fetched_; ++i) {
        const Expr depth = along_depth_ ? fast_[i] : slow_[i], item = along_depth_ ? slow_[i] : fast_[i];
        b.Store(shared_, which * TileSize(size_) + depth * (size_ + kPadding) + item, Reg(staged_, i));
      }
    }

   private:
    Values Locate(Block& b, const Expr& item) {
      Expr flat = first_ + item;
      if (factor_.extent % size_ != 0) flat = Min(flat, Int(factor_.extent - 1));
      Values values = e_.batch_;
      e_.Decompose(b, b.Let(name_, flat), factor_.dims, factor_.extent, &values);
      return values;
    }

    // Whether its loads run along memory with the last axis of the sum rather than with the factor's last dimension.
    bool RunsAlongDepth() const {
      const Var& axis = e_.p_.sum->reduce_axes.back().var;
      const Var& dim = e_.s_.vars[factor_.dims.back()];
      bool along = false, across = false;
      kernel::Visit(factor_.value, [&](const Expr& n) {
        if (n->op != Op::kLoad) return;
        along = along || kernel::StrideOf(n->args[0], axis) == 1;
        across = across || kernel::StrideOf(n->args[0], dim) == 1;
      });
      return along && !across;
    }

    Emitter& e_;
    const Factor& factor_;
    const int64_t size_;
    const Expr first_;
    const Buffer shared_;
    const char* const name_;
    const int64_t threads_, fetched_;
    Buffer staged_;
    bool along_depth_;
    std::vector<Expr> fast_, slow_;
    std::vector<Values> values_;
  };

  // Where row (or column) number i of a thread lies in its tile: groups of four, a fraction of the tile apart, so that
  // neighbouring threads read neighbouring words.
  static int64_t Place(int i, int64_t size, int per_thread) { return i / 4 * (size / (per_thread / 4)) + i % 4; }

  void Multiply(Block& b, const Buffer& rows, const Buffer& cols, const Expr& odd) {
    b.For("d", 0, kTileDepth, [&](Block& b, const Expr& d) {
      auto read = [&](const Buffer& tile, int64_t size, int count, const Expr& mine, const char* name) {
        std::vector<Expr> values;
        for (int i = 0; i < count; i += 4) {
          const Expr four = b.Let(name, Load(tile, odd * TileSize(size) + d * (size + kPadding) + mine + Place(i, size, count), 4));
          for (int l = 0; l < 4; ++l) values.push_back(Slice(four, l, 1));
        }
        return values;
      };
      const std::vector<Expr> x = read(rows, tile_.rows, tile_.thread_rows, my_row_, "x");
      const std::vector<Expr> y = read(cols, tile_.cols, tile_.thread_cols, my_col_, "y");
      for (size_t i = 0; i < x.size(); ++i) {
        for (size_t j = 0; j < y.size(); ++j) {
          const int64_t at = static_cast<int64_t>(i * y.size() + j);
          b.Set(acc_, at, kernel::Combine(kernel::Combiner::kSum, Reg(acc_, at), x[i] * y[j]));
        }
      }
    });
  }

  // What is left of the body on each sum, stored where the result has that element.
  void Finish(Block& b) {
    struct Place {
      Expr at;
      Values values;
    };
    auto places = [&](Block& b, const Factor& f, const Expr& first, const Expr& mine, int64_t size, int count,
                      const char* name) {
      std::vector<Place> all;
      for (int i = 0; i < count; ++i) {
        Place p;
        p.at = b.Let(name, first + mine + Emitter::Place(i, size, count));
        Decompose(b, p.at, f.dims, f.extent, &p.values);
        all.push_back(std::move(p));
      }
      return all;
    };
    const std::vector<Place> rows = places(b, p_.rows, first_row_, my_row_, tile_.rows, tile_.thread_rows, "row");
    const std::vector<Place> cols = places(b, p_.cols, first_col_, my_col_, tile_.cols, tile_.thread_cols, "col");
    auto guarded = [&](Block& b, const Factor& f, int64_t size, const Expr& at, const std::function<void(Block&)>& body) {
      if (f.extent % size == 0) body(b);
      else b.If(at < Int(f.extent), body);
    };
    for (size_t i = 0; i < rows.size(); ++i) {
      guarded(b, p_.rows, tile_.rows, rows[i].at, [&](Block& b) {
        for (size_t j = 0; j < cols.size(); ++j) {
          guarded(b, p_.cols, tile_.cols, cols[j].at, [&](Block& b) {
            Values values = batch_;
            values.insert(rows[i].values.begin(), rows[i].values.end());
            values.insert(cols[j].values.begin(), cols[j].values.end());
            const Expr sum = Reg(acc_, static_cast<int64_t>(i * cols.size() + j));
            b.Store(s_.out, Simplify(kernel::Substitute(s_.offset, values), ranges_),
                    Simplify(kernel::Substitute(WithSum(s_.body, p_.sum, sum), values), ranges_));
          });
        }
      });
    }
  }

  const GpuStage& s_;
  const Product& p_;
  const Tile tile_;
  Ranges ranges_;
  Expr thread_, first_row_, first_col_, my_row_, my_col_;
  Values batch_;
  Buffer acc_;
};

}  // namespace

bool EmitContraction(const GpuStage& stage, kernel::Kernel* k) {
  const GpuStage split = SplitGroups(stage);
  Product p;
  if (!FindProduct(split, &p)) return false;
  Emitter(split, p).Emit(k);
  return true;
}

}  // namespace mgec::schedule
