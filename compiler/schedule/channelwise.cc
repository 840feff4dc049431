// Schedules whatever works channel by channel on blocked tensors: vectors hold the 8 channels of one pixel, the loops run
// over blocks, rows and pixels. Depthwise convolution, pooling, resizing, spatial padding and reductions, normalizations
// and pointwise chains all come from their definitions; nothing here knows an operator.
//
// Depthwise convolutions are steps of their own, not computed in strips with the 1x1 convolutions around them: strips could only save
// what they take beyond their multiply-adds, on Zen 4 2.7 % of MobileNetV2's time (on two threads 3.9 %) and 1.2 % of
// ShuffleNetV2's, and would compute rows twice and read weights again for it.
#include <algorithm>
#include <optional>

#include "compiler/base/status_macros.h"
#include "compiler/kernel/lower.h"
#include "compiler/ops/common.h"
#include "compiler/ops/op.h"
#include "compiler/schedule/channel_roles.h"
#include "compiler/schedule/channelwise_stage.h"
#include "compiler/schedule/contraction.h"
#include "compiler/schedule/exact_arithmetic.h"
#include "compiler/schedule/pixel_sums.h"
#include "compiler/schedule/place_tables.h"
#include "compiler/schedule/scheduler.h"
#include "compiler/schedule/split.h"

namespace mgec::schedule {
namespace {

using kernel::Definition;
using kernel::Expr;
using kernel::Op;
using kernel::Ranges;
using kernel::Stage;

// What could be chosen instead, one decision at a time.
std::vector<Choice> ChannelwiseAlternatives() {
  std::vector<Choice> result;
  for (int registers : {1, 2, 4, 8}) result.push_back(Decided(&Choice::registers, registers));
  for (int unroll : {2, 4, 7, 8}) result.push_back(Decided(&Choice::unroll, unroll));
  for (int64_t tasks : {kUsualTasks / 4, kUsualTasks * 4}) result.push_back(Decided(&Choice::tasks, tasks));
  return result;
}

// Reads each element of its input many times: bringing that into blocks pays.
bool IsWindowed(const graph::Node& node) {
  const graph::Node* anchor = Anchor(node);
  if (anchor == nullptr || (anchor->op != "conv2d" && anchor->op != "pool2d")) return false;
  const graph::Shape& x = anchor->inputs[0]->type.shape;
  if (x.size() != 4 || x[1] < kBlock / 2) return false;
  if (anchor->op == "conv2d") return true;
  // Windows that do not overlap read each element once.
  const auto window = ops::PairOf(anchor->attributes, "window", 2, 1);
  return !window.ok() || graph::NumElements(anchor->output()->type.shape) * (*window)[0] * (*window)[1] > graph::NumElements(x);
}

// Computes a table of places, which is dense; `tables` are the storages of the stages before.
plan::StorageId EmitTable(Scheduler& s, const graph::Node& node, const Definition& d, int stage,
                          const std::vector<plan::StorageId>& tables) {
  std::vector<Placement> dense(d.num_inputs() + stage + 1);
  kernel::Visit(d.stages()[stage].body, [&](const Expr& e) {
    if (e->op != Op::kRead) return;
    if (e->tensor < d.num_inputs()) dense[e->tensor] = s.Plain(node.inputs[e->tensor]);
    else dense[e->tensor].storage = tables[e->tensor - d.num_inputs()];
  });
  const kernel::TensorInfo& info = d.stages()[stage].info;
  dense.back().storage = s.program().AddArena(graph::NumElements(info.shape) * SizeOf(info.scalar));
  EmitStage(s, node, d, stage, dense);
  return dense.back().storage;
}

}  // namespace

absl::StatusOr<bool> ScheduleChannelwise(Scheduler& s, const graph::Node& node) {
  bool any_blocked = false;
  for (const graph::Value* v : node.inputs) any_blocked = any_blocked || s.placement(v).blocked;
  const bool asked_for = any_blocked || IsWindowed(node);
  ASSIGN_OR_RETURN(Definition d, DefinitionFor(node));
  for (Stage& stage : d.stages()) {
    if (stage.scan >= 0) return false;  // the loops here have an order of their own
    Ranges ranges;
    for (size_t i = 0; i < stage.vars.size(); ++i) {
      // The channel stays a variable even where there is only one.
      if (i != 1) ranges[stage.vars[i].get()] = {0, stage.info.shape[i] - 1};
      else ranges[stage.vars[i].get()] = {0, std::max<int64_t>(1, stage.info.shape[i] - 1)};
    }
    stage.body = WithFloatSums(kernel::Simplify(stage.body, ranges));
  }
  // A place is needed once for each block of channels.
  constexpr int64_t kFewestBlocks = 4;
  DefinitionWithTables with_tables = WithPlaceTables(d, /*channel_dim=*/1, kFewestBlocks * kBlock);
  d = std::move(with_tables.definition);
  const size_t tables = with_tables.tables;
  const std::optional<std::vector<TensorUse>> roles = RolesOf(d, node, tables);
  if (!roles) return false;
  const bool samples_places = SamplesPlaces(d, *roles);
  if (!asked_for && !samples_places) return false;
  const int64_t channels = d.stages().back().info.shape[1];
  for (size_t i = tables; i < d.stages().size(); ++i) {
    if (d.stages()[i].info.shape[1] != channels) return false;
  }
  std::vector<Placement> blocked(d.num_inputs());
  std::optional<Placement> lanes;
  bool same = true;
  for (int t = 0; t < d.num_inputs(); ++t) {
    if ((*roles)[t].role == Role::kPerChannel && d.info(t).shape[(*roles)[t].channel_dim] != channels) return false;
    if ((*roles)[t].role != Role::kBlocked) continue;
    if (d.info(t).shape.size() < 2 || d.info(t).shape[1] != channels) return false;
    blocked[t] = s.Blocked(node.inputs[t]);
    if (!lanes) lanes = blocked[t];
    same = same && SameLanes(*lanes, blocked[t]);
  }
  if (!lanes) return false;
  if (!same) {  // operands whose channels lie differently meet in natural order
    for (int t = 0; t < d.num_inputs(); ++t) {
      if ((*roles)[t].role != Role::kBlocked) continue;
      blocked[t] = s.Natural(node.inputs[t]);
      lanes = blocked[t];
    }
  }
  s.Offer(ChannelwiseAlternatives());
  const std::vector<BlockUse> blocks = BlocksOf(*lanes);
  std::vector<plan::StorageId> storage;
  for (size_t i = 0; i < d.stages().size(); ++i) {
    const Stage& stage = d.stages()[i];
    if (i < tables) {
      storage.push_back(EmitTable(s, node, d, static_cast<int>(i), storage));
      continue;
    }
    storage.push_back(s.NewBlocks(stage.info.shape, static_cast<int64_t>(blocks.size()), s.Element(stage.info.scalar)));
    const ChannelwiseNode of_node = {d, *roles, blocked, blocks, storage, samples_places};
    if (!EmitFromPixelSums(s, node, of_node, static_cast<int>(i))) EmitChannelwiseStage(s, node, of_node, static_cast<int>(i));
  }
  const std::vector<int> outputs = d.outputs();
  for (size_t i = 0; i < outputs.size(); ++i) {
    Placement p;
    p.blocked = true;
    p.channels.resize(channels);
    for (size_t k = 0; k < blocks.size(); ++k) {
      for (int lane = 0; lane < kBlock; ++lane) {
        if (blocks[k].channel[lane] < 0) continue;
        p.channels[blocks[k].channel[lane]] = {storage[outputs[i] - d.num_inputs()], static_cast<int32_t>(k),
                                               static_cast<int8_t>(lane)};
      }
    }
    s.Place(node.outputs[i].get(), std::move(p));
  }
  return true;
}

}  // namespace mgec::schedule
