// Schedules convolutions by Winograd's algorithm (winograd.h): pad, then for each group of tile rows transform, multiply,
// transform back with the epilogue. The group keeps both transformed tensors in the cache.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <optional>

#include "compiler/base/status_macros.h"
#include "compiler/ops/conv.h"
#include "compiler/schedule/contraction.h"
#include "compiler/schedule/epilogue.h"
#include "compiler/schedule/int_operands.h"
#include "compiler/schedule/k_list.h"
#include "compiler/schedule/narrow_floats.h"
#include "compiler/schedule/pad.h"
#include "compiler/schedule/scheduler.h"
#include "compiler/schedule/winograd.h"

namespace mgec::schedule {
namespace {

using kernel::Block;
using kernel::Buffer;
using kernel::Expr;
using kernel::Int;
using kernel::Op;
using kernel::Scalar;

// Tiles of one group: enough for full register tiles, few enough for the cache.
constexpr int64_t kGroupTiles = 112;

struct Sizes {
  int m;                          // outputs per tile and axis
  int64_t images, out_h, out_w;
  int64_t tiles_h, tiles_w;       // per image
  int64_t height, width;          // of the padded input
  int64_t in_blocks, out_blocks;
  int64_t group_rows, groups;     // tile rows per group; groups
  Scalar in = Scalar::kFloat32, sum = Scalar::kFloat32;  // what is multiplied, and added up
  Scalar padded = Scalar::kFloat32;                      // what the padded input holds

  int64_t tiles() const { return group_rows * tiles_w; }  // per group
  int64_t positions() const { return (m + 2) * (m + 2); }
  int64_t transformed(int64_t blocks) const { return positions() * blocks * tiles() * kBlock; }  // elements
};

Sizes SizesOf(int m, const ops::ConvParams& p, int64_t images, int64_t in_blocks, int64_t group_tiles) {
  Sizes s;
  s.m = m;
  s.images = images;
  s.out_h = p.out_h;
  s.out_w = p.out_w;
  s.tiles_h = (p.out_h + m - 1) / m;
  s.tiles_w = (p.out_w + m - 1) / m;
  s.height = s.tiles_h * m + 2;
  s.width = s.tiles_w * m + 2;
  s.in_blocks = in_blocks;
  s.out_blocks = (p.out_channels + kBlock - 1) / kBlock;
  const int64_t rows = images * s.tiles_h;
  s.groups = (rows * s.tiles_w + group_tiles - 1) / group_tiles;
  s.group_rows = (rows + s.groups - 1) / s.groups;
  s.groups = (rows + s.group_rows - 1) / s.group_rows;
  return s;
}

// Splits a task into (block, tile row of the group) and finds the tile row in the tensor; runs `body` if there is one.
void ForTileRow(Block& b, const Sizes& s, const Expr& task, const Buffer& group,
                const std::function<void(Block&, Expr block, Expr row, Expr image, Expr tile_row)>& body) {
  const Expr block = b.Let("block", task / Int(s.group_rows)), row = b.Let("row", Binary(Op::kMod, task, Int(s.group_rows)));
  const Expr first = Cast(kernel::kIndexType, Load(group, Int(0)));
  const Expr at = b.Let("at", first + row);
  b.If(at < s.images * s.tiles_h, [&](Block& b) {
    const Expr image = s.images == 1 ? Int(0) : b.Let("image", at / Int(s.tiles_h));
    const Expr tile_row = s.images == 1 ? at : b.Let("tile_row", Binary(Op::kMod, at, Int(s.tiles_h)));
    body(b, block, row, image, tile_row);
  });
}

// in: padded blocks; out: [position][block][tile][8] of one group.
kernel::Kernel InputKernel(const Sizes& s) {
  kernel::Kernel k;
  k.name = "winograd_input";
  k.task = kernel::MakeVar("task");
  k.tasks = s.in_blocks * s.group_rows;
  const int64_t image_elements = s.height * s.width * kBlock;
  k.arguments = {kernel::ArgumentBuffer("in", s.padded, s.in_blocks * s.images * image_elements, 0, 16),
                 kernel::ArgumentBuffer("group", Scalar::kInt32, 1, 1, 4),
                 kernel::ArgumentBuffer("out", s.in, s.transformed(s.in_blocks), 2, 16)};
  const int n = s.m + 2;
  Block b;
  ForTileRow(b, s, Use(k.task), k.arguments[1], [&](Block& b, Expr block, Expr row, Expr image, Expr tile_row) {
    const Expr from = b.Let("from", (block * s.images + image) * image_elements + tile_row * (s.m * s.width * kBlock));
    const Expr to = b.Let("to", (block * s.tiles() + row * s.tiles_w) * kBlock);
    b.For("tile", 0, s.tiles_w, [&](Block& b, Expr tile) {
      const Expr in = b.Let("in", from + tile * (s.m * kBlock));
      const Expr out = b.Let("out", to + tile * kBlock);
      std::vector<std::vector<Expr>> columns;  // [x][y]: columns transformed first
      for (int x = 0; x < n; ++x) {
        std::vector<Expr> d;
        for (int y = 0; y < n; ++y) {
          d.push_back(b.Let("d", Cast(s.in, Load(k.arguments[0], in + (y * s.width + x) * kBlock, kBlock))));
        }
        columns.push_back(WinogradInput(b, d));
      }
      for (int y = 0; y < n; ++y) {
        std::vector<Expr> line;
        for (int x = 0; x < n; ++x) line.push_back(columns[x][y]);
        const std::vector<Expr> v = WinogradInput(b, line);
        for (int x = 0; x < n; ++x) {
          b.Store(k.arguments[2], out + (y * n + x) * (s.in_blocks * s.tiles() * kBlock), v[x]);
        }
      }
    });
  });
  k.body = b.Take();
  return k;
}

// The sum behind the fourfold that comes out of the transforms of integers.
Expr IntSum(const Expr& fourfold, const ContractionSpec& spec, const Expr& block) {
  const Expr sum = Binary(Op::kShr, fourfold, Int(2, kernel::Type(Scalar::kInt32)));
  return spec.start == nullptr ? sum : sum + Load(spec.start, block * kBlock, kBlock);
}

// in: products of one group; out: the blocked result, after the epilogue.
kernel::Kernel OutputKernel(const Sizes& s, const ContractionSpec& spec) {
  kernel::Kernel k;
  k.name = "winograd_output";
  k.task = kernel::MakeVar("task");
  k.tasks = s.out_blocks * s.group_rows;
  const int64_t pixels = s.images * s.out_h * s.out_w;
  k.arguments = {kernel::ArgumentBuffer("in", s.sum, s.transformed(s.out_blocks), 0, 32),
                 kernel::ArgumentBuffer("group", Scalar::kInt32, 1, 1, 4),
                 kernel::ArgumentBuffer("out", spec.out.stored, s.out_blocks * pixels * kBlock, 2, 16)};
  k.arguments.insert(k.arguments.end(), spec.extra.begin(), spec.extra.end());
  const int n = s.m + 2;
  Block b;
  ForTileRow(b, s, Use(k.task), k.arguments[1], [&](Block& b, Expr block, Expr row, Expr image, Expr tile_row) {
    const Expr from = b.Let("from", (block * s.tiles() + row * s.tiles_w) * kBlock);
    const Expr first_row = b.Let("first_row", image * s.out_h + tile_row * s.m);
    const Expr to = b.Let("to", (block * pixels + first_row * s.out_w) * kBlock);
    // The tile's outputs, of which only the first rows and cols are inside.
    auto tile = [&](Block& b, Expr t, int rows, int cols) {
      const Expr in = b.Let("in", from + t * kBlock);
      std::vector<std::vector<Expr>> columns;  // [x][y]
      for (int x = 0; x < n; ++x) {
        std::vector<Expr> d;
        for (int y = 0; y < n; ++y) {
          d.push_back(b.Let("d", Load(k.arguments[0], in + (y * n + x) * (s.out_blocks * s.tiles() * kBlock), kBlock)));
        }
        columns.push_back(WinogradOutput(b, s.m, d));
      }
      std::vector<Expr> results;
      for (int y = 0; y < rows; ++y) {
        std::vector<Expr> line;
        for (int x = 0; x < n; ++x) line.push_back(columns[x][y]);
        const std::vector<Expr> v = WinogradOutput(b, s.m, line);
        for (int x = 0; x < cols; ++x) {
          const Expr sum = spec.group() == 1 ? v[x] : IntSum(v[x], spec, block);
          results.push_back(b.Let("y", ToStored(spec.out, spec.epilogue(sum, block, first_row + y, t * s.m + x))));
        }
      }
      const Expr out = b.Let("out", to + t * (s.m * kBlock));
      for (int y = 0; y < rows; ++y) {
        for (int x = 0; x < cols; ++x) b.Store(k.arguments[2], out + (y * s.out_w + x) * kBlock, results[y * cols + x]);
      }
    };
    const int64_t whole = s.out_w / s.m;
    auto tiles = [&](Block& b, int rows) {
      b.For("tile", 0, whole, [&](Block& b, Expr t) { tile(b, t, rows, s.m); });
      if (whole < s.tiles_w) tile(b, Int(whole), rows, static_cast<int>(s.out_w - whole * s.m));
    };
    const int64_t whole_rows = s.out_h / s.m;
    b.If(tile_row < whole_rows, [&](Block& b) { tiles(b, s.m); },
         [&](Block& b) {
           if (whole_rows < s.tiles_h) tiles(b, static_cast<int>(s.out_h - whole_rows * s.m));
         });
  });
  k.body = b.Take();
  return k;
}

// The transformed weights of every position, packed; weight(i) is number i of [OC, IC, 3, 3]. Those of integers are
// multiplied by 4.
std::string PackTransformed(const std::function<float(int64_t i)>& weight, bool integers, const ops::ConvParams& p,
                            const KList& k, int m, Scalar wanted, Scalar* stored) {
  const int positions = (m + 2) * (m + 2);
  const int64_t ic = p.in_channels, oc = p.out_channels, k_size = static_cast<int64_t>(k.elements.size());
  std::vector<float> u(positions * ic * oc);
  for (int64_t o = 0; o < oc; ++o) {
    for (int64_t i = 0; i < ic; ++i) {
      float taps[9];
      for (int t = 0; t < 9; ++t) taps[t] = weight((o * ic + i) * 9 + (p.flip ? 8 - t : t));
      const std::vector<double> transformed = WinogradWeights(m, 3, taps);
      for (int q = 0; q < positions; ++q) {
        u[(q * ic + i) * oc + o] = static_cast<float>(transformed[q] * (integers ? 4 : 1));
      }
    }
  }
  *stored = StorageForWeights(u.data(), static_cast<int64_t>(u.size()), wanted);
  std::string packed;
  for (int q = 0; q < positions; ++q) {
    auto at = [&](int64_t e, int64_t o) {
      const int64_t channel = k.elements[e].channel;
      return channel < 0 ? 0.0f : u[(q * ic + channel) * oc + o];
    };
    packed += integers ? PackIntWeights(k_size, oc, Scalar::kInt16, 2, [&](int64_t e, int64_t o) { return std::llrint(at(e, o)); })
                       : PackWeights(k_size, oc, *stored, at);
  }
  return packed;
}

// Whether everything that the transforms of integers compute fits: 16 bits after the first, 32 with the factor of 4.
bool IntegersFit(const IntOperands& o, int64_t out_channels) {
  int64_t largest = 0, sum = 0;
  const int64_t per_channel = static_cast<int64_t>(o.weights.size()) / out_channels;
  for (size_t i = 0; i < o.weights.size(); ++i) {
    if (i % per_channel == 0) sum = 0;
    sum += std::abs(int64_t{o.weights[i]});
    largest = std::max(largest, sum);
  }
  return o.in.value != Scalar::kInt16 && largest <= (int64_t{1} << 31) / 4 / 256;
}

std::string Int32(int64_t v) {
  const int32_t i = static_cast<int32_t>(v);
  return std::string(reinterpret_cast<const char*>(&i), 4);
}

// Outputs per tile and axis, 0 for the direct way; offers what else there is.
int WinogradChoice(Scheduler& s, bool is_int, int by_rule, const ops::ConvParams& p) {
  constexpr int64_t kFewestChannels = 8, kFewestPixels = 4;  // with less, there is nothing to win
  const bool possible = p.in_channels >= kFewestChannels && p.out_channels >= kFewestChannels &&
                        p.out_h >= kFewestPixels && p.out_w >= kFewestPixels;
  std::vector<Choice> others;
  for (int m : {0, 2, 4}) {
    if (m != by_rule && (m == 0 || (possible && (m == 2 || !is_int)))) others.push_back(Decided(&Choice::winograd, m));
  }
  if (by_rule != 0) {
    for (int64_t tiles : {kGroupTiles / 2, kGroupTiles * 2}) others.push_back(Decided(&Choice::group_tiles, tiles));
  }
  s.Offer(others);
  const int wish = s.choice().winograd;
  return wish == 0 || wish == 2 || (wish == 4 && !is_int) ? wish : by_rule;
}

}  // namespace

absl::StatusOr<bool> ScheduleWinograd(Scheduler& s, const graph::Node& node) {
  const graph::Node* anchor = Anchor(node);
  if (anchor == nullptr || anchor->inputs.size() != 2) return false;
  const bool is_int = anchor->op == "int_conv2d";
  // Integers lose nothing; groups of four are as fast directly.
  if (is_int ? s.target().dot_group != 2 : !s.options().winograd || anchor->op != "conv2d") return false;
  const graph::Value* x = Outer(node, anchor->inputs[0]);
  const graph::Value* w = Outer(node, anchor->inputs[1]);
  const std::string* weights = Scheduler::ConstantData(w);
  ASSIGN_OR_RETURN(ops::ConvParams p, ops::ConvParamsOf(ops::ContextOf(*anchor)));
  const int by_rule = is_int ? IntWinogradTile(p.in_channels, p.out_channels, p.out_h, p.out_w)
                             : WinogradTile(x->type.shape[0], p.in_channels, p.out_channels, p.out_h, p.out_w);
  const bool fits = weights != nullptr && p.group == 1 && p.kernel == std::vector<int64_t>{3, 3} &&
                    w->type.shape.size() == 4 && p.stride == std::vector<int64_t>{1, 1} &&
                    p.dilation == std::vector<int64_t>{1, 1} && p.activation == "identity" && node.outputs.size() == 1 &&
                    node.output()->type.shape == anchor->output()->type.shape && x->type.shape[0] > 0 &&
                    CanBeBlocked(node.output());
  if (!fits) return false;
  std::optional<IntOperands> integers;
  if (is_int) integers = IntOperandsOf(s, x, w);
  // Float32 is multiplied, whatever memory holds.
  if (is_int ? !integers || !IntegersFit(*integers, p.out_channels) : anchor->inputs[0]->type.dtype != graph::DTypeKind::kFloat32) {
    return false;
  }
  const int m = WinogradChoice(s, is_int, by_rule, p);
  if (m == 0) return false;
  ASSIGN_OR_RETURN(kernel::Definition d, DefinitionFor(node));

  const int64_t images = x->type.shape[0];
  const PixelMap pixels = PixelsByRows(images, p.out_h, p.out_w);
  ContractionSpec epilogue;
  epilogue.first_extra = 3;
  epilogue.channels = p.out_channels;
  epilogue.out = s.Element(node.output());
  if (integers) epilogue.in_scalar = integers->in.stored;
  std::vector<plan::Argument> extra;
  if (!BuildEpilogue(s, node, d, /*blocked=*/true, pixels, epilogue, extra)) return false;

  std::vector<BlockUse> blocks = BlocksOf(s.Blocked(x));
  const int64_t group_tiles = s.choice().group_tiles > 0 ? s.choice().group_tiles : kGroupTiles;
  Sizes z = SizesOf(m, p, images, static_cast<int64_t>(blocks.size()), group_tiles);
  PadElements elements;
  elements.from = elements.to = FloatElement(ops::StorageOf(x->type.dtype));
  if (integers) {
    elements = {s.Element(x), integers->in, integers->zero_point};
    z.in = Scalar::kInt16;
    z.sum = Scalar::kInt32;
    AddStart(s, *integers, p.in_channels * 9, [&](int64_t i, int64_t n) { return n * p.in_channels * 9 + i; }, epilogue,
             extra);
  }
  z.padded = elements.to.stored;
  ops::ConvParams padding = p;  // up to whole tiles
  padding.pad_after = {z.height - x->type.shape[2] - p.pad[0], z.width - x->type.shape[3] - p.pad[1]};
  const plan::StorageId padded = PadBlocks(s, node, blocks, x->type.shape, padding, elements);

  // The transformed tensor as the input of a 1x1 convolution.
  for (size_t i = 0; i < blocks.size(); ++i) blocks[i].block = static_cast<int32_t>(i);
  ops::ConvParams pointwise = p;
  pointwise.kernel = {1, 1};
  ContractionSpec spec;
  spec.in_scalar = z.in;
  spec.out = PlainElement(z.sum);
  const KList k = BlockedKList(blocks, pointwise, 0, z.tiles() * kBlock, spec.group());
  spec.choice = s.choice();
  spec.batch = z.positions();
  spec.in_batch_stride = z.in_blocks * z.tiles() * kBlock;
  spec.out_batch_stride = z.out_blocks * z.tiles() * kBlock;
  spec.cols = z.tiles();
  spec.in_row = spec.out_row = [](Expr) { return Int(0); };
  spec.in_col_stride = spec.out_col_stride = kBlock;
  spec.out_block_stride = z.tiles() * kBlock;
  spec.block_entries = k.block_entries;
  spec.single_entries = k.single_entries;
  spec.channels = p.out_channels;
  spec.in_size = z.transformed(z.in_blocks);
  spec.out_size = z.transformed(z.out_blocks);
  s.Offer(ContractionAlternatives(spec, s.target()));
  auto weight = [&](int64_t i) {
    return integers ? static_cast<float>(integers->weights[i]) : reinterpret_cast<const float*>(weights->data())[i];
  };
  const plan::StorageId table = s.program().AddConstant(FixedTable(k));
  const Scalar wanted = is_int ? Scalar::kFloat32 : s.float_storage();
  const plan::StorageId packed = s.program().AddConstant(PackTransformed(weight, is_int, p, k, m, wanted, &spec.float_weights));
  const plan::StorageId out = s.NewBlocks(node.output()->type.shape, z.out_blocks, epilogue.out);

  plan::StepInfo info = s.Info(node, OpName(node));
  const plan::StepInfo whole = info;
  const int64_t in_bytes = z.transformed(z.in_blocks) * SizeOf(z.in), sum_bytes = z.transformed(z.out_blocks) * SizeOf(z.sum);
  for (int64_t g = 0; g < z.groups; ++g) {
    const plan::StorageId group = s.program().AddConstant(Int32(g * z.group_rows));
    const plan::StorageId v = s.program().AddArena(in_bytes);
    const plan::StorageId product = s.program().AddArena(sum_bytes);
    info.macs = 0;
    info.bytes = in_bytes * 2;
    info.op = "winograd_input";
    s.program().AddStep(InputKernel(z), {{padded}, {group}, {v}}, info);
    info.macs = whole.macs / z.groups;
    info.op = whole.op;
    s.program().AddStep(ContractionKernel(spec, s.target(), "winograd_product"), {{v}, {table}, {packed}, {product}}, info);
    info.macs = 0;
    info.bytes = sum_bytes * 2;
    info.op = "winograd_output";
    std::vector<plan::Argument> arguments = {{product}, {group}, {out}};
    arguments.insert(arguments.end(), extra.begin(), extra.end());
    s.program().AddStep(OutputKernel(z, epilogue), std::move(arguments), info);
  }
  s.Place(node.output(), NaturalPlacement(out, p.out_channels));
  return true;
}

}  // namespace mgec::schedule
