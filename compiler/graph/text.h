// The text form of graphs: for people, for --emit=graph, and for tests of passes.
//
//   graph {
//     %data = input() "data" : f32[1,2,4,4]
//     %1 = constant() {data=0x0000803f} : f32[1]
//     %2 = add(%data, %1) "sum" : f32[1,2,4,4]
//     %3 = fused(%2) "f" : f32[1,2,4,4] {
//       %in0 = input() "in0" : f32[1,2,4,4]
//       %1 = relu(%in0) : f32[1,2,4,4]
//       return %1 "out"
//     }
//     return %3 "out"
//   }
//
// Several results are written `%3, %4 = op(..) : f32[2], i32[2]`; outputs with sizes that depend on values, and these,
// `return %3 "out" sizes=[1,-1], %4 "out.size0" internal`.
#ifndef MGEC_COMPILER_GRAPH_TEXT_H_
#define MGEC_COMPILER_GRAPH_TEXT_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "compiler/graph/graph.h"

namespace mgec::graph {

struct TextOptions {
  // Constants of more bytes are written as {bytes=N, hash=H}, which the parser refuses.
  int64_t max_constant_bytes = 32;
};

std::string ToText(const Graph& g, const TextOptions& options = {});

// The graph that ToText wrote (if no constant was too large). InvalidArgument with the line's number otherwise. The
// result is verified.
absl::StatusOr<Graph> ParseText(absl::string_view text);

}  // namespace mgec::graph

#endif  // MGEC_COMPILER_GRAPH_TEXT_H_
