// Where the tensors of a graph live.
//
// Plain tensors are dense and row-major; on GPUs, those of images may have their channels last (cuda/tensor_order.h), or each channel
// at a place of its own (cuda/planes.h). Blocked
// tensors (NCHW8c) keep 8 channels of one pixel together: a block holds [N][H][W][8] elements (block_element.h says in what
// form). A channel may live in any lane of any block, so that split, concat and channel shuffle only rearrange the list of
// channels:
//
//   split   two halves of the list        concat  one list after the other        shuffle  a permuted list
//
// A kernel that works channel by channel runs over whole blocks and keeps the lanes; a convolution reads the list.
#ifndef MGEC_COMPILER_SCHEDULE_PLACEMENT_H_
#define MGEC_COMPILER_SCHEDULE_PLACEMENT_H_

#include <cstdint>
#include <vector>

#include "compiler/graph/type.h"
#include "compiler/plan/program.h"

namespace mgec::schedule {

struct ChannelRef {
  plan::StorageId storage;
  int32_t block;
  int8_t lane;
  bool operator==(const ChannelRef& o) const {
    return storage == o.storage && block == o.block && lane == o.lane;
  }
};

// Where the pixels of a channel lie, one after the other: those of image n from element offset + n * image of the storage on.
struct PlaneRef {
  plan::StorageId storage;
  int64_t offset, image;
};

struct Placement {
  bool blocked = false;
  bool channels_last = false;        // plain, but [N, C, H, W] lies in memory as [N, H, W, C] (on GPUs only)
  std::vector<PlaneRef> planes;      // not empty: one per channel (on GPUs only), instead of storage and offset
  plan::StorageId storage = 0;       // plain
  int64_t offset = 0;                // plain, bytes
  std::vector<ChannelRef> channels;  // blocked: one per channel, in logical order
};

// One block of a blocked tensor: which logical channels live in its lanes (-1: none of this tensor's).
struct BlockUse {
  plan::StorageId storage;
  int32_t block;
  int channel[8];
  bool full() const;
};

// The blocks of a tensor in the order of their first channel; a block is listed again for channels that share a lane.
std::vector<BlockUse> BlocksOf(const Placement& p);
// Storages of a blocked tensor, each once.
std::vector<plan::StorageId> StoragesOf(const Placement& p);

// A placement whose channels fill the blocks of one new storage in order.
Placement NaturalPlacement(plan::StorageId storage, int64_t channels);
bool IsNatural(const Placement& p);
// True where every block of `b` holds the same lanes for the same channels as one block of `a`, so that a kernel can run
// over both block by block.
bool SameLanes(const Placement& a, const Placement& b);

// Elements of one block of a tensor of the given shape [N, C, ...]: N * spatial * 8.
int64_t BlockElements(const graph::Shape& shape);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_PLACEMENT_H_
