#include "compiler/mge/quantized.h"

#include <cstring>

namespace mgec::mge {

using graph::DTypeKind;

absl::StatusOr<Value*> Contract(ImportContext& c, const std::string& op, Value* a, Value* b,
                                graph::Attributes attributes) {
  const graph::DType &ta = a->type.dtype, &tb = b->type.dtype;
  if (graph::IsFloating(ta) && graph::IsFloating(tb)) return c.Add(op, {a, b}, std::move(attributes));
  if (ta.kind != tb.kind || ta.kind == DTypeKind::kBool) {
    return Unsupported(absl::StrCat("operands of types ", graph::ToString(ta), " and ", graph::ToString(tb)),
                       "operands of one type");
  }
  const graph::DType sums = graph::IsQuantized(ta) ? graph::DType(DTypeKind::kQuantizedS32, ta.scale * tb.scale) : DTypeKind::kInt32;
  attributes.Set("dtype", graph::ToString(sums));
  return c.Add("int_" + op, {a, b}, std::move(attributes));
}

absl::StatusOr<graph::DType> OutputType(const ImportContext& c, const graph::DType& otherwise) {
  if (!c.op().output_dtype.has_value()) return otherwise;
  return ToGraphDType(*c.op().output_dtype);
}

absl::StatusOr<Value*> FromSums(ImportContext& c, Value* sums, const graph::DType& dtype) {
  const bool plain = dtype.kind == DTypeKind::kInt32 || dtype.kind == DTypeKind::kQuantizedS32;
  return plain && ByteSize(sums->type.dtype) == 4 && !IsFloating(sums->type.dtype) ? Retype(c, sums, dtype)
                                                                                   : c.Cast(sums, dtype);
}

absl::StatusOr<Value*> Retype(ImportContext& c, Value* x, const graph::DType& dtype) {
  if (x->type.dtype == dtype) return x;
  return c.Add("retype", {x}, {{"dtype", graph::ToString(dtype)}});
}

absl::StatusOr<Value*> Unbiased(ImportContext& c, Value* x) {
  const graph::DType d = x->type.dtype;
  DTypeKind raw = DTypeKind::kInt32;
  switch (d.kind) {
    case DTypeKind::kQuantizedS8:
    case DTypeKind::kQuantizedS4:
      raw = DTypeKind::kInt8;
      break;
    case DTypeKind::kQuantized8Asymm:
    case DTypeKind::kQuantized4Asymm:
      raw = DTypeKind::kUint8;
      break;
    case DTypeKind::kQuantizedS16:
      raw = DTypeKind::kInt16;
      break;
    default:
      break;
  }
  ASSIGN_OR_RETURN(Value * y, Retype(c, x, raw));
  ASSIGN_OR_RETURN(y, c.Cast(y, DTypeKind::kInt32));
  if (d.zero_point == 0) return y;
  return c.Add("sub", {y, c.graph().AddInts({d.zero_point})});
}

}  // namespace mgec::mge
