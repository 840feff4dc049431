#include "compiler/schedule/channelwise_stage.h"

#include <algorithm>
#include <map>
#include <optional>

#include "compiler/kernel/join_lanes.h"
#include "compiler/kernel/lower.h"
#include "compiler/schedule/contraction.h"
#include "compiler/schedule/functions.h"
#include "compiler/schedule/long_reduce.h"
#include "compiler/schedule/narrow_floats.h"
#include "compiler/schedule/split.h"
#include "compiler/schedule/window_band.h"
#include "compiler/schedule/zones.h"

namespace mgec::schedule {
namespace {

using kernel::Block;
using kernel::Buffer;
using kernel::Definition;
using kernel::Expr;
using kernel::Int;
using kernel::Op;
using kernel::Range;
using kernel::Ranges;
using kernel::Scalar;
using kernel::Stage;

constexpr int64_t kUnrollReduction = 64;  // windows up to 8x8 become straight code

// Packed float32 numbers in 16 bits, where that is wanted: weights of windows rounded, others where they do not change.
Scalar NarrowPacked(std::string& packed, bool weights, Scalar wanted) {
  if (wanted == Scalar::kFloat32) return wanted;
  const int64_t count = static_cast<int64_t>(packed.size() / sizeof(float));
  const float* values = reinterpret_cast<const float*>(packed.data());
  if (weights && StorageForWeights(values, count, wanted) == wanted) {
    packed = Narrowed(packed, wanted);
    return wanted;
  }
  std::string narrow = NarrowExactly(packed, wanted);
  if (narrow.empty()) return Scalar::kFloat32;
  packed = std::move(narrow);
  return wanted;
}

// Emits one stage.
class StageEmitter {
 public:
  StageEmitter(Scheduler& s, const graph::Node& node, const ChannelwiseNode& n)
      : s_(s), node_(node), d_(n.definition), roles_(n.roles), blocked_(n.blocked), blocks_(n.blocks), stage_storage_(n.storage),
        samples_places_(n.samples_places) {}

  void Emit(int stage, const plan::StepInfo& info) {
    stage_ = &d_.stages()[stage];
    info_ = info;
    const std::vector<int64_t>& shape = stage_->info.shape;
    const kernel::Var task = kernel::MakeVar("task");
    for (size_t i = 0; i < shape.size(); ++i) {
      if (i != 1) ranges_[stage_->vars[i].get()] = {0, shape[i] - 1};
    }
    BuildArguments();
    const int64_t out_elements = RestElements(shape, 1) * kBlock;
    out_element_ = s_.Element(stage_->info.scalar);
    out_ = AddArgument("out", out_element_.stored, out_elements * static_cast<int64_t>(blocks_.size()),
                       {stage_storage_[stage]});
    kernel::Kernel k;
    k.name = OpName(node_);
    k.task = task;
    Block b;
    if (IsFlat()) k.tasks = EmitFlat(b, Use(task));
    else k.tasks = EmitRows(b, Use(task));
    k.arguments = arguments_;
    k.body = b.Take();
    s_.program().AddStep(std::move(k), std::move(bindings_), info_);
  }

 private:
  struct Access {
    Expr immediate;
    Buffer buffer, table;
    BlockElement element;
    Expr base;  // element offset of the task's block
    Buffer wide;  // what a task reads instead, where there is one: a constant's block
    std::optional<WindowBand> band;  // or a band
  };

  Buffer AddArgument(const std::string& name, Scalar scalar, int64_t elements, plan::Argument binding) {
    arguments_.push_back(
        kernel::ArgumentBuffer(name, scalar, elements, static_cast<int>(arguments_.size()), SizeOf(scalar)));
    binding.bytes = elements * SizeOf(scalar);
    bindings_.push_back(binding);
    return arguments_.back();
  }

  // One argument (or immediate, or table) for every tensor that the stage reads.
  void BuildArguments() {
    const int n = d_.num_inputs();
    access_.assign(roles_.size(), {});
    std::vector<bool> read(roles_.size(), false);
    kernel::Visit(stage_->body, [&](const Expr& e) {
      if (e->op == Op::kRead) read[e->tensor] = true;
    });
    for (int t = 0; t < static_cast<int>(roles_.size()); ++t) {
      if (!read[t]) continue;
      const std::vector<int64_t>& shape = d_.info(t).shape;
      const std::string name = "t" + std::to_string(t);
      const std::string* constant = t < n ? Scheduler::ConstantData(node_.inputs[t]) : nullptr;
      Access& a = access_[t];
      const int64_t rest = RestElements(shape, roles_[t].channel_dim) * kBlock;
      const int64_t all = rest * static_cast<int64_t>(blocks_.size());
      const Scalar scalar = d_.info(t).scalar;
      a.element = s_.Element(scalar);
      if (roles_[t].role == Role::kUniform) {
        a.immediate = t < n ? Scheduler::Immediate(node_.inputs[t]) : nullptr;
        if (a.immediate != nullptr) continue;
        Placement p;
        if (t < n) p = s_.Plain(node_.inputs[t]);
        else p.storage = stage_storage_[t - n];
        a.buffer = AddArgument(name, scalar, graph::NumElements(shape), {p.storage, p.offset});
      } else if (roles_[t].role == Role::kPerChannel) {
        a.element = PackedElement(scalar, SumsFloats(*stage_));
        std::string packed = PackPerChannel(a.element, *constant, shape, roles_[t].channel_dim, blocks_);
        if (scalar == Scalar::kFloat32) a.element.stored = NarrowPacked(packed, rest > kBlock, s_.float_storage());
        a.buffer = AddArgument(name, a.element.stored, all, {s_.program().AddConstant(std::move(packed))});
      } else if (t >= n) {
        a.buffer = AddArgument(name, a.element.stored, all, {stage_storage_[t - n]});
      } else {
        const std::vector<BlockUse> blocks = BlocksOf(blocked_[t]);
        bool consecutive = true;
        for (size_t i = 0; i < blocks.size(); ++i) {
          consecutive = consecutive && blocks[i].storage == blocks[0].storage &&
                        blocks[i].block == blocks[0].block + static_cast<int32_t>(i);
        }
        if (consecutive) {
          a.buffer = AddArgument(name, a.element.stored, all,
                                 {blocks[0].storage, blocks[0].block * rest * a.element.bytes()});
          continue;
        }
        std::vector<std::pair<plan::StorageId, int64_t>> offsets;
        for (const BlockUse& b : blocks) offsets.emplace_back(b.storage, b.block * rest);
        Buffer& arena = arenas_[a.element.stored];
        if (arena == nullptr) {
          arena = ArenaArgument(static_cast<int>(arguments_.size()), a.element.stored);
          arguments_.push_back(arena);
          bindings_.push_back({plan::kWholeArena});
        }
        a.buffer = arena;
        a.table = AddArgument(name + "_table", Scalar::kInt32, static_cast<int64_t>(blocks.size()),
                              {s_.OffsetTable(std::move(offsets), a.element.bytes())});
        for (plan::StorageId id : StoragesOf(blocked_[t])) info_.touches.push_back(id);
      }
    }
  }

  // Declares where each tensor's block begins, for this task's block.
  void EmitBases(Block& b, const Expr& block) {
    for (size_t t = 0; t < access_.size(); ++t) {
      Access& a = access_[t];
      if (a.buffer == nullptr || roles_[t].role == Role::kUniform) continue;
      const int64_t rest = RestElements(d_.info(static_cast<int>(t)).shape, roles_[t].channel_dim) * kBlock;
      a.base = a.table ? b.Let("base", Cast(kernel::kIndexType, Load(a.table, block))) : b.Let("base", block * rest);
      if (IsRead16(a) && roles_[t].role == Role::kPerChannel && rest <= kMostWidened && !IsFlat()) WidenConstant(b, a, rest);
    }
    out_base_ = b.Let("out_base", block * (RestElements(stage_->info.shape, 1) * kBlock));
  }

  // A block of a constant of 16-bit floats as float32 on the stack, so that loops do not convert it again and again.
  static constexpr int64_t kMostWidened = 1024;
  static bool IsRead16(const Access& a) { return a.element.value == Scalar::kFloat32 && !a.element.plain(); }
  static void WidenConstant(Block& b, Access& a, int64_t elements) {
    a.wide = kernel::StackBuffer("wide", Scalar::kFloat32, elements);
    b.For("i", Int(0), Int(elements), kBlock, [&](Block& b, const Expr& i) {
      b.Store(a.wide, i, FromStored(a.element, Load(a.buffer, a.base + i, kBlock)));
    });
  }

  // The stage's body over vectors of 8 channels; other indices are the stage's variables.
  Expr Body(bool flat) {
    std::unordered_map<const kernel::VarNode*, Expr> channel = {{stage_->vars[1].get(), Int(0)}};
    return kernel::ReplaceReads(
        kernel::Substitute(stage_->body, channel), d_, ranges_, [&](int t, const std::vector<Expr>& index) -> Expr {
          const Access& a = access_[t];
          if (a.immediate) return a.immediate;
          const std::vector<int64_t>& shape = d_.info(t).shape;
          if (roles_[t].role == Role::kUniform) return Load(a.buffer, kernel::FlatIndex(index, shape));
          if (a.band) return Load(a.band->wide, a.band->Index(index), kBlock);
          const bool pixel = flat && roles_[t].role == Role::kBlocked;
          const Expr rest = pixel ? Use(flat_var_) : RestIndex(index, shape, roles_[t].channel_dim);
          if (a.wide != nullptr) return Load(a.wide, rest * kBlock, kBlock);
          return FromStored(a.element, Load(a.buffer, rest * kBlock + a.base, kBlock));
        });
  }

  // Every blocked operand has the stage's own shape and index: the pixels are one long row.
  bool IsFlat() const {
    bool flat = true;
    kernel::Visit(stage_->body, [&](const Expr& e) {
      if (e->op == Op::kReduce) flat = false;
      if (e->op != Op::kRead) return;
      for (size_t i = 0; i < e->args.size(); ++i) {
        if (roles_[e->tensor].role == Role::kBlocked) {
          flat = flat && d_.info(e->tensor).shape == stage_->info.shape &&
                 kernel::IsIndexAlong(e->args[i], stage_->vars[i], stage_->info.shape[i]);
        } else {
          for (size_t v = 0; v < stage_->vars.size(); ++v) {
            flat = flat && (v == 1 || stage_->info.shape[v] == 1 || !kernel::DependsOn(e->args[i], stage_->vars[v]));
          }
        }
      }
    });
    return flat;
  }

  int64_t EmitFlat(Block& b, const Expr& task) {
    const int64_t pixels = RestElements(stage_->info.shape, 1), blocks = static_cast<int64_t>(blocks_.size());
    int64_t parts = std::clamp<int64_t>(WantedTasks() / blocks, 1, std::max<int64_t>(1, pixels / 256));
    if (SplitsPixels(pixels)) parts = PartsOfPixels(parts);
    flat_var_ = kernel::MakeVar("p");
    // Parts of the pixels are the slower count (split.h).
    EmitBases(b, parts == 1 ? task : b.Let("block", Binary(Op::kMod, task, Int(blocks))));
    const Expr part = parts == 1 ? Int(0) : b.Let("part", task / Int(blocks));
    const Expr begin = parts == 1 ? Int(0) : b.Let("begin", PartBegin(part, parts, pixels));
    const Expr end = parts == 1 ? Int(pixels) : b.Let("end", PartBegin(part + 1, parts, pixels));
    const Expr body = Body(true);
    const int64_t together = PixelsTogether();
    const Expr main_end = parts == 1 ? Int(pixels / together * together)
                                     : b.Let("main_end", begin + (end - begin) / Int(together) * Int(together));
    auto pixels_from = [&](Block& b, Expr p, int64_t n) {
      std::vector<Expr> results;
      for (int64_t u = 0; u < n; ++u) results.push_back(Stored(kernel::Substitute(body, {{flat_var_.get(), p + u}})));
      b.Store(out_, out_base_ + p * kBlock, kernel::JoinLanes(results));
    };
    b.For("p", begin, main_end, together, [&](Block& b, Expr p) { pixels_from(b, p, together); });
    b.For("p", main_end, end, 1, [&](Block& b, Expr p) { pixels_from(b, p, 1); });
    return blocks * parts;
  }

  // What to store: 8 lanes.
  Expr Stored(Expr e) const { return ToStored(out_element_, Broadcast(std::move(e), kBlock)); }

  int64_t EmitRows(Block& b, const Expr& task) {
    // Dimensions besides the channel: the last is a row of pixels, the one before counts rows, the others are tasks.
    std::vector<size_t> dims;
    for (size_t i = 0; i < stage_->vars.size(); ++i) {
      if (i != 1) dims.push_back(i);
    }
    const size_t inner = dims.back();
    const bool has_rows = dims.size() >= 2;
    const int64_t rows = has_rows ? stage_->info.shape[dims[dims.size() - 2]] : 1;
    int64_t outer = 1;
    for (size_t i = 0; i + 2 < dims.size(); ++i) outer *= stage_->info.shape[dims[i]];
    const int64_t together = BlocksTogether(), blocks = static_cast<int64_t>(blocks_.size()) / together;
    int64_t parts = std::clamp<int64_t>(WantedTasks() / (blocks * outer), 1, rows);
    if (SplitsPixels(outer * rows * stage_->info.shape[inner])) parts = std::min(PartsOfPixels(parts), rows);

    Expr rest = task;
    const Expr part = parts == 1 ? Int(0) : b.Let("part", rest / Int(blocks * outer));
    if (parts > 1) rest = b.Let("rest", Binary(Op::kMod, rest, Int(blocks * outer)));
    for (size_t i = dims.size(); i-- > 2;) {
      const size_t d = dims[i - 2];
      const int64_t n = stage_->info.shape[d];
      const Expr at = n == 1 ? Int(0) : b.Let("n", Binary(Op::kMod, rest, Int(n)));
      if (n > 1) rest = b.Let("rest", rest / Int(n));
      fixed_[stage_->vars[d].get()] = at;
      if (at->op == Op::kVar) ranges_[at->var.get()] = {0, n - 1};
    }
    if (has_rows && together == 1) FindBand(rows, parts);
    std::vector<BlockBody> bodies;
    auto add_body = [&] { bodies.push_back({kernel::Simplify(kernel::Substitute(Body(false), fixed_), ranges_), out_base_}); };
    for (int64_t i = 0; i < together; ++i) {
      EmitBases(b, rest * together + i);
      if (!HasBands()) add_body();
    }
    std::vector<Expr> index(stage_->vars.size(), Int(0));
    for (const auto& [v, e] : fixed_) {
      for (size_t i = 0; i < stage_->vars.size(); ++i) {
        if (stage_->vars[i].get() == v) index[i] = e;
      }
    }
    if (!has_rows) {
      EmitPixels(b, bodies, inner, index);
      return blocks;
    }
    const size_t row_dim = dims[dims.size() - 2];
    const Expr begin = parts == 1 ? Int(0) : b.Let("begin", PartBegin(part, parts, rows));
    const Expr end = parts == 1 ? Int(rows) : b.Let("end", PartBegin(part + 1, parts, rows));
    auto row = [&](Block& b, Expr r, Range range) {
      if (r->op == Op::kVar) ranges_[r->var.get()] = range;
      index[row_dim] = r;
      std::vector<BlockBody> of_row = bodies;
      for (BlockBody& one : of_row) {
        one.body = kernel::Simplify(kernel::Substitute(one.body, {{stage_->vars[row_dim].get(), r}}), ranges_);
      }
      EmitPixels(b, of_row, inner, index);
    };
    auto rows_from = [&](Block& b, const Expr& begin, const Expr& end) {
      const Zones zones = ZonesOf(bodies[0].body, stage_->vars[row_dim], rows, ranges_);
      ForEachZone(b, zones, begin, end, row);
    };
    if (!HasBands()) {
      rows_from(b, begin, end);
    } else {
      b.For("band", begin, end, band_rows_, [&](Block& b, const Expr& first) {
        const Expr last = b.Let("last", Min(first + band_rows_, end));
        for (Access& a : access_) {
          if (a.band) WidenBand(b, a, first, last);
        }
        bodies.clear();
        add_body();
        rows_from(b, first, last);
      });
    }
    return blocks * outer * parts;
  }

  bool HasBands() const { return std::any_of(access_.begin(), access_.end(), [](const Access& a) { return a.band.has_value(); }); }

  // Decides for a band, and for how many of a task's output rows it is.
  void FindBand(int64_t rows, int64_t parts) {
    for (size_t t = 0; t < access_.size(); ++t) {
      if (access_[t].buffer == nullptr || roles_[t].role != Role::kBlocked) continue;
      access_[t].band = WindowBandOf(*stage_, d_, static_cast<int>(t), ranges_);
      if (!HasBands()) continue;
      band_rows_ = access_[t].band->Divide((rows + parts - 1) / parts);
      return;  // no operator has windows in two tensors
    }
  }

  // The rows that output rows [first, last) read.
  void WidenBand(Block& b, Access& a, const Expr& first, const Expr& last) {
    const std::vector<int64_t>& shape = d_.info(a.band->tensor).shape;
    std::vector<Expr> index(shape.size(), Int(0));  // of the image
    for (size_t i = 0; i + 2 < shape.size(); ++i) {
      if (i != 1 && shape[i] != 1) index[i] = fixed_.at(stage_->vars[i].get());
    }
    const Expr image = RestIndex(index, shape, 1) * kBlock + a.base;
    a.band->Widen(b, a.buffer, image, first, last, std::max(kBlock, s_.target().vector_lanes));
  }

  // A stage's body for one block of channels, and where the block's results begin.
  struct BlockBody {
    Expr body, out_base;
  };

  // How many blocks are computed together: where places are sampled, they share the places.
  int64_t BlocksTogether() const {
    constexpr int64_t kMostBlocks = 4;
    const int64_t blocks = static_cast<int64_t>(blocks_.size());
    int64_t n = samples_places_ ? kMostBlocks : 1;
    while (blocks % n != 0) n /= 2;
    return n;
  }

  // One pixel of several blocks.
  void EmitPixelOfBlocks(Block& b, const std::vector<BlockBody>& bodies, const kernel::Var& w, const Expr& at,
                         const std::vector<Expr>& index) {
    std::vector<Expr> parts;
    for (const BlockBody& one : bodies) {
      parts.push_back(Broadcast(kernel::Simplify(kernel::Substitute(one.body, {{w.get(), at}}), ranges_), kBlock));
    }
    const Expr all = kernel::EmitReductions(b, kernel::JoinLanes(parts), kUnrollReduction, ranges_);
    const Expr y = b.Let("y", ToStored(out_element_, all));
    for (size_t i = 0; i < bodies.size(); ++i) {
      b.Store(out_, RestIndex(index, stage_->info.shape, 1) * kBlock + bodies[i].out_base,
              Slice(y, static_cast<int>(i) * kBlock, kBlock));
    }
  }

  // One row of output pixels.
  void EmitPixels(Block& b, const std::vector<BlockBody>& bodies, size_t inner, std::vector<Expr> index) {
    const Expr& body = bodies[0].body;
    const Expr& out_base = bodies[0].out_base;
    const int64_t cols = stage_->info.shape[inner];
    const kernel::Var w = stage_->vars[inner];
    const Zones zones = ZonesOf(body, w, cols, ranges_);
    auto group = [&](Block& b, Expr first, int64_t n, Range range) {
      if (first->op == Op::kVar) ranges_[first->var.get()] = range;
      // Pixels of a row are neighbours in memory: a power of two of them is a vector, which divides into registers.
      // Results first, then stores: the loads are shared.
      if (bodies.size() > 1) {
        for (int64_t u = 0; u < n; ++u) {
          index[inner] = first + u;
          EmitPixelOfBlocks(b, bodies, w, first + u, index);
        }
        return;
      }
      std::vector<std::pair<Expr, Expr>> stores;  // index, value
      for (int64_t u = 0, together; u < n; u += together) {
        for (together = 1; 2 * together <= std::min(n - u, PixelsTogether());) together *= 2;
        std::vector<Expr> pixels;
        for (int64_t i = 0; i < together; ++i) {
          const Expr e = kernel::Substitute(body, {{w.get(), first + (u + i)}});
          pixels.push_back(Broadcast(kernel::Simplify(e, ranges_), kBlock));
        }
        const Expr y = EmitLongReductions(b, kernel::JoinLanes(pixels), kUnrollReduction, s_.target(), ranges_);
        index[inner] = first + u;
        stores.emplace_back(RestIndex(index, stage_->info.shape, 1) * kBlock + out_base, b.Let("y", ToStored(out_element_, y)));
      }
      for (const auto& [at, y] : stores) b.Store(out_, at, y);
    };
    auto singles = [&](const Zone& z) {
      if (z.unroll) {
        group(b, Int(z.begin), z.end - z.begin, {z.begin, z.end - 1});
      } else {
        b.For("w", z.begin, z.end, [&](Block& b, Expr c) { group(b, c, 1, {z.begin, z.end - 1}); });
      }
    };
    singles(zones.before);
    const int64_t length = zones.interior.end - zones.interior.begin;
    const int64_t unroll = bodies.size() > 1 ? 1 : UnrollFor(length);
    const int64_t main_end = zones.interior.begin + length / unroll * unroll;
    b.For("w", Int(zones.interior.begin), Int(main_end), unroll, [&](Block& b, Expr c) {
      group(b, c, unroll, {zones.interior.begin, main_end - unroll});
    });
    if (main_end < zones.interior.end) {
      group(b, Int(main_end), zones.interior.end - main_end, {main_end, main_end});
    }
    singles(zones.after);
  }

  // How many pixels are at most computed together: enough independent chains to hide latency, few enough to stay in
  // registers. The sums of neighbouring registers are independent as it is; it is functions that are long chains. Bytes of
  // several registers fill one, where there are no sums.
  int64_t PixelsTogether() const { return std::max<int64_t>(1, Registers() * s_.target().vector_lanes / kBlock); }
  int64_t Registers() const {
    if (s_.choice().registers > 0) return s_.choice().registers;
    return ComputesFunctions(stage_->body) || (out_element_.bytes() == 1 && IsFlat()) ? s_.target().chains : 1;
  }
  int64_t WantedTasks() const { return s_.choice().tasks > 0 ? s_.choice().tasks : kChannelwiseTasks; }

  // Pixels per iteration of the loop over a row of `length`: as many as are computed together or less, for the fewest
  // registers in all, the remainder's included.
  int64_t UnrollFor(int64_t length) const {
    if (s_.choice().unroll > 0) return std::clamp<int64_t>(s_.choice().unroll, 1, std::max<int64_t>(1, length));
    const int64_t per_register = std::max(1, s_.target().vector_lanes / kBlock);  // or a part of one
    const auto registers = [&](int64_t n) {
      int64_t sum = n / per_register;
      for (int64_t rest = n % per_register; rest > 0; rest &= rest - 1) ++sum;
      return sum;
    };
    int64_t best = 1, least = int64_t{1} << 60;
    for (int64_t u = std::min<int64_t>(length, 8); u >= 1 && u >= std::min<int64_t>(length, 4); --u) {
      const int64_t cost = length / u * registers(u) + registers(length % u);
      if (cost < least) {
        best = u;
        least = cost;
      }
    }
    return best;
  }

  Scheduler& s_;
  const graph::Node& node_;
  const Definition& d_;
  const std::vector<TensorUse>& roles_;
  const std::vector<Placement>& blocked_;
  const std::vector<BlockUse>& blocks_;
  const std::vector<plan::StorageId>& stage_storage_;
  const bool samples_places_;
  const Stage* stage_ = nullptr;
  plan::StepInfo info_;
  Ranges ranges_;
  std::unordered_map<const kernel::VarNode*, Expr> fixed_;
  std::vector<Buffer> arguments_;
  std::vector<plan::Argument> bindings_;
  std::vector<Access> access_;
  std::map<Scalar, Buffer> arenas_;  // the whole arena as elements of each type
  Buffer out_;
  BlockElement out_element_;
  Expr out_base_;
  int64_t band_rows_ = 0;  // output rows that one band serves
  kernel::Var flat_var_;
};

}  // namespace

void EmitChannelwiseStage(Scheduler& s, const graph::Node& node, const ChannelwiseNode& n, int stage) {
  StageEmitter(s, node, n).Emit(stage, s.Info(node, OpName(node)));
}

}  // namespace mgec::schedule
