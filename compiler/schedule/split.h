// How the work of a step is shared out to threads, so that each thread finds in its own cache what it wrote a step before.
//
// Threads get consecutive tasks. Where a tensor has many pixels, tasks go through the pixels first: every step gives a thread
// the same rows of the image, of all channels. Where it has few, tasks go through the channels: a thread reads its own part
// of the weights only.
#ifndef MGEC_COMPILER_SCHEDULE_SPLIT_H_
#define MGEC_COMPILER_SCHEDULE_SPLIT_H_

#include <algorithm>
#include <cstdint>

#include "compiler/kernel/expr.h"

namespace mgec::schedule {

// Tasks that a step is divided into where nobody wishes for another number: enough that threads, if there are a few, get equal
// shares.
inline constexpr int64_t kUsualTasks = 16;

// Whether threads share the pixels of a tensor (all images together) rather than its channels.
inline bool SplitsPixels(int64_t pixels) { return pixels >= 128; }

// The same for a step that also reads weights: where they are much of what the step touches, each thread had better read its
// own part of them once.
inline bool SplitsPixels(int64_t pixels, int64_t tensor_bytes, int64_t weight_bytes) {
  return SplitsPixels(pixels) && tensor_bytes >= 2 * weight_bytes;
}

// The number of parts that pixels are divided into: even, so that two threads meet in the middle in every step.
inline int64_t PartsOfPixels(int64_t wanted) { return std::max<int64_t>(4, (wanted + 1) / 2 * 2); }

// Where part `part` of `parts` of n things begins, and the part before it ends: no two parts differ by more than one, and the
// second half of an even number of parts begins in the middle.
inline kernel::Expr PartBegin(const kernel::Expr& part, int64_t parts, int64_t n) { return part * n / kernel::Int(parts); }

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_SPLIT_H_
