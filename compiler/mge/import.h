// From a model file to the graph IR.
//
//   ASSIGN_OR_RETURN(Model model, ReadModel(bytes));
//   ImportOptions options;
//   options.input_shapes["data"] = {8, 3, 224, 224};
//   ASSIGN_OR_RETURN(graph::Graph graph, Import(model, options));
//
// What MegEngine computes in the graph although it only decides shapes (the target of a Reshape, the bounds of a
// Subtensor, ...) is evaluated here and becomes attributes. Channel-blocked layouts become NCHW between transposes, for
// the passes to remove. Sizes that depend on values become internal outputs (dynamic_shapes.h), and conditional execution
// becomes selection (conditions.h). Multi-output operators keep those outputs that inference uses.
#ifndef MGEC_COMPILER_MGE_IMPORT_H_
#define MGEC_COMPILER_MGE_IMPORT_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/graph/graph.h"
#include "compiler/mge/model.h"

namespace mgec::mge {

struct ImportOptions {
  // Shapes to use instead of those in the file, by the name of the input.
  std::map<std::string, graph::Shape> input_shapes;
};

// One kind of thing that the compiler cannot do, and where the model uses it.
struct UnsupportedItem {
  std::string op;                  // "Remap"
  std::string detail;              // "imode=LANCZOS4"; "operator" if nothing of it is supported
  int count = 0;                   // uses
  std::vector<std::string> nodes;  // names of all uses
  std::string supported;           // "NEAREST, LINEAR"; may be empty
};

// One line for each item, in columns.
std::string FormatUnsupported(const std::vector<UnsupportedItem>& items);

// Errors:
//   kUnimplemented     the model needs what is not supported. The whole graph has been looked at: `unsupported`, if not
//                      null, receives everything, and the message holds it as text
//   kInvalidArgument   operands that do not fit each other, or an option that does not fit the model
absl::StatusOr<graph::Graph> Import(const Model& model, const ImportOptions& options = {},
                                    std::vector<UnsupportedItem>* unsupported = nullptr);

}  // namespace mgec::mge

#endif  // MGEC_COMPILER_MGE_IMPORT_H_
