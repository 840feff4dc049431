// Dense 2-d convolution by the contraction micro-kernel.
//
// Blocked inputs are read block by block wherever the channels live; planar ones (the network's image) element by
// element. Padding is copied into a border of zeros first, so that the micro-kernel has no tests.
#include <cstring>

#include "compiler/base/status_macros.h"
#include "compiler/kernel/lower.h"
#include "compiler/ops/conv.h"
#include "compiler/schedule/contraction.h"
#include "compiler/schedule/epilogue.h"
#include "compiler/schedule/k_list.h"
#include "compiler/schedule/pad.h"
#include "compiler/schedule/scheduler.h"
#include "compiler/schedule/split.h"

namespace mgec::schedule {
namespace {

using kernel::Expr;
using kernel::Int;
using kernel::Op;

KList PlanarKList(const ops::ConvParams& p, int64_t height, int64_t width) {
  KList k;
  for (int64_t c = 0; c < p.in_channels; ++c) {
    for (int64_t kh = 0; kh < p.kernel[0]; ++kh) {
      for (int64_t kw = 0; kw < p.kernel[1]; ++kw) {
        k.elements.push_back({c, kh, kw});
        k.offsets.emplace_back(plan::kWholeArena, (c * height + kh * p.dilation[0]) * width + kw * p.dilation[1]);
        ++k.single_entries;
      }
    }
  }
  return k;
}

std::string PackConvWeights(const std::string& data, const ops::ConvParams& p, const KList& k) {
  const float* w = reinterpret_cast<const float*>(data.data());
  return PackWeights(static_cast<int64_t>(k.elements.size()), p.out_channels, [&](int64_t i, int64_t n) {
    const KElement& e = k.elements[i];
    const int64_t kh = p.flip ? p.kernel[0] - 1 - e.kh : e.kh, kw = p.flip ? p.kernel[1] - 1 - e.kw : e.kw;
    return w[((n * p.in_channels + e.channel) * p.kernel[0] + kh) * p.kernel[1] + kw];
  });
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
  if (anchor == nullptr || anchor->op != "conv2d" || anchor->inputs.size() != 2) return false;
  const graph::Value* x = Outer(node, anchor->inputs[0]);
  const graph::Value* w = Outer(node, anchor->inputs[1]);
  const std::string* weights = Scheduler::ConstantData(w);
  ASSIGN_OR_RETURN(ops::ConvParams p, ops::ConvParamsOf(ops::ContextOf(*anchor)));
  if (weights == nullptr || p.group != 1 || x->type.dtype != graph::DTypeKind::kFloat32 || node.outputs.size() != 1 ||
      node.output()->type.shape != anchor->output()->type.shape || p.activation != "identity" ||
      graph::NumElements(node.output()->type.shape) == 0 || p.in_channels == 0) {
    return false;
  }
  ASSIGN_OR_RETURN(kernel::Definition d, ops::DefinitionOf(node));
  const graph::Shape& in = x->type.shape;
  const int64_t images = in[0], out_h = p.out_h, out_w = p.out_w;
  const bool padded = p.padded();
  const bool flat = p.kernel[0] == 1 && p.kernel[1] == 1 && p.stride[0] == 1 && p.stride[1] == 1 && !padded;
  const bool planar = !s.placement(x).blocked && p.in_channels < kBlock;

  ContractionSpec spec;
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
    pixels.flat = [=](Expr row, Expr col) { return row * out_w + col; };
    pixels.index = [=](Expr row, Expr col) -> std::vector<Expr> {
      if (images == 1) return {Int(0), row, col};
      return {row / Int(out_h), Binary(Op::kMod, row, Int(out_h)), col};
    };
  }
  spec.split_pixels = SplitsPixels(images * out_h * out_w);
  std::vector<plan::Argument> extra;
  if (!BuildEpilogue(s, node, d, /*blocked=*/true, pixels, spec, extra)) return false;

  plan::StepInfo info = s.Info(node, OpName(node));
  const int64_t height = in[2] + p.pad[0] + p.pad_after[0], width = in[3] + p.pad[1] + p.pad_after[1];
  KList k;
  plan::Argument input;
  plan::StorageId table;
  if (planar) {
    const Placement plain = s.Plain(x);
    input = {plain.storage, plain.offset, graph::ByteSize(x->type)};
    if (padded) input = {PadPlanes(s, node, plain, in, p)};
    k = PlanarKList(p, height, width);
    table = s.program().AddConstant(FixedTable(k));
    const int64_t image_elements = p.in_channels * height * width;
    spec.in_size = images * image_elements;
    spec.in_row = [=](Expr row) {
      if (images == 1) return row * (p.stride[0] * width);
      return row / Int(out_h) * image_elements + Binary(Op::kMod, row, Int(out_h)) * (p.stride[0] * width);
    };
    spec.in_col_stride = p.stride[1];
  } else {
    std::vector<BlockUse> blocks = BlocksOf(s.Blocked(x));
    const int64_t block_elements = images * height * width * kBlock;
    if (padded) {
      const plan::StorageId storage = PadBlocks(s, node, blocks, in, p);
      for (size_t i = 0; i < blocks.size(); ++i) {
        blocks[i].storage = storage;
        blocks[i].block = static_cast<int32_t>(i);
      }
    }
    k = BlockedKList(blocks, p, width, block_elements);
    if (OneStorage(k)) {
      input = {blocks[0].storage, 0, s.program().storage(blocks[0].storage).bytes};
      spec.in_size = input.bytes / 4;
      table = s.program().AddConstant(FixedTable(k));
    } else {
      input = {plan::kWholeArena};
      spec.in_size = kMaxArenaElements;
      for (const BlockUse& b : blocks) info.touches.push_back(b.storage);
      table = s.OffsetTable(k.offsets);
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
  const plan::StorageId storage = s.NewBlocks(out, out_blocks);
  spec.block_entries = k.block_entries;
  spec.single_entries = k.single_entries;
  spec.channels = p.out_channels;
  spec.out_size = out_blocks * BlockElements(out);
  spec.out_alignment = 32;
  spec.out_row = [=](Expr row) { return row * (out_w * kBlock); };
  spec.out_col_stride = kBlock;
  spec.out_block_stride = BlockElements(out);

  const plan::StorageId packed = s.program().AddConstant(PackConvWeights(*weights, p, k));
  std::vector<plan::Argument> arguments = {input, {table}, {packed}, {storage}};
  arguments.insert(arguments.end(), extra.begin(), extra.end());
  s.program().AddStep(ContractionKernel(spec, s.target(), info.op), std::move(arguments), std::move(info));
  s.Place(node.output(), NaturalPlacement(storage, p.out_channels));
  return true;
}

}  // namespace mgec::schedule
