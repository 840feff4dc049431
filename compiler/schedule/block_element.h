// What the blocks of a tensor hold.
//
// Mostly the elements themselves. 8-bit integers are held the way the target multiplies them, so that nothing has to be
// converted between two convolutions:
//
//   target adds up    int8                          uint8
//   2 (kDot2)         int16                         int16
//   4 (kDot4)         uint8, with 128 added         uint8
//
// Dense tensors hold plain elements always. Floats of 16 bits are only stored as such: definitions compute in float32 (passes,
// StoreFloat16).
#ifndef MGEC_COMPILER_SCHEDULE_BLOCK_ELEMENT_H_
#define MGEC_COMPILER_SCHEDULE_BLOCK_ELEMENT_H_

#include "compiler/kernel/expr.h"
#include "compiler/kernel/target.h"

namespace mgec::schedule {

struct BlockElement {
  kernel::Scalar value;   // of the tensor
  kernel::Scalar stored;  // in memory
  int bias = 0;           // stored - value: 0 or 128
  int bytes() const { return SizeOf(stored); }
  bool plain() const { return value == stored && bias == 0; }
};

// Tensors of these elements can be blocked.
bool CanBeBlocked(kernel::Scalar s);
BlockElement ElementOf(kernel::Scalar value, const kernel::Target& target);
// Elements that are stored as they are.
inline BlockElement PlainElement(kernel::Scalar s) { return {s, s, 0}; }

// What float32 arithmetic reads where memory holds floats of type `stored`.
inline BlockElement FloatElement(kernel::Scalar stored) { return {kernel::Scalar::kFloat32, stored, 0}; }

// The value of what was loaded, and what to store for a value; of any number of lanes.
kernel::Expr FromStored(const BlockElement& element, kernel::Expr stored);
kernel::Expr ToStored(const BlockElement& element, kernel::Expr value);

// Zero of any type of memory.
kernel::Expr ZeroOf(kernel::Type t);

}  // namespace mgec::schedule

#endif  // MGEC_COMPILER_SCHEDULE_BLOCK_ELEMENT_H_
