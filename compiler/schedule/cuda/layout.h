// Which images GPUs keep with their channels last ([N, H, W, C]), chosen for the whole graph by cost.
//
// Of such an image, the factors of a convolution on tensor cores lie in memory along the sum: they are copied 16 bytes at a time
// where they would be gathered number by number, each with its index, and a thread's results are neighbours. Whole [N, H, W, C]
// rather than blocks of channels: sums go along all channels of a pixel, whatever their number, an image has one stride for each
// dimension, and no channel is stored that there is not. Other kernels read and write either order, so that relayouts happen in
// kernels that compute something anyway; what needs plain tensors gets a copy.
#ifndef MGEC_COMPILER_SCHEDULE_CUDA_LAYOUT_H_
#define MGEC_COMPILER_SCHEDULE_CUDA_LAYOUT_H_

#include <unordered_set>

#include "absl/status/statusor.h"
#include "compiler/schedule/scheduler.h"

namespace mgec::schedule {

// The values of the graph that are best kept so. Inputs and outputs of the graph never are.
absl::StatusOr<std::unordered_set<const graph::Value*>> ChooseChannelsLast(Scheduler& s, const graph::Graph& g);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_CUDA_LAYOUT_H_
