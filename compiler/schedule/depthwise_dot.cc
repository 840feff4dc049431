// Depthwise convolution of integers by dot products along the rows of the window.
//
// Neighbouring pixels lie 8 channels apart in a block; a dot product wants neighbours of one channel side by side. So the
// pixels that the first taps of a row of the window meet are loaded as one vector and their bytes reordered: for each channel
// a group of as many pixels as the target multiplies at once. A row of three taps costs one load, a reordering of two
// instructions, and one dot product for all pixels that fit into a vector. Two rows of results share the input rows that both
// need. Where a group has room for one tap more than the window (3 of 4), neighbouring results share it: the weights of one begin
// a place later.
//
// Where the window leaves the image, the code is another: the first and the last rows have fewer taps to load, the first and the
// last vectors of a row take what is outside from a constant, by the same reordering. In between there are no tests. Images that
// have little in between are copied with a border first, as those whose elements have to be converted.
#include <algorithm>
#include <optional>

#include "compiler/base/status_macros.h"
#include "compiler/kernel/join_lanes.h"
#include "compiler/kernel/simplify.h"
#include "compiler/ops/conv.h"
#include "compiler/schedule/contraction.h"
#include "compiler/schedule/epilogue.h"
#include "compiler/schedule/int_operands.h"
#include "compiler/schedule/pad.h"
#include "compiler/schedule/scheduler.h"
#include "compiler/schedule/split.h"

namespace mgec::schedule {
namespace {

using kernel::Block;
using kernel::Buffer;
using kernel::Expr;
using kernel::Int;
using kernel::Op;
using kernel::Scalar;

constexpr int64_t kMostPixels = 8;  // of one load

// Arguments, before the epilogue's.
enum Argument { kIn = 0, kPackedWeights = 1, kOut = 2, kExtra = 3 };

// How the taps of one row of the window are divided into groups, and where those lie. `phases` neighbouring results are sums of
// the same groups: for phase f, tap t of the window is number t + f.
struct Taps {
  int64_t width, stride, dilation;
  int group;
  int64_t phases = 1;

  int64_t groups() const { return (width + phases - 1 + group - 1) / group; }
  // Taps of group g that exist, for some phase.
  int64_t count(int64_t g) const { return std::min<int64_t>(group, width + phases - 1 - g * group); }
  // Input pixels between the first and the last that a vector of `pixels` results needs for group g, both included.
  int64_t span(int64_t g, int64_t pixels) const { return phases * stride * (pixels - 1) + dilation * (count(g) - 1) + 1; }

  // Two phases, where that costs no more products and few registers for weights.
  static Taps Shared(const Taps& t, int64_t rows) {
    constexpr int64_t kMostWeights = 12;
    Taps shared = t;
    shared.phases = 2;
    const bool fits = t.stride == 1 && t.dilation == 1 && shared.groups() == t.groups() &&
                      shared.phases * shared.groups() * rows <= kMostWeights;
    return fits ? shared : t;
  }
};

// The images that windows move over.
struct Images {
  int64_t count, height, width;
  int64_t top = 0, left = 0;  // how far windows begin outside of them
  int64_t outside = 0;        // what is stored there
  int64_t slack = 0;          // elements of room behind the last: any vector may be loaded
};

// Indices [begin, end) of rows of results, or of units of a row, whose windows are inside. Others are before or after.
struct Interior {
  int64_t begin, end;
};

class Emitter {
 public:
  Emitter(const ContractionSpec& spec, const ops::ConvParams& p, const Taps& taps, const Images& images, const kernel::Target& target)
      : s_(spec), p_(p), in_images_(images), taps_(taps), target_(target) {
    blocks_ = (s_.channels + kBlock - 1) / kBlock;
    const int64_t window = taps_.phases * WindowSize() * kBlock * s_.group();
    in_ = kernel::ArgumentBuffer("in", s_.in_scalar, blocks_ * images.count * PlaneElements() + images.slack, kIn, SizeOf(s_.in_scalar));
    weights_ = kernel::ArgumentBuffer("weights", s_.weight_scalar(), blocks_ * window, kPackedWeights, 64);
    out_ = kernel::ArgumentBuffer("out", s_.out.stored, s_.out_size, kOut, s_.out_alignment);
  }

  // Whether the images can be read as they are: few enough rows and vectors are at their edges.
  bool ReadsInPlace() const {
    constexpr int64_t kMostEdges = 4;
    for (int64_t g = 0; g < taps_.groups(); ++g) {
      if (Loaded(g, Pixels()) > in_images_.width) return false;
    }
    if (p_.out_w < Unit()) return false;
    const Interior rows = InteriorRows(), units = InteriorUnits();
    return rows.begin + p_.out_h - rows.end <= kMostEdges && units.begin + p_.out_w / Unit() - units.end <= kMostEdges;
  }

  kernel::Kernel Build(const std::string& name) {
    const int64_t images = in_images_.count, planes = blocks_ * images;
    const bool split_pixels = SplitsPixels(images * p_.out_h * p_.out_w);
    const int64_t wanted = ((s_.choice.tasks > 0 ? s_.choice.tasks : kUsualTasks) + planes - 1) / planes;
    const int64_t parts = std::clamp<int64_t>(split_pixels ? PartsOfPixels(wanted) : wanted, 1, p_.out_h);
    kernel::Kernel k;
    k.name = name;
    k.task = kernel::MakeVar("task");
    k.tasks = planes * parts;
    k.arguments = {in_, weights_, out_};
    k.arguments.insert(k.arguments.end(), s_.extra.begin(), s_.extra.end());
    Block b;
    const int64_t divisor = split_pixels ? planes : parts;
    const Expr slow = b.Let("slow", Use(k.task) / Int(divisor)), fast = b.Let("fast", Binary(Op::kMod, Use(k.task), Int(divisor)));
    const Expr plane = split_pixels ? fast : slow, part = split_pixels ? slow : fast;
    block_ = images == 1 ? plane : b.Let("block", plane / Int(images));
    image_ = images == 1 ? Int(0) : b.Let("image", Binary(Op::kMod, plane, Int(images)));
    LoadWindow(b);
    in_plane_ = b.Let("in_plane", plane * PlaneElements());
    out_plane_ = b.Let("out_plane", plane * (p_.out_h * p_.out_w * kBlock));
    EmitTask(b, part, parts);
    k.body = b.Take();
    return k;
  }

  // Results of one vector, where rows are long enough.
  static int64_t PixelsOf(const kernel::Target& target) { return std::max(1, target.vector_lanes / kBlock); }

 private:
  // Where a unit of results begins: `fixed` is its column where that is known and windows may leave the image.
  struct Column {
    Expr at;
    std::optional<int64_t> fixed;
  };
  struct Result {
    Expr at;
    std::vector<Expr> pixels;  // phase by phase
  };
  Column Fixed(int64_t col) const { return {Int(col), in_images_.slack == 0 ? std::optional<int64_t>(col) : std::nullopt}; }

  int64_t PlaneElements() const { return in_images_.height * in_images_.width * kBlock; }
  int64_t Pixels() const { return std::min(p_.out_w, PixelsOf(target_)); }
  // Results that are computed from the same operands: a vector of each phase.
  int64_t Unit() const { return taps_.phases * Pixels(); }
  // Units that are finished together.
  int64_t Together() const { return std::max<int64_t>(1, target_.chains / taps_.phases); }
  int64_t WindowSize() const { return p_.kernel[0] * taps_.groups(); }

  // The pixels that are loaded for group g of the taps.
  int64_t Loaded(int64_t g, int64_t pixels) const {
    int64_t loaded = 1;
    while (loaded < taps_.span(g, pixels)) loaded *= 2;
    return loaded;
  }
  // The first of them, for results from `col` on.
  int64_t FirstOf(int64_t g, int64_t col) const { return col * taps_.stride - in_images_.left + g * taps_.group * taps_.dilation; }

  bool IsRowInside(int64_t row, int64_t kh) const {
    const int64_t at = row * p_.stride[0] - in_images_.top + kh * p_.dilation[0];
    return at >= 0 && at < in_images_.height;
  }
  Interior InteriorRows() const {
    return InteriorOf(p_.out_h, [&](int64_t row) { return IsRowInside(row, 0) && IsRowInside(row, p_.kernel[0] - 1); });
  }
  // Of the units that begin at whole multiples of their length.
  Interior InteriorUnits() const {
    return InteriorOf(p_.out_w / Unit(), [&](int64_t u) {
      for (int64_t g = 0; g < taps_.groups(); ++g) {
        const int64_t first = FirstOf(g, u * Unit());
        if (first < 0 || (in_images_.slack == 0 && first + Loaded(g, Pixels()) > in_images_.width)) return false;
      }
      return true;
    });
  }
  template <typename IsInside>
  static Interior InteriorOf(int64_t n, const IsInside& is_inside) {
    Interior i = {0, n};
    while (i.begin < n && !is_inside(i.begin)) ++i.begin;
    while (i.end > i.begin && !is_inside(i.end - 1)) --i.end;
    return i;
  }

  // Rows of one part of a plane.
  void EmitTask(Block& b, const Expr& part, int64_t parts) {
    const Expr begin = b.Let("begin", PartBegin(part, parts, p_.out_h)), end = b.Let("end", PartBegin(part + 1, parts, p_.out_h));
    const Interior inside = InteriorRows();
    auto rows = [&](int count) {
      return [&, count](Block& b, const Expr& row) { EmitRows(b, row, std::nullopt, count); };
    };
    auto edges = [&](int64_t from, int64_t to) {
      for (int64_t row = from; row < to; ++row) {
        b.If(And(begin <= Int(row), Int(row) < end), [&](Block& b) { EmitRows(b, Int(row), row, 1); });
      }
    };
    edges(0, inside.begin);
    const Expr first = b.Let("first", Max(begin, Int(inside.begin))), last = b.Let("last", Min(end, Int(inside.end)));
    if (SharesRows()) {
      const Expr pairs = b.Let("pairs", first + Max(last - first, Int(0)) / Int(2) * 2);
      b.For("row", first, pairs, 2, rows(2));
      b.For("row", pairs, last, 1, rows(1));
    } else {
      b.For("row", first, last, 1, rows(1));
    }
    edges(inside.end, p_.out_h);
  }

  // The weights of the block, once for each pixel of a vector, and what its sums start from.
  void LoadWindow(Block& b) {
    const int lanes = kBlock * s_.group();
    const int64_t pixels = PixelsOf(target_), count = taps_.phases * WindowSize();
    for (int64_t i = 0; i < count; ++i) {
      const Expr w = Load(weights_, (block_ * count + i) * lanes, lanes);
      std::vector<int> order;
      for (int64_t n = 0; n < lanes * pixels; ++n) order.push_back(static_cast<int>(n % lanes));
      window_.push_back(b.Let("w", pixels == 1 ? w : Shuffle(w, std::move(order))));
    }
    Expr start = Broadcast(Int(0, kernel::Type(Scalar::kInt32)), kBlock);
    if (s_.start) start = Load(s_.start, block_ * kBlock, kBlock);
    start_ = b.Let("start", kernel::JoinLanes(std::vector<Expr>(pixels, start)));
  }

  // Whether a row of results needs input rows that the next one needs, too.
  bool SharesRows() const { return p_.stride[0] == 1 && p_.dilation[0] == 1 && p_.kernel[0] > 1 && p_.out_h > 1; }

  Expr Outside(int64_t lanes) const {
    return Broadcast(Int(in_images_.outside, kernel::Type(s_.in_scalar)), static_cast<int>(lanes));
  }

  // The pixels that group `g` of the taps meets in row `kh` of the window, for a vector of `pixels` results from `col` on: for each
  // result and channel the group's numbers side by side.
  Expr Operand(const Column& col, int64_t pixels, int64_t kh, int64_t g) const {
    const int64_t lanes = pixels * kBlock * taps_.group, loaded = Loaded(g, pixels);
    if (fixed_row_ && !IsRowInside(*fixed_row_, kh)) return Outside(lanes);
    const int64_t first = col.fixed ? FirstOf(g, *col.fixed) : 0;
    // Edges load the nearest pixels that there are.
    const int64_t from = col.fixed ? std::clamp<int64_t>(first, 0, in_images_.width - loaded) : 0;
    std::vector<int> order;
    int64_t outside = 0;
    for (int64_t i = 0; i < pixels; ++i) {
      for (int64_t c = 0; c < kBlock; ++c) {
        // Taps that do not exist have weights of zero; any pixel will do.
        for (int64_t t = 0; t < taps_.group; ++t) {
          const int64_t pixel = first + taps_.phases * taps_.stride * i + taps_.dilation * std::min(t, taps_.count(g) - 1);
          const bool is_outside = col.fixed && (pixel < 0 || pixel >= in_images_.width);
          outside += is_outside;
          order.push_back(static_cast<int>((is_outside ? loaded : pixel - from) * kBlock + c));
        }
      }
    }
    if (outside == lanes) return Outside(lanes);
    const Expr row = in_row_ + kh * (p_.dilation[0] * in_images_.width * kBlock);
    const Expr at = col.fixed ? row + from * kBlock
                              : row + (col.at * taps_.stride + (g * taps_.group * taps_.dilation - in_images_.left)) * kBlock;
    const Expr x = Load(in_, at, static_cast<int>(loaded) * kBlock);
    return Shuffle(outside == 0 ? x : ConcatLanes(x, Outside(loaded * kBlock)), std::move(order));
  }

  // The sums of a unit from `col` on: of each row the vectors of the phases.
  std::vector<std::vector<Expr>> Sums(Block& b, const Column& col, int64_t pixels) {
    const int lanes = static_cast<int>(pixels) * kBlock;
    std::vector<std::vector<Expr>> sums(rows_, std::vector<Expr>(taps_.phases, Slice(start_, 0, lanes)));
    for (int64_t kh = 0; kh < p_.kernel[0] + rows_ - 1; ++kh) {
      for (int64_t g = 0; g < taps_.groups(); ++g) {
        const Expr x = b.Let("x", Operand(col, pixels, kh, g));
        for (int64_t r = std::max<int64_t>(0, kh - p_.kernel[0] + 1); r < std::min<int64_t>(rows_, kh + 1); ++r) {
          for (int64_t f = 0; f < taps_.phases; ++f) {
            const Expr& w = window_[f * WindowSize() + (kh - r) * taps_.groups() + g];
            sums[r][f] = Dot(x, Slice(w, 0, lanes * s_.group()), sums[r][f]);
          }
        }
      }
    }
    for (std::vector<Expr>& row : sums) {
      for (Expr& sum : row) sum = b.Let("sum", sum);
    }
    return sums;
  }

  // Units that begin at `cols`, finished together.
  void EmitUnits(Block& b, const std::vector<Column>& cols, int64_t pixels) {
    std::vector<std::vector<Result>> rows(rows_);
    for (const Column& col : cols) {
      const std::vector<std::vector<Expr>> sums = Sums(b, col, pixels);
      for (int r = 0; r < rows_; ++r) {
        rows[r].push_back({out_row_ + (col.at + r * p_.out_w) * kBlock, {}});
        for (int64_t f = 0; f < taps_.phases; ++f) {
          for (int64_t i = 0; i < pixels; ++i) {
            const Expr sum = Slice(sums[r][f], static_cast<int>(i) * kBlock, kBlock);
            const Expr y = s_.epilogue(sum, block_, image_ * p_.out_h + (row_ + r), col.at + (i * taps_.phases + f));
            rows[r].back().pixels.push_back(ToStored(s_.out, y));
          }
        }
      }
    }
    std::vector<Result> results;
    for (const std::vector<Result>& row : rows) results.insert(results.end(), row.begin(), row.end());
    // As many as fill registers.
    for (size_t first = 0, n; first < results.size(); first += n) {
      for (n = 1; 2 * n <= std::min<size_t>(results.size() - first, Together());) n *= 2;
      Store(b, {results.begin() + first, results.begin() + first + n}, pixels);
    }
  }

  // Units as vectors, in the order of memory.
  void Store(Block& b, const std::vector<Result>& units, int64_t pixels) {
    std::vector<Expr> ys;
    std::vector<int> order;
    for (const Result& unit : units) {
      const int64_t first = static_cast<int64_t>(ys.size()), size = static_cast<int64_t>(unit.pixels.size());
      ys.insert(ys.end(), unit.pixels.begin(), unit.pixels.end());
      for (int64_t pixel = 0; pixel < size; ++pixel) {
        const int64_t at = first + pixel % taps_.phases * pixels + pixel / taps_.phases;
        for (int64_t lane = 0; lane < kBlock; ++lane) order.push_back(static_cast<int>(at * kBlock + lane));
      }
    }
    Expr y = b.Let("y", kernel::JoinLanes(ys));
    if (taps_.phases > 1 && pixels > 1) y = b.Let("sorted", Shuffle(y, std::move(order)));
    const int lanes = static_cast<int>(taps_.phases * pixels) * kBlock;
    for (size_t i = 0, run; i < units.size(); i += run) {  // neighbours by one store
      for (run = 1; i + run < units.size(); ++run) {
        const kernel::Linear distance = kernel::LinearOf(units[i + run].at - units[i].at);
        if (!distance.terms.empty() || distance.constant != static_cast<int64_t>(run) * lanes) break;
      }
      b.Store(out_, units[i].at, Slice(y, static_cast<int>(i) * lanes, static_cast<int>(run) * lanes));
    }
  }

  // `rows` rows of results from `row` on; of one whose window leaves the image, the number is `fixed`.
  void EmitRows(Block& b, const Expr& row, std::optional<int64_t> fixed, int rows) {
    rows_ = rows;
    row_ = row;
    fixed_row_ = fixed;
    in_row_ = b.Let("in_row", in_plane_ + (row * p_.stride[0] - in_images_.top) * (in_images_.width * kBlock));
    out_row_ = b.Let("out_row", out_plane_ + row * (p_.out_w * kBlock));
    const int64_t cols = p_.out_w, pixels = Pixels(), unit = Unit(), together = Together();
    const Interior inside = InteriorUnits();
    const int64_t main_end = inside.begin + (inside.end - inside.begin) / together * together;
    if (main_end > inside.begin) {
      b.For("col", Int(inside.begin * unit), Int(main_end * unit), unit * together, [&](Block& b, const Expr& c) {
        std::vector<Column> at;
        for (int64_t u = 0; u < together; ++u) at.push_back({c + u * unit, std::nullopt});
        EmitUnits(b, at, pixels);
      });
    }
    std::vector<Column> rest;
    for (int64_t u = 0; u < inside.begin; ++u) rest.push_back(Fixed(u * unit));
    for (int64_t u = main_end; u < cols / unit; ++u) rest.push_back(Fixed(u * unit));
    if (cols % unit != 0) rest.push_back(Fixed(cols - unit));  // overlaps the one before it
    for (size_t first = 0; first < rest.size(); first += together) {
      EmitUnits(b, {rest.begin() + first, rest.begin() + std::min(rest.size(), first + together)}, pixels);
    }
  }

  const ContractionSpec& s_;
  const ops::ConvParams& p_;
  const Images in_images_;
  const Taps taps_;
  const kernel::Target& target_;
  int64_t blocks_;
  Buffer in_, weights_, out_;
  Expr block_, image_, in_plane_, out_plane_, row_, in_row_, out_row_, start_;
  std::optional<int64_t> fixed_row_;
  int rows_ = 1;  // of results, computed together
  std::vector<Expr> window_;
};

// [block][phase][row of the window][group of taps][8 channels][group].
template <typename T>
std::string Pack(const ops::ConvParams& p, const Taps& taps, int64_t channels, const WeightIndexFunction& index,
                 const std::vector<int32_t>& weights) {
  const int64_t blocks = (channels + kBlock - 1) / kBlock, rows = p.kernel[0] * taps.phases;
  std::string packed;
  for (int64_t n = 0; n < blocks * kBlock; n += kBlock) {
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t kh = row % p.kernel[0], phase = row / p.kernel[0];
      for (int64_t first = -phase; first < taps.groups() * taps.group - phase; first += taps.group) {
        for (int64_t c = n; c < n + kBlock; ++c) {
          for (int64_t t = first; t < first + taps.group; ++t) {
            const bool exists = c < channels && t >= 0 && t < taps.width;
            const T w = exists ? static_cast<T>(weights[index(kh * taps.width + t, c)]) : T{0};
            packed.append(reinterpret_cast<const char*>(&w), sizeof(T));
          }
        }
      }
    }
  }
  return packed;
}

}  // namespace

absl::StatusOr<bool> ScheduleDepthwiseDot(Scheduler& s, const graph::Node& node) {
  const graph::Node* anchor = Anchor(node);
  if (anchor == nullptr || anchor->op != "int_conv2d" || anchor->inputs.size() != 2) return false;
  const graph::Value* x = Outer(node, anchor->inputs[0]);
  const graph::Value* w = Outer(node, anchor->inputs[1]);
  ASSIGN_OR_RETURN(ops::ConvParams p, ops::ConvParamsOf(ops::ContextOf(*anchor)));
  const graph::Shape& in = x->type.shape;
  if (p.group != p.in_channels || p.group != p.out_channels || node.outputs.size() != 1 ||
      node.output()->type.shape != anchor->output()->type.shape || p.activation != "identity" ||
      graph::NumElements(node.output()->type.shape) == 0 || !CanBeBlocked(node.output())) {
    return false;
  }
  const std::optional<IntOperands> integers = IntOperandsOf(s, x, w);
  if (!integers || !s.placement(x).blocked || !IsNatural(s.placement(x))) return false;
  Taps taps{p.kernel[1], p.stride[1], p.dilation[1], integers->group()};
  if (taps.span(0, Emitter::PixelsOf(s.target())) > kMostPixels) return false;
  // Pairs for one pixel at a time save nothing: float32 multiplies as many numbers.
  if (taps.group == 2 && Emitter::PixelsOf(s.target()) == 1) return false;
  ASSIGN_OR_RETURN(kernel::Definition d, DefinitionFor(node));

  const graph::Shape& out = node.output()->type.shape;
  ContractionSpec spec;
  spec.in_scalar = integers->in.stored;
  spec.out = s.Element(node.output());
  spec.channels = p.out_channels;
  spec.first_extra = kExtra;
  spec.choice = s.choice();
  const PixelMap pixels = PixelsByRows(in[0], p.out_h, p.out_w);
  std::vector<plan::Argument> extra;
  if (!BuildEpilogue(s, node, d, /*blocked=*/true, pixels, spec, extra)) return false;

  plan::StepInfo info = s.Info(node, OpName(node));
  const PadElements elements = {s.Element(x), integers->in, integers->zero_point};
  Images images = {in[0], in[2], in[3], p.pad[0], p.pad[1], integers->zero_point + integers->in.bias};
  const bool converted = elements.from.stored != elements.to.stored || elements.from.bias != elements.to.bias;
  const std::vector<BlockUse> blocks = BlocksOf(s.placement(x));
  plan::Argument input = {blocks[0].storage};
  const auto reads_in_place = [&](const Taps& t) { return !converted && Emitter(spec, p, t, images, s.target()).ReadsInPlace(); };
  if (const Taps shared = Taps::Shared(taps, p.kernel[0]); reads_in_place(shared)) {
    taps = shared;
  } else if (!reads_in_place(taps)) {
    images = {in[0], in[2] + p.pad[0] + p.pad_after[0], in[3] + p.pad[1] + p.pad_after[1]};
    images.slack = kMostPixels * kBlock;
    input = {PadBlocks(s, node, blocks, in, p, elements, images.slack)};
  }
  auto index = [&](int64_t k, int64_t n) {
    const int64_t tap = p.flip ? p.kernel[0] * p.kernel[1] - 1 - k : k;
    return n * p.kernel[0] * p.kernel[1] + tap;
  };
  AddStart(s, *integers, p.kernel[0] * p.kernel[1], index, spec, extra);
  const plan::StorageId packed = s.program().AddConstant(
      spec.weight_scalar() == Scalar::kInt8 ? Pack<int8_t>(p, taps, spec.channels, index, integers->weights)
                                            : Pack<int16_t>(p, taps, spec.channels, index, integers->weights));
  const int64_t out_blocks = (p.out_channels + kBlock - 1) / kBlock;
  const plan::StorageId storage = s.NewBlocks(out, out_blocks, spec.out);
  spec.out_size = out_blocks * BlockElements(out);
  spec.out_alignment = kBlock * spec.out.bytes();
  std::vector<plan::Argument> arguments = {input, {packed}, {storage}};
  arguments.insert(arguments.end(), extra.begin(), extra.end());
  s.program().AddStep(Emitter(spec, p, taps, images, s.target()).Build(info.op), std::move(arguments), std::move(info));
  s.Place(node.output(), NaturalPlacement(storage, p.out_channels));
  return true;
}

}  // namespace mgec::schedule
