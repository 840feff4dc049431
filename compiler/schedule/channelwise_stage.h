// One stage of a definition on blocked tensors: loops over blocks of channels, rows and pixels.
#ifndef MGEC_COMPILER_SCHEDULE_CHANNELWISE_STAGE_H_
#define MGEC_COMPILER_SCHEDULE_CHANNELWISE_STAGE_H_

#include <cstdint>
#include <vector>

#include "compiler/schedule/channel_roles.h"
#include "compiler/schedule/scheduler.h"

namespace mgec::schedule {

// What is known of a node that works channel by channel.
struct ChannelwiseNode {
  const kernel::Definition& definition;
  const std::vector<TensorUse>& roles;              // of each tensor of the definition
  const std::vector<Placement>& blocked;            // of each input, where its role is kBlocked
  const std::vector<BlockUse>& blocks;              // that the stages run over
  const std::vector<plan::StorageId>& storage;      // of the results of the stages up to the one that is emitted
  bool samples_places;                              // reads at places that other tensors hold
};

// Adds the step that computes stage number `stage`.
void EmitChannelwiseStage(Scheduler& s, const graph::Node& node, const ChannelwiseNode& n, int stage);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_CHANNELWISE_STAGE_H_
