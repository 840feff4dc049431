#include "compiler/schedule/channelwise_stage.h"

#include <algorithm>
#include <optional>

#include "compiler/kernel/join_lanes.h"
#include "compiler/kernel/lower.h"
#include "compiler/schedule/channelwise_operands.h"
#include "compiler/schedule/contraction.h"
#include "compiler/schedule/functions.h"
#include "compiler/schedule/long_reduce.h"
#include "compiler/schedule/pixel_sums.h"
#include "compiler/schedule/split.h"
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
constexpr int64_t kNarrow = 28;           // pixels of rows that become straight code
constexpr int64_t kSumsBytes = 8 << 10;   // of sums that wait for what becomes of them: a part of the first cache

bool IsZero(Expr e) {
  while (e->op == Op::kBroadcast) e = e->args[0];
  return e->op == Op::kFloat && e->float_value == 0;
}

// Emits one stage.
class StageEmitter {
 public:
  StageEmitter(Scheduler& s, const graph::Node& node, const ChannelwiseNode& n, int stage)
      : s_(s), node_(node), d_(n.definition), roles_(n.roles), blocks_(n.blocks), samples_places_(n.samples_places),
        storage_(n.storage[stage]), stage_(&n.definition.stages()[stage]), info_(s.Info(node, OpName(node))),
        operands_(s, node, n, *stage_, info_) {}

  void Emit() {
    const std::vector<int64_t>& shape = stage_->info.shape;
    const kernel::Var task = kernel::MakeVar("task");
    for (size_t i = 0; i < shape.size(); ++i) {
      if (i != 1) ranges_[stage_->vars[i].get()] = {0, shape[i] - 1};
    }
    const int64_t out_elements = RestElements(shape, 1) * kBlock;
    out_element_ = s_.Element(stage_->info.scalar);
    out_ = operands_.AddArgument("out", out_element_.stored, out_elements * static_cast<int64_t>(blocks_.size()), {storage_});
    kernel::Kernel k;
    k.name = OpName(node_);
    k.task = task;
    Block b;
    if (IsFlat()) k.tasks = EmitFlat(b, Use(task));
    else k.tasks = EmitRows(b, Use(task));
    k.arguments = operands_.TakeArguments();
    k.body = b.Take();
    s_.program().AddStep(std::move(k), operands_.TakeBindings(), info_);
  }

 private:
  // The stage's body over vectors of 8 channels; other indices are the stage's variables.
  Expr Body(bool flat) {
    std::unordered_map<const kernel::VarNode*, Expr> channel = {{stage_->vars[1].get(), Int(0)}};
    return kernel::ReplaceReads(
        kernel::Substitute(stage_->body, channel), d_, ranges_,
        [&](int t, const std::vector<Expr>& index) { return operands_.Read(t, index, flat ? Use(flat_var_) : nullptr); });
  }

  void EmitBases(Block& b, const Expr& block) {
    operands_.EmitBases(b, block, /*widens=*/!IsFlat());
    out_base_ = b.Let("out_base", block * (RestElements(stage_->info.shape, 1) * kBlock));
  }

  // Every blocked operand has the stage's own shape and index: the pixels are one long row.
  bool IsFlat() const { return IsFlat(stage_->body); }
  bool IsFlat(const Expr& body) const {
    bool flat = true;
    const Expr outside = kernel::Replace(body, [](const Expr& e) { return e->op == Op::kRead ? ZeroOf(e->type) : nullptr; });
    for (const kernel::Var& v : stage_->vars) flat = flat && !kernel::DependsOn(outside, v);
    kernel::Visit(body, [&](const Expr& e) {
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
    const int64_t together = PixelsTogether(body);
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
    if (has_rows && together == 1) band_rows_ = operands_.FindBand((rows + parts - 1) / parts, ranges_);
    if (has_rows && together == 1 && FinishesLater()) {
      const int64_t row_bytes = stage_->info.shape[inner] * kBlock * 4;
      const int64_t most = std::max<int64_t>(1, kSumsBytes / row_bytes);
      band_rows_ = std::min({operands_.HasBand() ? band_rows_ : rows, (rows + parts - 1) / parts, most});
      sums_ = kernel::StackBuffer("sums", Scalar::kFloat32, band_rows_ * row_bytes / 4);
    }
    std::vector<BlockBody> bodies;
    auto add_body = [&] {
      const Expr body = Body(false);
      bodies.push_back({kernel::Simplify(kernel::Substitute(sums_ == nullptr ? body : OnlyReduction(body), fixed_), ranges_), out_base_});
    };
    for (int64_t i = 0; i < together; ++i) {
      EmitBases(b, rest * together + i);
      if (!operands_.HasBand()) add_body();
    }
    if (has_rows && together == 1 && dims.size() == 3 && WantsSums()) summer_.emplace(b, VectorLanes());
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
    if (band_rows_ == 0) {
      rows_from(b, begin, end);
    } else {
      b.For("band", begin, end, band_rows_, [&](Block& b, const Expr& first) {
        const Expr last = b.Let("last", Min(first + band_rows_, end));
        operands_.WidenBand(b, index, first, last);
        index[row_dim] = first;
        index[inner] = Int(0);
        sums_from_ = RestIndex(index, stage_->info.shape, 1);
        bodies.clear();
        add_body();
        rows_from(b, first, last);
        if (sums_ != nullptr) FinishRows(b, last - first, stage_->info.shape[inner]);
      });
    }
    const int64_t tasks = blocks * outer * parts;
    if (summer_) {
      const plan::StorageId sums = s_.program().AddArena(tasks * kBlock * static_cast<int64_t>(sizeof(float)));
      summer_->Store(b, operands_.AddArgument("pixel_sums", Scalar::kFloat32, tasks * kBlock, {sums}), task * kBlock);
      s_.PlacePixelSums(storage_, {sums, parts});
    }
    return tasks;
  }

  // Whether another step reads the sums of this one's pixels, image by image.
  bool WantsSums() const {
    return stage_ == &d_.stages().back() && node_.outputs.size() == 1 && out_element_.plain() &&
           out_element_.value == Scalar::kFloat32 && WantsPixelSums(s_, node_.output());
  }
  int VectorLanes() const { return std::max(kBlock, s_.target().vector_lanes); }

  // Whether the sums of some rows are stored, and what becomes of them is computed behind: functions are long chains of
  // operations, which take many registers, and whose latency only long rows hide.
  bool FinishesLater() const {
    const Expr sum = OnlyReduction(stage_->body);
    const int64_t row_bytes = stage_->info.shape.back() * kBlock * 4;
    if (sum == nullptr || sum->type.scalar != Scalar::kFloat32 || row_bytes > kSumsBytes) return false;
    const Expr rest = kernel::Replace(stage_->body, [&](const Expr& e) { return e == sum ? kernel::Float(0) : nullptr; });
    return ComputesFunctions(rest) && IsFlat(rest);
  }

  // Results of the `rows` rows of `cols` pixels whose sums are there.
  void FinishRows(Block& b, const Expr& rows, int64_t cols) {
    flat_var_ = kernel::MakeVar("p");
    const Expr body = kernel::Replace(Body(true), [&](const Expr& e) {
      return e->op == Op::kReduce ? Load(sums_, (Use(flat_var_) - sums_from_) * kBlock, kBlock) : nullptr;
    });
    int64_t together = 1;
    while (2 * together <= std::min(cols, PixelsTogether(body))) together *= 2;
    const Expr pixels = b.Let("pixels", rows * cols);
    auto group = [&](Block& b, const Expr& from, const Expr& repeated) {
      const Expr at = b.Let("at", sums_from_ + from);
      std::vector<Expr> results;
      for (int64_t u = 0; u < together; ++u) results.push_back(Stored(kernel::Substitute(body, {{flat_var_.get(), at + u}})));
      const Expr y = b.Let("y", kernel::JoinLanes(results));
      b.Store(out_, out_base_ + at * kBlock, y);
      if (summer_) summer_->Add(b, y, repeated);
    };
    // The last vectors overlap those before.
    if (!summer_) {
      b.For("p", Int(0), pixels, together, [&](Block& b, const Expr& p) { group(b, Min(p, pixels - together), nullptr); });
      return;
    }
    b.For("p", Int(0), pixels - (together - 1), together, [&](Block& b, const Expr& p) { group(b, p, nullptr); });
    const Expr rest = b.Let("rest", Binary(Op::kMod, pixels, Int(together)));
    b.If(Int(0) < rest, [&](Block& b) { group(b, pixels - together, Int(together) - rest); });
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

  // Whether neighbours along v read neighbours. Else vectors are put together from parts, which takes registers.
  bool ReadsNeighbours(const kernel::Var& v) const {
    bool neighbours = true;
    kernel::Visit(stage_->body, [&](const Expr& e) {
      if (e->op != Op::kRead) return;
      for (const Expr& index : e->args) neighbours = neighbours && (!kernel::DependsOn(index, v) || kernel::StrideOf(index, v) == 1);
    });
    return neighbours;
  }

  // A product with what lies outside of the image.
  bool Vanishes(const Expr& term) const {
    if (term->op != Op::kMul) return IsZero(term);
    return (IsZero(term->args[0]) && operands_.IsFinite(term->args[1])) || (IsZero(term->args[1]) && operands_.IsFinite(term->args[0]));
  }
  // One row of output pixels.
  void EmitPixels(Block& b, const std::vector<BlockBody>& bodies, size_t inner, std::vector<Expr> index) {
    const Expr& body = bodies[0].body;
    const Expr& out_base = bodies[0].out_base;
    const int64_t cols = stage_->info.shape[inner];
    const kernel::Var w = stage_->vars[inner];
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
        for (together = 1; 2 * together <= std::min(n - u, PixelsTogether(body));) together *= 2;
        std::vector<Expr> pixels;
        for (int64_t i = 0; i < together; ++i) {
          const Expr e = kernel::Substitute(body, {{w.get(), first + (u + i)}});
          pixels.push_back(Broadcast(kernel::Simplify(e, ranges_), kBlock));
        }
        const Expr y = EmitLongReductions(b, kernel::JoinLanes(pixels), kUnrollReduction, s_.target(), ranges_,
                                          [&](const Expr& term) { return Vanishes(term); });
        index[inner] = first + u;
        const Expr at = RestIndex(index, stage_->info.shape, 1);
        if (sums_ != nullptr) stores.emplace_back((at - sums_from_) * kBlock, b.Let("y", y));
        else stores.emplace_back(at * kBlock + out_base, b.Let("y", ToStored(out_element_, y)));
      }
      for (const auto& [at, y] : stores) {
        if (summer_ && sums_ == nullptr) summer_->Add(b, y);
      }
      for (const auto& [at, y] : stores) b.Store(sums_ != nullptr ? sums_ : out_, at, y);
    };
    if (cols <= kNarrow && bodies.size() == 1 && ReadsNeighbours(w)) return group(b, Int(0), cols, {0, 0});
    const Zones zones = ZonesOf(body, w, cols, ranges_);
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
  int64_t PixelsTogether(const Expr& body) const {
    return std::max<int64_t>(1, Registers(body) * s_.target().vector_lanes / kBlock);
  }
  int64_t Registers(const Expr& body) const {
    if (s_.choice().registers > 0) return s_.choice().registers;
    return ComputesFunctions(body) || (out_element_.bytes() == 1 && IsFlat()) ? s_.target().chains : 1;
  }
  int64_t WantedTasks() const { return s_.choice().tasks > 0 ? s_.choice().tasks : kUsualTasks; }

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
  const std::vector<BlockUse>& blocks_;
  const bool samples_places_;
  const plan::StorageId storage_;
  const Stage* stage_;
  plan::StepInfo info_;
  ChannelwiseOperands operands_;
  Ranges ranges_;
  std::unordered_map<const kernel::VarNode*, Expr> fixed_;
  Buffer out_;
  BlockElement out_element_;
  Expr out_base_;
  int64_t band_rows_ = 0;  // output rows that are computed at a time, where not all of a task are
  Buffer sums_;            // of such rows, where they are finished later
  Expr sums_from_;         // the pixel whose sums are the first
  std::optional<PixelSummer> summer_;  // of results, for other steps
  kernel::Var flat_var_;
};

}  // namespace

void EmitChannelwiseStage(Scheduler& s, const graph::Node& node, const ChannelwiseNode& n, int stage) {
  StageEmitter(s, node, n, stage).Emit();
}

}  // namespace mgec::schedule
