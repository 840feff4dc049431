#include "compiler/schedule/gate.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "compiler/ops/op.h"
#include "compiler/schedule/contraction.h"

namespace mgec::schedule {

using graph::Node;
using graph::Shape;
using graph::Value;
using kernel::Block;
using kernel::Expr;
using kernel::Int;
using kernel::Scalar;

std::optional<Gate> DeferrableGate(const Scheduler& s, const graph::Graph& g, const Users& users, const Node& mul) {
  const Node* core = Core(mul);
  if (core == nullptr || core->op != "mul" || g.IsOutput(mul.output())) return std::nullopt;
  const Value* y = mul.output();
  const Shape& shape = y->type.shape;
  if (shape.size() != 4 || shape[0] != 1 || !graph::IsFloating(y->type.dtype)) return std::nullopt;
  for (int i = 0; i < 2; ++i) {
    const Gate gate = {Outer(mul, core->inputs[i]), Outer(mul, core->inputs[1 - i])};
    const bool fits = gate.x->type == y->type && s.placement(gate.x).blocked &&
                      gate.gate->type.shape == Shape{1, shape[1], 1, 1} && Scheduler::ConstantData(gate.gate) == nullptr;
    const auto of_y = users.find(y);
    if (!fits || of_y == users.end() || of_y->second.size() != 1) continue;
    const Node& user = *of_y->second[0];
    const Node* anchor = Anchor(user);
    if (anchor == nullptr || anchor->op != "conv2d" || anchor->inputs.size() != 2) continue;
    const Value* w = Outer(user, anchor->inputs[1]);
    const Shape& weights = w->type.shape;
    if (Outer(user, anchor->inputs[0]) == y && std::count(user.inputs.begin(), user.inputs.end(), y) == 1 &&
        Scheduler::ConstantData(w) != nullptr && weights.size() == 4 && weights[2] == 1 && weights[3] == 1 &&
        2 * graph::NumElements(weights) < graph::NumElements(shape)) {
      return gate;
    }
  }
  return std::nullopt;
}

plan::StorageId GateWeights(Scheduler& s, const Node& conv, const Gate& gate, plan::StorageId packed, const KList& k,
                            int64_t out_channels) {
  const int64_t k_size = static_cast<int64_t>(k.elements.size()), blocks = (out_channels + kBlock - 1) / kBlock;
  const int64_t elements = blocks * kBlock * k_size, channels = gate.gate->type.shape[1];
  std::string table(k_size * 4, '\0');
  for (int64_t i = 0; i < k_size; ++i) {
    const int32_t channel = static_cast<int32_t>(std::max<int64_t>(0, k.elements[i].channel));  // else the weight is 0
    std::memcpy(&table[i * 4], &channel, 4);
  }
  const Placement factors = s.Plain(gate.gate);
  const Scalar stored = ops::StorageOf(gate.gate->type.dtype);
  const plan::StorageId product = s.program().AddArena(elements * 4);
  const std::vector<int> panels = Panels(blocks);
  kernel::Kernel kernel;
  kernel.name = "gate_weights";
  kernel.task = kernel::MakeVar("task");
  kernel.tasks = static_cast<int64_t>(panels.size());
  kernel.arguments = {kernel::ArgumentBuffer("weights", Scalar::kFloat32, elements, 0, 64),
                      kernel::ArgumentBuffer("gate", stored, channels, 1, SizeOf(stored)),
                      kernel::ArgumentBuffer("channels", Scalar::kInt32, k_size, 2, 4),
                      kernel::ArgumentBuffer("out", Scalar::kFloat32, elements, 3, 64)};
  Block b;
  ForPanel(b, panels, Use(kernel.task), [&](Block& b, const Expr& block, int width) {
    const Expr panel = b.Let("panel", block * (kBlock * k_size));
    b.For("k", 0, k_size, [&](Block& b, const Expr& i) {
      const Expr channel = b.Let("channel", Cast(kernel::kIndexType, Load(kernel.arguments[2], i)));
      const Expr at = b.Let("at", panel + i * (width * kBlock));
      b.Store(kernel.arguments[3], at,
              Load(kernel.arguments[0], at, width * kBlock) * Cast(Scalar::kFloat32, Load(kernel.arguments[1], channel)));
    });
  });
  kernel.body = b.Take();
  plan::StepInfo info = s.Info(conv, "gate_weights");
  info.macs = 0;
  info.bytes = elements * 8;
  s.program().AddStep(std::move(kernel),
                      {{packed}, {factors.storage, factors.offset, channels * SizeOf(stored)}, {s.program().AddConstant(std::move(table))}, {product}},
                      std::move(info));
  return product;
}

}  // namespace mgec::schedule
