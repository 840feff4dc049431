// The last channels of a contraction, where they fill less than half a block.
//
// A panel's vectors hold 8 channels each; of 58 = 7 * 8 + 2 channels, a block for the last 2 would multiply 6 lanes of zeros. Here
// vectors run along K instead: lane i of a register adds up the products of element i of every block entry, for one pixel and one
// channel, and at the end its lanes are added up. So an entry costs a multiplication per channel, not 8 for all. What K has beyond
// whole blocks is added afterwards as elsewhere: an element, broadcast, times a vector of channels.
#ifndef MGEC_COMPILER_SCHEDULE_CHANNEL_TAIL_H_
#define MGEC_COMPILER_SCHEDULE_CHANNEL_TAIL_H_

#include <functional>
#include <string>

#include "compiler/kernel/stmt.h"
#include "compiler/kernel/target.h"

namespace mgec::schedule {

// How many of `channels` are better computed so, for `pixels` pixels; 0: none. The same for every target.
int TailChannels(int64_t channels, int64_t block_entries, int64_t pixels);

// The packed weights of channels [first, first + tail): for every block entry and channel 8 numbers along K; then for every
// single entry a block of channels, filled up with zeros. As many elements as TailSize says.
std::string PackTail(int64_t block_entries, int64_t single_entries, int64_t first, int tail, kernel::Scalar scalar,
                     const std::function<float(int64_t k, int64_t n)>& weight);
int64_t TailSize(int64_t block_entries, int64_t single_entries, int tail);

// Pixels of a register tile.
int TailHeight(const kernel::Target& target, int tail);

struct TailTile {
  kernel::Buffer in, table, weights;  // as of ContractionKernel, floats
  kernel::Expr in_tile;               // the element of `in` that the offsets of the first pixel count from
  int64_t in_col_stride = 0;
  kernel::Expr first_weight;
  int64_t block_entries = 0, single_entries = 0;
  int tail = 0, height = 0;
  kernel::Expr start;  // what the sums start from, 8 lanes; null: 0
};

// The sums: a register of 8 lanes for each pixel, the first `tail` of them channels.
kernel::Buffer TailSums(kernel::Block& b, const TailTile& t);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_CHANNEL_TAIL_H_
