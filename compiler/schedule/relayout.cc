#include "compiler/schedule/relayout.h"

#include <algorithm>

#include "compiler/schedule/contraction.h"
#include "compiler/schedule/split.h"
#include "compiler/schedule/transpose.h"

namespace mgec::schedule {

using kernel::Block;
using kernel::Expr;
using kernel::Int;
using kernel::Scalar;

namespace {

int64_t BlocksFor(int64_t channels) { return (channels + kBlock - 1) / kBlock; }

}  // namespace

Placement BlockedFromPlain(Scheduler& s, const Placement& in, const graph::Shape& shape, const BlockElement& element,
                           plan::StepInfo info) {
  const int64_t images = shape[0], channels = shape[1], block = BlockElements(shape), blocks = BlocksFor(channels);
  const int64_t pixels = block / kBlock / std::max<int64_t>(1, images), elements = graph::NumElements(shape);
  const plan::StorageId storage = s.NewBlocks(shape, blocks, element);
  info.op = "to_blocked";
  info.bytes = elements * (SizeOf(element.value) + element.bytes());
  kernel::Kernel k;
  k.name = "to_blocked";
  k.task = kernel::MakeVar("task");
  k.arguments = {kernel::ArgumentBuffer("in", element.value, elements, 0, SizeOf(element.value)),
                 kernel::ArgumentBuffer("out", element.stored, blocks * block, 1, element.bytes())};
  // Squares of 8 channels and 8 pixels, turned around in registers. Parts of the pixels are the slower count (split.h).
  const int64_t squares = (pixels + kBlock - 1) / kBlock;
  const int64_t parts = SplitsPixels(images * pixels) ? std::min(PartsOfPixels(1), std::max<int64_t>(1, squares)) : 1;
  k.tasks = images * blocks * parts;
  Block b;
  const Expr part = parts == 1 ? Int(0) : b.Let("part", Use(k.task) / Int(images * blocks));
  const Expr rest = parts == 1 ? Use(k.task) : b.Let("rest", Binary(kernel::Op::kMod, Use(k.task), Int(images * blocks)));
  const Expr at = b.Let("block", rest / Int(images)), n = b.Let("n", Binary(kernel::Op::kMod, rest, Int(images)));
  const Expr from = b.Let("from", (n * channels + at * kBlock) * pixels);
  const Expr to = b.Let("to", at * block + n * (pixels * kBlock));
  // The channels of a block that exist; the other lanes are zero.
  auto copy = [&](Block& b, int64_t present) {
    auto row = [&](Block& b, int64_t c, const Expr& p, int lanes) {
      if (c < present) return b.Let("x", ToStored(element, Load(k.arguments[0], from + p + c * pixels, lanes)));
      return ZeroOf(kernel::Type(element.stored, lanes));
    };
    if (pixels < kBlock) {
      for (int64_t p = 0; p < pixels; ++p) {
        for (int64_t c = 0; c < kBlock; ++c) b.Store(k.arguments[1], to + (p * kBlock + c), row(b, c, Int(p), 1));
      }
      return;
    }
    b.For("square", PartBegin(part, parts, squares), PartBegin(part + 1, parts, squares), 1, [&](Block& b, Expr square) {
      const Expr p = b.Let("p", Min(square * kBlock, Int(pixels - kBlock)));  // the last overlaps the one before
      std::vector<Expr> rows;
      for (int64_t c = 0; c < kBlock; ++c) rows.push_back(row(b, c, p, kBlock));
      rows = TransposeSquare(b, std::move(rows), element.bytes());
      const Expr out = b.Let("out", to + p * kBlock);
      for (int i = 0; i < kBlock; ++i) b.Store(k.arguments[1], out + i * kBlock, rows[i]);
    });
  };
  if (channels % kBlock == 0) {
    copy(b, kBlock);
  } else if (blocks == 1) {
    copy(b, channels);
  } else {
    b.If(at < blocks - 1, [&](Block& b) { copy(b, kBlock); }, [&](Block& b) { copy(b, channels % kBlock); });
  }
  k.body = b.Take();
  s.program().AddStep(std::move(k), {{in.storage, in.offset, elements * SizeOf(element.value)}, {storage}}, std::move(info));
  return NaturalPlacement(storage, channels);
}

Placement NaturalFromBlocked(Scheduler& s, const Placement& in, const graph::Shape& shape, const BlockElement& element,
                             plan::StepInfo info) {
  const int64_t channels = shape[1], block = BlockElements(shape), pixels = block / kBlock;
  const plan::StorageId storage = s.NewBlocks(shape, BlocksFor(channels), element);
  info.op = "gather_channels";
  info.bytes = graph::NumElements(shape) * 2 * element.bytes();
  std::vector<std::pair<plan::StorageId, int64_t>> offsets;
  for (const ChannelRef& r : in.channels) offsets.emplace_back(r.storage, r.block * block + r.lane);
  info.touches = StoragesOf(in);
  kernel::Kernel k;
  k.name = "gather_channels";
  k.task = kernel::MakeVar("task");
  k.tasks = channels;
  k.arguments = {ArenaArgument(0, element.stored),
                 kernel::ArgumentBuffer("table", Scalar::kInt32, channels, 1, 4),
                 kernel::ArgumentBuffer("out", element.stored, BlocksFor(channels) * block, 2, element.bytes())};
  Block b;
  const Expr c = Use(k.task);
  const Expr to = b.Let("to", c / Int(kBlock) * block + Binary(kernel::Op::kMod, c, Int(kBlock)));
  const Expr from = b.Let("from", Cast(kernel::kIndexType, Load(k.arguments[1], c)));
  b.For("p", 0, pixels, [&](Block& b, Expr p) {
    b.Store(k.arguments[2], to + p * kBlock, Load(k.arguments[0], from + p * kBlock));
  });
  k.body = b.Take();
  s.program().AddStep(std::move(k), {{plan::kWholeArena}, {s.OffsetTable(std::move(offsets), element.bytes())}, {storage}},
                      std::move(info));
  return NaturalPlacement(storage, channels);
}

}  // namespace mgec::schedule
