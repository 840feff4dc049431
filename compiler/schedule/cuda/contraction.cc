#include "compiler/schedule/cuda/contraction.h"

#include <functional>

#include "compiler/schedule/cuda/product.h"
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

constexpr int kWarp = 32;
// What one product of matrices by tensor cores has (kMma), and the columns that a warp computes with several.
constexpr int kMmaRows = 16, kMmaCols = 8, kWarpCols = 32;

// Tiles in shared memory are of words: of single numbers or, for tensor cores, of several along the sum.
class Emitter {
 public:
  Emitter(const GpuStage& stage, const Product& p)
      : s_(stage), p_(p), elements_(ElementsOf(p.words)), step_(kTileDepth * elements_),
        tile_(ChooseTile({p.batches, p.rows.extent, p.cols.extent, p.depth, elements_})), ranges_(stage.ranges) {}

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
    Decompose(b, s_, p_.batch, b.Let("batch", Simplify(rest / Int(row_tiles), ranges_)), p_.batches, &ranges_, &batch_);

    const Scalar scalar = p_.sum->type.scalar;
    // Two tiles of each: one is read while the next is written.
    const Scalar word = tensor_cores() ? Scalar::kInt32 : scalar;
    Loader rows(*this, p_.rows, tile_.rows, first_row_, kernel::SharedBuffer("rows", word, 2 * TileSize(tile_.rows)), "row");
    Loader cols(*this, p_.cols, tile_.cols, first_col_, kernel::SharedBuffer("cols", word, 2 * TileSize(tile_.cols)), "col");
    const int lanes = tensor_cores() ? 4 : 1;
    acc_ = kernel::RegisterBuffer("acc", scalar, lanes, tile_.thread_rows * tile_.thread_cols / lanes);
    for (int i = 0; i < acc_->size; ++i) b.Set(acc_, i, kernel::Neutral(kernel::Combiner::kSum, scalar));
    LocateThread(b);

    rows.Begin(b);
    cols.Begin(b);
    rows.Fetch(b, Int(0));
    cols.Fetch(b, Int(0));
    rows.Put(b, Int(0));
    cols.Put(b, Int(0));
    b.Barrier();
    b.For("k", Int(0), Int(p_.depth), step_, [&](Block& b, const Expr& k) {
      const bool one = k->op != Op::kVar;
      const Expr odd = one ? Int(0) : b.Let("odd", Binary(Op::kMod, k / Int(step_), Int(2)));
      const Expr more = k + step_ < Int(p_.depth);
      b.If(more, [&](Block& b) {
        rows.Fetch(b, k + step_);
        cols.Fetch(b, k + step_);
      });
      if (tensor_cores()) MultiplyMatrices(b, rows.shared(), cols.shared(), odd);
      else Multiply(b, rows.shared(), cols.shared(), odd);
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
  bool tensor_cores() const { return p_.words != WordKind::kOne; }
  // Rows of tiles in shared memory lie this many words further apart. Threads that go along the sum write to different banks
  // then, and those of a warp that read words for tensor cores read from different ones.
  int64_t Padding() const { return tensor_cores() ? 8 : 4; }
  // Words of a tile with `items` rows or columns.
  int64_t TileSize(int64_t items) const { return kTileDepth * (items + Padding()); }
  // The rows that a warp computes with tensor cores: threads have as many results as without.
  int64_t WarpRows() const { return tile_.thread_rows * tile_.thread_cols * kWarp / kWarpCols; }

  // Where in its tile the thread's results begin.
  void LocateThread(Block& b) {
    if (!tensor_cores()) {
      // Multiples of 4 that are seen to be.
      my_row_ = b.Let("thread_row", thread_ / Int(tile_.cols / tile_.thread_cols)) * 4;
      my_col_ = b.Let("thread_col", Binary(Op::kMod, thread_, Int(tile_.cols / tile_.thread_cols))) * 4;
      return;
    }
    const Expr warp = b.Let("warp", thread_ / Int(kWarp)), lane = b.Let("lane", Binary(Op::kMod, thread_, Int(kWarp)));
    const int64_t across = tile_.cols / kWarpCols;  // warps
    group_ = b.Let("group", lane / Int(4));
    quad_ = b.Let("quad", Binary(Op::kMod, lane, Int(4)));
    warp_col_ = Simplify(Binary(Op::kMod, warp, Int(across)) * kWarpCols, ranges_);
    if (warp_col_->op != Op::kInt) warp_col_ = b.Let("warp_col", warp_col_);
    my_row_ = b.Let("thread_row", Simplify(warp / Int(across) * WarpRows() + group_, ranges_));
    my_col_ = b.Let("thread_col", warp_col_ + quad_ * 2);
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

    // The words from depth `k` on, into registers.
    void Fetch(Block& b, const Expr& k) {
      for (int64_t i = 0; i < fetched_; ++i) {
        const Expr first = k + (along_depth_ ? fast_[i] : slow_[i]) * e_.elements_;
        Expr word;
        for (int64_t j = 0; j < e_.elements_; ++j) {
          const Expr bits = BitsOf(Element(b, b.Let("depth", first + j), values_[i]), j);
          word = word == nullptr ? bits : Binary(Op::kOr, word, bits);
        }
        b.Set(staged_, i, word);
      }
    }

    // From registers to the tile number `which` of two.
    void Put(Block& b, const Expr& which) {
      for (int64_t i = 0; i < fetched_; ++i) {
        const Expr depth = along_depth_ ? fast_[i] : slow_[i], item = along_depth_ ? slow_[i] : fast_[i];
        b.Store(shared_, which * e_.TileSize(size_) + depth * (size_ + e_.Padding()) + item, Reg(staged_, i));
      }
    }

   private:
    // The factor at number `depth` of the sum, for the item whose place is `values`; 0 behind the sum's end.
    Expr Element(Block& b, const Expr& depth, Values values) {
      const bool partial = e_.p_.depth % e_.step_ != 0;
      Ranges ranges = e_.ranges_;
      const Expr at = partial ? b.Let("inside", Min(depth, Int(e_.p_.depth - 1))) : depth;
      if (at->op == Op::kVar) ranges[at->var.get()] = {0, e_.p_.depth - 1};
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
      const Expr value = Simplify(kernel::Substitute(factor_.value, values), ranges);
      return partial ? Select(depth < Int(e_.p_.depth), value, Cast(value->type, kernel::Float(0))) : value;
    }

    // The float16 number that `value`, which is one (WordKind), was.
    static Expr HalfOf(const Expr& value) {
      if (value->op == Op::kSelect) return Select(value->args[0], HalfOf(value->args[1]), HalfOf(value->args[2]));
      const bool cast = value->op == Op::kCast && value->args[0]->type.scalar == Scalar::kFloat16;
      return cast ? value->args[0] : Cast(Scalar::kFloat16, value);
    }

    // `value` as element number `i` of a word whose other bits are 0.
    Expr BitsOf(const Expr& value, int64_t i) const {
      if (!e_.tensor_cores()) return value;
      const kernel::Type word(Scalar::kInt32);
      const int64_t bits = 32 / e_.elements_;
      const Expr narrow = e_.p_.words == WordKind::kFloat16
                              ? Cast(word, Bitcast(Scalar::kUint16, HalfOf(value)))
                              : Binary(Op::kAnd, value, Int((int64_t{1} << bits) - 1, word));
      return i == 0 ? narrow : Binary(Op::kShl, narrow, Int(i * bits, word));
    }

    Values Locate(Block& b, const Expr& item) {
      Expr flat = first_ + item;
      if (factor_.extent % size_ != 0) flat = Min(flat, Int(factor_.extent - 1));
      Values values = e_.batch_;
      Decompose(b, e_.s_, factor_.dims, b.Let(name_, flat), factor_.extent, &e_.ranges_, &values);
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
          const Expr four = b.Let(name, Load(tile, odd * TileSize(size) + d * (size + Padding()) + mine + Place(i, size, count), 4));
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

  // The same with tensor cores, for the whole depth of the tiles at once.
  void MultiplyMatrices(Block& b, const Buffer& rows, const Buffer& cols, const Expr& odd) {
    auto word = [&](const Buffer& tile, int64_t size, const Expr& item, int64_t depth, const char* name) {
      return b.Let(name, Load(tile, odd * TileSize(size) + (quad_ + depth) * (size + Padding()) + item));
    };
    std::vector<Expr> y;
    for (int64_t col = 0; col < kWarpCols; col += kMmaCols) {
      const Expr item = warp_col_ + group_ + col;
      const Expr first = word(cols, tile_.cols, item, 0, "y");
      y.push_back(ConcatLanes(first, word(cols, tile_.cols, item, 4, "y")));
    }
    int64_t at = 0;
    for (int64_t row = 0; row < WarpRows(); row += kMmaRows) {
      Expr x;
      for (int64_t depth : {0, 4}) {
        for (int64_t half : {0, 8}) {
          const Expr next = word(rows, tile_.rows, my_row_ + (row + half), depth, "x");
          x = x == nullptr ? next : ConcatLanes(x, next);
        }
      }
      for (const Expr& columns : y) {
        b.Set(acc_, at, b.Let("sums", kernel::Mma(x, columns, Reg(acc_, at))));
        ++at;
      }
    }
  }

  // Where the results of a thread lie from its first on, along rows or columns.
  std::vector<int64_t> Offsets(bool along_rows) const {
    std::vector<int64_t> offsets;
    if (!tensor_cores()) {
      const int count = along_rows ? tile_.thread_rows : tile_.thread_cols;
      for (int i = 0; i < count; ++i) offsets.push_back(Place(i, along_rows ? tile_.rows : tile_.cols, count));
    } else if (along_rows) {
      for (int64_t row = 0; row < WarpRows(); row += kMmaRows / 2) offsets.push_back(row);
    } else {
      for (int64_t col = 0; col < kWarpCols; col += kMmaCols) {
        offsets.push_back(col);
        offsets.push_back(col + 1);
      }
    }
    return offsets;
  }

  // The thread's result number i along rows and j along `cols` columns.
  Expr SumAt(size_t i, size_t j, size_t cols) const {
    if (!tensor_cores()) return Reg(acc_, static_cast<int64_t>(i * cols + j));
    return Slice(Reg(acc_, static_cast<int64_t>(i / 2 * (cols / 2) + j / 2)), static_cast<int>(i % 2 * 2 + j % 2), 1);
  }

  // What is left of the body on each sum, stored where the result has that element.
  void Finish(Block& b) {
    struct Place {
      Expr at;
      Values values;
    };
    auto places = [&](Block& b, const Factor& f, const Expr& first, const Expr& mine, bool along_rows, const char* name) {
      std::vector<Place> all;
      for (int64_t offset : Offsets(along_rows)) {
        Place p;
        p.at = b.Let(name, first + mine + offset);
        Decompose(b, s_, f.dims, p.at, f.extent, &ranges_, &p.values);
        all.push_back(std::move(p));
      }
      return all;
    };
    const std::vector<Place> rows = places(b, p_.rows, first_row_, my_row_, true, "row");
    const std::vector<Place> cols = places(b, p_.cols, first_col_, my_col_, false, "col");
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
            const Expr sum = SumAt(i, j, cols.size());
            b.Store(s_.out, Simplify(kernel::Substitute(s_.offset, values), ranges_),
                    Simplify(kernel::Substitute(WithSum(s_.body, p_.sum, sum), values), ranges_));
          });
        }
      });
    }
  }

  const GpuStage& s_;
  const Product& p_;
  const int elements_;   // of a word
  const int64_t step_;   // of the sum, in numbers: what a tile has
  const Tile tile_;
  Ranges ranges_;
  Expr thread_, first_row_, first_col_, my_row_, my_col_;
  Expr group_, quad_, warp_col_;  // with tensor cores: g and t of kMma, and the warp's first column
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
