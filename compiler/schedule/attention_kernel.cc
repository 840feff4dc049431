#include "compiler/schedule/attention_kernel.h"

#include <algorithm>
#include <limits>

#include "compiler/kernel/join_lanes.h"
#include "compiler/kernel/lower.h"
#include "compiler/schedule/transpose.h"

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

constexpr int kGroup = 8;             // queries of the last strip are a multiple of this many lanes
constexpr int64_t kKeyBlock = 128;    // keys of a block at most: block and values stay in the first levels of the cache
constexpr int64_t kFewestKeys = 32;   // of a block, unless there are no more
constexpr int64_t kFewestTasks = 16;  // strips are narrower where there would be fewer
constexpr int64_t kStackBytes = 60 * 1024;
// Rows that are a multiple of so many bytes apart share few sets of a first-level cache, which holds kWays lines of each set.
constexpr int64_t kCrowded = 2048, kWays = 8, kLine = 64;

// `total` in `count` parts, the first `larger` of them one larger than `base`.
struct Parts {
  int64_t count, base, larger;
  Parts(int64_t total, int64_t most) : count((total + most - 1) / most), base(total / count), larger(total % count) {}
  int64_t largest() const { return larger > 0 ? base + 1 : base; }
};

// Vectors for `lanes` elements: as many of `widest` as fit, then narrower ones.
std::vector<int> VectorsFor(int64_t lanes, int widest) {
  std::vector<int> vectors;
  for (int64_t left = lanes; left > 0; left -= vectors.back()) {
    while (widest > left) widest /= 2;
    vectors.push_back(widest);
  }
  return vectors;
}

class Emitter {
 public:
  Emitter(const AttentionSpec& spec, const kernel::Target& target)
      : s_(spec), target_(target), blocks_(spec.keys, kKeyBlock) {
    group_ = kGroup;
    while (group_ > s_.queries) group_ /= 2;
    const int64_t vectors = target.vector_registers >= 32 ? (target.vector_lanes >= kGroup ? 2 : 4) : 2;
    const int64_t narrowest = std::max<int64_t>(target.vector_lanes, group_);
    lanes_ = std::min(vectors * target.vector_lanes, s_.queries / group_ * group_);
    while (lanes_ > narrowest && s_.products() * ((s_.queries + lanes_ - 1) / lanes_) < kFewestTasks) {
      lanes_ = std::max<int64_t>(narrowest, lanes_ / 2 / group_ * group_);
    }
    for (int64_t most = kKeyBlock; stack_bytes() > kStackBytes;) {
      if (most > kFewestKeys) blocks_ = Parts(s_.keys, most /= 2);
      else if (lanes_ > narrowest) lanes_ -= group_;
      else break;
    }
  }

  int64_t stack_bytes() const {
    int64_t elements = lanes_ * (s_.depth + blocks_.largest() + 4);
    if (blocks_.count > 1) elements += lanes_ * s_.value_depth;
    if (CopiesKeys()) elements += kHighest * s_.depth;
    if (CopiesValues()) elements += blocks_.largest() * s_.value_depth;
    return 4 * elements + 9 * 64;  // with what alignment takes
  }

  kernel::Kernel Build(const std::string& name) {
    using kernel::ArgumentBuffer;
    q_ = ArgumentBuffer("q", s_.q.scalar, s_.q.size, kQueries, SizeOf(s_.q.scalar));
    k_ = ArgumentBuffer("k", s_.k.scalar, s_.k.size, kKeys, SizeOf(s_.k.scalar));
    v_ = ArgumentBuffer("v", s_.v.scalar, s_.v.size, kValues, SizeOf(s_.v.scalar));
    out_ = ArgumentBuffer("out", s_.out.scalar, s_.out.size, kAttended, SizeOf(s_.out.scalar));
    turned_ = kernel::StackBuffer("turned", Scalar::kFloat32, lanes_ * s_.depth);
    scores_ = kernel::StackBuffer("scores", Scalar::kFloat32, lanes_ * blocks_.largest());
    max_ = kernel::StackBuffer("max", Scalar::kFloat32, lanes_);
    sum_ = kernel::StackBuffer("sum", Scalar::kFloat32, lanes_);
    factor_ = kernel::StackBuffer("factor", Scalar::kFloat32, lanes_);
    if (CopiesKeys()) key_rows_ = kernel::StackBuffer("key_rows", Scalar::kFloat32, kHighest * s_.depth);
    if (CopiesValues()) value_rows_ = kernel::StackBuffer("value_rows", Scalar::kFloat32, blocks_.largest() * s_.value_depth);
    if (blocks_.count > 1) state_ = kernel::StackBuffer("state", Scalar::kFloat32, lanes_ * s_.value_depth);
    kernel::Kernel k;
    k.name = name;
    k.task = kernel::MakeVar("task");
    const int64_t full_strips = s_.queries / lanes_, strips = full_strips + (rest() > 0);
    k.tasks = s_.products() * strips;
    k.arguments = {q_, k_, v_, out_};
    k.arguments.insert(k.arguments.end(), s_.extra.begin(), s_.extra.end());
    Block b;
    const Expr task = Use(k.task);
    const Expr strip = strips == 1 ? Int(0) : b.Let("strip", Binary(Op::kMod, task, Int(strips)));
    const Expr product = strips == 1 ? task : b.Let("product", task / Int(strips));
    batch_ = BatchIndices(b, s_.batch, product);
    k_base_ = b.Let("keys", MatrixOffset(s_.k, batch_));
    v_base_ = b.Let("values", MatrixOffset(s_.v, batch_));
    out_base_ = b.Let("to", MatrixOffset(s_.out, batch_));
    const Expr q_base = b.Let("queries", MatrixOffset(s_.q, batch_));
    auto full = [&](Block& b) { EmitStrip(b, lanes_, b.Let("first", strip * lanes_), 0, q_base); };
    if (rest() == 0) {
      full(b);
    } else {
      b.If(strip < Int(full_strips), full, [&](Block& b) {
        EmitStrip(b, last_lanes(), Int(s_.queries - last_lanes()), last_lanes() - rest(), q_base);
      });
    }
    k.body = b.Take();
    return k;
  }

 private:
  // The queries that the last strip is left with, if any, and its lanes: it reaches back into the strip before it.
  int64_t rest() const { return s_.queries % lanes_; }
  int64_t last_lanes() const { return (rest() + group_ - 1) / group_ * group_; }

  static constexpr int kHighest = 16;  // rows of a register tile

  static Expr LoadFloats(const Buffer& from, const Expr& at, int lanes = 1) {
    return Cast(kernel::Type(Scalar::kFloat32, lanes), Load(from, at, lanes));
  }
  Expr Stored(const Expr& x) const { return Cast(kernel::Type(s_.out.scalar, x->type.lanes), x); }

  // 16-bit floats that are to be read again and again.
  static bool IsNarrow(const AttentionMatrix& m) { return m.col_stride == 1 && m.scalar != Scalar::kFloat32; }
  static bool IsCrowded(const AttentionMatrix& m) { return m.col_stride == 1 && m.row_stride * SizeOf(m.scalar) % kCrowded == 0; }

  // A register tile goes through the depth of its keys side by side: where these are more lines than the set they share holds,
  // they are copied first. Values are copied where one line of each row is read, then the next of each. So are those that must be
  // converted.
  bool CopiesKeys(int64_t lanes) const {
    return IsNarrow(s_.k) || (IsCrowded(s_.k) && TileHeight(VectorsFor(lanes, target_.vector_lanes)) > kWays);
  }
  bool CopiesKeys() const { return CopiesKeys(lanes_) || (rest() > 0 && CopiesKeys(last_lanes())); }
  bool CopiesValues() const {
    return IsNarrow(s_.v) || (IsCrowded(s_.v) && Panel() * 4 <= kLine && s_.value_depth > Panel());
  }

  // Elements of a row of values that are added up at a time.
  int64_t Panel() const { return (target_.vector_registers >= 32 ? 4 : 2) * target_.vector_lanes; }

  // Rows of a matrix, `stride` apart from `base` on, side by side.
  void CopyRows(Block& b, const Buffer& from, const Expr& base, int64_t stride, const Buffer& to, int64_t rows, int64_t length) const {
    const int64_t whole = length / target_.vector_lanes * target_.vector_lanes;
    b.For("row", 0, rows, [&](Block& b, const Expr& row) {
      const Expr source = b.Let("source", base + row * stride), target = b.Let("target", row * length);
      b.For("i", Int(0), Int(whole), target_.vector_lanes, [&](Block& b, const Expr& i) {
        b.Store(to, target + i, LoadFloats(from, source + i, target_.vector_lanes));
      });
      b.For("i", whole, length, [&](Block& b, const Expr& i) { b.Store(to, target + i, LoadFloats(from, source + i)); });
    });
  }

  // `lanes` queries from number `first` on, of which the first `skipped` are another strip's.
  void EmitStrip(Block& b, int64_t lanes, const Expr& first, int64_t skipped, const Expr& q_base) {
    pitch_ = lanes;
    vectors_ = VectorsFor(lanes, target_.vector_lanes);
    first_ = first;
    skipped_ = skipped;
    TurnQueries(b, q_base);
    ForLanes([&](int64_t at, int n) { b.Store(max_, Int(at), Float(-std::numeric_limits<double>::infinity(), n)); });
    if (blocks_.count == 1) {
      EmitScores(b, Int(0), s_.keys);
      EmitWeights(b, s_.keys);
      EmitSums(b, Int(0), s_.keys);
      return;
    }
    ForLanes([&](int64_t at, int n) { b.Store(sum_, Int(at), Float(0, n)); });
    ForValues(b, [&](Block& b, const Expr& row, int64_t e, int n) { b.Store(state_, row * s_.value_depth + e, Float(0, n)); });
    auto block = [&](int64_t keys, int64_t extra) {
      return [=](Block& b, const Expr& i) {
        const Expr key = b.Let("key", i * keys + extra);
        ForLanes([&](int64_t at, int n) { b.Store(factor_, Int(at), Load(max_, Int(at), n)); });
        EmitScores(b, key, keys);
        EmitWeights(b, keys);
        EmitSums(b, key, keys);
      };
    };
    if (blocks_.larger > 0) b.For("block", Int(0), Int(blocks_.larger), 1, block(blocks_.base + 1, 0));
    b.For("block", Int(blocks_.larger), Int(blocks_.count), 1, block(blocks_.base, blocks_.larger));
    ForLanes([&](int64_t at, int n) { b.Store(sum_, Int(at), Float(1, n) / Load(sum_, Int(at), n)); });
    ForValues(b, [&](Block& b, const Expr& row, int64_t e, int n) {
      const Expr sum = Load(state_, row * s_.value_depth + e, n);
      b.Store(out_, OutAt(row, e), Stored(sum * Load(sum_, row + skipped_)));
    });
  }

  void ForLanes(const std::function<void(int64_t at, int lanes)>& body) const {
    int64_t at = 0;
    for (const int n : vectors_) {
      body(at, n);
      at += n;
    }
  }

  // The vectors of the rows that this strip stores.
  void ForValues(Block& b, const std::function<void(Block&, const Expr& row, int64_t e, int lanes)>& body) {
    b.For("row", 0, pitch_ - skipped_, [&](Block& b, const Expr& row) {
      int64_t e = 0;
      for (const int n : VectorsFor(s_.value_depth, target_.vector_lanes)) {
        body(b, row, e, n);
        e += n;
      }
    });
  }

  Expr OutAt(const Expr& row, int64_t e) const { return out_base_ + (first_ + row + skipped_) * s_.out.row_stride + e; }

  // The strip's queries as [depth][query], scaled.
  void TurnQueries(Block& b, const Expr& q_base) {
    const Expr from = b.Let("strip_queries", q_base + first_ * s_.q.row_stride);
    const int64_t row = s_.q.row_stride, col = s_.q.col_stride;
    auto scaled = [&](const Expr& x) { return s_.scale == 1 ? x : x * Float(s_.scale, x->type.lanes); };
    int64_t turned = 0;  // of the depth
    if (row == 1) {
      turned = s_.depth;
      b.For("d", 0, s_.depth, [&](Block& b, const Expr& d) {
        ForLanes([&](int64_t at, int n) { b.Store(turned_, d * pitch_ + at, scaled(LoadFloats(q_, from + d * col + at, n))); });
      });
    } else if (col == 1 && pitch_ % kGroup == 0) {
      turned = s_.depth / kGroup * kGroup;
      b.For("d", Int(0), Int(turned), kGroup, [&](Block& b, const Expr& d) {
        b.For("group", Int(0), Int(pitch_), kGroup, [&](Block& b, const Expr& group) {
          const Expr at = b.Let("at", from + group * row + d), to = b.Let("to", d * pitch_ + group);
          std::vector<Expr> square;
          for (int64_t j = 0; j < kGroup; ++j) square.push_back(b.Let("x", scaled(LoadFloats(q_, at + j * row, kGroup))));
          square = TransposeSquare(b, std::move(square), 4);
          for (int64_t j = 0; j < kGroup; ++j) b.Store(turned_, to + j * pitch_, square[j]);
        });
      });
    }
    b.For("d", turned, s_.depth, [&](Block& b, const Expr& d) {
      b.For("query", 0, pitch_, [&](Block& b, const Expr& query) {
        b.Store(turned_, d * pitch_ + query, scaled(LoadFloats(q_, from + query * row + d * col)));
      });
    });
  }

  int RegistersOf(const std::vector<int>& vectors) const {
    int n = 0;
    for (const int lanes : vectors) n += (lanes + target_.vector_lanes - 1) / target_.vector_lanes;
    return n;
  }

  // Rows of a register tile beside which its factors have room: `vectors` of one, and an element of the other.
  int64_t TileHeight(const std::vector<int>& vectors) const {
    const int n = RegistersOf(vectors);
    return std::clamp((target_.vector_registers - n - 2) / n, 1, kHighest);
  }

  // The logits of `keys` keys from `key` on, and their maxima.
  void EmitScores(Block& b, const Expr& key, int64_t keys) {
    const Parts tiles(keys, TileHeight(vectors_));
    auto tile = [&](int64_t height, int64_t extra) {
      return [=](Block& b, const Expr& i) { EmitScoreTile(b, key, b.Let("row", i * height + extra), height); };
    };
    if (tiles.larger > 0) b.For("tile", Int(0), Int(tiles.larger), 1, tile(tiles.base + 1, 0));
    b.For("tile", Int(tiles.larger), Int(tiles.count), 1, tile(tiles.base, tiles.larger));
  }

  void EmitScoreTile(Block& b, const Expr& key, const Expr& row, int64_t height) {
    std::vector<Buffer> acc;
    for (const int n : vectors_) {
      acc.push_back(kernel::RegisterBuffer("acc", Scalar::kFloat32, n, height));
      for (int64_t i = 0; i < height; ++i) b.Set(acc.back(), i, Float(0, n));
    }
    Expr from = b.Let("from", k_base_ + (key + row) * s_.k.row_stride);
    Buffer keys = k_;
    int64_t row_stride = s_.k.row_stride;
    if (CopiesKeys(pitch_)) {
      CopyRows(b, k_, from, row_stride, key_rows_, height, s_.depth);
      keys = key_rows_;
      row_stride = s_.depth;
      from = Int(0);
    }
    auto step = [&](Block& b, const Expr& d) {
      std::vector<Expr> q;
      ForLanes([&](int64_t at, int n) { q.push_back(b.Let("q", Load(turned_, d * pitch_ + at, n))); });
      for (int64_t i = 0; i < height; ++i) {
        Expr x = LoadFloats(keys, from + (d * s_.k.col_stride + i * row_stride));
        if (q.size() > 1) x = b.Let("k", Broadcast(x, vectors_[0]));
        for (size_t v = 0; v < q.size(); ++v) {
          const Expr own = x->type.lanes == 1 ? x : Slice(x, 0, vectors_[v]);
          b.Set(acc[v], i, Fma(own, q[v], Reg(acc[v], i)));
        }
      }
    };
    constexpr int64_t kUnroll = 4;
    const int64_t unrolled = s_.depth / kUnroll * kUnroll;
    b.For("d", Int(0), Int(unrolled), kUnroll, [&](Block& b, const Expr& d) {
      for (int64_t j = 0; j < kUnroll; ++j) step(b, d + j);
    });
    b.For("d", unrolled, s_.depth, step);
    const Expr to = b.Let("to", row * pitch_);
    size_t v = 0;
    ForLanes([&](int64_t at, int n) {
      Expr max = Load(max_, Int(at), n);
      for (int64_t i = 0; i < height; ++i) {
        const Expr logit = b.Let("logit", Logit(Reg(acc[v], i), at, n, key + row + i));
        b.Store(scores_, to + (i * pitch_ + at), logit);
        max = b.Let("max", Max(max, logit));
      }
      b.Store(max_, Int(at), max);
      ++v;
    });
  }

  // What softmax is taken of for the queries of the `lanes` lanes from `at` on.
  Expr Logit(const Expr& score, int64_t at, int lanes, const Expr& key) const {
    if (!s_.logit) return score;
    const kernel::Var query = kernel::MakeVar("query"), sum = kernel::MakeVar("score", kernel::Type(Scalar::kFloat32));
    Expr logit = kernel::Vectorize(s_.logit(Use(sum), batch_, Use(query), key), query, first_ + at, lanes);
    logit = kernel::Rewrite(logit, [&](const Expr& e) -> Expr {
      if (e->op == Op::kBroadcast && e->args[0]->type.lanes > 1) return e->args[0];
      return e->op == Op::kVar && e->var == sum ? score : e;
    });
    return Broadcast(logit, lanes);
  }

  // The weights of `keys` keys in place of their logits, and their sums: whole rows as one vector, so that several
  // exponentials overlap.
  void EmitWeights(Block& b, int64_t keys) {
    const int64_t together = std::max<int64_t>(1, target_.chains / static_cast<int64_t>(vectors_.size()));
    const bool online = blocks_.count > 1;
    int64_t at = 0;
    // Vectors of one width together.
    for (size_t v = 0; v < vectors_.size();) {
      size_t last = v;
      while (last < vectors_.size() && vectors_[last] == vectors_[v]) ++last;
      // Vectors of a power of two of lanes divide into registers.
      int count = 1;
      while (2 * count <= static_cast<int>(last - v)) count *= 2;
      const int n = vectors_[v] * count;
      const Expr max = b.Let("max", Load(max_, Int(at), n));
      // A row of nothing but -inf so far has weights of 0; if that remains so, its result is 0 / 0.
      const Expr lowest = Float(-std::numeric_limits<double>::infinity(), n);
      const Expr shift = b.Let("shift", Select(Binary(Op::kEq, max, lowest), Float(0, n), max));
      const Buffer sums = kernel::RegisterBuffer("sums", Scalar::kFloat32, n, together);
      for (int64_t i = 0; i < together; ++i) b.Set(sums, i, Float(0, n));
      auto rows = [&](Block& b, const Expr& row, int64_t height) {
        std::vector<Expr> logits;
        for (int64_t i = 0; i < height; ++i) logits.push_back(Load(scores_, (row + i) * pitch_ + at, n) - shift);
        Expr weights = b.Let("weights", Unary(Op::kExp, kernel::JoinLanes(logits)));
        for (int64_t i = 0; i < height; ++i) {
          const Expr own = height == 1 ? weights : Slice(weights, static_cast<int>(i) * n, n);
          b.Store(scores_, (row + i) * pitch_ + at, own);
          b.Set(sums, i, Reg(sums, i) + own);
        }
      };
      const int64_t whole = keys / together * together;
      b.For("row", Int(0), Int(whole), together, [&](Block& b, const Expr& row) { rows(b, row, together); });
      b.For("row", whole, keys, [&](Block& b, const Expr& row) { rows(b, row, 1); });
      Expr sum = Reg(sums, 0);
      for (int64_t i = 1; i < together; ++i) sum = sum + Reg(sums, i);
      if (online) {
        const Expr factor = b.Let("factor", Unary(Op::kExp, Load(factor_, Int(at), n) - shift));
        b.Store(factor_, Int(at), factor);
        b.Store(sum_, Int(at), Load(sum_, Int(at), n) * factor + sum);
      } else {
        b.Store(sum_, Int(at), Float(1, n) / sum);
      }
      at += n;
      v += count;
    }
  }

  // Adds up values by their weights: rows of the result in tiles of registers.
  void EmitSums(Block& b, const Expr& key, int64_t keys) {
    const int64_t panel = Panel();
    Expr from = b.Let("from", v_base_ + key * s_.v.row_stride);
    if (CopiesValues()) {
      CopyRows(b, v_, from, s_.v.row_stride, value_rows_, keys, s_.value_depth);
      from = Int(0);
    }
    for (int64_t e = 0; e < s_.value_depth; e += panel) {
      const std::vector<int> vectors = VectorsFor(std::min(panel, s_.value_depth - e), target_.vector_lanes);
      const Parts tiles(pitch_ - skipped_, TileHeight(vectors));
      auto tile = [&](int64_t height, int64_t extra) {
        return [=](Block& b, const Expr& i) {
          EmitSumTile(b, from, keys, b.Let("row", i * height + extra), height, e, vectors);
        };
      };
      if (tiles.larger > 0) b.For("tile", Int(0), Int(tiles.larger), 1, tile(tiles.base + 1, 0));
      b.For("tile", Int(tiles.larger), Int(tiles.count), 1, tile(tiles.base, tiles.larger));
    }
  }

  void EmitSumTile(Block& b, const Expr& values_from, int64_t keys, const Expr& row, int64_t height, int64_t e,
                   const std::vector<int>& vectors) {
    const bool online = blocks_.count > 1;
    const Buffer source = CopiesValues() ? value_rows_ : v_;
    const int64_t stride = CopiesValues() ? s_.value_depth : s_.v.row_stride;
    std::vector<Buffer> acc;
    std::vector<int64_t> at;  // element of each vector
    for (const int n : vectors) {
      at.push_back(at.empty() ? e : at.back() + vectors[at.size() - 1]);
      acc.push_back(kernel::RegisterBuffer("acc", Scalar::kFloat32, n, height));
      for (int64_t i = 0; i < height; ++i) {
        Expr begin = Float(0, n);
        if (online) begin = Load(state_, (row + i) * s_.value_depth + at.back(), n) * Load(factor_, row + (i + skipped_));
        b.Set(acc.back(), i, begin);
      }
    }
    auto step = [&](Block& b, const Expr& j) {
      const Expr from = b.Let("from", values_from + j * stride);
      const Expr weights = b.Let("weights", j * pitch_ + row + skipped_);
      std::vector<Expr> values;
      for (size_t v = 0; v < vectors.size(); ++v) values.push_back(b.Let("v", LoadFloats(source, from + at[v], vectors[v])));
      for (int64_t i = 0; i < height; ++i) {
        Expr x = Load(scores_, weights + i);
        if (values.size() > 1) x = b.Let("w", Broadcast(x, vectors[0]));
        for (size_t v = 0; v < values.size(); ++v) {
          const Expr own = x->type.lanes == 1 ? x : Slice(x, 0, vectors[v]);
          b.Set(acc[v], i, Fma(own, values[v], Reg(acc[v], i)));
        }
      }
    };
    constexpr int64_t kUnroll = 4;
    const int64_t unrolled = keys / kUnroll * kUnroll;
    b.For("j", Int(0), Int(unrolled), kUnroll, [&](Block& b, const Expr& j) {
      for (int64_t u = 0; u < kUnroll; ++u) step(b, j + u);
    });
    b.For("j", unrolled, keys, step);
    for (size_t v = 0; v < vectors.size(); ++v) {
      for (int64_t i = 0; i < height; ++i) {
        if (online) b.Store(state_, (row + i) * s_.value_depth + at[v], Reg(acc[v], i));
        else b.Store(out_, OutAt(row + i, at[v]), Stored(Reg(acc[v], i) * Load(sum_, row + (i + skipped_))));
      }
    }
  }

  const AttentionSpec& s_;
  const kernel::Target& target_;
  Parts blocks_;  // of the keys
  int64_t lanes_;  // queries of a strip
  int64_t group_;  // queries of the last strip are a multiple of this
  Buffer q_, k_, v_, out_;
  Buffer key_rows_, value_rows_;
  Buffer turned_, scores_, max_, sum_, factor_, state_;  // `sum` holds reciprocals in the end
  std::vector<Expr> batch_;
  Expr k_base_, v_base_, out_base_;
  // Of the strip that is being emitted.
  int64_t pitch_ = 0, skipped_ = 0;
  std::vector<int> vectors_;
  Expr first_;
};

}  // namespace

int64_t AttentionSpec::products() const {
  int64_t n = 1;
  for (const int64_t extent : batch) n *= extent;
  return n;
}

std::vector<Expr> BatchIndices(Block& b, const std::vector<int64_t>& batch, Expr product) {
  std::vector<Expr> indices(batch.size());
  for (size_t i = batch.size(); i-- > 0;) {
    indices[i] = i == 0 ? product : b.Let("b", Binary(Op::kMod, product, Int(batch[i])));
    if (i > 0) product = b.Let("rest", product / Int(batch[i]));
  }
  return indices;
}

Expr MatrixOffset(const AttentionMatrix& m, const std::vector<Expr>& batch) {
  Expr at = Int(m.offset);
  for (size_t i = 0; i < batch.size(); ++i) at = at + batch[i] * m.batch[i];
  return at;
}

bool FusesOnCpu(const AttentionSpec& spec, const kernel::Target& target) {
  constexpr int64_t kFewestQueries = 4, kLargestDepth = 256;
  auto contiguous = [&](const AttentionMatrix& m) { return m.col_stride == 1 || spec.value_depth == 1; };
  return spec.queries >= kFewestQueries && std::max(spec.depth, spec.value_depth) <= kLargestDepth && contiguous(spec.v) && contiguous(spec.out) &&
         Emitter(spec, target).stack_bytes() <= kStackBytes;
}

kernel::Kernel AttentionKernel(const AttentionSpec& spec, const kernel::Target& target, const std::string& name) {
  return Emitter(spec, target).Build(name);
}

}  // namespace mgec::schedule
