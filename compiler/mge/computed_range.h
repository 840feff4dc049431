// Ranges and indices of an axis where its size, a bound or the index depends on values: as in x[i:j], of which i is computed.
#ifndef MGEC_COMPILER_MGE_COMPUTED_RANGE_H_
#define MGEC_COMPILER_MGE_COMPUTED_RANGE_H_

#include <cstdint>
#include <optional>

#include "compiler/mge/index_items.h"

namespace mgec::mge {

// The step of a range, which must be known. 1 if none is given.
absl::StatusOr<int64_t> StepOf(ImportContext& c, const AxisIndex& a);

// What is known of a bound: nothing where none is given.
absl::StatusOr<std::optional<Number>> BoundOf(ImportContext& c, std::optional<int> operand);

// Whether a range has all elements up to its end.
bool FromFirst(int64_t step, const std::optional<Number>& begin);

// The elements first, first + step, .. of an axis, `count` of them.
struct ComputedRange {
  Value* first = nullptr;  // int32[1], counted from the start
  Extent count;
};

// What the range `a` selects of y, by Python's rules.
absl::StatusOr<ComputedRange> ComputedRangeOf(ImportContext& c, Value* y, const AxisIndex& a);

// The index `v`, which counts from the end of an axis of `size` elements where it is negative, counted from the start.
absl::StatusOr<Value*> FromStart(ImportContext& c, Value* v, Value* size);

}  // namespace mgec::mge

#endif  // MGEC_COMPILER_MGE_COMPUTED_RANGE_H_
