#include "compiler/schedule/contraction.h"

#include <algorithm>

#include "compiler/kernel/join_lanes.h"
#include "compiler/schedule/channel_tail.h"
#include "compiler/schedule/register_tile.h"
#include "compiler/schedule/split.h"
#include "compiler/schedule/tile_store.h"

namespace mgec::schedule {
namespace {

using kernel::Block;
using kernel::Buffer;
using kernel::Expr;
using kernel::Int;
using kernel::Scalar;

// Beyond this many groups of K a panel no longer stays in the L2 cache: partial sums go through the output.
constexpr int64_t kChunkEntries = 128;
constexpr int64_t kLine = 64;  // bytes of a cache line
constexpr int64_t kFewTiles = 8;  // after at most this many, the next panel is needed

// Integer sums cannot wait in an output of a narrower type; their panels are also smaller.
int64_t ChunksOf(const ContractionSpec& s, int64_t chunk_entries) {
  return s.group() == 1 ? std::max<int64_t>(1, (s.block_entries + chunk_entries - 1) / chunk_entries) : 1;
}

int64_t ChunkEntriesOf(const ContractionSpec& s) { return s.choice.chunk > 0 ? s.choice.chunk : kChunkEntries; }

// Whether two vectors broadcast an element each for itself (ReadsInputTwice).
bool BroadcastApart(const ContractionSpec& s, const std::vector<int>& lanes) {
  constexpr int64_t kShort = 32;  // of K
  return lanes.size() == 2 && (lanes[0] != lanes[1] || s.block_entries * kBlock + s.single_entries <= kShort);
}

class Emitter {
 public:
  Emitter(const ContractionSpec& spec, const kernel::Target& target)
      : s_(spec),
        target_(target),
        out_(kernel::ArgumentBuffer("out", spec.out.stored, spec.out_size, kOutput, spec.out_alignment)),
        store_(spec, target, out_, spec.partial != nullptr ? spec.partial : out_) {
    blocks_ = s_.blocks();
    panels_ = Panels(blocks_);
    group_ = s_.group();
    k_size_ = s_.block_entries * kBlock + s_.single_entries * group_;
    split_pixels_ = s_.choice.split_pixels != Choice::kRule ? s_.choice.split_pixels != 0 : s_.split_pixels;
    chunk_entries_ = ChunkEntriesOf(s_);
    chunks_ = ChunksOf(s_, chunk_entries_);
    using kernel::ArgumentBuffer;
    in_ = ArgumentBuffer("in", s_.in_scalar, s_.in_size, kInput, SizeOf(s_.in_scalar));
    table_ = ArgumentBuffer("table", Scalar::kInt32, std::max<int64_t>(1, s_.block_entries + s_.single_entries), kTable, 64);
    const int64_t tail_size = TailSize(s_.block_entries, s_.single_entries, s_.tail);
    weights_ = ArgumentBuffer("weights", s_.weight_scalar(), s_.batch * blocks_ * kBlock * k_size_ + tail_size, kWeights, 64);
    widens_ = group_ == 1 && s_.in_scalar != Scalar::kFloat32;
    // A single tile reads its panel once, as fast as memory gives it.
    prefetches_ = s_.choice.prefetch != 0 && s_.block_entries > 0 && s_.rows * Tiling(s_.cols, MinHeight()).count > 1;
  }

  kernel::Kernel Build(const std::string& name) {
    const int64_t panels = static_cast<int64_t>(panels_.size());
    // A task is one panel times one part of the rows or, where there is one row, of its tiles.
    const int64_t divisible = s_.rows > 1 ? s_.rows : Tiling(s_.cols, MinHeight()).count;
    const int64_t tasks = s_.choice.tasks > 0 ? s_.choice.tasks : kUsualTasks;
    const int64_t wanted = (tasks + panels * s_.batch - 1) / (panels * s_.batch);
    parts_ = std::clamp<int64_t>(split_pixels_ ? PartsOfPixels(wanted) : wanted, 1, divisible);
    kernel::Kernel k;
    k.name = name;
    k.task = kernel::MakeVar("task");
    k.tasks = s_.batch * panels * parts_;
    k.arguments = {in_, table_, weights_, out_};
    k.arguments.insert(k.arguments.end(), s_.extra.begin(), s_.extra.end());
    Block b;
    const Expr task = Use(k.task);
    // One of the two numbers counts faster.
    const int64_t all_panels = panels * s_.batch;
    const int64_t divisor = split_pixels_ ? all_panels : parts_;
    const Expr slow = b.Let("slow", task / Int(divisor)), fast = b.Let("fast", Binary(kernel::Op::kMod, task, Int(divisor)));
    Expr panel = split_pixels_ ? fast : slow;
    const Expr part = parts_ == 1 ? Int(0) : split_pixels_ ? slow : fast;
    batch_ = Int(0);
    if (s_.batch > 1) {
      batch_ = b.Let("batch", panel / Int(panels));
      panel = b.Let("panel", Binary(kernel::Op::kMod, panel, Int(panels)));
    }
    ForPanel(b, panels_, panel, [&](Block& b, const Expr& block, int width) {
      EmitPanel(b, block, width, part);
      if (s_.tail > 0 && width == panels_.back()) {
        b.If(block >= Int(blocks_ - width), [&](Block& b) { EmitTail(b, part); });
      }
    });
    k.body = b.Take();
    return k;
  }

 private:
  // Pixels of a register tile for a part of `blocks` blocks.
  int Height(int blocks) const {
    const int most = TileHeight(target_, blocks);
    return s_.choice.tile_height > 0 ? std::min(s_.choice.tile_height, most) : most;
  }

  int MinHeight() const {
    const int least = LeastHeight(target_, panels_);
    return s_.choice.tile_height > 0 ? std::min(s_.choice.tile_height, least) : least;
  }

  void EmitPanel(Block& b, const Expr& block, int width, const Expr& part) {
    const Expr weights = b.Let("panel_weights", block * (kBlock * k_size_) + batch_ * (blocks_ * kBlock * k_size_));
    panel_ = weights;
    const std::vector<int> parts = PartsOf(target_, width);
    if (parts.size() == 1) {
      EmitPart(b, block, weights, width, width, part);
    } else {
      b.For("half", 0, static_cast<int64_t>(parts.size()), [&](Block& b, Expr half) {
        EmitPart(b, b.Let("half_block", block + half * parts[0]),
                 b.Let("half_weights", weights + half * (parts[0] * kBlock * group_)), parts[0], width, part);
      });
    }
  }

  // All pixels of this task for `blocks` output blocks from `block` on. The packed panel has `panel_blocks` blocks.
  void EmitPart(Block& b, Expr block, Expr weights, int blocks, int panel_blocks, Expr part) {
    blocks_in_part_ = blocks;
    row_stride_ = panel_blocks * kBlock * group_;
    const Tiling tiling(s_.cols, Height(blocks));
    const Pixels pixels = PixelsOf(b, tiling, part);
    auto over_chunks = [&](Block& b, Expr chunk) {
      ForTiles(b, tiling, pixels, block, [&](Block& b, const Tile& t) {
        EmitTile(b, t, block, weights, chunk, PrefetchFrom(b, weights, t.row * tiling.count + t.number, s_.rows * tiling.count, chunk));
      });
    };
    if (chunks_ == 1) over_chunks(b, Int(0));
    else b.For("chunk", 0, chunks_, over_chunks);
  }

  // The tail of channels for all pixels of this task.
  void EmitTail(Block& b, const Expr& part) {
    const Tiling tiling(s_.cols, TailHeight(target_, s_.tail));
    const Expr block = Int(blocks_);
    const Expr start = s_.start != nullptr ? b.Let("start", Load(s_.start, block * kBlock, kBlock)) : nullptr;
    ForTiles(b, tiling, PixelsOf(b, tiling, part), block, [&](Block& b, const Tile& t) {
      const TailTile tile = {in_, table_, weights_, b.Let("in_tile", t.in_row + t.col * s_.in_col_stride), s_.in_col_stride,
                             Int(blocks_ * kBlock * k_size_), s_.block_entries, s_.single_entries, s_.tail, t.height, start};
      const std::vector<Buffer> sums = {TailSums(b, tile)};
      const std::vector<int> lanes = {kBlock};
      store_.Finish(b, {sums, lanes, t.height}, {block, t.row, t.col, b.Let("out_tile", t.out_row + t.col * s_.out_col_stride)});
    });
  }

  // What a task does of a panel: rows or, of a single one, tiles.
  struct Pixels {
    Expr begin, end;
  };
  Pixels PixelsOf(Block& b, const Tiling& t, const Expr& part) const {
    const int64_t divided = s_.rows > 1 ? s_.rows : t.count;
    if (parts_ == 1) return {Int(0), Int(divided)};
    const Expr begin = b.Let("begin", PartBegin(part, parts_, divided));
    return {begin, b.Let("end", PartBegin(part + 1, parts_, divided))};
  }

  // While the tiles go through a panel (or a chunk of it) again and again, each fetches a part of what follows it in memory:
  // the next chunk, the next panel, the next step's weights. Returns where tile number `tile` of `tiles` begins to do so; null
  // for nothing.
  Expr PrefetchFrom(Block& b, const Expr& weights, const Expr& tile, int64_t tiles, const Expr& chunk) {
    if (!prefetches_) return nullptr;
    const int64_t line = kLine / SizeOf(s_.weight_scalar());
    const int64_t entries = chunks_ == 1 ? s_.block_entries : chunk_entries_;
    const int64_t groups = chunks_ == 1 ? k_size_ / group_ : chunk_entries_ * kBlock;
    const int64_t part = row_stride_ * groups, lines = (part + line - 1) / line;
    lines_per_step_ = (lines + tiles * entries - 1) / (tiles * entries);
    // What comes much later would drive what is in use now from the first level of the cache.
    near_ = tiles <= kFewTiles;
    // Tiles that come after all lines have been asked for ask for the last ones again.
    const int64_t per_tile = lines_per_step_ * entries;
    const Expr first = Min(tile * (per_tile * line), Int(std::max<int64_t>(0, (lines - per_tile) * line)));
    // The loop over entries counts those of earlier chunks, too.
    return b.Let("ahead", first + (panel_ + part) + chunk * (part - per_tile * line));
  }

  // A tile's pixels, from `col` of `row` on, and the elements that their row begins with in the input and in block `block` of the output.
  struct Tile {
    int height;
    Expr number, row, col, in_row, out_row;
  };
  void ForTiles(Block& b, const Tiling& t, const Pixels& pixels, const Expr& block, const std::function<void(Block&, const Tile&)>& body) {
    auto row_tiles = [&](Block& b, const Expr& row, const Expr& begin, const Expr& end) {
      const Expr in_row = b.Let("in_row", s_.in_row(row) + batch_ * s_.in_batch_stride);
      const Expr out_row = b.Let("out_row", s_.out_row(row) + block * s_.out_block_stride + batch_ * s_.out_batch_stride);
      auto tile = [&](int64_t height, int64_t extra) {
        return [=, &body](Block& b, Expr i) {
          const Expr col = b.Let("col", i * t.base + extra + (height > t.base ? i : Int(0)));
          body(b, {static_cast<int>(height), i, row, col, in_row, out_row});
        };
      };
      if (t.larger > 0) {
        b.For("tile", begin, Min(end, Int(t.larger)), 1, tile(t.base + 1, 0));
      }
      if (t.base > 0 && t.larger < t.count) {
        b.For("tile", t.larger == 0 ? begin : Max(begin, Int(t.larger)), end, 1, tile(t.base, t.larger));
      }
    };
    if (s_.rows > 1) {
      b.For("row", pixels.begin, pixels.end, 1, [&](Block& b, Expr row) { row_tiles(b, row, Int(0), Int(t.count)); });
    } else {
      row_tiles(b, Int(0), pixels.begin, pixels.end);
    }
  }

  void EmitTile(Block& b, const Tile& t, Expr block, Expr weights, Expr chunk, Expr ahead) {
    const int height = t.height;
    const std::vector<int> lanes = VectorsOf(target_, blocks_in_part_);
    std::vector<Buffer> acc;  // one register file per vector column
    for (int n : lanes) acc.push_back(kernel::RegisterBuffer("acc", s_.sum_scalar(), n, height));
    const Expr in = b.Let("in_tile", t.in_row + t.col * s_.in_col_stride);
    // Of several products with one row each, the epilogue wants to know which it is.
    const TilePlace place = {block, s_.batch > 1 && s_.rows == 1 ? batch_ : t.row, t.col,
                             b.Let("out_tile", t.out_row + t.col * s_.out_col_stride)};
    auto begin = [&](Block& b) {
      int first = 0;
      for (size_t v = 0; v < lanes.size(); first += lanes[v++]) {
        Expr start = s_.sum_scalar() == Scalar::kFloat32 ? kernel::Float(0) : Int(0, kernel::Type(Scalar::kInt32));
        if (s_.start) start = b.Let("start", Load(s_.start, block * kBlock + first, lanes[v]));
        for (int m = 0; m < height; ++m) b.Set(acc[v], m, start);
      }
    };
    auto resume = [&](Block& b) {  // partial sums of the earlier chunks
      for (size_t v = 0; v < lanes.size(); ++v) {
        for (int m = 0; m < height; ++m) {
          Expr sum = store_.LoadPartial(place, Int(m), Int(static_cast<int>(v) * (lanes[0] / kBlock)));
          if (lanes[v] == 16) {
            sum = ConcatLanes(sum, store_.LoadPartial(place, Int(m), Int(static_cast<int>(v) * 2 + 1)));
          }
          b.Set(acc[v], m, sum);
        }
      }
    };
    if (chunks_ == 1) begin(b);
    else b.If(chunk <= Int(0), begin, resume);

    const bool apart = s_.in_again != nullptr && BroadcastApart(s_, lanes);
    // Group number `g` of the entry whose elements begin at `a` and whose weights at `w`. `wide`: where the elements of pixel m
    // are, widened; null: at a itself.
    auto step = [&](Block& b, Expr a, int64_t g, Expr w, const Expr& wide) {
      std::vector<Expr> bs;
      int first = 0;
      for (int n : lanes) {
        Expr packed = Load(weights_, w + (g * row_stride_ + first * group_), n * group_);
        if (group_ == 1) packed = Cast(kernel::Type(Scalar::kFloat32, n), packed);
        bs.push_back(b.Let("b", packed));
        first += n;
      }
      for (int m = 0; m < height; ++m) {
        Expr x = wide != nullptr ? Load(wide_, wide + (m * kBlock + g)) : Load(in_, a + (m * s_.in_col_stride + g * group_), group_);
        if (group_ == 1) x = Cast(Scalar::kFloat32, x);
        // The widest vector comes first; of a float a narrower one takes a part of its operand. A float that meets one vector
        // only is broadcast there, from memory where the machine can.
        Expr narrow;
        if (group_ > 1) {
          narrow = b.Let("a", x);
          x = b.Let("a", kernel::RepeatLanes(narrow, lanes[0] * group_));  // once for each sum
        } else if (bs.size() > 1 && !apart) {
          x = b.Let("a", Broadcast(x, lanes[0]));
        }
        for (size_t v = 0; v < bs.size(); ++v) {
          Expr own = x;
          if (apart) own = v == 0 ? x : Load(s_.in_again, a + (m * s_.in_col_stride + g));
          else if (lanes[v] != lanes[0]) own = group_ > 1 ? kernel::RepeatLanes(narrow, lanes[v] * group_) : Slice(x, 0, lanes[v]);
          b.Set(acc[v], m, group_ > 1 ? Dot(own, bs[v], Reg(acc[v], m)) : Fma(own, bs[v], Reg(acc[v], m)));
        }
      }
    };
    auto address = [&](Block& b, Expr entry) {
      return b.Let("at", Cast(kernel::kIndexType, Load(table_, entry)) + in);
    };
    const Expr first = chunk * chunk_entries_;
    const Expr last = chunks_ == 1 ? Int(s_.block_entries) : Min(first + chunk_entries_, Int(s_.block_entries));
    const bool widens = widens_ && s_.block_entries > 0;
    if (widens) {
      wide_ = kernel::StackBuffer("wide", Scalar::kFloat32, 2 * height * kBlock);
      Widen(b, address(b, first), height, first);
    }
    b.For("k", first, last, 1, [&](Block& b, Expr k) {
      const Expr a = widens ? nullptr : address(b, k);
      const Expr w = b.Let("w", weights + k * (kBlock / group_ * row_stride_));
      for (int64_t i = 0; ahead != nullptr && i < lines_per_step_; ++i) {
        const int64_t line = kLine / SizeOf(s_.weight_scalar());
        b.Prefetch(weights_, ahead + k * (lines_per_step_ * line) + i * line, near_);
      }
      if (widens) {
        b.If(k < last - 1, [&](Block& b) {
          const Expr next = b.Let("next", k + 1);
          Widen(b, address(b, next), height, next);
        });
      }
      const Expr wide = widens ? b.Let("wide", WidePlace(k, height)) : nullptr;
      for (int g = 0; g < kBlock / group_; ++g) step(b, a, g, w, wide);
    });
    auto singles = [&](Block& b) {
      b.For("k1", 0, s_.single_entries, [&](Block& b, Expr k) {
        step(b, address(b, k + s_.block_entries), 0,
             b.Let("w", weights + k * row_stride_ + s_.block_entries * (kBlock / group_) * row_stride_), nullptr);
      });
    };
    auto finish = [&](Block& b) {
      singles(b);
      store_.Finish(b, {acc, lanes, height}, place);
    };
    if (chunks_ == 1) finish(b);
    else b.If(chunk >= Int(chunks_ - 1), finish,
              [&](Block& b) { store_.StorePartial(b, {acc, lanes, height}, place); });
  }

  // The 8 elements at `a` of each pixel of the tile in float32, in memory of the stack: from there, one at a time is broadcast
  // for nothing. Out of registers, that would take an instruction for each element. An entry is widened before the one that
  // precedes it is multiplied, so that nothing waits for it; hence two places.
  void Widen(Block& b, const Expr& a, int height, const Expr& entry) {
    const Expr to = b.Let("to", WidePlace(entry, height));
    for (int m = 0; m < height; ++m) {
      b.Store(wide_, to + m * kBlock, Cast(Scalar::kFloat32, Load(in_, a + m * s_.in_col_stride, kBlock)));
    }
  }
  static Expr WidePlace(const Expr& entry, int height) {
    return Binary(kernel::Op::kMod, entry, Int(2)) * (height * kBlock);
  }

  const ContractionSpec& s_;
  const kernel::Target& target_;
  const Buffer out_;
  const TileStore store_;
  int64_t blocks_, k_size_, chunk_entries_ = kChunkEntries, chunks_ = 1, parts_ = 1;
  bool widens_ = false;  // the input
  Buffer wide_;          // of the tile being emitted
  bool split_pixels_ = false;
  int group_ = 1;
  std::vector<int> panels_;
  Buffer in_, table_, weights_;
  Expr batch_, panel_;
  bool prefetches_ = false;
  int64_t lines_per_step_ = 0;  // cache lines of the next panel that a block entry asks for
  bool near_ = false;           // it is needed soon
  int blocks_in_part_ = 0;   // of the part being emitted
  int64_t row_stride_ = 0;   // of its packed panel, elements per group of K
};

}  // namespace

std::vector<int> Panels(int64_t blocks) {
  std::vector<int> panels(blocks / 4, 4);
  const int rest = static_cast<int>(blocks % 4);
  if (rest == 1 && !panels.empty()) {  // 4 + 1 is better divided as 3 + 2
    panels.back() = 3;
    panels.push_back(2);
  } else if (rest > 0) {
    panels.push_back(rest);
  }
  return panels;
}

void ForPanel(Block& b, const std::vector<int>& panels, const Expr& panel,
              const std::function<void(Block&, const Expr& block, int width)>& body) {
  std::function<void(Block&, size_t, int64_t)> from = [&](Block& b, size_t first, int64_t blocks_before) {
    const int width = panels[first];
    size_t last = first;
    while (last < panels.size() && panels[last] == width) ++last;
    auto run = [&](Block& b) {
      body(b, b.Let("block", (panel + (-static_cast<int64_t>(first))) * width + blocks_before), width);
    };
    if (last == panels.size()) return run(b);
    b.If(panel < static_cast<int64_t>(last), run,
         [&](Block& b) { from(b, last, blocks_before + static_cast<int64_t>(last - first) * width); });
  };
  from(b, 0, 0);
}

std::vector<Choice> ContractionAlternatives(const ContractionSpec& spec, const kernel::Target& target) {
  std::vector<Choice> result;
  const std::vector<int> panels = Panels(spec.blocks());
  // Tiles that are a little lower, and about half as high.
  const int highest = TileHeight(target, PartsOf(target, panels[0])[0]);
  const int64_t tiles = Tiling(spec.cols, highest).count;
  int64_t offered = (spec.cols + tiles - 1) / tiles;
  for (int64_t count : {tiles + 1, tiles * 2}) {
    const int64_t height = (spec.cols + count - 1) / count;
    if (height < 3 || height >= offered) continue;
    result.push_back(Decided(&Choice::tile_height, height));
    offered = height;
  }
  const bool several = panels.size() * spec.batch > 1 && spec.rows * tiles > 1;
  if (several) result.push_back(Decided(&Choice::split_pixels, spec.split_pixels ? 0 : 1));
  if (spec.group() == 1) {
    if (spec.block_entries > kChunkEntries) result.push_back(Decided(&Choice::chunk, spec.block_entries));
    if (spec.block_entries > kChunkEntries / 2) result.push_back(Decided(&Choice::chunk, kChunkEntries / 2));
  }
  if (spec.block_entries > 0 && spec.rows * tiles > 1) {
    result.push_back(Decided(&Choice::prefetch, 0));
    result.push_back(Decided(&Choice::tasks, kUsualTasks / 4));
    result.push_back(Decided(&Choice::tasks, kUsualTasks * 4));
  }
  return result;
}

bool ReadsInputTwice(const ContractionSpec& spec, const kernel::Target& target) {
  if (!target.has_avx512 || spec.in_scalar != Scalar::kFloat32) return false;
  for (int panel : Panels(spec.blocks())) {
    for (int part : PartsOf(target, panel)) {
      if (BroadcastApart(spec, VectorsOf(target, part))) return true;
    }
  }
  return false;
}

bool NeedsPartialSums(const ContractionSpec& spec) {
  return spec.out.stored != spec.sum_scalar() && ChunksOf(spec, ChunkEntriesOf(spec)) > 1;
}

kernel::Kernel ContractionKernel(const ContractionSpec& spec, const kernel::Target& target, const std::string& name) {
  return Emitter(spec, target).Build(name);
}

}  // namespace mgec::schedule
