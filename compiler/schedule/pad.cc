#include "compiler/schedule/pad.h"

#include <algorithm>

#include "compiler/schedule/contraction.h"
#include "compiler/schedule/split.h"

namespace mgec::schedule {
namespace {

using kernel::Block;
using kernel::Buffer;
using kernel::Expr;
using kernel::Int;
using kernel::Scalar;

// Emits a run of `n` elements from `to` on: `value(i)` gives `lanes` of them.
void EmitRun(Block& b, const Buffer& out, const Expr& to, int64_t n, int lanes,
             const std::function<Expr(Expr i, int lanes)>& value) {
  if (n == 0) return;
  while (lanes > n) lanes /= 2;
  const int64_t main_end = n / lanes * lanes;
  b.For("i", Int(0), Int(main_end), lanes, [&](Block& b, Expr i) { b.Store(out, to + i, value(i, lanes)); });
  if (main_end == n) return;
  b.Store(out, to + (n - lanes), value(Int(n - lanes), lanes));  // one vector that overlaps the last
}

// One plane of height x width pixels of `pixel` elements, from `from` in `in` to `to` in `out`, with its border.
struct Plane {
  int64_t height, width, top, left, bottom, right, pixel;
  int64_t row_in() const { return width * pixel; }
  int64_t row_out() const { return (left + width + right) * pixel; }
  int64_t size_out() const { return (top + height + bottom) * row_out(); }
};

// Part `part` of `parts` of its rows; the first and the last also write the border above and below.
void EmitPlane(Block& b, const Plane& p, const PadElements& e, const Buffer& in, const Expr& from, const Buffer& out,
               const Expr& to, const Expr& part, int64_t parts, const kernel::Target& target) {
  const int lanes = target.vector_lanes * 4 / e.to.bytes();
  const kernel::Type to_type(e.to.stored);
  const Expr border = IsFloat(e.to.stored) ? ZeroOf(to_type) : Int(e.outside + e.to.bias, to_type);
  auto outside = [&](Expr, int n) { return Broadcast(border, n); };
  auto inside = [&](Expr stored) {
    const bool same = e.from.stored == e.to.stored && e.from.bias == e.to.bias;
    return same ? stored : ToStored(e.to, FromStored(e.from, std::move(stored)));
  };
  b.If(part < int64_t{1}, [&](Block& b) { EmitRun(b, out, to, p.top * p.row_out(), lanes, outside); });
  b.For("row", PartBegin(part, parts, p.height), PartBegin(part + 1, parts, p.height), 1, [&](Block& b, Expr row) {
    const Expr source = b.Let("source", from + row * p.row_in());
    const Expr target = b.Let("target", to + row * p.row_out() + p.top * p.row_out());
    EmitRun(b, out, target, p.left * p.pixel, lanes, outside);
    EmitRun(b, out, target + p.left * p.pixel, p.row_in(), lanes,
            [&](Expr i, int n) { return inside(Load(in, source + i, n)); });
    EmitRun(b, out, target + (p.left + p.width) * p.pixel, p.right * p.pixel, lanes, outside);
  });
  b.If(part >= parts - 1, [&](Block& b) {
    EmitRun(b, out, to + (p.top + p.height) * p.row_out(), p.bottom * p.row_out(), lanes, outside);
  });
}

int64_t PartsOf(const Plane& p, int64_t images) { return SplitsPixels(images * p.height * p.width) ? PartsOfPixels(1) : 1; }

Plane PlaneOf(const graph::Shape& shape, const ops::ConvParams& p, int64_t pixel) {
  return {shape[2], shape[3], p.pad[0], p.pad[1], p.pad_after[0], p.pad_after[1], pixel};
}

plan::StepInfo PadInfo(Scheduler& s, const graph::Node& node, int64_t bytes) {
  plan::StepInfo info = s.Info(node, "pad");
  info.bytes = bytes;
  info.macs = 0;
  return info;
}

}  // namespace

plan::StorageId PadPlanes(Scheduler& s, const graph::Node& node, const Placement& in, const graph::Shape& shape,
                          const ops::ConvParams& p, const PadElements& e, int64_t slack) {
  const Plane plane = PlaneOf(shape, p, 1);
  const int64_t planes = shape[0] * shape[1], in_elements = planes * shape[2] * shape[3];
  const int64_t out_elements = planes * plane.size_out();
  const plan::StorageId storage = s.program().AddArena((out_elements + slack) * e.to.bytes());
  kernel::Kernel k;
  k.name = "pad";
  k.task = kernel::MakeVar("task");
  const int64_t parts = PartsOf(plane, shape[0]);
  k.tasks = planes * parts;
  k.arguments = {kernel::ArgumentBuffer("in", e.from.stored, in_elements, 0, e.from.bytes()),
                 kernel::ArgumentBuffer("out", e.to.stored, out_elements, 1, e.to.bytes())};
  Block b;
  const Expr part = b.Let("part", Use(k.task) / Int(planes));
  const Expr at = b.Let("plane", Binary(kernel::Op::kMod, Use(k.task), Int(planes)));
  EmitPlane(b, plane, e, k.arguments[0], b.Let("from", at * (shape[2] * shape[3])), k.arguments[1],
            b.Let("to", at * plane.size_out()), part, parts, s.target());
  k.body = b.Take();
  s.program().AddStep(std::move(k), {{in.storage, in.offset, in_elements * e.from.bytes()}, {storage}},
                      PadInfo(s, node, in_elements * (e.from.bytes() + e.to.bytes())));
  return storage;
}

plan::StorageId PadBlocks(Scheduler& s, const graph::Node& node, const std::vector<BlockUse>& blocks,
                          const graph::Shape& shape, const ops::ConvParams& p, const PadElements& e, int64_t slack) {
  const Plane plane = PlaneOf(shape, p, kBlock);
  const int64_t images = shape[0], count = static_cast<int64_t>(blocks.size());
  const int64_t out_elements = count * images * plane.size_out();
  const plan::StorageId storage = s.program().AddArena((out_elements + slack) * e.to.bytes());
  const int64_t image = shape[2] * shape[3] * kBlock;
  std::vector<std::pair<plan::StorageId, int64_t>> offsets;
  plan::StepInfo info = PadInfo(s, node, count * images * image * (e.from.bytes() + e.to.bytes()));
  for (const BlockUse& b : blocks) {
    offsets.emplace_back(b.storage, b.block * images * image);
    info.touches.push_back(b.storage);
  }
  kernel::Kernel k;
  k.name = "pad";
  k.task = kernel::MakeVar("task");
  const int64_t parts = PartsOf(plane, images);
  k.tasks = count * images * parts;
  k.arguments = {ArenaArgument(0, e.from.stored),
                 kernel::ArgumentBuffer("table", Scalar::kInt32, count, 1, 4),
                 kernel::ArgumentBuffer("out", e.to.stored, out_elements, 2, e.to.bytes())};
  Block b;
  const Expr part = b.Let("part", Use(k.task) / Int(count * images));
  const Expr task = b.Let("plane", Binary(kernel::Op::kMod, Use(k.task), Int(count * images)));
  const Expr block = images == 1 ? task : b.Let("block", task / Int(images));
  const Expr n = images == 1 ? Int(0) : b.Let("n", Binary(kernel::Op::kMod, task, Int(images)));
  const Expr from = b.Let("from", Cast(kernel::kIndexType, Load(k.arguments[1], block)) + n * image);
  EmitPlane(b, plane, e, k.arguments[0], from, k.arguments[2], b.Let("to", task * plane.size_out()), part, parts,
            s.target());
  k.body = b.Take();
  s.program().AddStep(std::move(k), {{plan::kWholeArena}, {s.OffsetTable(std::move(offsets), e.from.bytes())}, {storage}},
                      std::move(info));
  return storage;
}

}  // namespace mgec::schedule
