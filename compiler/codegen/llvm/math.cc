#include "compiler/codegen/llvm/math.h"

#include <cassert>

#include "llvm/IR/Intrinsics.h"

namespace mgec::codegen {

using kernel::Op;
namespace Intrinsic = llvm::Intrinsic;

llvm::Type* VectorMath::Vector(llvm::Type* element) {
  return lanes_ == 1 ? element : llvm::FixedVectorType::get(element, static_cast<unsigned>(lanes_));
}

llvm::Value* VectorMath::K(V like, double value) { return llvm::ConstantFP::get(like->getType(), value); }

llvm::Value* VectorMath::Bits(llvm::Type* type, uint64_t value) { return llvm::ConstantInt::get(type, value); }

llvm::Value* VectorMath::Fma(V a, V b, V c) { return b_.CreateIntrinsic(Intrinsic::fma, {a->getType()}, {a, b, c}); }

llvm::Value* VectorMath::Abs(V a) { return b_.CreateUnaryIntrinsic(Intrinsic::fabs, a); }

llvm::Value* VectorMath::Sqrt(V a) { return b_.CreateUnaryIntrinsic(Intrinsic::sqrt, a); }

llvm::Value* VectorMath::CopySign(V magnitude, V sign) {
  return b_.CreateBinaryIntrinsic(Intrinsic::copysign, magnitude, sign);
}

llvm::Value* VectorMath::Horner(V x, std::initializer_list<double> coefficients) {
  V sum = nullptr;
  for (double c : coefficients) sum = sum ? Fma(sum, x, K(x, c)) : K(x, c);
  return sum;
}

// x P(x^2) / Q(x^2), fitted for the smallest relative error. The limit is where the quotient comes out as exactly one.
llvm::Value* VectorMath::Tanh(V x) {
  x = Clamp(x, -8.139, 8.139);
  V z = Mul(x, x);
  V p = Mul(x, Horner(z, {1.394553628e-8, 2.102733560e-5, 3.520756727e-3, 1.340216100e-1, 1}));
  V q = Horner(z, {8.015776984e-7, 3.326951409e-4, 2.597254514e-2, 4.673548340e-1, 1});
  return Clamp(Div(p, q), -1, 1);
}

// As tanh.
llvm::Value* VectorMath::Erf(V x) {
  x = Clamp(x, -3.696, 3.696);
  V z = Mul(x, x);
  V p = Mul(x, Horner(z, {2.310134028e-4, 3.64366676e-3, 5.169660021e-2, 0.1913292133, 1.128379132}));
  V q = Horner(z, {-1.103718665e-7, 2.304348883e-5, 1.067067863e-3, 1.455571282e-2, 0.1134512587, 0.5028934444, 1});
  return Clamp(Div(p, q), -1, 1);
}

// x = 2^*exponent (1 + f) with 1 + f between sqrt(1/2) and sqrt(2), for a positive number that is not denormal. Returns f.
llvm::Value* VectorMath::SplitExponent(V x, V* exponent) {
  V bits = b_.CreateBitCast(x, Int32());
  *exponent = b_.CreateAShr(b_.CreateSub(bits, Bits(Int32(), 0x3f3504f3)), Bits(Int32(), 23));
  return Sub(b_.CreateBitCast(b_.CreateSub(bits, b_.CreateShl(*exponent, Bits(Int32(), 23))), Float()), K(x, 1));
}

// e ln 2 + log(1 + f) + rest; a rest of null is 0.
llvm::Value* VectorMath::LogOfSplit(V e, V f, V rest) {
  V z = Mul(f, f);
  V q = Horner(f, {-0.076344299060680049, 0.12761550359725746, -0.13160195053269574, 0.14201762467096321,
                   -0.16623356479374798, 0.20001226667457328, -0.25000821056215072, 0.33333331709694863});
  V cube = Mul(f, z);
  V tail = rest == nullptr ? Mul(cube, q) : Fma(cube, q, rest);
  // ln 2 in two parts of which the first has 11 bits: its product with e is exact.
  tail = Fma(e, K(f, -2.12194440054690583e-4), tail);
  tail = Fma(z, K(f, -0.5), tail);
  return Fma(e, K(f, 0.693359375), Add(f, tail));
}

// `log` where that is the logarithm of x, and elsewhere what x has: minus infinity at 0, NaN below, itself at infinity and NaN.
llvm::Value* VectorMath::WithLogLimits(V x, V log) {
  V infinity = llvm::ConstantFP::getInfinity(x->getType());
  V nan = llvm::ConstantFP::getNaN(x->getType());
  V result = b_.CreateSelect(b_.CreateFCmpOLT(x, infinity), log, x);
  result = b_.CreateSelect(b_.CreateFCmpOLT(x, K(x, 0)), nan, result);
  return b_.CreateSelect(b_.CreateFCmpOEQ(x, K(x, 0)), b_.CreateFNeg(infinity), result);
}

llvm::Value* VectorMath::Log(V x) {
  V denormal = b_.CreateFCmpOLT(x, K(x, 0x1p-126));
  V exponent;
  V f = SplitExponent(b_.CreateSelect(denormal, Mul(x, K(x, 0x1p23)), x), &exponent);
  V e = Add(b_.CreateSIToFP(exponent, Float()), b_.CreateSelect(denormal, K(x, -23), K(x, 0)));
  return WithLogLimits(x, LogOfSplit(e, f, nullptr));
}

// log(u) with u = 1 + x rounded, and with what the rounding lost.
llvm::Value* VectorMath::Log1p(V x) {
  V one = K(x, 1);
  V u = Add(one, x);
  V exponent;
  V f = SplitExponent(u, &exponent);
  V in_place = b_.CreateICmpEQ(exponent, Bits(Int32(), 0));
  V lost = b_.CreateSelect(b_.CreateFCmpOGT(x, one), Sub(one, Sub(u, x)), Sub(x, Sub(u, one)));
  // As a part of 1 + f. Beyond 2^127, where the bits would be negative, nothing of it is left.
  V scale = b_.CreateSub(Bits(Int32(), 0x3f800000), b_.CreateShl(exponent, Bits(Int32(), 23)));
  scale = b_.CreateBitCast(b_.CreateBinaryIntrinsic(Intrinsic::smax, scale, Bits(Int32(), 0)), Float());
  // lost / (1 + f), as well as is needed of a number that small.
  V rest = Mul(Mul(lost, scale), Fma(f, Sub(f, one), one));
  // Without an exponent f is x itself, of which nothing was lost.
  V log = LogOfSplit(b_.CreateSIToFP(exponent, Float()), b_.CreateSelect(in_place, x, f),
                     b_.CreateSelect(in_place, K(x, 0), rest));
  return b_.CreateSelect(b_.CreateFCmpOEQ(x, K(x, 0)), x, WithLogLimits(u, log));  // also -0
}

llvm::Value* VectorMath::Unary(Op op, V x) {
  switch (op) {
    case Op::kSqrt: return Sqrt(x);
    case Op::kRsqrt: return Div(K(x, 1), Sqrt(x));
    case Op::kExp: return Exp(x);
    case Op::kLog: return Log(x);
    case Op::kLog1p: return Log1p(x);
    case Op::kTanh: return Tanh(x);
    case Op::kErf: return Erf(x);
    case Op::kSigmoid: return TimesSigmoid(K(x, 1), x);
    case Op::kSin: return SinCos(x, 0);
    case Op::kCos: return SinCos(x, 1);
    case Op::kTan: return Tan(x);
    default: break;
  }
  V wide = Widen(x);
  switch (op) {
    case Op::kExpm1: return Narrow(CopySign(Expm1D(wide), wide));
    case Op::kAsin: return Narrow(AsinD(wide));
    case Op::kAcos: return Narrow(AcosD(wide));
    case Op::kAtan: return Narrow(CopySign(AtanD(Abs(wide), K(wide, 1)), wide));
    case Op::kSinh: return Narrow(SinhD(wide));
    case Op::kCosh: return Narrow(CoshD(wide));
    case Op::kAsinh: return Narrow(AsinhD(wide));
    case Op::kAcosh: return Narrow(AcoshD(wide));
    case Op::kAtanh: return Narrow(AtanhD(wide));
    case Op::kErfc: return Narrow(ErfcD(wide));
    case Op::kErfInv:
      return Narrow(ErfInvD(wide, Mul(Sub(K(wide, 1), wide), Add(K(wide, 1), wide))));
    case Op::kErfcInv:
      return Narrow(ErfInvD(Sub(K(wide, 1), wide), Mul(wide, Sub(K(wide, 2), wide))));
    default: break;
  }
  llvm_unreachable("not a math function");
}

llvm::Value* VectorMath::Binary(Op op, V x, V y) {
  switch (op) {
    case Op::kPow: return Pow(x, y);
    case Op::kAtan2: return Atan2(x, y);
    case Op::kMod: return Fmod(x, y);
    default: break;
  }
  llvm_unreachable("not a math function");
}

}  // namespace mgec::codegen
