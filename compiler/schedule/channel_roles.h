// How the tensors of a definition that works channel by channel depend on the channel, and their constants in blocks.
#ifndef MGEC_COMPILER_SCHEDULE_CHANNEL_ROLES_H_
#define MGEC_COMPILER_SCHEDULE_CHANNEL_ROLES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compiler/graph/graph.h"
#include "compiler/kernel/tensor_expr.h"
#include "compiler/schedule/block_element.h"
#include "compiler/schedule/placement.h"

namespace mgec::schedule {

// How a definition's tensor relates to the channel index.
enum class Role {
  kUnused,
  kBlocked,   // channel at dimension 1, lives in blocks
  kPerChannel,  // a constant with a channel dimension: packed to match the blocks
  kUniform,   // does not depend on the channel
};

struct TensorUse {
  Role role = Role::kUnused;
  size_t channel_dim = 0;
};

// The roles of all tensors, if every stage computes channel c from channel c of its operands. Bodies are simplified. Stages
// that are tables (place_tables.h), the first ones, have no channels, nor has what they read.
std::optional<std::vector<TensorUse>> RolesOf(const kernel::Definition& d, const graph::Node& node, size_t tables);

// Each element takes several of a tensor with channels at places that all channels share, and that are computed: regions of
// interest, warped images. With the channels in vectors, a place is computed once for eight of them, and a load takes eight.
bool SamplesPlaces(const kernel::Definition& d, const std::vector<TensorUse>& roles);

// Elements of a tensor per channel.
int64_t RestElements(const std::vector<int64_t>& shape, size_t channel_dim);
// The index without the channel, row-major.
kernel::Expr RestIndex(const std::vector<kernel::Expr>& index, const std::vector<int64_t>& shape, size_t channel_dim);

// How a constant's elements are packed: integers that are summed up as floats as floats.
BlockElement PackedElement(kernel::Scalar s, bool as_floats);
// A constant's values in the order of the blocks, [block][rest][8], zero in lanes that hold nothing.
std::string PackPerChannel(const BlockElement& e, const std::string& data, const std::vector<int64_t>& shape, size_t dim,
                           const std::vector<BlockUse>& blocks);

// The stage sums up floats (or integers, as floats).
bool SumsFloats(const kernel::Stage& stage);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_CHANNEL_ROLES_H_
