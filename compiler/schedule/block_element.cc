#include "compiler/schedule/block_element.h"

namespace mgec::schedule {

using kernel::Expr;
using kernel::Op;
using kernel::Scalar;

bool CanBeBlocked(Scalar s) {
  switch (s) {
    case Scalar::kInt8:
    case Scalar::kUint8:
    case Scalar::kInt16:
    case Scalar::kInt32:
    case Scalar::kFloat16:
    case Scalar::kBFloat16:
    case Scalar::kFloat32: return true;
    default: return false;
  }
}

BlockElement ElementOf(Scalar value, const kernel::Target& target) {
  if (value != Scalar::kInt8 && value != Scalar::kUint8) return PlainElement(value);
  if (target.dot_group == 2) return {value, Scalar::kInt16, 0};
  return {value, Scalar::kUint8, value == Scalar::kInt8 ? 128 : 0};
}

namespace {

// Adding 128 is the same as flipping the highest bit.
Expr Flipped(Expr bits) { return Binary(Op::kXor, std::move(bits), Int(128, kernel::Type(Scalar::kUint8))); }

}  // namespace

Expr FromStored(const BlockElement& element, Expr stored) {
  if (element.bias != 0) return Bitcast(element.value, Flipped(std::move(stored)));
  if (element.plain()) return stored;
  if (IsFloat(element.value) && IsFloat(element.stored)) return Cast(element.value, std::move(stored));
  return ExactCast(element.value, std::move(stored));
}

Expr ToStored(const BlockElement& element, Expr value) {
  if (element.bias != 0) return Flipped(Bitcast(Scalar::kUint8, std::move(value)));
  if (element.plain()) return value;
  return Cast(element.stored, std::move(value));
}

Expr ZeroOf(kernel::Type t) {
  return IsFloat(t.scalar) ? Cast(t, kernel::Float(0, t.lanes)) : Int(0, t);
}

}  // namespace mgec::schedule
