// The reduction of a convolution as the list that the contraction micro-kernel walks.
#ifndef MGEC_COMPILER_SCHEDULE_K_LIST_H_
#define MGEC_COMPILER_SCHEDULE_K_LIST_H_

#include <string>
#include <utility>
#include <vector>

#include "compiler/ops/conv.h"
#include "compiler/schedule/placement.h"

namespace mgec::schedule {

// One element of the reduction: an input channel at a kernel tap; channel -1 where there is none, the weight is 0 then.
struct KElement {
  int64_t channel, kh, kw;
};

// The K list in the order of the packed weights, and its table.
struct KList {
  std::vector<KElement> elements;  // 8 per block entry, then those of the single ones, a group each
  int64_t block_entries = 0, single_entries = 0;
  std::vector<std::pair<plan::StorageId, int64_t>> offsets;  // one per entry: storage (or kWholeArena: none), elements
};

// Channels that fill whole blocks come first, 8 at a time, at every tap; stray lanes follow one by one, or rather by
// groups of `group` neighbours.
KList BlockedKList(const std::vector<BlockUse>& blocks, const ops::ConvParams& p, int64_t row_pitch,
                   int64_t block_elements, int group = 1);
// Of dense planes [C, height, width]: groups run along the width, as far as taps are neighbours there.
KList PlanarKList(const ops::ConvParams& p, int64_t height, int64_t width, int group = 1);

// The table of a list whose offsets do not depend on the memory plan.
std::string FixedTable(const KList& k);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_K_LIST_H_
