#include "compiler/schedule/cuda/tile_loader.h"

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
    if (!run_) words_ = 1;
  }
  by_item_ = along_sum && (copied() || run_);
  // A piece, at least, for each thread.
  const int64_t threads = block_.tile.threads();
  while (size_ * kTileDepth / words_ < threads) words_ /= 2;
  pieces_ = size_ * kTileDepth / threads / words_;
}

void TileLoader::Allocate(Block& b, int64_t tiles) {
  const bool tensor_words = block_.elements() > 1;
  const Scalar word = tensor_words ? Scalar::kInt32 : block_.product.sum->type.scalar;
  shared_ = kernel::SharedBuffer(name_ + "s", word, tiles * (by_item_ ? size_ : kTileDepth) * Pitch());
  if (!copied()) staged_ = kernel::RegisterBuffer(name_ + "s_next", word, 1, pieces_ * words_);
  // Piece i of this thread is (item(i), depth(i)) of the tile: threads are neighbours along memory.
  const int64_t threads = block_.tile.threads();
  const int64_t run_depth = by_item_ ? words_ : 1, run_items = by_item_ ? 1 : words_;
  const int64_t inner = along_depth_ ? kTileDepth / run_depth : size_ / run_items;
  Expr fast, slow;
  for (int64_t i = 0; i < pieces_; ++i) {
    const Expr flat = block_.thread + i * threads;
    // The faster index is the same for all i where it divides the number of threads.
    const bool same = threads % inner == 0;
    if (!same || i == 0) {
      fast = b.Let("fast", Simplify(Binary(Op::kMod, same ? block_.thread : flat, Int(inner)), block_.ranges));
      slow = b.Let("slow", Simplify(flat / Int(inner), block_.ranges));
    }
    if (fast->op == Op::kVar) block_.ranges[fast->var.get()] = {0, inner - 1};
    if (slow->op == Op::kVar) block_.ranges[slow->var.get()] = {0, (pieces_ * threads - 1) / inner};
    const Expr here = same && i > 0 ? slow + i * (threads / inner) : slow;
    depths_.push_back((along_depth_ ? fast : here) * run_depth);
    items_.push_back((along_depth_ ? here : fast) * run_items);
    // Where the faster index is the item, its place in the result is found once.
    if (!along_depth_ && same && i > 0) values_.push_back(values_[0]);
    else values_.push_back(Locate(b, items_.back()));
  }
}

void TileLoader::Copy(Block& b, const Expr& k, const Expr& at) {
  const int64_t run = words_ * block_.elements();  // neighbours along the sum, where pieces go along it
  for (int64_t i = 0; i < pieces_; ++i) {
    Ranges ranges;
    const Expr depth = b.Let("depth", k + depths_[i] * block_.elements());
    const Values values = ValuesAt(b, depth, values_[i], by_item_ ? run : 1, &ranges);
    Expr inside;
    if (plain_->inside != nullptr) inside = Simplify(kernel::Substitute(plain_->inside, values), ranges);
    if (block_.product.depth % block_.step() != 0) {
      const Expr exists = depth < Int(block_.product.depth);
      inside = inside == nullptr ? exists : And(exists, inside);
    }
    const Expr index = Simplify(kernel::Substitute(plain_->load->args[0], values), ranges);
    b.CopyAsync(shared_, Place(at, depths_[i], items_[i]), Load(plain_->load->buffer, index, static_cast<int>(run)), inside);
  }
}

void TileLoader::Fetch(Block& b, const Expr& k) {
  for (int64_t i = 0; i < pieces_; ++i) {
    const Expr first = k + depths_[i] * block_.elements();
    if (run_) {
      FetchRun(b, b.Let("depth", first), i);
      continue;
    }
    Expr word;
    for (int64_t j = 0; j < block_.elements(); ++j) {
      const Expr bits = BitsOf(Element(b, b.Let("depth", first + j), values_[i]), j);
      word = word == nullptr ? bits : Binary(Op::kOr, word, bits);
    }
    b.Set(staged_, i, word);
  }
}

void TileLoader::Put(Block& b, const Expr& at) {
  for (int64_t i = 0; i < pieces_; ++i) {
    Expr words = Reg(staged_, i * words_);
    for (int j = 1; j < words_; ++j) words = ConcatLanes(words, Reg(staged_, i * words_ + j));
    b.Store(shared_, Place(at, depths_[i], items_[i]), words);
  }
}

Expr TileLoader::Word(const Expr& at, const Expr& depth, const Expr& item, int lanes) const {
  return Load(shared_, Place(at, depth, item), lanes);
}

// Rows of tiles in shared memory lie further apart than they are long. Threads that go along the sum write to different banks
// then, and those of a warp that read words for tensor cores read from different ones.
int64_t TileLoader::Pitch() const {
  if (by_item_) return kTileDepth + 4;
  return size_ + (block_.tensor_cores() ? 8 : 4);
}

Expr TileLoader::Place(const Expr& at, const Expr& depth, const Expr& item) const {
  if (by_item_) return at * (size_ * Pitch()) + item * Pitch() + depth;
  return at * (kTileDepth * Pitch()) + depth * Pitch() + item;
}

// The variables at number `depth` of the sum, a multiple of `run`, for the item whose place is `values`; behind the sum's end those
// of its last `run` numbers. Where runs do not leave the last axis, its variable is seen to be a multiple, too.
Values TileLoader::ValuesAt(Block& b, const Expr& depth, Values values, int64_t run, Ranges* ranges) const {
  *ranges = block_.ranges;
  const int64_t total = block_.product.depth;
  const bool partial = total % block_.step() != 0;
  const Expr at = partial ? b.Let("inside", Min(depth, Int(total - run))) : depth;
  if (at->op == Op::kVar) (*ranges)[at->var.get()] = {0, total - 1};
  Expr rest = at;
  const std::vector<kernel::ReduceAxis>& axes = block_.product.sum->reduce_axes;
  const int64_t last = axes.back().extent;
  const bool multiple = run > 1 && last % run == 0;
  for (size_t j = axes.size(); j-- > 0;) {
    Expr index = rest;
    if (j + 1 == axes.size() && multiple) {
      const Expr unit = b.Let(axes[j].var->name, Simplify(Binary(Op::kMod, rest / Int(run), Int(last / run)), *ranges));
      if (unit->op == Op::kVar) (*ranges)[unit->var.get()] = {0, last / run - 1};
      index = unit * run;
      if (j > 0) rest = b.Let("rest", Simplify(rest / Int(last), *ranges));
    } else if (j > 0) {
      index = b.Let(axes[j].var->name, Simplify(Binary(Op::kMod, rest, Int(axes[j].extent)), *ranges));
      rest = b.Let("rest", Simplify(rest / Int(axes[j].extent), *ranges));
    }
    if (index->op == Op::kVar) (*ranges)[index->var.get()] = {0, axes[j].extent - 1};
    values[axes[j].var.get()] = index;
  }
  return values;
}

// The factor at number `depth` of the sum, for the item whose place is `values`; 0 behind the sum's end.
Expr TileLoader::Element(Block& b, const Expr& depth, const Values& values) {
  Ranges ranges;
  const Values here = ValuesAt(b, depth, values, 1, &ranges);
  const Expr value = Simplify(kernel::Substitute(factor_.value, here), ranges);
  const int64_t total = block_.product.depth;
  return total % block_.step() == 0 ? value : Select(depth < Int(total), value, Cast(value->type, kernel::Float(0)));
}

namespace {

// The float16 number that `value`, which is one (WordKind), was.
Expr HalfOf(const Expr& value) {
  if (value->op == Op::kSelect) return Select(value->args[0], HalfOf(value->args[1]), HalfOf(value->args[2]));
  const bool cast = value->op == Op::kCast && value->args[0]->type.scalar == Scalar::kFloat16;
  return cast ? value->args[0] : Cast(Scalar::kFloat16, value);
}

}  // namespace

// Piece number `piece`, whose numbers begin at `first` of the sum, by vectors of them.
void TileLoader::FetchRun(Block& b, const Expr& first, int64_t piece) {
  const int elements = block_.elements(), run = words_ * elements;
  const Var& axis = block_.product.sum->reduce_axes.back().var;
  Ranges ranges;
  Values values = ValuesAt(b, first, values_[piece], run, &ranges);
  const Expr begin = values.at(axis.get());
  values.erase(axis.get());
  ranges[axis.get()] = {0, block_.product.sum->reduce_axes.back().extent - 1};
  Expr value = Simplify(kernel::Substitute(factor_.value, values), ranges);
  value = Simplify(kernel::Vectorize(value, axis, begin, run), ranges);
  if (block_.product.words == WordKind::kFloat16) value = Bitcast(Scalar::kUint16, HalfOf(value));
  const bool whole = block_.product.depth % block_.step() == 0;
  const Expr exists = whole ? nullptr : first < Int(block_.product.depth);
  value = b.Let("run", value);
  const kernel::Type word(Scalar::kInt32);
  for (int64_t i = 0; i < words_; ++i) {
    Expr bits;
    for (int j = 0; j < elements; ++j) {
      Expr one = Slice(value, static_cast<int>(i * elements + j), 1);
      if (block_.product.words == WordKind::kFloat16) one = Cast(word, one);
      else if (elements > 1) one = Binary(Op::kAnd, one, Int((int64_t{1} << (32 / elements)) - 1, word));
      if (j > 0) one = Binary(Op::kShl, one, Int(j * (32 / elements), word));
      bits = bits == nullptr ? one : Binary(Op::kOr, bits, one);
    }
    b.Set(staged_, piece * words_ + i, whole ? bits : Select(exists, bits, Cast(bits->type, kernel::Float(0))));
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

Values TileLoader::Locate(Block& b, const Expr& item) {
  Expr flat = first_ + (interleaved_ ? Interleaved(item) : item);
  const int64_t run = copied() && !by_item_ ? words_ : 1;
  if (factor_.extent % size_ != 0) flat = Min(flat, Int(factor_.extent - run));
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
  const kernel::ReduceAxis& axis = block_.product.sum->reduce_axes.back();
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

// Whether its loads run along memory with the last axis of the sum rather than with the factor's last dimension.
bool TileLoader::RunsAlongDepth() const {
  const Var& axis = block_.product.sum->reduce_axes.back().var;
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
