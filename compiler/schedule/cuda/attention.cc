#include "compiler/schedule/cuda/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "compiler/schedule/cuda/tile.h"

namespace mgec::schedule {
namespace {

using kernel::Block;
using kernel::Buffer;
using kernel::Expr;
using kernel::Float;
using kernel::Int;
using kernel::Op;
using kernel::Reg;
using kernel::Scalar;

constexpr int kThreads = 128;     // of a block
constexpr int64_t kChunk = 32;    // of the depth, and of the keys, that a tile of operands has
constexpr int64_t kPadding = 4;   // between rows of tiles: threads that go along the depth write to different banks then
constexpr int64_t kMostValueDepth = 256;   // of which each thread has the 16th part, or less, for each of its queries

// How the threads of a block share the scores of its queries and some keys: so many along keys, four of which each has, and along
// queries.
struct Variant {
  int across, down;
  int rows;      // queries of a thread: four at a time
  double slow;   // the instructions for each multiply-add, compared with the first
  int64_t queries() const { return int64_t{down} * rows; }
  int64_t keys() const { return int64_t{across} * 4; }
};
constexpr Variant kVariants[] = {{16, 8, 8, 1.0}, {16, 8, 4, 1.15}, {32, 4, 4, 1.3}};

// An A100 and an H100. What suits both is wanted.
struct Processors {
  double count, macs;  // and what each does in a clock
};
constexpr Processors kGpus[] = {{108, 64}, {132, 128}};
constexpr double kLaunchClocks = 3000, kBytesPerClock = 16;  // of memory, for each processor
// What multiply-adds take compared with nothing else to do: where a processor has one block, where it has others to go on with, and
// where products are kernels of their own, which have few blocks as well.
constexpr double kAlone = 2.0, kTogether = 1.3, kApart = 2.0;

// The clocks of both GPUs together.
double FusedClocks(const AttentionSpec& s, const Variant& v) {
  const double blocks = static_cast<double>(s.products() * CeilDiv(s.queries, v.queries()));
  const double macs = static_cast<double>(v.queries() * CeilDiv(s.keys, v.keys()) * v.keys() * (s.depth + s.value_depth)) * v.slow;
  double clocks = 0;
  for (const Processors& gpu : kGpus) {
    clocks += kLaunchClocks + macs / gpu.macs * std::max(kAlone, kTogether * std::ceil(blocks / gpu.count));
  }
  return clocks;
}

double ApartClocks(const AttentionSpec& s, int launches) {
  const double scores = static_cast<double>(s.products() * s.queries * s.keys);
  const double macs = scores * static_cast<double>(s.depth + s.value_depth), bytes = 4 * sizeof(float) * scores;
  double clocks = 0;
  for (const Processors& gpu : kGpus) {
    clocks += launches * kLaunchClocks + kApart * macs / (gpu.count * gpu.macs) + bytes / (gpu.count * kBytesPerClock);
  }
  return clocks;
}

Variant BestVariant(const AttentionSpec& s) {
  const Variant* best = &kVariants[1];
  for (const Variant& v : kVariants) {
    // With more, what a thread keeps does not fit its registers.
    if (v.rows > 4 && s.value_depth > kMostValueDepth / 2) continue;
    if (FusedClocks(s, v) < FusedClocks(s, *best)) best = &v;
  }
  return *best;
}

class Emitter {
 public:
  explicit Emitter(const AttentionSpec& s)
      : s_(s), variant_(BestVariant(s)), tile_(variant_.queries()), key_tile_(variant_.keys()), rows_(variant_.rows),
        width_(s.value_depth <= 2 * variant_.across ? 2 : 4),
        groups_(static_cast<int>(CeilDiv(s.value_depth, variant_.across * width_))) {}

  kernel::Kernel Build(const std::string& name) {
    using kernel::ArgumentBuffer;
    q_ = ArgumentBuffer("q", s_.q.scalar, s_.q.size, kQueries, SizeOf(s_.q.scalar));
    k_ = ArgumentBuffer("k", s_.k.scalar, s_.k.size, kKeys, SizeOf(s_.k.scalar));
    v_ = ArgumentBuffer("v", s_.v.scalar, s_.v.size, kValues, SizeOf(s_.v.scalar));
    out_ = ArgumentBuffer("out", s_.out.scalar, s_.out.size, kAttended, SizeOf(s_.out.scalar));
    // Chunks of queries and keys or, later, of values.
    const int64_t operands = kChunk * std::max(tile_ + key_tile_ + 2 * kPadding, value_pitch());
    tiles_ = kernel::SharedBuffer("tiles", Scalar::kFloat32, operands);
    weights_ = kernel::SharedBuffer("weights", Scalar::kFloat32, key_tile_ * (tile_ + kPadding));
    scores_ = kernel::RegisterBuffer("scores", Scalar::kFloat32, 1, rows_ * 4);
    sums_ = kernel::RegisterBuffer("sums", Scalar::kFloat32, 1, rows_ * columns());
    max_ = kernel::RegisterBuffer("max", Scalar::kFloat32, 1, rows_);
    total_ = kernel::RegisterBuffer("total", Scalar::kFloat32, 1, rows_);
    kernel::Kernel k;
    k.name = name;
    k.task = kernel::MakeVar("task");
    const int64_t strips = CeilDiv(s_.queries, tile_);
    k.tasks = s_.products() * strips;
    k.threads = kThreads;
    k.few_at_a_time = true;
    k.thread = kernel::MakeVar("thread");
    k.arguments = {q_, k_, v_, out_};
    k.arguments.insert(k.arguments.end(), s_.extra.begin(), s_.extra.end());
    Block b;
    thread_ = Use(k.thread);
    down_ = b.Let("down", thread_ / Int(variant_.across));
    across_ = b.Let("across", Binary(Op::kMod, thread_, Int(variant_.across)));
    // Neighbouring blocks share keys and values.
    const Expr task = k.tasks == 1 ? Int(0) : Use(k.task);
    first_ = strips == 1 ? Int(0) : b.Let("first", Binary(Op::kMod, task, Int(strips)) * tile_);
    const Expr product = strips == 1 ? task : b.Let("product", task / Int(strips));
    batch_ = BatchIndices(b, s_.batch, product);
    q_base_ = b.Let("queries", MatrixOffset(s_.q, batch_));
    k_base_ = b.Let("keys", MatrixOffset(s_.k, batch_));
    v_base_ = b.Let("values", MatrixOffset(s_.v, batch_));
    for (int i = 0; i < rows_; ++i) {
      b.Set(max_, i, Float(-std::numeric_limits<double>::infinity()));
      b.Set(total_, i, Float(0));
    }
    for (int i = 0; i < sums_->size; ++i) b.Set(sums_, i, Float(0));
    b.For("key", Int(0), Int(s_.keys), key_tile_, [&](Block& b, const Expr& key) {
      EmitScores(b, key);
      EmitWeights(b, key);
      EmitSums(b, key);
    });
    StoreResult(b);
    k.body = b.Take();
    return k;
  }

 private:
  int columns() const { return groups_ * width_; }  // of the result, of a thread
  int64_t value_pitch() const { return int64_t{variant_.across} * columns(); }

  // Query number i of a thread: groups of four, which are one access, apart so that neighbouring threads' are neighbours.
  Expr Row(int i) const { return down_ * 4 + (i / 4 * (variant_.down * 4) + i % 4); }
  Expr Column(int i) const { return across_ * width_ + (i / width_ * (variant_.across * width_) + i % width_); }

  // Brings `items` x kChunk elements of a matrix to shared memory, zeros where it has none: element (row, col), of which this is
  // the tile from (first_row, first_col) on, goes to `at` + col * col_pitch + row * row_pitch. `rows` and `cols` are the tile's.
  struct Tile {
    const AttentionMatrix& m;
    Buffer from;
    Expr base;
    Expr first_row, first_col;
    int64_t rows, cols;            // of the tile
    int64_t all_rows, all_cols;    // of the matrix
    int64_t at, row_pitch, col_pitch;
  };
  void Bring(Block& b, const Tile& t) const {
    const bool along_cols = t.m.col_stride == 1 || t.m.row_stride != 1;  // threads are neighbours along memory
    const int64_t inner = along_cols ? t.cols : t.rows;
    b.For("flat", thread_, Int(t.rows * t.cols), kThreads, [&](Block& b, const Expr& flat) {
      const Expr fast = b.Let("fast", Binary(Op::kMod, flat, Int(inner))), slow = b.Let("slow", flat / Int(inner));
      const Expr row = along_cols ? slow : fast, col = along_cols ? fast : slow;
      const Expr in_row = b.Let("row", t.first_row + row), in_col = b.Let("col", t.first_col + col);
      const Expr from = t.base + Min(in_row, Int(t.all_rows - 1)) * t.m.row_stride + Min(in_col, Int(t.all_cols - 1)) * t.m.col_stride;
      const Expr inside = And(in_row < Int(t.all_rows), in_col < Int(t.all_cols));
      b.Store(tiles_, row * t.row_pitch + col * t.col_pitch + t.at, Select(inside, Cast(Scalar::kFloat32, Load(t.from, from)), Float(0)));
    });
  }

  // Four neighbours in shared memory at a multiple of 4.
  static void ReadFour(Block& b, const Buffer& tile, const Expr& at, std::vector<Expr>& values) {
    const Expr four = b.Let("four", Load(tile, at, 4));
    for (int l = 0; l < 4; ++l) values.push_back(Slice(four, l, 1));
  }

  // The sums of products of the thread's queries with four keys.
  void EmitScores(Block& b, const Expr& key) {
    for (int i = 0; i < scores_->size; ++i) b.Set(scores_, i, Float(0));
    const int64_t q_pitch = tile_ + kPadding, k_pitch = key_tile_ + kPadding, k_at = kChunk * q_pitch;
    b.For("depth", Int(0), Int(s_.depth), kChunk, [&](Block& b, const Expr& depth) {
      b.Barrier();
      Bring(b, {s_.q, q_, q_base_, first_, depth, tile_, kChunk, s_.queries, s_.depth, 0, 1, q_pitch});
      Bring(b, {s_.k, k_, k_base_, key, depth, key_tile_, kChunk, s_.keys, s_.depth, k_at, 1, k_pitch});
      b.Barrier();
      b.For("d", 0, std::min(kChunk, s_.depth), [&](Block& b, const Expr& d) {
        std::vector<Expr> x, y;
        for (int i = 0; i < rows_; i += 4) ReadFour(b, tiles_, d * q_pitch + Row(i), x);
        ReadFour(b, tiles_, d * k_pitch + across_ * 4 + k_at, y);
        for (int i = 0; i < rows_; ++i) {
          for (int j = 0; j < 4; ++j) b.Set(scores_, i * 4 + j, Fma(x[i], y[j], Reg(scores_, i * 4 + j)));
        }
      });
    });
  }

  // `x` of all threads that share the queries, combined.
  Expr Together(Block& b, Expr x, const std::function<Expr(Expr, Expr)>& combine) const {
    for (int bits = variant_.across / 2; bits > 0; bits /= 2) {
      const Expr own = b.Let("own", x), other = b.Let("other", kernel::WarpXor(own, bits));
      x = combine(own, other);
    }
    return b.Let("all", x);
  }

  // Weights of these keys, in shared memory as [key][query]; what has been added up, in terms of the new maxima.
  void EmitWeights(Block& b, const Expr& key) {
    const Expr lowest = Float(-std::numeric_limits<double>::infinity());
    for (int i = 0; i < rows_; ++i) {
      const Expr query = b.Let("query", Min(first_ + Row(i), Int(s_.queries - 1)));
      std::vector<Expr> logits;
      Expr most;
      for (int j = 0; j < 4; ++j) {
        const Expr at = b.Let("at", key + across_ * 4 + j);
        Expr score = Reg(scores_, i * 4 + j);
        if (s_.scale != 1) score = score * Float(s_.scale);
        if (s_.logit) score = s_.logit(b.Let("score", score), batch_, query, b.Let("in", Min(at, Int(s_.keys - 1))));
        logits.push_back(b.Let("logit", Select(at < Int(s_.keys), score, lowest)));
        most = most == nullptr ? logits[0] : Max(most, logits.back());
      }
      const Expr before = b.Let("before", Reg(max_, i));
      const Expr now = b.Let("now", Max(before, Together(b, most, [](Expr a, Expr c) { return Max(a, c); })));
      const Expr shift = b.Let("shift", Select(Binary(Op::kEq, now, lowest), Float(0), now));
      const Expr factor = b.Let("factor", Unary(Op::kExp, before - shift));
      Expr sum;
      for (int j = 0; j < 4; ++j) {
        const Expr weight = b.Let("weight", Unary(Op::kExp, logits[j] - shift));
        b.Store(weights_, (across_ * 4 + j) * (tile_ + kPadding) + Row(i), weight);
        sum = sum == nullptr ? weight : sum + weight;
      }
      b.Set(max_, i, now);
      b.Set(total_, i, Reg(total_, i) * factor + Together(b, sum, [](Expr a, Expr c) { return a + c; }));
      for (int j = 0; j < columns(); ++j) b.Set(sums_, i * columns() + j, Reg(sums_, i * columns() + j) * factor);
    }
  }

  void EmitSums(Block& b, const Expr& key) {
    b.For("part", Int(0), Int(key_tile_), kChunk, [&](Block& b, const Expr& part) {
      b.Barrier();
      Bring(b, {s_.v, v_, v_base_, b.Let("first_key", key + part), Int(0), kChunk, value_pitch(), s_.keys, s_.value_depth, 0, value_pitch(), 1});
      b.Barrier();
      b.For("j", 0, kChunk, [&](Block& b, const Expr& j) {
        std::vector<Expr> x, y;
        for (int i = 0; i < rows_; i += 4) ReadFour(b, weights_, (part + j) * (tile_ + kPadding) + Row(i), x);
        for (int i = 0; i < columns(); i += width_) {
          if (width_ == 4) ReadFour(b, tiles_, j * value_pitch() + Column(i), y);
          else for (int l = 0; l < width_; ++l) y.push_back(b.Let("v", Load(tiles_, j * value_pitch() + Column(i + l))));
        }
        for (int i = 0; i < rows_; ++i) {
          for (int c = 0; c < columns(); ++c) {
            b.Set(sums_, i * columns() + c, Fma(x[i], y[c], Reg(sums_, i * columns() + c)));
          }
        }
      });
    });
  }

  void StoreResult(Block& b) {
    const Expr to = b.Let("to", MatrixOffset(s_.out, batch_));
    for (int i = 0; i < rows_; ++i) {
      const Expr query = b.Let("query", first_ + Row(i));
      const Expr scale = b.Let("scale", Float(1) / Reg(total_, i));
      b.If(query < Int(s_.queries), [&](Block& b) {
        for (int c = 0; c < columns(); ++c) {
          auto store = [&](Block& b) {
            b.Store(out_, to + query * s_.out.row_stride + Column(c) * s_.out.col_stride, Cast(s_.out.scalar, Reg(sums_, i * columns() + c) * scale));
          };
          if (s_.value_depth % (variant_.across * width_) == 0) store(b);
          else b.If(Column(c) < Int(s_.value_depth), store);
        }
      });
    }
  }

  const AttentionSpec& s_;
  const Variant variant_;
  const int64_t tile_, key_tile_;  // queries of the block, and keys that it takes at a time
  const int rows_;      // queries of a thread
  const int width_, groups_;  // columns of the result that are neighbours, and how many times so many, of a thread
  Buffer q_, k_, v_, out_, tiles_, weights_;
  Buffer scores_, sums_, max_, total_;
  Expr thread_, down_, across_, first_, q_base_, k_base_, v_base_;
  std::vector<Expr> batch_;
};

}  // namespace

bool FusesOnGpu(const AttentionSpec& s, int launches_apart) {
  return s.value_depth <= kMostValueDepth && FusedClocks(s, BestVariant(s)) < ApartClocks(s, launches_apart);
}

kernel::Kernel GpuAttentionKernel(const AttentionSpec& spec, const std::string& name) { return Emitter(spec).Build(name); }

}  // namespace mgec::schedule
