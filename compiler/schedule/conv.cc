// Dense 2-d convolution by the contraction micro-kernel; weights that the network computes are packed first.
//
// Blocked inputs are read block by block wherever the channels live; planar ones (the network's image) element by
// element. Padding is copied into a border of zeros first, so that the micro-kernel has no tests; integers are converted
// on the way where that is needed.
#include <algorithm>
#include <optional>

#include "compiler/base/status_macros.h"
#include "compiler/kernel/lower.h"
#include "compiler/ops/conv.h"
#include "compiler/schedule/channel_tail.h"
#include "compiler/schedule/contraction.h"
#include "compiler/schedule/epilogue.h"
#include "compiler/schedule/gate.h"
#include "compiler/schedule/int_operands.h"
#include "compiler/schedule/k_list.h"
#include "compiler/schedule/narrow_floats.h"
#include "compiler/schedule/pack_operand.h"
#include "compiler/schedule/pad.h"
#include "compiler/schedule/scheduler.h"
#include "compiler/schedule/split.h"

namespace mgec::schedule {
namespace {

using kernel::Expr;
using kernel::Int;
using kernel::Op;

// The weight of an element of the K list, as an index into [OC, IC, KH, KW]; -1 where there is none.
int64_t WeightIndex(const ops::ConvParams& p, const KElement& e, int64_t n) {
  if (e.channel < 0) return -1;
  const int64_t kh = p.flip ? p.kernel[0] - 1 - e.kh : e.kh, kw = p.flip ? p.kernel[1] - 1 - e.kw : e.kw;
  return ((n * p.in_channels + e.channel) * p.kernel[0] + kh) * p.kernel[1] + kw;
}

// Blocks of one storage without gaps between tables: the kernel gets that storage alone.
bool OneStorage(const KList& k) {
  for (const auto& [storage, at] : k.offsets) {
    if (storage != k.offsets[0].first) return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<bool> ScheduleConv(Scheduler& s, const graph::Node& node) {
  const graph::Node* anchor = Anchor(node);
  if (anchor == nullptr || (anchor->op != "conv2d" && anchor->op != "int_conv2d") || anchor->inputs.size() != 2) {
    return false;
  }
  const graph::Value* x = Outer(node, anchor->inputs[0]);
  const graph::Value* w = Outer(node, anchor->inputs[1]);
  const std::string* weights = Scheduler::ConstantData(w);
  ASSIGN_OR_RETURN(ops::ConvParams p, ops::ConvParamsOf(ops::ContextOf(*anchor)));
  // Packing computed weights costs about as much as convolving a few pixels.
  constexpr int64_t kFewestPixels = 8;
  const bool few_pixels = x->type.shape[0] * p.out_h * p.out_w < kFewestPixels;
  if ((weights == nullptr && few_pixels) || p.group != 1 || w->type.shape.size() != 4 || node.outputs.size() != 1 ||
      node.output()->type.shape != anchor->output()->type.shape || p.activation != "identity" ||
      graph::NumElements(node.output()->type.shape) == 0 || p.in_channels == 0 || !CanBeBlocked(node.output())) {
    return false;
  }
  std::optional<IntOperands> integers;
  if (anchor->op == "int_conv2d") integers = IntOperandsOf(s, x, w);
  // Float32 is multiplied, whatever memory holds.
  const auto is_float = [&](int i) { return anchor->inputs[i]->type.dtype == graph::DTypeKind::kFloat32; };
  if (!integers && !(is_float(0) && is_float(1))) return false;
  ASSIGN_OR_RETURN(kernel::Definition d, DefinitionFor(node));
  const graph::Shape& in = x->type.shape;
  const int64_t images = in[0], out_h = p.out_h, out_w = p.out_w;
  const bool padded = p.padded();
  const bool flat = p.kernel[0] == 1 && p.kernel[1] == 1 && p.stride[0] == 1 && p.stride[1] == 1 && !padded;
  const bool planar = !s.placement(x).blocked && p.in_channels < kBlock;

  ContractionSpec spec;
  if (integers) spec.in_scalar = integers->in.stored;
  spec.out = s.Element(node.output());
  spec.channels = p.out_channels;
  PixelMap pixels;
  if (flat && !planar) {
    spec.rows = 1;
    spec.cols = images * out_h * out_w;
    pixels.flat = [](Expr, Expr col) { return col; };
    pixels.index = [=](Expr, Expr col) -> std::vector<Expr> {
      return {col / Int(out_h * out_w), Binary(Op::kMod, col / Int(out_w), Int(out_h)), Binary(Op::kMod, col, Int(out_w))};
    };
  } else {
    spec.rows = images * out_h;
    spec.cols = out_w;
    pixels = PixelsByRows(images, out_h, out_w);
  }
  spec.split_pixels = SplitsPixels(images * out_h * out_w, graph::ByteSize(x->type) + graph::ByteSize(node.output()->type),
                                   graph::ByteSize(w->type));
  spec.floats_start = true;
  spec.choice = s.choice();
  std::vector<plan::Argument> extra;
  if (!BuildEpilogue(s, node, d, /*blocked=*/true, pixels, spec, extra)) return false;

  plan::StepInfo info = s.Info(node, OpName(node));
  const int64_t height = in[2] + p.pad[0] + p.pad_after[0], width = in[3] + p.pad[1] + p.pad_after[1];
  PadElements elements;
  if (integers) elements = {s.Element(x), integers->in, integers->zero_point};
  else elements.from = FloatElement(ops::StorageOf(x->type.dtype));
  KList k;
  plan::Argument input;
  plan::StorageId table;
  if (planar) {
    const Placement plain = s.Plain(x);
    if (integers) elements.from = PlainElement(elements.from.value);
    const int64_t image_elements = p.in_channels * height * width, slack = spec.group() - 1;
    input = {plain.storage, plain.offset, graph::ByteSize(x->type)};
    if (padded || !elements.from.plain() || integers) input = {PadPlanes(s, node, plain, in, p, elements, slack)};
    k = PlanarKList(p, height, width, spec.group());
    table = s.program().AddConstant(FixedTable(k));
    spec.in_size = images * image_elements + slack;
    spec.in_row = [=](Expr row) {
      if (images == 1) return row * (p.stride[0] * width);
      return row / Int(out_h) * image_elements + Binary(Op::kMod, row, Int(out_h)) * (p.stride[0] * width);
    };
    spec.in_col_stride = p.stride[1];
  } else {
    std::vector<BlockUse> blocks = BlocksOf(s.Blocked(x));
    const int64_t block_elements = images * height * width * kBlock;
    // Whole blocks of 16-bit floats are widened by the kernel, stray lanes by a copy. So are blocks that are copied anyway, where
    // the kernel would have few channels to multiply each with.
    constexpr int64_t kFewChannels = 16;
    const bool whole = std::all_of(blocks.begin(), blocks.end(), [](const BlockUse& b) { return b.full(); });
    if (!integers && whole && !(padded && p.out_channels <= kFewChannels)) elements.to = elements.from;
    if (!integers) spec.in_scalar = elements.to.stored;
    const bool converted = elements.from.stored != elements.to.stored;
    if (padded || converted) {
      const plan::StorageId storage = PadBlocks(s, node, blocks, in, p, elements);
      for (size_t i = 0; i < blocks.size(); ++i) {
        blocks[i].storage = storage;
        blocks[i].block = static_cast<int32_t>(i);
      }
    }
    k = BlockedKList(blocks, p, width, block_elements, spec.group());
    const int bytes = elements.to.bytes();
    if (OneStorage(k)) {
      input = {blocks[0].storage, 0, s.program().storage(blocks[0].storage).bytes};
      spec.in_size = input.bytes / bytes;
      table = s.program().AddConstant(FixedTable(k));
    } else {
      input = {plan::kWholeArena};
      spec.in_size = kMaxArenaElements;
      for (const BlockUse& b : blocks) info.touches.push_back(b.storage);
      table = s.OffsetTable(k.offsets, bytes);
    }
    spec.in_row = [=](Expr row) {
      if (flat) return Int(0);
      const int64_t pitch = width * kBlock;
      if (images == 1) return row * (p.stride[0] * pitch);
      return row / Int(out_h) * (height * pitch) + Binary(Op::kMod, row, Int(out_h)) * (p.stride[0] * pitch);
    };
    spec.in_col_stride = p.stride[1] * kBlock;
  }
  const int64_t out_blocks = (p.out_channels + kBlock - 1) / kBlock;
  const graph::Shape& out = node.output()->type.shape;
  const plan::StorageId storage = s.NewBlocks(out, out_blocks, spec.out);
  spec.block_entries = k.block_entries;
  spec.single_entries = k.single_entries;
  spec.out_size = out_blocks * BlockElements(out);
  spec.out_alignment = kBlock * spec.out.bytes();
  spec.out_row = [=](Expr row) { return row * (out_w * kBlock); };
  spec.out_col_stride = kBlock;
  spec.out_block_stride = BlockElements(out);

  const int64_t k_size = static_cast<int64_t>(k.elements.size());
  plan::StorageId packed;
  if (integers) {
    auto index = [&](int64_t i, int64_t n) { return WeightIndex(p, k.elements[i], n); };
    packed = AddIntWeights(s, *integers, k_size, index, spec, extra);
  } else if (weights == nullptr) {
    std::vector<int32_t> order;
    for (const KElement& e : k.elements) order.push_back(static_cast<int32_t>(WeightIndex(p, e, 0)));
    const Placement filter = s.Plain(w);
    packed = PackFilter(s, node, {filter.storage, filter.offset, graph::ByteSize(w->type)}, ops::StorageOf(w->type.dtype),
                        p.out_channels, order);
  } else {
    const float* values = reinterpret_cast<const float*>(weights->data());
    // Weights that a gate multiplies are float32.
    const bool gated = s.gate(x) != nullptr;
    if (!gated) spec.float_weights = StorageForWeights(values, graph::NumElements(w->type.shape), s.float_storage());
    const auto weight = [&](int64_t i, int64_t n) { return values[WeightIndex(p, k.elements[i], n)]; };
    if (!gated) spec.tail = TailChannels(p.out_channels, spec.block_entries, images * out_h * out_w);
    const int64_t whole = p.out_channels - spec.tail;
    packed = s.program().AddConstant(PackWeights(k_size, whole, spec.float_weights, weight) +
                                     PackTail(spec.block_entries, spec.single_entries, whole, spec.tail, spec.float_weights, weight));
    if (const Gate* gate = s.gate(x)) packed = GateWeights(s, node, *gate, packed, k, p.out_channels);
  }
  std::vector<plan::Argument> arguments = {input, {table}, {packed}, {storage}};
  arguments.insert(arguments.end(), extra.begin(), extra.end());
  AddOwnArguments(s, spec, arguments);
  s.Offer(ContractionAlternatives(spec, s.target()));
  s.program().AddStep(ContractionKernel(spec, s.target(), info.op), std::move(arguments), std::move(info));
  s.Place(node.output(), NaturalPlacement(storage, p.out_channels));
  return true;
}

}  // namespace mgec::schedule
