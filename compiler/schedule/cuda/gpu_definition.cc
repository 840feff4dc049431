#include "compiler/schedule/cuda/gpu_definition.h"

#include <map>
#include <set>
#include <string>
#include <utility>

#include "compiler/base/status_macros.h"
#include "compiler/ops/op.h"
#include "compiler/schedule/cuda/half_factors.h"
#include "compiler/schedule/cuda/tensor_order.h"
#include "compiler/schedule/cuda/tf32_factors.h"
#include "compiler/schedule/narrow_floats.h"

namespace mgec::schedule {
namespace {

using kernel::Definition;
using kernel::Expr;
using kernel::Op;
using kernel::Scalar;

// The same definition with float32 inputs that memory holds in 16 bits: `stored` by number, where it is something else.
Definition WithStored(const Definition& d, const std::map<int, Scalar>& stored) {
  if (stored.empty()) return d;
  std::vector<kernel::TensorInfo> inputs;
  for (int t = 0; t < d.num_inputs(); ++t) {
    inputs.push_back(d.info(t));
    const auto it = stored.find(t);
    if (it != stored.end()) inputs[t].scalar = it->second;
  }
  Definition result(std::move(inputs));
  for (kernel::Stage stage : d.stages()) {
    stage.body = kernel::Rewrite(stage.body, [&](const Expr& n) {
      const auto it = n->op == Op::kRead ? stored.find(n->tensor) : stored.end();
      return it == stored.end() ? n : Cast(n->type, kernel::Read(n->tensor, it->second, n->args));
    });
    result.stages().push_back(std::move(stage));
  }
  result.SetOutputs(d.outputs());
  return result;
}

// Constants that are rounded to float16 wherever they are read are so in memory: the result is the same.
Definition WithRoundedConstants(const Definition& d, const graph::Node& node) {
  std::map<int, int> reads;  // that are not rounded, of float32 constants
  for (int t = 0; t < d.num_inputs(); ++t) {
    if (d.info(t).scalar == Scalar::kFloat32 && Scheduler::ConstantData(node.inputs[t]) != nullptr) reads[t] = 0;
  }
  std::set<int> rounded;
  for (const kernel::Stage& stage : d.stages()) {
    kernel::Visit(stage.body, [&](const Expr& n) {
      for (const Expr& a : n->args) {
        if (a->op != Op::kRead || reads.count(a->tensor) == 0) continue;
        const bool rounds = n->op == Op::kCast && n->type.scalar == Scalar::kFloat16;
        if (rounds) rounded.insert(a->tensor);
        else ++reads[a->tensor];
      }
    });
    if (stage.body->op == Op::kRead) ++reads[stage.body->tensor];
  }
  std::map<int, Scalar> stored;
  for (int t : rounded) {
    if (reads[t] == 0) stored[t] = Scalar::kFloat16;
  }
  Definition result = WithStored(d, stored);
  for (kernel::Stage& stage : result.stages()) {
    stage.body = kernel::Rewrite(stage.body, [&](const Expr& n) {  // f16(f32(x)) of such a constant is x
      const bool again = n->op == Op::kCast && n->type.scalar == Scalar::kFloat16 && n->args[0]->op == Op::kCast &&
                         n->args[0]->args[0]->op == Op::kRead && stored.count(n->args[0]->args[0]->tensor) != 0;
      return again ? Expr(n->args[0]->args[0]) : n;
    });
  }
  return result;
}

// Where a constant is that memory holds as `scalar`, with its dimensions in that order (empty: as they are).
plan::StorageId Constant(Scheduler& s, const graph::Value* v, Scalar scalar, const TensorOrder& order) {
  const std::string& data = *Scheduler::ConstantData(v);
  const bool narrow = scalar != ops::StorageOf(v->type.dtype);
  std::string stored = narrow ? Narrowed(data, scalar) : data;
  return s.program().AddConstant(order.empty() ? std::move(stored) : DataInOrder(stored, v->type.shape, order));
}

}  // namespace

absl::StatusOr<Definition> GpuDefinition(Scheduler& s, const graph::Node& node) {
  ASSIGN_OR_RETURN(Definition d, DefinitionFor(node));
  std::map<int, Scalar> stored;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    plan::StorageId storage;
    Scalar scalar;
    if (s.Narrow(node.inputs[i], &storage, &scalar)) stored[static_cast<int>(i)] = scalar;
  }
  d = WithStored(d, stored);
  const graph::Node* anchor = Anchor(node);
  if (anchor != nullptr && anchor->attributes.String("factors") == "f16") d = WithRoundedConstants(WithHalfFactors(std::move(d)), node);
  if (s.options().tf32) d = WithTf32Factors(std::move(d));
  return d;
}

absl::StatusOr<Operands> GpuOperands(Scheduler& s, const graph::Node& node) {
  ASSIGN_OR_RETURN(Definition d, GpuDefinition(s, node));
  Operands o{std::move(d), {}, {}};
  std::map<int, TensorOrder> orders;
  std::vector<bool> last(o.definition.num_inputs() + o.definition.stages().size(), false);
  std::vector<bool> packable;
  auto move_channels = [&](int t) {
    orders[t] = ChannelsLast();
    last[t] = true;
  };
  for (int t = 0; t < o.definition.num_inputs(); ++t) {
    o.inputs.push_back(s.placement(node.inputs[t]));
    if (o.inputs[t].channels_last) move_channels(t);
    packable.push_back(Scheduler::ConstantData(node.inputs[t]) != nullptr);
  }
  const std::vector<int> outputs = o.definition.outputs();
  for (int t : outputs) {
    bool wanted = t >= o.definition.num_inputs();
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (outputs[i] == t) wanted = wanted && s.WantsChannelsLast(node.output(static_cast<int>(i)));
    }
    if (wanted) move_channels(t);
    o.channels_last.push_back(wanted);
  }
  o.definition = WithOrderedSums(InOrders(o.definition, orders), packable, last);
  const std::map<int, TensorOrder> packed = PackedOrders(o.definition, packable, last);
  for (int t = 0; t < o.definition.num_inputs(); ++t) {
    const graph::Value* v = node.inputs[t];
    const Scalar scalar = o.definition.info(t).scalar;
    const auto it = packed.find(t);
    if (it == packed.end() && scalar == ops::StorageOf(v->type.dtype)) continue;
    o.inputs[t] = Placement();
    o.inputs[t].storage = Constant(s, v, scalar, it == packed.end() ? TensorOrder() : it->second);
  }
  o.definition = InOrders(o.definition, packed);
  return o;
}

}  // namespace mgec::schedule
