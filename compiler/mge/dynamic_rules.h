// How sizes that depend on values go through the nodes of the graph.
#ifndef MGEC_COMPILER_MGE_DYNAMIC_RULES_H_
#define MGEC_COMPILER_MGE_DYNAMIC_RULES_H_

#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "compiler/mge/importer.h"

namespace mgec::mge {

// Gives the outputs of a node the sizes that follow from those of its operands. Unimplemented where the elements that
// count would mix with those that do not, or where sizes meet that are not known to be equal.
absl::Status Follow(DynamicShapes& shapes, const graph::Node& node);

// Runs an importer and follows the nodes that it adds.
absl::StatusOr<Values> ImportAndFollow(ImportContext& c,
                                       const std::function<absl::StatusOr<Values>(ImportContext&)>& import);

// Adds a node that Follow()s.
absl::StatusOr<Value*> AddFollowed(ImportContext& c, absl::string_view op, Values inputs,
                                   graph::Attributes attributes = {});

// The elements of operand i, each a size that may depend on values. Element `free` is not looked at.
absl::StatusOr<Extents> ExtentsOfOperand(ImportContext& c, int i, int64_t free = -1);

// The elements of x that count, as a tensor of other sizes of as many elements in the same order.
absl::StatusOr<Value*> Repack(graph::Graph& g, DynamicShapes& shapes, Value* x, const Extents& to);
// x with the elements that count at the front, row-major by their own sizes. The shape stays.
absl::StatusOr<Value*> Compact(graph::Graph& g, DynamicShapes& shapes, Value* x);

// x with `fill` (see mask_tail in compiler/ops/dynamic.cc) where elements do not count along the axis.
absl::StatusOr<Value*> MaskTail(ImportContext& c, Value* x, int64_t axis, const char* fill);

}  // namespace mgec::mge

#endif  // MGEC_COMPILER_MGE_DYNAMIC_RULES_H_
