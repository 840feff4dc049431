// Chains of reshape, transpose, slice and broadcast as one description of where the elements lie: what a kernel needs to read
// a tensor from where it was before it was moved. Conversions from 16-bit floats to float32 on the way are seen through, too.
//
//   x [2, 5, 8] reshaped to [2, 5, 4, 2], transposed to [2, 4, 5, 2], reshaped to [8, 5, 2]
//   ViewOf(that): source x, offset 0, axes {{2, 40}, {4, 2}}, {{5, 8}}, {{2, 1}}
#ifndef MGEC_COMPILER_OPS_STRIDED_VIEW_H_
#define MGEC_COMPILER_OPS_STRIDED_VIEW_H_

#include <optional>
#include <vector>

#include "compiler/graph/graph.h"

namespace mgec::ops {

// `extent` elements of the source, `stride` apart; 0: one, again and again.
struct Span {
  int64_t extent, stride;
  bool operator==(const Span& o) const { return extent == o.extent && stride == o.stride; }
};
// A dimension: the spans that its index counts through, the last one fastest. None where the dimension has one element.
using Axis = std::vector<Span>;

struct StridedView {
  const graph::Value* source;
  int64_t offset = 0;
  std::vector<Axis> axes;
};

// What views see through: a movement, or a conversion from float16 or bfloat16 to float32.
bool IsSeenThrough(const graph::Node& n);
// The value itself, dense. It must not be empty.
StridedView WholeOf(const graph::Value* v);
// The value, seen through as many movements as possible. Adds the nodes between source and value to `through`.
StridedView ViewOf(const graph::Value* v, std::vector<const graph::Node*>* through);
// What such a node makes of a view of its operand. Nothing where a reshape divides spans that do not divide evenly.
std::optional<StridedView> Moved(const StridedView& view, const graph::Node& movement);
// The view in another shape: by NumPy's rule of broadcasting, and of the same number of elements.
std::optional<StridedView> BroadcastView(const StridedView& view, const graph::Shape& shape);
std::optional<StridedView> ReshapedView(const StridedView& view, const graph::Shape& shape);

// Spans divided so that all of the given axes, which have equally many elements, have spans of the same extents. False where
// they do not divide evenly.
bool DivideAlike(const std::vector<Axis*>& axes);

}  // namespace mgec::ops

#endif  // MGEC_COMPILER_OPS_STRIDED_VIEW_H_
