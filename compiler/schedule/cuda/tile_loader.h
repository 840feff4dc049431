// Brings tiles of a product's factors to shared memory.
#ifndef MGEC_COMPILER_SCHEDULE_CUDA_TILE_LOADER_H_
#define MGEC_COMPILER_SCHEDULE_CUDA_TILE_LOADER_H_

#include <optional>
#include <string>
#include <vector>

#include "compiler/schedule/cuda/gpu_stage.h"
#include "compiler/schedule/cuda/plain_factor.h"
#include "compiler/schedule/cuda/product.h"
#include "compiler/schedule/cuda/sum_box.h"
#include "compiler/schedule/cuda/tile.h"

namespace mgec::schedule {

// What the threads of a block have in common while they compute a tile of a product.
struct BlockTile {
  const GpuStage& stage;
  const Product& product;
  Tile tile;
  kernel::Expr thread;
  Values batch;  // of the dimensions that both factors have
  kernel::Ranges ranges;
  std::optional<SumBox> box = {};  // tiles of the sum are so; empty: its terms are taken in order, by tensor cores

  int elements() const { return ElementsOf(product.words); }
  int64_t step() const { return box ? box->depth : TensorTileDepth(product.depth, elements()) * elements(); }  // numbers of a tile
  int64_t depth() const { return step() / elements(); }  // the same in words
  int64_t tiles() const { return box ? box->count : CeilDiv(product.depth, step()); }
  bool tensor_cores() const { return OnTensorCores(product.words); }
};

// The columns that a warp computes with tensor cores, 8 at a time, of which each thread has 2. Of interleaved ones, the products
// have every fourth pair each: all 8 results of a thread are neighbours then.
inline constexpr int64_t kInterleaved = 32;

// Tiles of one factor. Some are there at a time: what is read and what comes next.
class TileLoader {
 public:
  // Of `size` rows or columns, from number `first` on; `interleaved`, in an order other than theirs (kInterleaved). With `copies` a
  // plain factor (plain_factor.h) is copied asynchronously;
  // others pass through registers.
  TileLoader(BlockTile& block, const Factor& factor, int64_t size, kernel::Expr first, std::string name, bool copies,
             bool interleaved = false);

  bool copied() const { return plain_.has_value(); }
  // The order of items is free: none that are neighbours in memory are copied at once.
  bool can_interleave() const { return !copied() || by_item_; }
  // To be called first: there will be room for so many tiles.
  void Allocate(kernel::Block& b, int64_t tiles);

  // Begins to copy tile `number` to place number `at`; of copied factors.
  void Copy(kernel::Block& b, const kernel::Expr& number, const kernel::Expr& at);
  // The same in two steps, of others: into registers, and from there to the place.
  void Fetch(kernel::Block& b, const kernel::Expr& number);
  void Put(kernel::Block& b, const kernel::Expr& at);

  // Word number `depth` of `lanes` rows from `item` on in the tile at place number `at`. Several are neighbours in memory except
  // in tiles of tensor cores.
  kernel::Expr Word(const kernel::Expr& at, const kernel::Expr& depth, const kernel::Expr& item, int lanes = 1) const;

  // How words that tensor cores multiply lie, and so how a warp finds matrices of them (kLoadMatrices): each item's together, or items
  // of each float16 number together, which are turned on the way; or it finds words only.
  enum class Rows { kItems, kTurned, kNone };
  Rows rows() const { return by_item_ ? Rows::kItems : turned_ ? Rows::kTurned : Rows::kNone; }
  // To be called before Matrices: the thread says where the row is that it is to, which begins with number `depth` (of kItems: word) of
  // row `item`.
  void LocateRow(kernel::Block& b, const kernel::Expr& depth, const kernel::Expr& item);
  // Four matrices of the tile at place number `at`, whose rows are so many words and items behind those.
  kernel::Expr Matrices(const kernel::Expr& at, int64_t depth, int64_t item) const;

 private:
  // What a thread brings at a time: neighbouring words from (depth, item) of the tile on.
  struct Piece {
    kernel::Expr depth, item;  // in words; where they are turned, in numbers
    kernel::Expr exists;       // null: for all threads
    Values values;             // of the item's dimensions and, in boxes, of axes behind the box's
    kernel::Expr in_chunk;     // its index there
  };
  // Where a tile's terms are.
  struct Position {
    kernel::Expr begin;  // the chunk's, or the first number
    Values values;       // of axes before the box's
    kernel::Ranges ranges;
  };
  // One or several terms of the sum.
  struct Term {
    Values values;        // of all variables
    kernel::Expr exists;  // null: always
    kernel::Ranges ranges;
  };
  const kernel::ReduceAxis& innermost() const { return block_.product.sum->reduce_axes[InnermostAxis(block_.product.sum->reduce_axes)]; }
  int64_t tile_depth() const { return turned_ ? block_.step() : block_.depth(); }  // of a tile in shared memory
  // Items of a piece.
  int64_t ItemsAtATime() const { return by_item_ ? 1 : turned_ ? words_ * block_.elements() : words_; }
  // Where a piece begins along the sum, in numbers.
  kernel::Expr NumberOf(const Piece& p) const { return turned_ ? p.depth : p.depth * block_.elements(); }
  kernel::Expr Place(const kernel::Expr& at, const kernel::Expr& depth, const kernel::Expr& item) const;
  int64_t Pitch() const;
  bool RunsAlongDepth() const;
  int WordsInRuns() const;
  int GatheredWords() const;
  kernel::Expr Interleaved(const kernel::Expr& item) const;
  void LocatePieces(kernel::Block& b);
  Values LocateItem(kernel::Block& b, const kernel::Expr& item);
  Position LocateTile(kernel::Block& b, const kernel::Expr& number) const;
  void AddToInnermost(Term* term, int64_t number) const;
  Term LocateTerm(kernel::Block& b, const Position& tile, const Piece& piece, int64_t number, int64_t run, bool clamped) const;
  Values ValuesAt(kernel::Block& b, const kernel::Expr& depth, Values values, int64_t run, kernel::Ranges* ranges) const;
  kernel::Expr IndexOf(const Term& term, const Position& tile) const;
  void FetchPiece(kernel::Block& b, const Position& tile, size_t i);
  void FetchRun(kernel::Block& b, const Position& tile, size_t i);
  kernel::Expr Element(const Term& term) const;
  kernel::Expr BitsOf(const kernel::Expr& value, int64_t i) const;

  BlockTile& block_;
  const Factor& factor_;
  const int64_t size_;
  const kernel::Expr first_;
  const std::string name_;
  const bool interleaved_;
  std::optional<PlainFactor> plain_;  // of copied factors
  int words_ = 1;                     // that are brought at a time
  bool run_ = false;                  // these pass through registers, as neighbours along the sum
  bool along_depth_;                  // neighbouring threads go along the sum
  bool by_item_ = false;              // words of a row lie together in shared memory, rather than those of a depth
  bool turned_ = false;               // it holds float16 numbers, those of a depth together
  std::vector<Piece> pieces_;         // that each thread brings
  kernel::Buffer shared_, staged_;
  kernel::Expr row_;                  // LocateRow's, from the first of its tile on
};

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_CUDA_TILE_LOADER_H_
