// Quantized arithmetic; the operators cast, retype, and the integer modes that Elemwise has no name for.
#include "compiler/ops/quantize.h"

#include <limits>

namespace mgec::ops {
namespace {

using kernel::Binary;
using kernel::Cast;
using kernel::Float;
using kernel::Int;
using kernel::Select;
using kernel::Type;
using kernel::Unary;

const Type kI32(Scalar::kInt32);
const Type kF32(Scalar::kFloat32);

struct Limits {
  double lowest, highest;
};

Limits LimitsOf(const DType& d) {
  switch (d.kind) {
    case DTypeKind::kQuantizedS8: return {-128, 127};
    case DTypeKind::kQuantized8Asymm: return {0, 255};
    case DTypeKind::kQuantizedS16: return {-32768, 32767};
    case DTypeKind::kQuantizedS4: return {-8, 7};
    case DTypeKind::kQuantized4Asymm: return {0, 15};
    // The greatest float that is an int32.
    default: return {-2147483648.0, 2147483520.0};
  }
}

}  // namespace

int ZeroPointOf(const DType& d) {
  return d.kind == DTypeKind::kQuantized8Asymm || d.kind == DTypeKind::kQuantized4Asymm ? d.zero_point : 0;
}

Expr Unbiased(const DType& d, Expr q) {
  Expr e = Cast(kI32, std::move(q));
  return ZeroPointOf(d) == 0 ? e : e - Int(ZeroPointOf(d), kI32);
}

Expr Dequantize(const DType& d, Expr q) { return Cast(kF32, Unbiased(d, std::move(q))) * Float(d.scale); }

Expr QuantizeScaled(const DType& d, Expr x) {
  const Limits limits = LimitsOf(d);
  Expr q = Unary(Op::kRound, std::move(x));
  if (ZeroPointOf(d) != 0) q = q + Float(ZeroPointOf(d));
  // The second operand of a comparison with NaN is the result.
  return Cast(Type(StorageOf(d)), Min(Max(q, Float(limits.lowest)), Float(limits.highest)));
}

Expr Quantize(const DType& d, Expr x) { return QuantizeScaled(d, x * Float(1.0f / d.scale)); }

namespace {

// One stage that applies f to the operands, broadcast against each other.
template <typename F>
absl::StatusOr<Definition> Pointwise(const OpContext& c, Scalar result, F f) {
  Definition d = DefinitionFor(c);
  Shape shape = c.inputs[0].shape;
  for (const TensorType& t : c.inputs) {
    ASSIGN_OR_RETURN(shape, graph::BroadcastShapes(shape, t.shape));
  }
  d.AddStage(shape, result, [&](const Indices& i) {
    Indices args;
    for (size_t k = 0; k < c.inputs.size(); ++k) args.push_back(d.AtBroadcast(static_cast<int>(k), i));
    return f(args);
  });
  return d;
}

// --- cast: the same real value in another dtype ---
Types InferCast(const OpContext& c) {
  ASSIGN_OR_RETURN(DType d, graph::ParseDType(c.attributes.String("dtype")));
  return std::vector<TensorType>{{d, c.inputs[0].shape}};
}

absl::StatusOr<Definition> DefineCast(const OpContext& c) {
  ASSIGN_OR_RETURN(const DType to, graph::ParseDType(c.attributes.String("dtype")));
  const DType& from = c.inputs[0].dtype;
  const Type stored(StorageOf(to));
  return Pointwise(c, StorageOf(to), [&](const Indices& a) {
    if (IsQuantized(from) && IsQuantized(to)) {
      return QuantizeScaled(to, Cast(kF32, Unbiased(from, a[0])) * Float(from.scale / to.scale));
    }
    // 16-bit floats go through float32 to everything else.
    const bool real = IsQuantized(from) || IsFloating(from);
    const Expr x = IsQuantized(from) ? Dequantize(from, a[0]) : real || IsQuantized(to) ? ToFloat(a[0]) : a[0];
    if (IsQuantized(to)) return Quantize(to, x);
    // As C's compilers do it, and so MegEngine: what is too large for 8 or 16 bits loses its upper bits.
    const bool narrow = !IsFloat(stored.scalar) && stored.scalar != Scalar::kBool && SizeOf(stored.scalar) < 4;
    return Cast(stored, real && narrow ? Cast(kI32, x) : x);
  });
}

REGISTER_OP(cast).Inputs(1).Infer(InferCast).Define(DefineCast).Pointwise();

// --- retype: the same bits in another dtype of the same storage ---
Types InferRetype(const OpContext& c) {
  ASSIGN_OR_RETURN(DType d, graph::ParseDType(c.attributes.String("dtype")));
  if (StorageOf(d) != StorageOf(c.inputs[0].dtype)) {
    return absl::InvalidArgumentError(absl::StrCat(ToString(c.inputs[0].dtype), " is not stored like ", ToString(d)));
  }
  return std::vector<TensorType>{{d, c.inputs[0].shape}};
}

absl::StatusOr<Definition> DefineRetype(const OpContext& c) {
  return Pointwise(c, StorageOf(c.inputs[0].dtype), [](const Indices& a) { return a[0]; });
}

REGISTER_OP(retype).Inputs(1).Infer(InferRetype).Define(DefineRetype).Pointwise();

// --- round_even ---
Types InferRoundEven(const OpContext& c) {
  RETURN_IF_ERROR(CheckFloat(c.inputs[0], "x"));
  return InferSame(c);
}

absl::StatusOr<Definition> DefineRoundEven(const OpContext& c) {
  const Scalar s = StorageOf(c.inputs[0].dtype);
  return Pointwise(c, s, [&](const Indices& a) { return FromFloat(s, Unary(Op::kRoundEven, ToFloat(a[0]))); });
}

REGISTER_OP(round_even).Inputs(1).Infer(InferRoundEven).Define(DefineRoundEven).Pointwise();

// --- round_shr(x, k): x / 2^k, rounded half away from zero; int32 ---
Types InferRoundShr(const OpContext& c) {
  for (const TensorType& t : c.inputs) {
    if (t.dtype.kind != DTypeKind::kInt32) return absl::InvalidArgumentError("takes int32");
  }
  ASSIGN_OR_RETURN(Shape shape, graph::BroadcastShapes(c.inputs[0].shape, c.inputs[1].shape));
  return std::vector<TensorType>{{DTypeKind::kInt32, shape}};
}

absl::StatusOr<Definition> DefineRoundShr(const OpContext& c) {
  return Pointwise(c, Scalar::kInt32, [](const Indices& a) {
    const Expr k = Min(Max(a[1], Int(0, kI32)), Int(31, kI32));
    const Expr mask = Binary(Op::kShl, Int(1, kI32), k) - Int(1, kI32);
    const Expr half = Binary(Op::kShr, mask, Int(1, kI32)) + Cast(kI32, a[0] < Int(0, kI32));
    const Expr up = half < Binary(Op::kAnd, a[0], mask);
    return Binary(Op::kShr, a[0], k) + Cast(kI32, up);
  });
}

REGISTER_OP(round_shr).Inputs(2).Infer(InferRoundShr).Define(DefineRoundShr).Pointwise();

}  // namespace
}  // namespace mgec::ops
