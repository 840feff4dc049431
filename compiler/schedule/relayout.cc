#include "compiler/schedule/relayout.h"

#include <algorithm>

#include "compiler/schedule/contraction.h"

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
  const int64_t images = shape[0], channels = shape[1], block = BlockElements(shape);
  const int64_t pixels = block / kBlock / std::max<int64_t>(1, images), elements = graph::NumElements(shape);
  const plan::StorageId storage = s.NewBlocks(shape, BlocksFor(channels), element);
  info.op = "to_blocked";
  info.bytes = elements * (SizeOf(element.value) + element.bytes());
  kernel::Kernel k;
  k.name = "to_blocked";
  k.task = kernel::MakeVar("task");
  k.tasks = channels;
  k.arguments = {kernel::ArgumentBuffer("in", element.value, elements, 0, SizeOf(element.value)),
                 kernel::ArgumentBuffer("out", element.stored, BlocksFor(channels) * block, 1, element.bytes())};
  Block b;
  const Expr c = Use(k.task);
  const Expr to = b.Let("to", c / Int(kBlock) * block + Binary(kernel::Op::kMod, c, Int(kBlock)));
  b.For("n", 0, images, [&](Block& b, Expr n) {
    const Expr from = b.Let("from", (n * channels + c) * pixels);
    const Expr at = b.Let("at", to + n * (pixels * kBlock));
    b.For("p", 0, pixels, [&](Block& b, Expr p) {
      b.Store(k.arguments[1], at + p * kBlock, ToStored(element, Load(k.arguments[0], from + p)));
    });
  });
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
