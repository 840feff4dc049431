// Convolutions of images with few channels, as a network's first, for tensor cores. Such channels fill no word: numbers are gathered
// one by one, each with a place and a test for padding of its own, which takes far longer than multiplying them. Here a copy of the
// image, padded around and to 4 or 8 channels that lie together, is made first, and the convolution's weights get channels of zeros:
// whole pixels are copied, neighbouring ones at once.
#ifndef MGEC_COMPILER_SCHEDULE_CUDA_FEW_CHANNELS_H_
#define MGEC_COMPILER_SCHEDULE_CUDA_FEW_CHANNELS_H_

#include "absl/status/statusor.h"
#include "compiler/schedule/scheduler.h"

namespace mgec::schedule {

// Schedules a convolution with its epilogue so where that is expected to be faster. False, and nothing done, elsewhere.
absl::StatusOr<bool> ScheduleFewChannels(Scheduler& s, const graph::Node& node);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_CUDA_FEW_CHANNELS_H_
