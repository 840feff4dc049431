#include "compiler/schedule/epilogue.h"

#include <cstring>
#include <map>

#include "compiler/kernel/lower.h"

namespace mgec::schedule {
namespace {

using kernel::Buffer;
using kernel::Expr;
using kernel::Int;
using kernel::Op;
using kernel::Scalar;

bool IsUse(const Expr& e, const kernel::Var& v) { return e->op == Op::kVar && e->var == v; }

// How the epilogue finds an operand's elements.
struct Operand {
  enum Kind { kImmediate, kPerChannel, kSameIndex, kPerImage, kUniform } kind = kUniform;
  Expr immediate;
  Buffer buffer;
  BlockElement element;
};

// Per-channel constants [.., C, ..] in channel order, padded to whole blocks.
std::string PadToBlocks(const std::string& data, Scalar scalar) {
  const size_t block = static_cast<size_t>(kBlock * SizeOf(scalar));
  std::string padded = data;
  padded.resize((data.size() + block - 1) / block * block, '\0');
  return padded;
}

// The constant that `e` reads, if it holds a number per channel; otherwise null.
const std::string* PerChannelConstant(const graph::Node& node, const kernel::Definition& d, const kernel::Var& channel, int64_t channels,
                                      const Expr& e) {
  if (e->op != Op::kRead) return nullptr;
  const std::vector<int64_t>& shape = d.info(e->tensor).shape;
  int64_t elements = 1;
  bool per_channel = false;
  for (size_t i = 0; i < shape.size(); ++i) {
    elements *= shape[i];
    per_channel = per_channel || (IsUse(e->args[i], channel) && shape[i] == channels);
  }
  return per_channel && elements == channels ? Scheduler::ConstantData(node.inputs[e->tensor]) : nullptr;
}

// Sums may start from what is added to them per channel, if nothing but additions comes before, instead of being added to it
// later. What is left of `body`, and that constant; null: there is none.
Expr TakeBias(const graph::Node& node, const kernel::Definition& d, const kernel::Var& channel, const kernel::Var& sum,
              const Expr& body, const ContractionSpec& spec, const std::string** bias) {
  *bias = nullptr;
  if (sum->type.scalar != Scalar::kInt32 && !spec.floats_start) return body;
  // From the sum up, as long as nobody else wants to know what it is so far.
  std::function<bool(const Expr&)> is_found = [&](const Expr& e) { return IsUse(e, sum); };
  while (true) {
    int uses = 0;
    Expr user;
    kernel::Visit(body, [&](const Expr& e) {
      for (const Expr& a : e->args) {
        if (!is_found(a)) continue;
        ++uses;
        user = e;
      }
    });
    if (uses != 1 || user->op != Op::kAdd) return body;
    const int at = is_found(user->args[0]) ? 1 : 0;
    *bias = PerChannelConstant(node, d, channel, spec.channels, user->args[at]);
    if (*bias != nullptr) {
      return kernel::Replace(body, [&](const Expr& e) -> Expr { return e.get() == user.get() ? user->args[1 - at] : nullptr; });
    }
    is_found = [user](const Expr& e) { return e.get() == user.get(); };
  }
}

}  // namespace

PixelMap PixelsByRows(int64_t images, int64_t out_h, int64_t out_w) {
  PixelMap pixels;
  pixels.flat = [=](Expr row, Expr col) { return row * out_w + col; };
  pixels.index = [=](Expr row, Expr col) -> std::vector<Expr> {
    if (images == 1) return {Int(0), row, col};
    return {row / Int(out_h), Binary(Op::kMod, row, Int(out_h)), col};
  };
  return pixels;
}

bool BuildEpilogue(Scheduler& s, const graph::Node& node, const kernel::Definition& d, bool blocked,
                   const PixelMap& pixels, ContractionSpec& spec, std::vector<plan::Argument>& bindings) {
  if (d.stages().size() != 1) return false;
  const kernel::Stage& stage = d.stages()[0];
  if (stage.info.scalar != spec.out.value) return false;
  const size_t channel_dim = blocked ? 1 : stage.vars.size() - 1;
  const kernel::Var channel = stage.vars[channel_dim];

  // The accumulator takes the place of the reduction.
  int reductions = 0;
  bool sums = true;
  kernel::Visit(stage.body, [&](const Expr& e) {
    reductions += e->op == Op::kReduce;
    sums = sums && (e->op != Op::kReduce || e->type == kernel::Type(spec.sum_scalar()));
  });
  if (reductions != 1 || !sums) return false;
  const kernel::Var scalar_acc = kernel::MakeVar("sum", kernel::Type(spec.sum_scalar()));
  Expr body = kernel::Rewrite(
      stage.body, [&](const Expr& e) -> Expr { return e->op == Op::kReduce ? Use(scalar_acc) : e; });
  const std::string* bias;
  body = TakeBias(node, d, channel, scalar_acc, body, spec, &bias);

  // First look at everything, then change the program.
  std::map<int, Operand> operands;
  bool fits = true;
  kernel::Visit(body, [&](const Expr& e) {
    if (e->op != Op::kRead) {
      for (const Expr& a : e->args) fits = fits && !(a->type == kernel::kIndexType && kernel::DependsOn(a, channel));
      return;
    }
    const graph::Value* v = node.inputs[e->tensor];
    const std::vector<int64_t>& shape = d.info(e->tensor).shape;
    const std::string* constant = Scheduler::ConstantData(v);
    bool same = shape == stage.info.shape, per_image = shape.size() == stage.vars.size();
    int channel_at = -1, non_trivial = 0;
    for (size_t i = 0; i < e->args.size(); ++i) {
      if (IsUse(e->args[i], channel)) channel_at = static_cast<int>(i);
      else if (shape[i] != 1) ++non_trivial;
      same = same && kernel::IsIndexAlong(e->args[i], stage.vars[i], shape[i]);
      per_image = per_image && (i > 1 ? shape[i] == 1
                                      : shape[i] == stage.info.shape[i] &&
                                            kernel::IsIndexAlong(e->args[i], stage.vars[i], shape[i]));
    }
    Operand o;
    if (Scheduler::Immediate(v) != nullptr) o.kind = Operand::kImmediate;
    else if (constant != nullptr && channel_at >= 0 && non_trivial == 0) o.kind = Operand::kPerChannel;
    else if (same) o.kind = Operand::kSameIndex;
    else if (blocked && per_image && channel_at == 1) o.kind = Operand::kPerImage;
    else if (channel_at < 0 && non_trivial == 0) o.kind = Operand::kUniform;
    else fits = false;
    fits = fits && CanBeBlocked(d.info(e->tensor).scalar);
    operands.emplace(e->tensor, o);
  });
  if (!fits) return false;

  if (bias != nullptr && spec.sum_scalar() == Scalar::kInt32) {
    spec.bias.resize(bias->size() / 4);
    std::memcpy(spec.bias.data(), bias->data(), bias->size());
  } else if (bias != nullptr) {
    std::string starts = PadToBlocks(*bias, Scalar::kFloat32);
    spec.start = kernel::ArgumentBuffer("start", Scalar::kFloat32, static_cast<int64_t>(starts.size()) / 4,
                                        spec.first_extra + static_cast<int>(spec.extra.size()), 64);
    spec.extra.push_back(spec.start);
    bindings.push_back({s.program().AddConstant(std::move(starts))});
  }
  for (auto& [t, o] : operands) {
    const graph::Value* v = node.inputs[t];
    const std::vector<int64_t>& shape = d.info(t).shape;
    int64_t elements = graph::NumElements(shape);
    plan::Argument binding{};
    o.element = PlainElement(d.info(t).scalar);
    switch (o.kind) {
      case Operand::kImmediate:
        o.immediate = Scheduler::Immediate(v);
        continue;
      case Operand::kPerChannel: {
        std::string data = PadToBlocks(*Scheduler::ConstantData(v), o.element.value);
        elements = static_cast<int64_t>(data.size()) / o.element.bytes();
        binding.storage = s.program().AddConstant(std::move(data));
        break;
      }
      case Operand::kSameIndex:
      case Operand::kPerImage:
      case Operand::kUniform: {
        if (blocked && o.kind != Operand::kUniform) {
          const Placement p = s.Natural(v);
          binding.storage = p.channels[0].storage;
          o.element = s.Element(v);
          elements = (shape[1] + kBlock - 1) / kBlock * BlockElements(shape);
        } else {
          const Placement p = s.Plain(v);
          binding.storage = p.storage;
          binding.offset = p.offset;
        }
        break;
      }
    }
    binding.bytes = elements * o.element.bytes();
    o.buffer = kernel::ArgumentBuffer("e" + std::to_string(t), o.element.stored, elements,
                                      spec.first_extra + static_cast<int>(spec.extra.size()), o.element.bytes());
    spec.extra.push_back(o.buffer);
    bindings.push_back(binding);
  }

  const int64_t n = stage.info.shape[channel_dim];
  spec.epilogue = [=](Expr sum, Expr block, Expr row, Expr col) -> Expr {
    // Dense operands end with the last channel: a whole vector may reach beyond.
    Expr mask;
    if (!blocked && n % kBlock != 0) {
      const kernel::Type i32(Scalar::kInt32);
      mask = Ramp(Int(0, i32), 1, kBlock) < Broadcast(Cast(i32, Int(n) - block * kBlock), kBlock);
    }
    return kernel::Rewrite(body, [&](const Expr& e) -> Expr {
      if (e->op == Op::kVar && e->var == scalar_acc) return sum;
      if (e->op != Op::kRead) return e;
      const Operand& o = operands.at(e->tensor);
      switch (o.kind) {
        case Operand::kImmediate: return o.immediate;
        case Operand::kPerChannel: return Load(o.buffer, block * kBlock, kBlock);
        case Operand::kUniform: return Load(o.buffer, Int(0));
        case Operand::kPerImage: {
          const int64_t images = d.info(e->tensor).shape[0];
          const Expr image = images == 1 ? Int(0) : pixels.index(row, col)[0];
          return FromStored(o.element, Load(o.buffer, block * (images * kBlock) + image * kBlock, kBlock));
        }
        case Operand::kSameIndex: {
          const Expr pixel = pixels.flat(row, col);
          if (blocked) {
            return FromStored(o.element,
                              Load(o.buffer, block * BlockElements(stage.info.shape) + pixel * kBlock, kBlock));
          }
          return Load(o.buffer, pixel * n + block * kBlock, kBlock, mask);
        }
      }
      return e;
    });
  };
  return true;
}

void AddOwnArguments(Scheduler& s, ContractionSpec& spec, std::vector<plan::Argument>& arguments) {
  const auto add = [&](const char* name, Scalar scalar, int64_t size, const plan::Argument& argument) {
    spec.extra.push_back(kernel::ArgumentBuffer(name, scalar, size, static_cast<int>(arguments.size()), SizeOf(scalar)));
    arguments.push_back(argument);
    return spec.extra.back();
  };
  if (NeedsPartialSums(spec)) {
    const Scalar sum = spec.sum_scalar();
    spec.partial = add("partial", sum, spec.out_size, {s.program().AddArena(spec.out_size * SizeOf(sum))});
  }
  if (ReadsInputTwice(spec, s.target())) {
    spec.in_again = add("in_again", spec.in_scalar, spec.in_size, plan::Argument(arguments[kInput]));
  }
}

}  // namespace mgec::schedule
