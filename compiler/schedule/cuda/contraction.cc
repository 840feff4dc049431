#include "compiler/schedule/cuda/contraction.h"

#include <algorithm>
#include <functional>

#include "compiler/schedule/cuda/product.h"
#include "compiler/schedule/cuda/tile.h"
#include "compiler/schedule/cuda/tile_loader.h"

namespace mgec::schedule {
namespace {

using kernel::Block;
using kernel::Buffer;
using kernel::Expr;
using kernel::Int;
using kernel::Op;
using kernel::Ranges;
using kernel::Scalar;

constexpr int kWarp = 32;
// What one product of matrices by tensor cores has (kMma), and the columns that a warp computes with several.
constexpr int kMmaRows = 16, kMmaCols = 8, kWarpCols = 32;
static_assert(kWarpCols == kInterleaved);
// Neighbouring columns of interleaved ones that each thread has.
constexpr int kRun = 8;
// Tiles of a factor in shared memory at a time, at most: one is read, and copies of the others are under way.
constexpr int64_t kMostStages = 4;
// What every GPU has of it for a block.
constexpr int64_t kSharedBytes = 48 << 10;
// Terms that are multiplied without a branch.
constexpr int64_t kUnrolled = 8;
// GPUs from this architecture on copy to shared memory asynchronously, and their tensor cores know TF32.
constexpr int kAmpere = 80;

// A block's tile of the result. Tiles of factors in shared memory are of words: of single numbers or, for tensor cores, of
// several along the sum.
class Emitter {
 public:
  Emitter(BlockTile block, Expr first_row, Expr first_col)
      : block_(std::move(block)), s_(block_.stage), p_(block_.product), tile_(block_.tile),
        first_row_(std::move(first_row)), first_col_(std::move(first_col)) {}

  // For GPUs with asynchronous copies, for those without, or for both.
  enum class Gpus { kWithCopies, kWithoutCopies, kAll };
  void Emit(Block& b, Gpus gpus) {
    const Scalar scalar = p_.sum->type.scalar;
    const int lanes = tensor_cores() ? 4 : 1;
    acc_ = kernel::RegisterBuffer("acc", scalar, lanes, tile_.thread_rows * tile_.thread_cols / lanes);
    for (int64_t i = 0; i < acc_->size; ++i) b.Set(acc_, i, kernel::Neutral(kernel::Combiner::kSum, scalar));
    const bool copies = gpus != Gpus::kWithoutCopies && Loaders(true).copies();
    interleaved_ = tensor_cores() && (!copies || Loaders(true).cols.can_interleave());
    LocateThread(b);
    if (copies && gpus == Gpus::kAll) {
      b.If(kernel::FromArchitecture(kAmpere), [&](Block& b) { AddUp(b, true); }, [&](Block& b) { AddUp(b, false); });
    } else {
      AddUp(b, copies);
    }
    Finish(b);
  }

 private:
  bool tensor_cores() const { return block_.tensor_cores(); }
  // The rows that a warp computes with tensor cores: threads have as many results as without.
  int64_t WarpRows() const { return tile_.thread_rows * tile_.thread_cols * kWarp / kWarpCols; }

  // Where in its tile the thread's results begin.
  void LocateThread(Block& b) {
    const Expr& thread = block_.thread;
    if (!tensor_cores()) {
      // Multiples of 4 that are seen to be.
      my_row_ = b.Let("thread_row", thread / Int(tile_.cols / tile_.thread_cols)) * 4;
      my_col_ = b.Let("thread_col", Binary(Op::kMod, thread, Int(tile_.cols / tile_.thread_cols))) * 4;
      return;
    }
    const Expr warp = b.Let("warp", thread / Int(kWarp));
    lane_ = b.Let("lane", Binary(Op::kMod, thread, Int(kWarp)));
    const int64_t across = tile_.cols / kWarpCols;  // warps
    group_ = b.Let("group", lane_ / Int(4));
    quad_ = b.Let("quad", Binary(Op::kMod, lane_, Int(4)));
    warp_col_ = Simplify(Binary(Op::kMod, warp, Int(across)) * kWarpCols, block_.ranges);
    if (warp_col_->op != Op::kInt) warp_col_ = b.Let("warp_col", warp_col_);
    warp_row_ = Simplify(warp / Int(across) * WarpRows(), block_.ranges);
    if (warp_row_->op != Op::kInt) warp_row_ = b.Let("warp_row", warp_row_);
    my_row_ = b.Let("thread_row", warp_row_ + group_);
    const int run = Run();
    my_col_ = b.Let("thread_col", Simplify(Binary(Op::kMod, warp, Int(across)) * (kWarpCols / run) + quad_, block_.ranges)) * run;
  }

  struct FactorLoaders {
    TileLoader rows, cols;
    bool copies() const { return rows.copied() || cols.copied(); }
    // Those that are copied, or those that are not.
    std::vector<TileLoader*> Which(bool copied) {
      std::vector<TileLoader*> some;
      for (TileLoader* l : {&rows, &cols}) {
        if (l->copied() == copied) some.push_back(l);
      }
      return some;
    }
  };
  FactorLoaders Loaders(bool copies) {
    return {TileLoader(block_, p_.rows, tile_.rows, first_row_, "row", copies),
            TileLoader(block_, p_.cols, tile_.cols, first_col_, "col", copies, interleaved_)};
  }

  // The sums. Of each factor one tile is read while the next, or with asynchronous copies the next ones, are brought.
  void AddUp(Block& b, bool copies) {
    FactorLoaders loaders = Loaders(copies);
    const std::vector<TileLoader*> copied = loaders.Which(true), passed = loaders.Which(false);
    const int64_t tiles = block_.tiles(), stages = std::clamp<int64_t>(tiles, 2, MostStages()), ahead = stages - 1;
    for (TileLoader* l : copied) l->Allocate(b, std::min(tiles, stages));
    for (TileLoader* l : passed) l->Allocate(b, std::min<int64_t>(tiles, 2));
    if (tensor_cores()) LocateMatrices(b, loaders);

    auto copy = [&](Block& b, const Expr& tile, const Expr& at) {
      for (TileLoader* l : copied) l->Copy(b, tile, at);
    };
    if (copies) {
      b.For("tile", 0, std::min(ahead, tiles), [&](Block& b, const Expr& tile) {
        copy(b, tile, tile);
        b.CommitCopies();
      });
    }
    for (TileLoader* l : passed) {
      l->Fetch(b, Int(0));
      l->Put(b, Int(0));
    }
    b.For("number", 0, tiles, [&](Block& b, const Expr& number) {
      const bool one = tiles == 1;
      auto turn = [&](const char* name, const Expr& tile, int64_t places) {
        return one ? Int(0) : b.Let(name, Binary(Op::kMod, tile, Int(places)));
      };
      if (copies) b.WaitCopies(static_cast<int>(ahead) - 1);
      // Here everyone has written this tile, and read the one whose place is written next.
      b.Barrier();
      if (copies && !one) {
        b.If(number + ahead < Int(tiles), [&](Block& b) {
          copy(b, b.Let("ahead", number + ahead), b.Let("place", Binary(Op::kMod, number + ahead, Int(stages))));
        });
        b.CommitCopies();  // an empty group where nothing is left to copy: they are counted
      }
      const Expr more = number + 1 < Int(tiles);
      if (!passed.empty() && !one) {
        b.If(more, [&](Block& b) {
          const Expr next = b.Let("next", number + 1);
          for (TileLoader* l : passed) l->Fetch(b, next);
        });
      }
      const Expr stage = copied.empty() ? nullptr : turn("stage", number, stages);
      const Expr odd = passed.empty() ? nullptr : turn("odd", number, 2);
      const Expr &row_tile = loaders.rows.copied() ? stage : odd, &col_tile = loaders.cols.copied() ? stage : odd;
      if (tensor_cores()) MultiplyMatrices(b, loaders.rows, row_tile, loaders.cols, col_tile);
      else Multiply(b, loaders.rows, row_tile, loaders.cols, col_tile);
      if (!passed.empty() && !one) {
        b.If(more, [&](Block& b) {
          for (TileLoader* l : passed) l->Put(b, Int(1) - odd);
        });
      }
    });
  }

  // The rows that the thread is to find in shared memory (kLoadMatrices), eight of each matrix. Matrices of rows are of eight and of the
  // next eight, with the first words, then with the next; those of columns of eight, with both words, then of the next eight.
  void LocateMatrices(Block& b, FactorLoaders& loaders) {
    const Expr in_matrix = Binary(Op::kMod, lane_, Int(8)), odd = Binary(Op::kMod, lane_ / Int(8), Int(2)), second = lane_ / Int(16);
    auto locate = [&](TileLoader& tile, const Expr& first, const Expr& next_items, const Expr& next_words) {
      const bool items = tile.rows() == TileLoader::Rows::kItems;
      if (tile.rows() == TileLoader::Rows::kNone) return;
      const Expr item = first + next_items * 8, depth = next_words * (items ? 4 : 8);
      tile.LocateRow(b, items ? depth : depth + in_matrix, Simplify(items ? item + in_matrix : item, block_.ranges));
    };
    locate(loaders.rows, warp_row_, odd, second);
    locate(loaders.cols, warp_col_, second, odd);
  }

  // Tiles of both factors that shared memory has room for.
  int64_t MostStages() const {
    int64_t bytes = TileBytes(tile_, block_.depth(), tensor_cores() ? kTensorRowPadding : kRowPadding);
    // Tiles may be rows of words along the sum (TileLoader).
    if (tensor_cores()) bytes = std::max(bytes, 4 * (block_.depth() + kRowPadding) * (tile_.rows + tile_.cols));
    return std::clamp(kSharedBytes / bytes, int64_t{2}, kMostStages);
  }

  // Where row (or column) number i of a thread lies in its tile: groups of four, a fraction of the tile apart, so that
  // neighbouring threads read neighbouring words.
  static int64_t Place(int i, int64_t size, int per_thread) { return i / 4 * (size / (per_thread / 4)) + i % 4; }

  // Of tiles number `row_tile` and `col_tile` of those in shared memory.
  void Multiply(Block& b, const TileLoader& rows, const Expr& row_tile, const TileLoader& cols, const Expr& col_tile) {
    const int64_t depth = block_.depth(), whole = depth / kUnrolled * kUnrolled;
    auto terms = [&](Block& b, const Expr& from, int64_t count) {
      for (int64_t d = 0; d < count; ++d) MultiplyTerm(b, rows, row_tile, cols, col_tile, from + d);
    };
    if (whole > 0) b.For("d", Int(0), Int(whole), kUnrolled, [&](Block& b, const Expr& d) { terms(b, d, kUnrolled); });
    terms(b, Int(whole), depth - whole);
  }

  void MultiplyTerm(Block& b, const TileLoader& rows, const Expr& row_tile, const TileLoader& cols, const Expr& col_tile, const Expr& d) {
    auto read = [&](const TileLoader& tile, const Expr& at, int64_t size, int count, const Expr& mine, const char* name) {
      std::vector<Expr> values;
      for (int i = 0; i < count; i += 4) {
        const Expr four = b.Let(name, tile.Word(at, d, mine + Place(i, size, count), 4));
        for (int l = 0; l < 4; ++l) values.push_back(Slice(four, l, 1));
      }
      return values;
    };
    const std::vector<Expr> x = read(rows, row_tile, tile_.rows, tile_.thread_rows, my_row_, "x");
    const std::vector<Expr> y = read(cols, col_tile, tile_.cols, tile_.thread_cols, my_col_, "y");
    for (size_t i = 0; i < x.size(); ++i) {
      for (size_t j = 0; j < y.size(); ++j) {
        const int64_t at = static_cast<int64_t>(i * y.size() + j);
        b.Set(acc_, at, kernel::Combine(kernel::Combiner::kSum, Reg(acc_, at), x[i] * y[j]));
      }
    }
  }

  // The same with tensor cores, for the whole depth of the tiles.
  void MultiplyMatrices(Block& b, const TileLoader& rows, const Expr& row_tile, const TileLoader& cols, const Expr& col_tile) {
    for (int64_t d = 0; d < block_.depth(); d += kTileDepth) MultiplyMatrices(b, rows, row_tile, cols, col_tile, d);
  }

  // Of the words from number `first` on, as many as a product of matrices has.
  void MultiplyMatrices(Block& b, const TileLoader& rows, const Expr& row_tile, const TileLoader& cols, const Expr& col_tile,
                        int64_t first_word) {
    // As tensor cores take them: rows g and g + 8 of A, and the words behind; for each column group of B both words.
    auto rounded = [&](Expr words, const char* name) {
      return p_.words == WordKind::kTf32 ? b.Let(name, kernel::Unary(Op::kRoundTf32, std::move(words))) : words;
    };
    auto word = [&](const TileLoader& tile, const Expr& at, const Expr& item, int64_t depth, const char* name) {
      return rounded(b.Let(name, tile.Word(at, quad_ + (first_word + depth), item)), name);
    };
    std::vector<Expr> y;
    for (int64_t col = 0; col < kWarpCols; col += kMmaCols) {
      if (cols.rows() != TileLoader::Rows::kNone) {
        const Expr two = rounded(b.Let("y", cols.Matrices(col_tile, first_word, col)), "y");
        for (int first : {0, 2}) y.push_back(Slice(two, first, 2));
        col += kMmaCols;
        continue;
      }
      const Expr item = warp_col_ + group_ + col;
      const Expr first = word(cols, col_tile, item, 0, "y");
      y.push_back(ConcatLanes(first, word(cols, col_tile, item, 4, "y")));
    }
    int64_t at = 0;
    for (int64_t row = 0; row < WarpRows(); row += kMmaRows) {
      Expr x;
      const bool matrices = rows.rows() != TileLoader::Rows::kNone;
      if (matrices) x = rounded(b.Let("x", rows.Matrices(row_tile, first_word, row)), "x");
      for (int i = 0; i < 4 && !matrices; ++i) {
        const Expr next = word(rows, row_tile, my_row_ + (row + i % 2 * 8), i / 2 * 4, "x");
        x = i == 0 ? next : ConcatLanes(x, next);
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
    } else if (interleaved_) {
      for (int64_t col = 0; col < kRun; ++col) offsets.push_back(col);
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

  // A row or a column that the thread has, or a run of columns.
  struct Item {
    Expr at;
    Values values;  // of the variables there
  };
  std::vector<Item> Items(Block& b, const Factor& f, const Expr& first, const Expr& mine, const std::vector<int64_t>& offsets,
                            const char* name) {
    std::vector<Item> all;
    const Expr base = b.Let(name, Simplify(first + mine, block_.ranges));
    for (int64_t offset : offsets) {
      Item p;
      p.at = base + offset;
      if (f.dims.size() > 1) p.at = b.Let(name, p.at);  // it is taken apart
      Decompose(b, s_, f.dims, p.at, f.extent, &block_.ranges, &p.values);
      all.push_back(std::move(p));
    }
    return all;
  }

  static void Guarded(Block& b, const Factor& f, int64_t size, const Expr& at, const std::function<void(Block&)>& body) {
    if (f.extent % size == 0) body(b);
    else b.If(at < Int(f.extent), body);
  }

  Values At(const Item& row, const Item& col) const {
    Values values = block_.batch;
    values.insert(row.values.begin(), row.values.end());
    values.insert(col.values.begin(), col.values.end());
    return values;
  }

  // What is left of the body on each sum, stored where the result has that element.
  void Finish(Block& b) {
    if (StoresRuns()) return FinishRuns(b);
    const std::vector<Item> rows = Items(b, p_.rows, first_row_, my_row_, Offsets(true), "row");
    const std::vector<Item> cols = Items(b, p_.cols, first_col_, my_col_, Offsets(false), "col");
    for (size_t i = 0; i < rows.size(); ++i) {
      Guarded(b, p_.rows, tile_.rows, rows[i].at, [&](Block& b) {
        for (size_t j = 0; j < cols.size(); ++j) {
          Guarded(b, p_.cols, tile_.cols, cols[j].at, [&](Block& b) {
            const Values values = At(rows[i], cols[j]);
            const Expr sum = SumAt(i, j, cols.size());
            b.Store(s_.out, Simplify(kernel::Substitute(s_.offset, values), block_.ranges),
                    Simplify(kernel::Substitute(WithSum(s_.body, p_.sum, sum), values), block_.ranges));
          });
        }
      });
    }
  }

  // Neighbouring columns that a thread has at a time; 0: none.
  int Run() const { return !tensor_cores() ? 4 : interleaved_ ? kRun : 2; }

  // Runs of results are neighbours in memory, and exist together.
  bool StoresRuns() const {
    const size_t last = p_.cols.dims.back();
    return s_.extents[last] % Run() == 0 && kernel::StrideOf(s_.offset, s_.vars[last]) == 1;
  }

  // The thread's runs: `at` in columns, and the values of all of its variables but the last, whose first is a multiple.
  struct ColumnRun {
    Item item;
    Expr first;  // of the last variable
  };
  std::vector<ColumnRun> ColumnRuns(Block& b) {
    std::vector<size_t> outer = p_.cols.dims;
    const int64_t extent = s_.extents[outer.back()] / Run(), runs = CeilDiv(p_.cols.extent, tile_.cols) * tile_.cols / Run();
    outer.pop_back();
    const std::vector<int64_t> offsets = Offsets(false);
    std::vector<ColumnRun> all;
    for (size_t i = 0; i < offsets.size(); i += static_cast<size_t>(Run())) {
      ColumnRun r;
      const Expr number = b.Let("run", Simplify((first_col_ + my_col_) / Int(Run()) + offsets[i] / Run(), block_.ranges));
      if (number->op == Op::kVar) block_.ranges[number->var.get()] = {0, runs - 1};
      r.item.at = number * Run();
      r.first = number * Run();
      if (!outer.empty()) {
        const Expr inner = b.Let("inner", Simplify(Binary(Op::kMod, number, Int(extent)), block_.ranges));
        if (inner->op == Op::kVar) block_.ranges[inner->var.get()] = {0, extent - 1};
        r.first = inner * Run();
        Decompose(b, s_, outer, b.Let("rest", Simplify(number / Int(extent), block_.ranges)), p_.cols.extent / (extent * Run()),
                  &block_.ranges, &r.item.values);
      }
      all.push_back(std::move(r));
    }
    return all;
  }

  // The same, computed and stored a run at a time.
  void FinishRuns(Block& b) {
    Ranges& ranges = block_.ranges;
    const kernel::Var& col = s_.vars[p_.cols.dims.back()];
    const std::vector<ColumnRun> runs = ColumnRuns(b);
    const std::vector<Item> rows = Items(b, p_.rows, first_row_, my_row_, Offsets(true), "row");
    // In place of the sums, neighbours of a buffer that there is not.
    const Buffer sums = kernel::ArgumentBuffer("sums", p_.sum->type.scalar, s_.extents[p_.cols.dims.back()], 0, 1);
    const Expr body = WithSum(s_.body, p_.sum, Load(sums, Use(col)));
    const int run = Run();
    const size_t cols = runs.size() * run;
    for (size_t i = 0; i < rows.size(); ++i) {
      Guarded(b, p_.rows, tile_.rows, rows[i].at, [&](Block& b) {
        for (size_t r = 0; r < runs.size(); ++r) {
          Guarded(b, p_.cols, tile_.cols, runs[r].item.at, [&](Block& b) {
            const Values values = At(rows[i], runs[r].item);
            Expr results = Simplify(kernel::Substitute(body, values), ranges);
            results = kernel::Vectorize(results, col, runs[r].first, run);
            Expr mine = SumAt(i, r * run, cols);
            for (int j = 1; j < run; ++j) mine = ConcatLanes(mine, SumAt(i, r * run + j, cols));
            results = kernel::Replace(results, [&](const Expr& n) { return n->op == Op::kLoad && n->buffer == sums ? mine : nullptr; });
            if (results->type.lanes == 1) results = Broadcast(results, run);
            const Expr offset = kernel::Substitute(kernel::Substitute(s_.offset, values), {{col.get(), runs[r].first}});
            b.Store(s_.out, Simplify(offset, ranges), results);
          });
        }
      });
    }
  }

  BlockTile block_;
  const GpuStage& s_;
  const Product& p_;
  const Tile tile_;
  const Expr first_row_, first_col_;
  Expr my_row_, my_col_;
  bool interleaved_ = false;  // tiles of columns are
  // With tensor cores: the number in the warp, g and t of kMma, and the warp's first row and column.
  Expr lane_, group_, quad_, warp_row_, warp_col_;
  Buffer acc_;
};

// Tasks and threads, and which tile of the result each task has.
void EmitProduct(const GpuStage& s, const Product& p, kernel::Kernel* k) {
  const Tile tile = ChooseTile(SizeOf(p));
  const int64_t row_tiles = CeilDiv(p.rows.extent, tile.rows), col_tiles = CeilDiv(p.cols.extent, tile.cols);
  k->tasks = p.batches * row_tiles * col_tiles;
  k->threads = tile.threads();
  k->thread = kernel::MakeVar("thread");
  BlockTile block{s, p, tile, Use(k->thread), {}, s.ranges};
  block.ranges[k->thread.get()] = {0, k->threads - 1};
  block.ranges[k->task.get()] = {0, k->tasks - 1};
  if (block.tensor_cores()) block.box = FindTensorBox(p.sum->reduce_axes, block.elements());
  else block.box = ChooseSumBox(p.sum->reduce_axes, tile);
  Block b;
  // Neighbouring blocks share rows, of which there are mostly fewer bytes.
  const Expr task = k->tasks == 1 ? Int(0) : Use(k->task);
  const Expr first_col = b.Let("first_col", Simplify(Binary(Op::kMod, task, Int(col_tiles)) * tile.cols, block.ranges));
  const Expr rest = col_tiles == 1 ? task : task / Int(col_tiles);
  const Expr first_row = b.Let("first_row", Simplify(Binary(Op::kMod, rest, Int(row_tiles)) * tile.rows, block.ranges));
  Decompose(b, s, p.batch, b.Let("batch", Simplify(rest / Int(row_tiles), block.ranges)), p.batches, &block.ranges, &block.batch);
  using Gpus = Emitter::Gpus;
  if (p.words == WordKind::kTf32) {
    b.If(
        kernel::FromArchitecture(kAmpere),
        [&](Block& b) { Emitter(block, first_row, first_col).Emit(b, Gpus::kWithCopies); },
        [&](Block& b) {
          Product whole = p;  // the factors as they are
          whole.words = WordKind::kOne;
          const BlockTile same{s, whole, tile, block.thread, block.batch, block.ranges, ChooseSumBox(p.sum->reduce_axes, tile)};
          Emitter(same, first_row, first_col).Emit(b, Gpus::kWithoutCopies);
        });
  } else {
    Emitter(block, first_row, first_col).Emit(b, Gpus::kAll);
  }
  k->body = b.Take();
}

}  // namespace

bool EmitContraction(const GpuStage& stage, kernel::Kernel* k) {
  const GpuStage split = SplitGroups(stage);
  Product p;
  if (!FindProduct(split, &p)) return false;
  EmitProduct(split, p, k);
  return true;
}

}  // namespace mgec::schedule
