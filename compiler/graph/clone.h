// Copies of whole graphs, for what changes one for some purposes only.
#ifndef MGEC_COMPILER_GRAPH_CLONE_H_
#define MGEC_COMPILER_GRAPH_CLONE_H_

#include "compiler/graph/graph.h"

namespace mgec::graph {

// The same graph with nodes of its own, which share the data of constants. Inputs come first.
Graph Clone(const Graph& g);

}  // namespace mgec::graph

#endif  // MGEC_COMPILER_GRAPH_CLONE_H_
