// Names for the work of nodes: what measurements of one model are found by when another is compiled.
#ifndef MGEC_COMPILER_SCHEDULE_NODE_KEY_H_
#define MGEC_COMPILER_SCHEDULE_NODE_KEY_H_

#include <string>

#include "absl/strings/string_view.h"
#include "compiler/graph/graph.h"

namespace mgec::schedule {

// What a node of a scheduled graph is, for people and for finding it again in another model: the operators, the types of its
// inputs and outputs, and a hash of all that schedules look at besides values of constants. `input_layouts` tells in a
// character each how the inputs lie.
std::string NodeKey(const graph::Node& node, absl::string_view input_layouts);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_NODE_KEY_H_
