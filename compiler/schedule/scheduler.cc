#include "compiler/schedule/scheduler.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "compiler/base/status_macros.h"
#include "compiler/ops/conv.h"
#include "compiler/ops/op.h"
#include "compiler/passes/passes.h"
#include "compiler/schedule/channel_parts.h"
#include "compiler/schedule/contraction.h"
#include "compiler/schedule/cuda/few_channels.h"
#include "compiler/schedule/cuda/layout.h"
#include "compiler/schedule/exact_arithmetic.h"
#include "compiler/schedule/gate.h"
#include "compiler/schedule/narrow_floats.h"
#include "compiler/schedule/node_key.h"
#include "compiler/schedule/relayout.h"
#include "compiler/schedule/transposed_concat.h"

namespace mgec::schedule {
namespace {

using graph::Graph;
using graph::Node;
using graph::Value;

// Multiply-adds of a node's contractions.
int64_t MultiplyAdds(const Node& node) {
  if (node.body != nullptr) {
    int64_t sum = 0;
    for (const auto& n : node.body->nodes()) sum += MultiplyAdds(*n);
    return sum;
  }
  if (node.op == "conv2d" || node.op == "int_conv2d") {
    const auto p = ops::ConvParamsOf(ops::ContextOf(node));
    if (!p.ok()) return 0;
    return graph::NumElements(node.output()->type.shape) * (p->in_channels / p->group) * p->kernel[0] * p->kernel[1];
  }
  if (node.op == "matmul" || node.op == "int_matmul") {
    const graph::Shape& a = node.inputs[0]->type.shape;
    return graph::NumElements(node.output()->type.shape) *
           a[node.attributes.Int("transpose_a") ? a.size() - 2 : a.size() - 1];
  }
  for (const char* op : {"local_conv2d", "region_conv2d", "correlation"}) {
    if (node.op != op) continue;
    const auto d = ops::DefinitionOf(node);
    if (!d.ok()) return 0;
    const kernel::Stage& stage = d->stages().back();
    int64_t terms = 0;
    kernel::Visit(stage.body, [&](const kernel::Expr& e) {
      if (e->op == kernel::Op::kReduce) terms = kernel::Points(e);
    });
    return graph::NumElements(stage.info.shape) * terms;
  }
  return 0;
}

bool IsPointwise(const Node& n) {
  const ops::OpDef* op = ops::FindOp(n.op);
  return op != nullptr && op->pointwise;
}

// Between float32 and what memory holds (passes, StoreFloat16).
bool IsConversion(const Node& n) {
  if (n.op != "cast") return false;
  const graph::DType in = n.inputs[0]->type.dtype, out = n.output()->type.dtype;
  constexpr graph::DTypeKind kFloat = graph::DTypeKind::kFloat32;
  return (IsHalf(in) && out.kind == kFloat) || (in.kind == kFloat && IsHalf(out));
}

}  // namespace

std::string OpName(const Node& node) {
  if (node.body == nullptr) return node.op;
  std::string name;
  for (const auto& n : node.body->nodes()) {
    if (n->op == "input" || n->op == "constant" || IsConversion(*n)) continue;
    if (name.size() > 60) return name + "+more";
    absl::StrAppend(&name, name.empty() ? "" : "+", n->op);
  }
  return name.empty() ? "cast" : name;
}

kernel::Buffer ArenaArgument(int argument, kernel::Scalar scalar) {
  return kernel::ArgumentBuffer("arena", scalar, kMaxArenaElements, argument, SizeOf(scalar));
}

bool CanBeBlocked(const Value* v) {
  return v->type.shape.size() >= 2 && CanBeBlocked(ops::StorageOf(v->type.dtype));
}

absl::StatusOr<kernel::Definition> DefinitionFor(const Node& node) {
  ASSIGN_OR_RETURN(kernel::Definition d, ops::DefinitionOf(node));
  for (kernel::Stage& stage : d.stages()) stage.body = WithCheapRounding(stage.body);
  return d;
}

const Node* Anchor(const Node& node) {
  if (node.body == nullptr) return &node;
  const Node* anchor = nullptr;
  for (const auto& n : node.body->nodes()) {
    if (n->op == "input" || IsPointwise(*n)) continue;
    if (anchor != nullptr) return nullptr;
    anchor = n.get();
  }
  return anchor;
}

const Node* Core(const Node& node) {
  if (node.body == nullptr) return &node;
  const Node* core = nullptr;
  for (const auto& n : node.body->nodes()) {
    if (n->op == "input" || IsConversion(*n)) continue;
    if (core != nullptr) return nullptr;
    core = n.get();
  }
  return core;
}

const Value* Outer(const Node& node, const Value* inner) {
  if (node.body == nullptr) return inner;
  if (IsConversion(*inner->producer)) inner = inner->producer->inputs[0];
  const std::vector<Node*>& inputs = node.body->inputs();
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i]->output() == inner) return node.inputs[i];
  }
  return inner;
}

Scheduler::Scheduler(const graph::Graph& g, const kernel::Target& target, const Options& options, Alternatives* alternatives)
    : graph_(g), target_(target), options_(options), alternatives_(alternatives), users_(g.Users()) {
  for (size_t i = 0; i < g.outputs().size(); ++i) output_of_.emplace(g.outputs()[i].value, static_cast<int>(i));
  for (size_t i = 0; i < g.inputs().size(); ++i) {
    const Value* v = g.inputs()[i]->output();
    Placement p;
    p.storage = program_.AddInput(static_cast<int>(i), graph::ByteSize(v->type));
    Place(v, p);
  }
}

const std::string* Scheduler::ConstantData(const Value* v) {
  return v->producer->op == "constant" ? v->producer->data.get() : nullptr;
}

kernel::Expr Scheduler::Immediate(const Value* v) {
  const std::string* data = ConstantData(v);
  const kernel::Scalar scalar = ops::StorageOf(v->type.dtype);
  if (data == nullptr || graph::NumElements(v->type.shape) != 1 || !CanBeBlocked(scalar) || IsHalf(scalar)) return nullptr;
  auto element = [&](auto e) {
    std::memcpy(&e, data->data(), sizeof(e));
    return e;
  };
  switch (scalar) {
    case kernel::Scalar::kFloat32: return kernel::Float(element(0.0f));
    case kernel::Scalar::kInt8: return kernel::Int(element(int8_t{0}), scalar);
    case kernel::Scalar::kUint8: return kernel::Int(element(uint8_t{0}), scalar);
    case kernel::Scalar::kInt16: return kernel::Int(element(int16_t{0}), scalar);
    default: return kernel::Int(element(int32_t{0}), scalar);
  }
}

kernel::Scalar Scheduler::float_storage() const { return ops::StorageOf(graph_.float_storage()); }

bool Scheduler::Narrow(const Value* v, plan::StorageId* storage, kernel::Scalar* scalar) {
  constexpr size_t kFewestBytes = 256;
  const std::string* data = ConstantData(v);
  if (data == nullptr || float_storage() == kernel::Scalar::kFloat32 || data->size() < kFewestBytes ||
      v->type.dtype.kind != graph::DTypeKind::kFloat32) {
    return false;
  }
  const auto [it, is_new] = narrow_.emplace(v, plan::kWholeArena);
  if (is_new) {
    std::string narrow = NarrowExactly(*data, float_storage());
    if (!narrow.empty()) it->second = program_.AddConstant(std::move(narrow));
  }
  if (it->second == plan::kWholeArena) return false;
  *storage = it->second;
  *scalar = float_storage();
  return true;
}

void Scheduler::PlaceConstant(const Value* v) {
  Placement p;
  p.storage = program_.AddConstant(*ConstantData(v));
  Place(v, p);
}

absl::Status Scheduler::Run() {
  if (target_.cuda) {
    ASSIGN_OR_RETURN(channels_last_, ChooseChannelsLast(*this, graph_));
  }
  for (const auto& node : graph_.nodes()) {
    if (node->op == "input") continue;
    if (node->op == "constant") {
      PlaceConstant(node->output());
      continue;
    }
    if (node->op == "random_state") {
      Placement p;
      p.storage = program_.AddRandomState();
      Place(node->output(), p);
      continue;
    }
    if (absl::Status status = ScheduleNode(*node); !status.ok()) {
      return absl::Status(status.code(), absl::StrCat(OpName(*node), " \"", node->name, "\": ", status.message()));
    }
  }
  key_.clear();
  FinishOutputs();
  return copy_status_;
}

absl::Status Scheduler::ScheduleAnything(const Node& node) {
  return target_.cuda ? ScheduleGenericCuda(*this, node) : ScheduleGeneric(*this, node);
}

void Scheduler::BeginNode(const Node& node) {
  if (alternatives_ == nullptr && !options_.choose) return;
  std::string layouts;
  for (const Value* v : node.inputs) layouts += ConstantData(v) != nullptr ? 'c' : placement(v).blocked ? 'b' : 'p';
  key_ = NodeKey(node, layouts);
  choice_ = options_.choose ? options_.choose(target_, key_) : Choice();
}

const std::vector<graph::Node*>& Scheduler::users(const graph::Value* v) const {
  static const std::vector<graph::Node*> kNone;
  const auto it = users_.find(v);
  return it == users_.end() ? kNone : it->second;
}

void Scheduler::Offer(const std::vector<Choice>& alternatives) {
  if (alternatives_ == nullptr || alternatives.empty()) return;
  std::vector<Choice>& known = (*alternatives_)[key_];
  for (const Choice& c : alternatives) {
    if (std::find(known.begin(), known.end(), c) == known.end()) known.push_back(c);
  }
}

absl::Status Scheduler::ScheduleNode(const Node& node) {
  if (!node.outputs.empty() && placed(node.output())) return absl::OkStatus();  // scheduled with a node before it
  BeginNode(node);
  for (auto* schedule : {&ScheduleInChannelParts, &ScheduleTransposedConcat}) {
    ASSIGN_OR_RETURN(const bool done, schedule(*this, node));
    if (done) return absl::OkStatus();
  }
  if (const std::optional<Gate> gate = DeferrableGate(*this, graph_, users_, node)) {
    gates_.emplace(node.output(), *gate);
    Place(node.output(), placement(gate->x));
    return absl::OkStatus();
  }
  if (std::any_of(node.inputs.begin(), node.inputs.end(), [&](const Value* v) { return gate(v) != nullptr; })) {
    ASSIGN_OR_RETURN(const bool done, ScheduleConv(*this, node));
    if (done) return absl::OkStatus();
    for (const Value* v : node.inputs) {
      if (gates_.erase(v) != 0) RETURN_IF_ERROR(ScheduleUngated(*v->producer));
    }
  }
  return ScheduleUngated(node);
}

absl::Status Scheduler::ScheduleUngated(const Node& node) {
  if (target_.cuda) {
    for (auto* schedule : {&ScheduleAttention, &ScheduleView, &ScheduleRoutine, &ScheduleFewChannels}) {
      ASSIGN_OR_RETURN(bool done, schedule(*this, node));
      if (done) return absl::OkStatus();
    }
    return ScheduleAnything(node);
  }
  for (auto* schedule : {&ScheduleAttention, &ScheduleView, &ScheduleWinograd, &ScheduleWinogradImage, &ScheduleConv,
                         &ScheduleDepthwiseDot, &ScheduleMatMul, &ScheduleRoutine, &ScheduleChannelwise}) {
    ASSIGN_OR_RETURN(bool done, schedule(*this, node));
    if (done) return absl::OkStatus();
  }
  return ScheduleAnything(node);
}

absl::Status Scheduler::ScheduleApart(const Node& node) {
  Graph& g = NewGraph();
  std::unordered_map<const Value*, Value*> copies;
  for (const auto& n : node.body->nodes()) {
    if (n->op == "input") {
      const Value* outer = Outer(node, n->output());
      const Node& producer = *outer->producer;
      Value* copy = producer.op == "constant" ? g.AddConstant(outer->type, producer.data, producer.name)
                                              : g.AddInput(n->name, outer->type);
      Place(copy, placement(outer));
      copies[n->output()] = copy;
      continue;
    }
    std::vector<Value*> inputs;
    for (const Value* v : n->inputs) inputs.push_back(copies.at(v));
    const Node* placed = g.InsertCopy(*n, std::move(inputs));
    for (size_t i = 0; i < n->outputs.size(); ++i) copies[n->output(i)] = placed->output(i);
    // What is only widened need not be stored so.
    if (n->op == "cast" && IsHalf(placed->inputs[0]->type.dtype)) {
      placed->output()->origin = placed->inputs[0]->type.dtype.kind;
    }
  }
  for (const graph::GraphOutput& o : node.body->outputs()) g.AddOutput(copies.at(o.value), o.name);
  RETURN_IF_ERROR(passes::Fuse(g).status());
  RETURN_IF_ERROR((target_.cuda ? passes::StoreFloat16OnGpu : passes::StoreFloat16)(g).status());
  return ScheduleInstead(g, node);
}

absl::Status Scheduler::ScheduleInstead(const Graph& g, const Node& node) {
  for (size_t i = 0; i < g.outputs().size(); ++i) {
    const Value *own = node.output(static_cast<int>(i)), *v = g.outputs()[i].value;
    const auto it = output_of_.find(own);
    if (it != output_of_.end()) output_of_[v] = it->second;
    if (WantsChannelsLast(own)) WantChannelsLast(v);
  }
  for (const auto& n : g.nodes()) {
    if (n->op != "input" && n->op != "constant") RETURN_IF_ERROR(ScheduleUngated(*n));
  }
  for (size_t i = 0; i < g.outputs().size(); ++i) Place(node.output(static_cast<int>(i)), placement(g.outputs()[i].value));
  return absl::OkStatus();
}

void Scheduler::FinishOutputs() {
  for (size_t i = 0; i < graph_.outputs().size(); ++i) {
    const Value* v = graph_.outputs()[i].value;
    const Placement& p = placement(v);
    if (!p.blocked && p.planes.empty()) {
      const plan::Storage& storage = program_.storage(p.storage);
      if (storage.space == plan::Space::kOutput && storage.index == static_cast<int>(i)) continue;
    }
    Copy(v, graph_.outputs()[i].name, static_cast<int>(i));
  }
}

Placement Scheduler::Copy(const Value* v, const std::string& name, int output) {
  Node copy;
  copy.op = "identity";
  copy.name = name;
  copy.inputs = {const_cast<Value*>(v)};
  copy.outputs.push_back(std::make_unique<Value>(Value{&copy, 0, v->type}));
  const Value* result = copy.output();
  if (output >= 0) output_of_[result] = output;
  const absl::Status status = ScheduleAnything(copy);
  if (!status.ok() && copy_status_.ok()) copy_status_ = status;
  const Placement p = status.ok() ? placement(result) : Placement();
  // The node is gone after this, and another may get its address.
  placements_.erase(result);
  output_of_.erase(result);
  written_to_output_.erase(result);
  return p;
}

Placement Scheduler::NewPlain(const Value* v) {
  if (const auto reserved = reserved_.find(v); reserved != reserved_.end()) return reserved->second;
  Placement p;
  const auto it = output_of_.find(v);
  if (it != output_of_.end() && !written_to_output_[v]) {
    p.storage = program_.AddOutput(it->second, graph::ByteSize(v->type));
    written_to_output_[v] = true;
  } else {
    p.storage = program_.AddArena(graph::ByteSize(v->type));
  }
  return p;
}

plan::StorageId Scheduler::NewBlocks(const graph::Shape& shape, int64_t blocks, const BlockElement& element) {
  return program_.AddArena(blocks * BlockElements(shape) * element.bytes());
}

BlockElement Scheduler::Element(const Value* v) const { return Element(ops::StorageOf(v->type.dtype)); }

plan::StorageId Scheduler::OffsetTable(std::vector<std::pair<plan::StorageId, int64_t>> entries, int element_bytes) {
  const int64_t bytes = static_cast<int64_t>(entries.size()) * 4;
  auto write = [entries = std::move(entries), element_bytes](const plan::ArenaOffsets& offsets) {
    std::string table(entries.size() * 4, '\0');
    for (size_t i = 0; i < entries.size(); ++i) {
      const int32_t at = static_cast<int32_t>(offsets[entries[i].first] / element_bytes + entries[i].second);
      std::memcpy(&table[i * 4], &at, 4);
    }
    return table;
  };
  return program_.AddTable(bytes, std::move(write), element_bytes);
}

Placement Scheduler::Plain(const Value* v) {
  const Placement& p = placement(v);
  if (!p.blocked && !p.channels_last && p.planes.empty()) return p;
  const auto it = plain_.find(v);
  if (it != plain_.end()) return it->second;
  Placement plain;
  // One pixel: its channels are already in order.
  if (p.blocked && IsNatural(p) && BlockElements(v->type.shape) == kBlock && Element(v).plain()) {
    plain.storage = p.channels[0].storage;
  } else {
    plain = Copy(v, v->producer->name, -1);
  }
  plain_[v] = plain;
  return plain;
}

Placement Scheduler::Blocked(const Value* v) {
  const Placement p = placement(v);
  if (p.blocked) return p;
  const auto it = blocked_.find(v);
  if (it != blocked_.end()) return it->second;
  const Placement made = BlockedFromPlain(*this, p, v->type.shape, Element(v), Info(*v->producer, ""));
  blocked_[v] = made;
  return made;
}

Placement Scheduler::Natural(const Value* v) {
  const Placement p = Blocked(v);
  if (IsNatural(p)) return p;
  const auto it = natural_.find(v);
  if (it != natural_.end()) return it->second;
  const Placement made = NaturalFromBlocked(*this, p, v->type.shape, Element(v), Info(*v->producer, ""));
  natural_[v] = made;
  return made;
}

plan::StepInfo Scheduler::Info(const Node& node, std::string op) const {
  plan::StepInfo info;
  info.name = node.name;
  info.node_key = key_;
  info.op = std::move(op);
  info.macs = MultiplyAdds(node);
  for (const Value* v : node.inputs) info.bytes += graph::ByteSize(v->type);
  for (const auto& v : node.outputs) info.bytes += graph::ByteSize(v->type);
  return info;
}

}  // namespace mgec::schedule
