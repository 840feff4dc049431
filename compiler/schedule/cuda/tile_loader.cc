#include "compiler/schedule/cuda/tile_loader.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace mgec::schedule {

using kernel::Block;
using kernel::Expr;
using kernel::Int;
using kernel::Op;
using kernel::Ranges;
using kernel::Scalar;
using kernel::Var;

TileLoader::TileLoader(BlockTile& block, const Factor& factor, int64_t size, Expr first, std::string name, bool copies,
                       bool interleaved)
    : block_(block), factor_(factor), size_(size), first_(std::move(first)), name_(std::move(name)), interleaved_(interleaved),
      along_depth_(RunsAlongDepth()) {
  // Runs along the sum become rows of shared memory, which only tensor cores read.
  const bool along_sum = block_.tensor_cores() && along_depth_;
  if (copies) plain_ = AsPlainFactor(factor.value, block_.product.words);
  if (plain_) {
    words_ = WordsAtATime(block_.stage, block_.product, factor, *plain_, along_sum);
    if (words_ == 0) plain_.reset();
  }
  if (!plain_) {
    words_ = along_sum ? WordsInRuns() : 0;
    run_ = words_ > 0;
    if (!run_) words_ = block_.tensor_cores() ? GatheredWords() : 1;
  }
  by_item_ = block_.tensor_cores() && (along_sum || !copied());
  turned_ = copied() && !by_item_ && block_.elements() > 1;
  // A piece, at least, for each thread.
  while (size_ * block_.depth() / words_ < block_.tile.threads()) words_ /= 2;
}

void TileLoader::Allocate(Block& b, int64_t tiles) {
  const bool tensor_words = block_.elements() > 1;
  const Scalar word = tensor_words ? Scalar::kInt32 : block_.product.sum->type.scalar;
  shared_ = kernel::SharedBuffer(name_ + "s", turned_ ? Scalar::kFloat16 : word, tiles * (by_item_ ? size_ : tile_depth()) * Pitch());
  LocatePieces(b);
  if (!copied()) staged_ = kernel::RegisterBuffer(name_ + "s_next", word, 1, static_cast<int64_t>(pieces_.size()) * words_);
}

namespace {

// Neighbouring threads that share out `extent` pieces in a row.
int64_t LanesFor(int64_t extent, int64_t threads) {
  if (extent % threads == 0) return threads;
  int64_t lanes = 1;
  while (lanes < extent && threads % (2 * lanes) == 0) lanes *= 2;
  return lanes;
}

// Whether `index` is below `extent` for all threads; otherwise `exists` asks for it, too.
void Bound(const Expr& index, int64_t extent, const Ranges& ranges, Expr* exists) {
  const std::optional<kernel::Range> r = kernel::BoundsOf(index, ranges);
  if (r && r->hi < extent) return;
  *exists = *exists == nullptr ? index < Int(extent) : And(*exists, index < Int(extent));
}

}  // namespace

// Threads are neighbours along memory: along the sum or along items.
void TileLoader::LocatePieces(Block& b) {
  const int64_t threads = block_.tile.threads();
  const int64_t run_depth = by_item_ ? words_ : 1, run_items = ItemsAtATime();
  const int64_t depths = tile_depth() / run_depth, items = size_ / run_items;
  // Eight words along the sum are a sector of memory, and lie in different banks of shared memory.
  const int64_t lanes = along_depth_ ? LanesFor(std::min(depths, kTileDepth), threads) : LanesFor(items, threads);
  const int64_t others = threads / lanes;
  const Expr fast = b.Let("fast", Simplify(Binary(Op::kMod, block_.thread, Int(lanes)), block_.ranges));
  const Expr slow = b.Let("slow", Simplify(block_.thread / Int(lanes), block_.ranges));
  if (fast->op == Op::kVar) block_.ranges[fast->var.get()] = {0, lanes - 1};
  if (slow->op == Op::kVar) block_.ranges[slow->var.get()] = {0, others - 1};
  const int64_t fast_steps = CeilDiv(along_depth_ ? depths : items, lanes), slow_steps = CeilDiv(along_depth_ ? items : depths, others);
  // What several pieces have in common is found once.
  const int64_t item_steps = along_depth_ ? slow_steps : fast_steps, depth_steps = along_depth_ ? fast_steps : slow_steps;
  std::vector<Piece> by_depth;
  for (int64_t i = 0; i < depth_steps; ++i) {
    Piece p;
    const Expr at = Simplify(along_depth_ ? fast + i * lanes : slow + i * others, block_.ranges);
    Bound(at, depths, block_.ranges, &p.exists);
    p.depth = at * run_depth;
    if (block_.box) {
      const int64_t run = turned_ ? 1 : run_depth * block_.elements();
      p.in_chunk = LocateInBox(b, block_.product.sum->reduce_axes, *block_.box, NumberOf(p), run, &block_.ranges, &p.values);
    }
    by_depth.push_back(std::move(p));
  }
  for (int64_t i = 0; i < item_steps; ++i) {
    const Expr at = Simplify(along_depth_ ? slow + i * others : fast + i * lanes, block_.ranges);
    const Expr item = at * run_items;
    const Values values = LocateItem(b, item);
    for (const Piece& depth : by_depth) {
      Piece p = depth;
      Bound(at, items, block_.ranges, &p.exists);
      p.item = item;
      p.values.insert(values.begin(), values.end());
      pieces_.push_back(std::move(p));
    }
  }
}

namespace {

void OnlyIf(Block& b, const Expr& condition, const std::function<void(Block&)>& body) {
  if (condition == nullptr) body(b);
  else b.If(condition, body);
}

}  // namespace

void TileLoader::Copy(Block& b, const Expr& number, const Expr& at) {
  const Position tile = LocateTile(b, number);
  const int64_t run = words_ * block_.elements();  // neighbours along the sum, where pieces go along it
  for (const Piece& piece : pieces_) {
    OnlyIf(b, piece.exists, [&](Block& b) {
      const Term term = LocateTerm(b, tile, piece, 0, by_item_ ? run : 1, /*clamped=*/false);
      Expr inside = term.exists;
      if (plain_->inside != nullptr) {
        const Expr here = Simplify(kernel::Substitute(plain_->inside, term.values), term.ranges);
        inside = inside == nullptr ? here : And(inside, here);
      }
      b.CopyAsync(shared_, Place(at, piece.depth, piece.item), Load(plain_->load->buffer, IndexOf(term, tile), static_cast<int>(run)), inside);
    });
  }
}

void TileLoader::Fetch(Block& b, const Expr& number) {
  const Position tile = LocateTile(b, number);
  for (size_t i = 0; i < pieces_.size(); ++i) {
    OnlyIf(b, pieces_[i].exists, [&](Block& b) {
      if (run_) FetchRun(b, tile, i);
      else FetchPiece(b, tile, i);
    });
  }
}

void TileLoader::FetchPiece(Block& b, const Position& tile, size_t i) {
  const int64_t elements = block_.elements(), run = words_ * elements;
  // Of numbers that do not leave the innermost axis the first is located.
  const bool together = innermost().extent % run == 0;
  const Term first = LocateTerm(b, tile, pieces_[i], 0, together ? run : 1, /*clamped=*/true);
  for (int64_t w = 0; w < words_; ++w) {
    Expr word;
    for (int64_t j = 0; j < elements; ++j) {
      const int64_t number = w * elements + j;
      Term term = first;
      if (together) AddToInnermost(&term, number);
      else if (number > 0) term = LocateTerm(b, tile, pieces_[i], number, 1, /*clamped=*/true);
      if (together) term.exists = nullptr;
      const Expr bits = BitsOf(Element(term), j);
      word = word == nullptr ? bits : Binary(Op::kOr, word, bits);
    }
    if (together && first.exists != nullptr) word = Select(first.exists, word, Cast(word->type, kernel::Float(0)));
    b.Set(staged_, static_cast<int64_t>(i) * words_ + w, word);
  }
}

void TileLoader::Put(Block& b, const Expr& at) {
  for (size_t i = 0; i < pieces_.size(); ++i) {
    const int64_t first = static_cast<int64_t>(i) * words_;
    OnlyIf(b, pieces_[i].exists, [&](Block& b) {
      Expr words = Reg(staged_, first);
      for (int j = 1; j < words_; ++j) words = ConcatLanes(words, Reg(staged_, first + j));
      b.Store(shared_, Place(at, pieces_[i].depth, pieces_[i].item), words);
    });
  }
}

Expr TileLoader::Word(const Expr& at, const Expr& depth, const Expr& item, int lanes) const {
  return Load(shared_, Place(at, depth, item), lanes);
}

void TileLoader::LocateRow(Block& b, const Expr& depth, const Expr& item) {
  row_ = b.Let(name_ + "s_row", Place(Int(0), depth, item));
}

Expr TileLoader::Matrices(const Expr& at, int64_t depth, int64_t item) const {
  return kernel::LoadMatrices(shared_, row_ + Place(at, Int(turned_ ? depth * block_.elements() : depth), Int(item)));
}

// Rows of tiles in shared memory lie further apart than they are long. Threads that go along the sum write to different banks
// then, and those of a warp that read words for tensor cores read from different ones.
int64_t TileLoader::Pitch() const {
  if (by_item_) return block_.depth() + kRowPadding;
  return size_ + (block_.tensor_cores() ? kTensorRowPadding : kRowPadding);
}

Expr TileLoader::Place(const Expr& at, const Expr& depth, const Expr& item) const {
  if (by_item_) return at * (size_ * Pitch()) + item * Pitch() + depth;
  return at * (tile_depth() * Pitch()) + depth * Pitch() + item;
}

TileLoader::Position TileLoader::LocateTile(Block& b, const Expr& number) const {
  Position tile;
  tile.ranges = block_.ranges;
  if (!block_.box) {
    tile.begin = number * block_.step();
    return tile;
  }
  if (number->op == Op::kVar) tile.ranges[number->var.get()] = {0, block_.tiles() - 1};
  tile.begin = LocateBox(b, block_.product.sum->reduce_axes, *block_.box, number, &tile.ranges, &tile.values);
  return tile;
}

// Term `number` of a piece, of `run` together; what does not exist is replaced by something that does where they are `clamped`.
TileLoader::Term TileLoader::LocateTerm(Block& b, const Position& tile, const Piece& piece, int64_t number, int64_t run,
                                        bool clamped) const {
  Term term;
  term.ranges = tile.ranges;
  if (!block_.box) {
    const Expr depth = b.Let("depth", tile.begin + NumberOf(piece) + number);
    term.values = ValuesAt(b, depth, piece.values, run, &term.ranges);
    if (block_.product.depth % block_.step() != 0) term.exists = depth < Int(block_.product.depth);
    return term;
  }
  const std::vector<kernel::ReduceAxis>& axes = block_.product.sum->reduce_axes;
  const kernel::ReduceAxis& axis = axes[block_.box->axis];
  term.values = piece.values;
  term.values.insert(tile.values.begin(), tile.values.end());
  Expr& index = term.values[axis.var.get()] = tile.begin + piece.in_chunk;
  AddToInnermost(&term, number);
  if (block_.box->partial) {
    term.exists = index < Int(axis.extent);
    if (clamped) index = Min(index, Int(axis.extent - 1));
  }
  return term;
}

void TileLoader::AddToInnermost(Term* term, int64_t number) const {
  Expr& index = term->values.at(innermost().var.get());
  index = index + number;
}

// The variables at number `depth` of the sum, a multiple of `run`, for the item whose place is `values`; behind the sum's end those
// of its last `run` numbers.
Values TileLoader::ValuesAt(Block& b, const Expr& depth, Values values, int64_t run, Ranges* ranges) const {
  *ranges = block_.ranges;
  const int64_t total = block_.product.depth;
  const bool partial = total % block_.step() != 0;
  const Expr at = partial ? b.Let("inside", Min(depth, Int(total - run))) : depth;
  if (at->op == Op::kVar) (*ranges)[at->var.get()] = {0, total - 1};
  LocateInSum(b, block_.product.sum->reduce_axes, at, run, ranges, &values);
  return values;
}

// Where a plain factor's term is in memory, with what is the same for all tiles first, so that it is computed once.
Expr TileLoader::IndexOf(const Term& term, const Position& tile) const {
  const Expr index = Simplify(kernel::Substitute(plain_->load->args[0], term.values), term.ranges);
  if (!block_.box) return index;
  std::vector<Var> variables;
  auto add = [&](const Expr& e) {
    kernel::Visit(e, [&](const Expr& n) {
      if (n->op == Op::kVar) variables.push_back(n->var);
    });
  };
  add(tile.begin);
  for (const auto& value : tile.values) add(value.second);
  kernel::Linear same = kernel::LinearOf(index), other;
  auto differs = [&](const std::pair<Expr, int64_t>& t) {
    return std::any_of(variables.begin(), variables.end(), [&](const Var& v) { return DependsOn(t.first, v); });
  };
  const auto middle = std::stable_partition(same.terms.begin(), same.terms.end(), [&](const auto& t) { return !differs(t); });
  other.terms.assign(middle, same.terms.end());
  same.terms.erase(middle, same.terms.end());
  const int64_t offset = std::exchange(same.constant, 0);
  return FromLinear(same) + FromLinear(other) + offset;
}

// The factor's term; 0 where there is none.
Expr TileLoader::Element(const Term& term) const {
  const Expr value = Simplify(kernel::Substitute(factor_.value, term.values), term.ranges);
  return term.exists == nullptr ? value : Select(term.exists, value, Cast(value->type, kernel::Float(0)));
}

namespace {

// The float16 number that `value`, which is one (WordKind), was.
Expr HalfOf(const Expr& value) {
  if (value->op == Op::kSelect) return Select(value->args[0], HalfOf(value->args[1]), HalfOf(value->args[2]));
  const bool cast = value->op == Op::kCast && value->args[0]->type.scalar == Scalar::kFloat16;
  return cast ? value->args[0] : Cast(Scalar::kFloat16, value);
}

}  // namespace

// Piece number i by vectors of its numbers.
void TileLoader::FetchRun(Block& b, const Position& tile, size_t i) {
  const int elements = block_.elements(), run = words_ * elements;
  const Var& axis = innermost().var;
  Term term = LocateTerm(b, tile, pieces_[i], 0, run, /*clamped=*/true);
  Values& values = term.values;
  Ranges& ranges = term.ranges;
  const Expr begin = values.at(axis.get());
  values.erase(axis.get());
  ranges[axis.get()] = {0, innermost().extent - 1};
  Expr value = Simplify(kernel::Substitute(factor_.value, values), ranges);
  value = Simplify(kernel::Vectorize(value, axis, begin, run), ranges);
  if (block_.product.words == WordKind::kFloat16) value = Bitcast(Scalar::kUint16, HalfOf(value));
  value = b.Let("run", value);
  const kernel::Type word(Scalar::kInt32);
  for (int64_t word_number = 0; word_number < words_; ++word_number) {
    Expr bits;
    for (int j = 0; j < elements; ++j) {
      Expr one = Slice(value, static_cast<int>(word_number * elements + j), 1);
      if (block_.product.words == WordKind::kFloat16) one = Cast(word, one);
      else if (elements > 1) one = Binary(Op::kAnd, one, Int((int64_t{1} << (32 / elements)) - 1, word));
      if (j > 0) one = Binary(Op::kShl, one, Int(j * (32 / elements), word));
      bits = bits == nullptr ? one : Binary(Op::kOr, bits, one);
    }
    if (term.exists != nullptr) bits = Select(term.exists, bits, Cast(bits->type, kernel::Float(0)));
    b.Set(staged_, static_cast<int64_t>(i) * words_ + word_number, bits);
  }
}

// `value` as element number `i` of a word whose other bits are 0.
Expr TileLoader::BitsOf(const Expr& value, int64_t i) const {
  if (block_.elements() == 1) return value;
  const kernel::Type word(Scalar::kInt32);
  const int64_t bits = 32 / block_.elements();
  const Expr narrow = block_.product.words == WordKind::kFloat16
                          ? Cast(word, Bitcast(Scalar::kUint16, HalfOf(value)))
                          : Binary(Op::kAnd, value, Int((int64_t{1} << bits) - 1, word));
  return i == 0 ? narrow : Binary(Op::kShl, narrow, Int(i * bits, word));
}

Values TileLoader::LocateItem(Block& b, const Expr& item) {
  Expr flat = first_ + (interleaved_ ? Interleaved(item) : item);
  if (factor_.extent % size_ != 0) flat = Min(flat, Int(factor_.extent - ItemsAtATime()));
  Values values = block_.batch;
  Decompose(b, block_.stage, factor_.dims, b.Let(name_, flat), factor_.extent, &block_.ranges, &values);
  return values;
}

// The column at that place: column `group` of product number `product` of its warp.
Expr TileLoader::Interleaved(const Expr& item) const {
  auto mod = [](const Expr& e, int64_t n) { return Binary(Op::kMod, e, Int(n)); };
  const Expr group = mod(item, 8), product = mod(item / Int(8), kInterleaved / 8);
  const Expr column = item / Int(kInterleaved) * kInterleaved + group / Int(2) * 8 + product * 2 + mod(group, 2);
  return Simplify(column, block_.ranges);
}

// How many words, neighbours along the sum, may be fetched at a time: 4, 2 or 1, of more than one number; 0: none. Within that
// many numbers, counted from the first, nothing but what memory holds differs.
int TileLoader::WordsInRuns() const {
  const kernel::ReduceAxis& axis = innermost();
  bool plain = true;
  kernel::Visit(factor_.value, [&](const Expr& n) {
    if (n->op == Op::kLoad) plain = plain && kernel::StrideOf(n->args[0], axis.var) == (DependsOn(n->args[0], axis.var) ? 1 : 0);
    if (n->op == Op::kSelect) plain = plain && !DependsOn(n->args[0], axis.var);
  });
  if (!plain) return 0;
  for (int words : {4, 2, 1}) {
    const int64_t run = int64_t{words} * block_.elements();
    if (run > 1 && axis.extent % run == 0) return words;
  }
  return 0;
}

// How many words, neighbours along the sum, a thread gathers number by number, and stores at once. Best are those that do not leave the
// innermost axis; where a tile is a box of several axes, all are so.
int TileLoader::GatheredWords() const {
  const std::vector<kernel::ReduceAxis>& axes = block_.product.sum->reduce_axes;
  const bool behind = block_.box && block_.box->axis < InnermostAxis(axes);
  constexpr int kMost = 4;
  int words = kMost;
  while (words > 1 && innermost().extent % (words * block_.elements()) != 0) words /= 2;
  return words > 1 || behind ? words : kMost;
}

// Whether its loads run along memory with the last axis of the sum rather than with the factor's last dimension.
bool TileLoader::RunsAlongDepth() const {
  const Var& axis = innermost().var;
  const Var& dim = block_.stage.vars[factor_.dims.back()];
  bool along = false, across = false;
  kernel::Visit(factor_.value, [&](const Expr& n) {
    if (n->op != Op::kLoad) return;
    along = along || kernel::StrideOf(n->args[0], axis) == 1;
    across = across || kernel::StrideOf(n->args[0], dim) == 1;
  });
  return along && !across;
}

}  // namespace mgec::schedule
