#include "compiler/schedule/pack_operand.h"

#include <algorithm>

#include "compiler/schedule/contraction.h"
#include "compiler/schedule/transpose.h"

namespace mgec::schedule {
namespace {

using kernel::Block;
using kernel::Buffer;
using kernel::Expr;
using kernel::Int;

Expr Wide(Expr stored) { return Cast(kernel::Scalar::kFloat32, std::move(stored)); }

class Packer {
 public:
  explicit Packer(const ComputedOperand& o)
      : o_(o), blocks_((o.n + kBlock - 1) / kBlock), panels_(Panels(blocks_)) {
    in_ = kernel::ArgumentBuffer("in", o.stored, o.batch * o.k * o.n, 0, SizeOf(o.stored));
    out_ = kernel::ArgumentBuffer("out", kernel::Scalar::kFloat32, o.batch * o.k * blocks_ * kBlock, 1, 64);
  }

  int64_t elements() const { return out_->size; }

  // A task is a panel of a matrix.
  kernel::Kernel Build() {
    kernel::Kernel k;
    k.name = "pack";
    k.task = kernel::MakeVar("task");
    const int64_t panels = static_cast<int64_t>(panels_.size());
    k.tasks = o_.batch * panels;
    k.arguments = {in_, out_};
    Block b;
    const Expr matrix = b.Let("matrix", Use(k.task) / Int(panels));
    const Expr panel = b.Let("panel", Binary(kernel::Op::kMod, Use(k.task), Int(panels)));
    const Expr from = b.Let("from", matrix * (o_.k * o_.n)), to = b.Let("to", matrix * (o_.k * blocks_ * kBlock));
    ForPanel(b, panels_, panel, [&](Block& b, const Expr& block, int width) { EmitPanel(b, block, width, from, to); });
    k.body = b.Take();
    return k;
  }

 private:
  void EmitPanel(Block& b, const Expr& block, int width, const Expr& from, const Expr& to) {
    const Expr out = b.Let("out", to + block * (kBlock * o_.k));
    for (int j = 0; j < width; ++j) {
      const Expr channel = b.Let("n", (block + j) * kBlock);
      if (o_.transposed) EmitTransposed(b, from, channel, out + j * kBlock, width * kBlock);
      else EmitCopy(b, from, channel, out + j * kBlock, width * kBlock);
    }
  }

  // Rows of K hold the channels side by side.
  void EmitCopy(Block& b, const Expr& from, const Expr& channel, const Expr& to, int64_t pitch) {
    const kernel::Type i32(kernel::Scalar::kInt32);
    const Expr left = b.Let("left", Cast(i32, Int(o_.n) - channel));
    const Expr mask = o_.n % kBlock == 0 ? nullptr : Ramp(Int(0, i32), 1, kBlock) < Broadcast(left, kBlock);
    b.For("k", 0, o_.k, [&](Block& b, const Expr& k) {
      b.Store(out_, to + k * pitch, Wide(Load(in_, from + k * o_.n + channel, kBlock, mask)));
    });
  }

  // Rows are channels: squares are turned around.
  void EmitTransposed(Block& b, const Expr& from, const Expr& channel, const Expr& to, int64_t pitch) {
    std::vector<Expr> rows;
    for (int64_t j = 0; j < kBlock; ++j) {
      rows.push_back(b.Let("row", from + Min(channel + j, Int(o_.n - 1)) * o_.k));
    }
    const int64_t whole = o_.k / kBlock * kBlock;
    b.For("k", Int(0), Int(whole), kBlock, [&](Block& b, const Expr& k) {
      std::vector<Expr> square;
      for (const Expr& row : rows) square.push_back(b.Let("x", Wide(Load(in_, row + k, kBlock))));
      square = TransposeSquare(b, std::move(square), 4);
      for (int64_t j = 0; j < kBlock; ++j) b.Store(out_, to + (k + j) * pitch, square[j]);
    });
    b.For("k", whole, o_.k, [&](Block& b, const Expr& k) {
      for (int64_t j = 0; j < kBlock; ++j) b.Store(out_, to + k * pitch + j, Wide(Load(in_, rows[j] + k)));
    });
  }

  const ComputedOperand& o_;
  const int64_t blocks_;
  const std::vector<int> panels_;
  Buffer in_, out_;
};

}  // namespace

plan::StorageId PackComputed(Scheduler& s, const graph::Node& node, const ComputedOperand& operand) {
  Packer packer(operand);
  const plan::StorageId packed = s.program().AddArena(packer.elements() * 4);
  plan::StepInfo info = s.Info(node, "pack");
  info.macs = 0;
  info.bytes = packer.elements() * 8;
  s.program().AddStep(packer.Build(), {operand.memory, {packed}}, std::move(info));
  return packed;
}

plan::StorageId PackFilter(Scheduler& s, const graph::Node& node, const plan::Argument& memory, kernel::Scalar stored,
                           int64_t channels, const std::vector<int32_t>& order) {
  const int64_t k_size = static_cast<int64_t>(order.size()), blocks = (channels + kBlock - 1) / kBlock;
  const int64_t row = memory.bytes / (channels * SizeOf(stored));
  const std::vector<int> panels = Panels(blocks);
  const plan::StorageId packed = s.program().AddArena(k_size * blocks * kBlock * 4);
  kernel::Kernel k;
  k.name = "pack_filter";
  k.task = kernel::MakeVar("task");
  k.tasks = static_cast<int64_t>(panels.size());
  const Buffer in = kernel::ArgumentBuffer("in", stored, channels * row, 0, SizeOf(stored));
  const Buffer table = kernel::ArgumentBuffer("order", kernel::Scalar::kInt32, k_size, 1, 64);
  const Buffer out = kernel::ArgumentBuffer("out", kernel::Scalar::kFloat32, k_size * blocks * kBlock, 2, 64);
  k.arguments = {in, table, out};
  Block b;
  ForPanel(b, panels, Use(k.task), [&](Block& b, const Expr& block, int width) {
    const Expr to = b.Let("to", block * (kBlock * k_size));
    std::vector<Expr> rows;
    for (int j = 0; j < width * kBlock; ++j) {
      rows.push_back(b.Let("row", Min(block * kBlock + j, Int(channels - 1)) * row));
    }
    b.For("k", 0, k_size, [&](Block& b, const Expr& i) {
      const Expr at = b.Let("at", Cast(kernel::kIndexType, Load(table, i)));
      for (int j = 0; j < width * kBlock; ++j) b.Store(out, to + (i * (width * kBlock) + j), Wide(Load(in, rows[j] + at)));
    });
  });
  k.body = b.Take();
  plan::StepInfo info = s.Info(node, "pack_filter");
  info.macs = 0;
  info.bytes = channels * (row + k_size) * 4;
  const std::string data(reinterpret_cast<const char*>(order.data()), order.size() * sizeof(order[0]));
  s.program().AddStep(std::move(k), {memory, {s.program().AddConstant(data)}, {packed}}, std::move(info));
  return packed;
}

plan::StorageId Widened(Scheduler& s, const graph::Node& node, const plan::Argument& memory, kernel::Scalar stored) {
  constexpr int64_t kTaskElements = 4096;
  const int64_t elements = memory.bytes / SizeOf(stored);
  const plan::StorageId wide = s.program().AddArena(elements * 4);
  kernel::Kernel k;
  k.name = "widen";
  k.task = kernel::MakeVar("task");
  k.tasks = (elements + kTaskElements - 1) / kTaskElements;
  k.arguments = {kernel::ArgumentBuffer("in", stored, elements, 0, SizeOf(stored)),
                 kernel::ArgumentBuffer("out", kernel::Scalar::kFloat32, elements, 1, 64)};
  Block b;
  auto copy = [&](Block& b, const Expr& i, int lanes) { b.Store(k.arguments[1], i, Wide(Load(k.arguments[0], i, lanes))); };
  const int lanes = s.target().vector_lanes;
  const Expr begin = b.Let("begin", Use(k.task) * kTaskElements);
  const Expr end = b.Let("end", Min(begin + kTaskElements, Int(elements)));
  const Expr main_end = b.Let("main_end", end - Binary(kernel::Op::kMod, end - begin, Int(lanes)));
  b.For("i", begin, main_end, lanes, [&](Block& b, const Expr& i) { copy(b, i, lanes); });
  b.For("i", main_end, end, 1, [&](Block& b, const Expr& i) { copy(b, i, 1); });
  k.body = b.Take();
  plan::StepInfo info = s.Info(node, "widen");
  info.macs = 0;
  info.bytes = elements * (SizeOf(stored) + 4);
  s.program().AddStep(std::move(k), {memory, {wide}}, std::move(info));
  return wide;
}

}  // namespace mgec::schedule
