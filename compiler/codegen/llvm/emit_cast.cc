// Conversions between element types.
#include <cassert>
#include <cmath>

#include "compiler/codegen/llvm/emitter.h"

namespace mgec::codegen {

using kernel::IsFloat;
using kernel::IsSigned;
using kernel::Scalar;
using kernel::SizeOf;
using kernel::Type;

llvm::Value* KernelEmitter::ToFloat32(Type from, llvm::Value* v) {
  llvm::Type* f32 = IrType(Type(Scalar::kFloat32, from.lanes));
  switch (from.scalar) {
    case Scalar::kFloat32: return v;
    case Scalar::kFloat16:
      return b_.CreateFPExt(b_.CreateBitCast(v, v->getType()->getWithNewType(b_.getHalfTy())), f32);
    case Scalar::kBFloat16: {
      const Type word(Scalar::kInt32, from.lanes);
      return b_.CreateBitCast(b_.CreateShl(b_.CreateZExt(v, IrType(word)), IntConstant(word, 16)), f32);
    }
    default: return IsSigned(from.scalar) ? b_.CreateSIToFP(v, f32) : b_.CreateUIToFP(v, f32);
  }
}

llvm::Value* KernelEmitter::FromFloat32(Type to, llvm::Value* v) {
  if (to.scalar == Scalar::kFloat32) return v;
  llvm::Type* bits16 = IrType(to);
  if (to.scalar == Scalar::kFloat16) {
    return b_.CreateBitCast(b_.CreateFPTrunc(v, v->getType()->getWithNewType(b_.getHalfTy())), bits16);
  }
  // By hand: without AVX512-BF16, LLVM calls a library for this. Round to nearest even by adding just less than half,
  // or exactly half where the kept part is odd; a NaN keeps its sign and becomes quiet.
  const Type word(Scalar::kInt32, to.lanes);
  llvm::Value* bits = b_.CreateBitCast(v, IrType(word));
  llvm::Value* high = b_.CreateLShr(bits, IntConstant(word, 16));
  llvm::Value* odd = b_.CreateAnd(high, IntConstant(word, 1));
  llvm::Value* rounded = b_.CreateAdd(b_.CreateAdd(bits, IntConstant(word, 0x7fff)), odd);
  llvm::Value* nan = b_.CreateOr(high, IntConstant(word, 0x40));
  llvm::Value* result = b_.CreateSelect(b_.CreateFCmpUNO(v, v), nan, b_.CreateLShr(rounded, IntConstant(word, 16)));
  return b_.CreateTrunc(result, bits16);
}

// Truncates toward zero and saturates; NaN becomes the smallest value of the type (zero for unsigned types). Clamping
// comes first because a conversion out of range is undefined in LLVM; llvm.fptosi.sat takes 60 instructions.
llvm::Value* KernelEmitter::FloatToInt(Type to, llvm::Value* v) {
  const int bits = 8 * SizeOf(to.scalar);
  const bool is_signed = IsSigned(to.scalar);
  const double lowest = is_signed ? -std::ldexp(1.0, bits - 1) : 0;
  const double beyond = std::ldexp(1.0, is_signed ? bits - 1 : bits);  // the first power of two too large
  v = EmitMinMax(/*min=*/false, Scalar::kFloat32, v, FloatConstant(to.lanes, lowest));
  if (bits <= 16) {
    v = EmitMinMax(/*min=*/true, Scalar::kFloat32, v, FloatConstant(to.lanes, beyond - 1));
    return b_.CreateTrunc(b_.CreateFPToSI(v, IrType(Type(Scalar::kInt32, to.lanes))), IrType(to));
  }
  // The largest value of the type is not a float: clamp to the float below and put it in afterwards.
  llvm::Value* below = FloatConstant(to.lanes, std::nextafter(static_cast<float>(beyond), 0.0f));
  llvm::Value* inside = b_.CreateFPToSI(EmitMinMax(/*min=*/true, Scalar::kFloat32, v, below), IrType(to));
  const int64_t largest = bits == 64 ? INT64_MAX : INT32_MAX;
  return b_.CreateSelect(b_.CreateFCmpOGE(v, FloatConstant(to.lanes, beyond)), IntConstant(to, largest), inside);
}

llvm::Value* KernelEmitter::EmitCast(Type from, Type to, llvm::Value* v) {
  if (from == to) return v;
  if (to.scalar == Scalar::kBool) {
    if (IsFloat(from.scalar)) {
      v = ToFloat32(from, v);
      return b_.CreateFCmpUNE(v, llvm::Constant::getNullValue(v->getType()));
    }
    return b_.CreateICmpNE(v, llvm::Constant::getNullValue(v->getType()));
  }
  if (IsFloat(to.scalar)) return FromFloat32(to, ToFloat32(from, v));
  if (IsFloat(from.scalar)) return FloatToInt(to, ToFloat32(from, v));
  return IsSigned(from.scalar) ? b_.CreateSExtOrTrunc(v, IrType(to)) : b_.CreateZExtOrTrunc(v, IrType(to));
}

llvm::Value* KernelEmitter::EmitBitcast(Type from, Type to, llvm::Value* v) {
  if (from.scalar == Scalar::kBool) return ToMemory(Scalar::kBool, v);
  if (to.scalar == Scalar::kBool) return FromMemory(Scalar::kBool, v);
  return b_.CreateBitCast(v, IrType(to));
}

}  // namespace mgec::codegen
