// Depthwise convolution of integers by dot products along the rows of the window.
//
// Neighbouring pixels lie 8 channels apart in a block; a dot product wants neighbours of one channel side by side. So the
// pixels that the first taps of a row of the window meet are loaded as one vector and their bytes reordered: for each channel
// a group of as many pixels as the target multiplies at once. A row of three taps costs one load, a reordering of two
// instructions, and one dot product for all pixels that fit into a vector. Two rows of results share the input rows that both
// need.
//
// The image is copied with a border first, as for dense convolutions, so that the loops have no tests.
#include <algorithm>
#include <optional>

#include "compiler/base/status_macros.h"
#include "compiler/kernel/join_lanes.h"
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

// How the taps of one row of the window are divided into groups, and where those lie.
struct Taps {
  int64_t width, stride, dilation;
  int group;

  int64_t groups() const { return (width + group - 1) / group; }
  // Taps of group g that exist.
  int64_t count(int64_t g) const { return std::min<int64_t>(group, width - g * group); }
  // Input pixels between the first and the last that `pixels` neighbouring results need for group g, both included.
  int64_t span(int64_t g, int64_t pixels) const { return stride * (pixels - 1) + dilation * (count(g) - 1) + 1; }
};

class Emitter {
 public:
  Emitter(const ContractionSpec& spec, const ops::ConvParams& p, const graph::Shape& in, int64_t images, int64_t slack,
          const kernel::Target& target)
      : s_(spec), p_(p), images_(images), taps_{p.kernel[1], p.stride[1], p.dilation[1], spec.group()}, target_(target) {
    height_ = in[2] + p.pad[0] + p.pad_after[0];
    width_ = in[3] + p.pad[1] + p.pad_after[1];
    blocks_ = (s_.channels + kBlock - 1) / kBlock;
    const int64_t window = p.kernel[0] * taps_.groups() * kBlock * s_.group();
    in_ = kernel::ArgumentBuffer("in", s_.in_scalar, blocks_ * images_ * height_ * width_ * kBlock + slack, kIn, SizeOf(s_.in_scalar));
    weights_ = kernel::ArgumentBuffer("weights", s_.weight_scalar(), blocks_ * window, kPackedWeights, 64);
    out_ = kernel::ArgumentBuffer("out", s_.out.stored, s_.out_size, kOut, s_.out_alignment);
  }

  kernel::Kernel Build(const std::string& name) {
    const int64_t planes = blocks_ * images_;
    const bool split_pixels = SplitsPixels(images_ * p_.out_h * p_.out_w);
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
    block_ = images_ == 1 ? plane : b.Let("block", plane / Int(images_));
    image_ = images_ == 1 ? Int(0) : b.Let("image", Binary(Op::kMod, plane, Int(images_)));
    LoadWindow(b);
    const Expr in_plane = b.Let("in_plane", plane * (height_ * width_ * kBlock));
    const Expr out_plane = b.Let("out_plane", plane * (p_.out_h * p_.out_w * kBlock));
    auto rows = [&](int count) {
      return [&, count](Block& b, Expr row) {
        rows_ = count;
        row_ = row;
        in_row_ = b.Let("in_row", in_plane + row * (p_.stride[0] * width_ * kBlock));
        out_row_ = b.Let("out_row", out_plane + row * (p_.out_w * kBlock));
        EmitRows(b);
      };
    };
    const Expr begin = b.Let("begin", PartBegin(part, parts, p_.out_h)), end = b.Let("end", PartBegin(part + 1, parts, p_.out_h));
    if (SharesRows()) {
      const Expr pairs = b.Let("pairs", begin + (end - begin) / Int(2) * 2);
      b.For("row", begin, pairs, 2, rows(2));
      b.For("row", pairs, end, 1, rows(1));
    } else {
      b.For("row", begin, end, 1, rows(1));
    }
    k.body = b.Take();
    return k;
  }

  // Results of one vector, where rows are long enough.
  static int64_t PixelsOf(const kernel::Target& target) { return std::max(1, target.vector_lanes / kBlock); }

 private:
  // The weights of the block, once for each pixel of a vector, and what its sums start from.
  void LoadWindow(Block& b) {
    const int lanes = kBlock * s_.group();
    const int64_t pixels = PixelsOf(target_);
    for (int64_t i = 0; i < p_.kernel[0] * taps_.groups(); ++i) {
      const Expr w = Load(weights_, (block_ * (p_.kernel[0] * taps_.groups()) + i) * lanes, lanes);
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

  // The pixels that group `g` of the taps meets in input row `row`, counted from the first of the window, for `pixels` results
  // from `col` on: for each result and channel the group's numbers side by side.
  Expr Operand(const Expr& col, int64_t pixels, int64_t row, int64_t g) const {
    const Expr at = in_row_ + (col * taps_.stride + (row * width_ + g * taps_.group * taps_.dilation)) * kBlock;
    int64_t loaded = 1;
    while (loaded < taps_.span(g, pixels)) loaded *= 2;
    std::vector<int> order;
    for (int64_t i = 0; i < pixels; ++i) {
      for (int64_t c = 0; c < kBlock; ++c) {
        // Taps that do not exist have weights of zero; any pixel will do.
        for (int64_t t = 0; t < taps_.group; ++t) {
          order.push_back(static_cast<int>((taps_.stride * i + taps_.dilation * std::min(t, taps_.count(g) - 1)) * kBlock + c));
        }
      }
    }
    return Shuffle(Load(in_, at, static_cast<int>(loaded) * kBlock), std::move(order));
  }

  // The sums of `pixels` results from `col` on, of each row.
  std::vector<Expr> Sums(Block& b, const Expr& col, int64_t pixels) {
    std::vector<Expr> sums(rows_, Slice(start_, 0, static_cast<int>(pixels) * kBlock));
    for (int64_t kh = 0; kh < p_.kernel[0] + rows_ - 1; ++kh) {
      for (int64_t g = 0; g < taps_.groups(); ++g) {
        const Expr x = b.Let("x", Operand(col, pixels, kh * p_.dilation[0], g));
        for (int64_t r = std::max<int64_t>(0, kh - p_.kernel[0] + 1); r < std::min<int64_t>(rows_, kh + 1); ++r) {
          const Expr& w = window_[(kh - r) * taps_.groups() + g];
          sums[r] = Dot(x, Slice(w, 0, static_cast<int>(pixels) * kBlock * s_.group()), sums[r]);
        }
      }
    }
    for (Expr& sum : sums) sum = b.Let("sum", sum);
    return sums;
  }

  // Vectors of `pixels` results each, beginning at `cols`, finished together.
  void EmitVectors(Block& b, const std::vector<Expr>& cols, int64_t pixels) {
    const int lanes = static_cast<int>(pixels) * kBlock;
    std::vector<std::vector<Expr>> results(rows_);
    for (const Expr& col : cols) {
      const std::vector<Expr> sums = Sums(b, col, pixels);
      for (int r = 0; r < rows_; ++r) {
        for (int64_t i = 0; i < pixels; ++i) {
          const Expr sum = Slice(sums[r], static_cast<int>(i) * kBlock, kBlock);
          results[r].push_back(ToStored(s_.out, s_.epilogue(sum, block_, image_ * p_.out_h + (row_ + r), col + i)));
        }
      }
    }
    for (int r = 0; r < rows_; ++r) {
      const Expr y = b.Let("y", kernel::JoinLanes(results[r]));
      for (size_t v = 0; v < cols.size(); ++v) {
        b.Store(out_, out_row_ + (cols[v] + r * p_.out_w) * kBlock, Slice(y, static_cast<int>(v) * lanes, lanes));
      }
    }
  }

  void EmitRows(Block& b) {
    const int64_t cols = p_.out_w, pixels = std::min(cols, PixelsOf(target_));
    const int64_t together = std::max<int64_t>(1, target_.chains), step = pixels * together;
    const int64_t main_end = cols / step * step;
    auto vectors = [&](const Expr& first, int64_t n) {
      std::vector<Expr> at;
      for (int64_t v = 0; v < n; ++v) at.push_back(first + v * pixels);
      return at;
    };
    if (main_end > 0) b.For("col", Int(0), Int(main_end), step, [&](Block& b, Expr c) { EmitVectors(b, vectors(c, together), pixels); });
    // The rest in powers of two of vectors, the last of which may overlap the one before it.
    int64_t at = main_end, left = (cols - main_end) / pixels;
    for (int64_t n = together; left > 0; n /= 2) {
      if (left < n) continue;
      EmitVectors(b, vectors(Int(at), n), pixels);
      at += n * pixels;
      left -= n;
    }
    if (at < cols) EmitVectors(b, {Int(cols - pixels)}, pixels);
  }

  const ContractionSpec& s_;
  const ops::ConvParams& p_;
  const int64_t images_;
  const Taps taps_;
  const kernel::Target& target_;
  int64_t height_, width_, blocks_;
  Buffer in_, weights_, out_;
  Expr block_, image_, row_, in_row_, out_row_, start_;
  int rows_ = 1;  // of results, computed together
  std::vector<Expr> window_;
};

// [block][row of the window][group of taps][8 channels][group].
template <typename T>
std::string Pack(const ops::ConvParams& p, const Taps& taps, int64_t channels, const WeightIndexFunction& index,
                 const std::vector<int32_t>& weights) {
  const int64_t blocks = (channels + kBlock - 1) / kBlock;
  std::string packed;
  for (int64_t n = 0; n < blocks * kBlock; n += kBlock) {
    for (int64_t kh = 0; kh < p.kernel[0]; ++kh) {
      for (int64_t tap = 0; tap < taps.groups() * taps.group; tap += taps.group) {
        for (int64_t c = n; c < n + kBlock; ++c) {
          for (int64_t t = tap; t < tap + taps.group; ++t) {
            const T w = c < channels && t < taps.width ? static_cast<T>(weights[index(kh * taps.width + t, c)]) : T{0};
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
  const Taps taps{p.kernel[1], p.stride[1], p.dilation[1], integers->group()};
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
  const int64_t slack = kMostPixels * kBlock;
  const std::vector<BlockUse> blocks = BlocksOf(s.placement(x));
  const plan::StorageId padded = PadBlocks(s, node, blocks, in, p, {s.Element(x), integers->in, integers->zero_point}, slack);
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
  std::vector<plan::Argument> arguments = {{padded}, {packed}, {storage}};
  arguments.insert(arguments.end(), extra.begin(), extra.end());
  s.program().AddStep(Emitter(spec, p, in, in[0], slack, s.target()).Build(info.op), std::move(arguments), std::move(info));
  s.Place(node.output(), NaturalPlacement(storage, p.out_channels));
  return true;
}

}  // namespace mgec::schedule
