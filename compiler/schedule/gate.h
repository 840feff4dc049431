// Gates of channels (squeeze and excitation): instead of a tensor's channels, the weights of the convolution that reads it
// are multiplied, where those are fewer. (In networks of 16-bit floats, the product is not rounded then.)
#ifndef MGEC_COMPILER_SCHEDULE_GATE_H_
#define MGEC_COMPILER_SCHEDULE_GATE_H_

#include <unordered_map>
#include <vector>

#include "compiler/graph/graph.h"
#include "compiler/schedule/k_list.h"
#include "compiler/schedule/scheduler.h"

namespace mgec::schedule {

using Users = std::unordered_map<const graph::Value*, std::vector<graph::Node*>>;

// The gate that node `mul` multiplies a blocked tensor with, if its one user had better multiply its weights instead.
std::optional<Gate> DeferrableGate(const Scheduler& s, const graph::Graph& g, const Users& users, const graph::Node& mul);

// Adds a step that multiplies `packed`, the weights of a 1x1 convolution to `out_channels` channels in the order of `k`, by
// the gate. Returns the product, packed alike.
plan::StorageId GateWeights(Scheduler& s, const graph::Node& conv, const Gate& gate, plan::StorageId packed, const KList& k,
                            int64_t out_channels);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_GATE_H_
