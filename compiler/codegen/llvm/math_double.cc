// Math functions that go through float64: a value of float32 is exact in it, and nothing overflows or is denormal.
#include <initializer_list>

#include "compiler/codegen/llvm/math.h"
#include "llvm/IR/Intrinsics.h"

namespace mgec::codegen {
namespace {

constexpr double kPi = 3.14159265358979323846;
// As kRoundMagic in math.cc: 1.5 * 2^52.
constexpr double kRoundMagic = 6755399441055744;

}  // namespace

llvm::Value* VectorMath::ReduceExpD(V x, V* power) {
  // The clamp keeps 2^n normal; float32 has long overflowed or vanished there.
  x = Clamp(x, -700, 700);
  V t = Fma(x, K(x, 1.4426950408889634), K(x, kRoundMagic));
  V n = Sub(t, K(x, kRoundMagic));
  V r = Fma(n, K(x, -6.93147180369123816490e-01), x);
  r = Fma(n, K(x, -1.90821492927058770002e-10), r);
  // The magic number's own bits are shifted out.
  V shifted = b_.CreateShl(b_.CreateBitCast(t, Int64()), Bits(Int64(), 52));
  *power = b_.CreateBitCast(b_.CreateAdd(shifted, Bits(Int64(), 0x3ff0000000000000)), Double());
  V q = Horner(r, {2.7480500085451509e-07, 2.7635057926973522e-06, 2.4801924844317678e-05, 0.00019841185116776535,
                   0.0013888888519235649, 0.0083333333709265586, 0.041666666668138043, 0.16666666666611465,
                   0.49999999999998307});
  return Fma(Mul(r, r), q, r);  // exp(r) - 1
}

llvm::Value* VectorMath::ExpD(V x) {
  V power;
  V e = ReduceExpD(x, &power);
  return Fma(e, power, power);
}

llvm::Value* VectorMath::Expm1D(V x) {
  V power;
  V e = ReduceExpD(x, &power);
  return Fma(e, power, Sub(power, K(x, 1)));
}

// log(x) = e ln 2 + 2 atanh(s), s = (m - 1) / (m + 1), with m between sqrt(1/2) and sqrt(2).
llvm::Value* VectorMath::LogD(V x) {
  constexpr uint64_t kOneBits = 0x3ff0000000000000, kSqrtHalfBits = 0x3fe6a09e667f3bcd;
  V bits = b_.CreateBitCast(x, Int64());
  V biased = b_.CreateAdd(bits, Bits(Int64(), kOneBits - kSqrtHalfBits));
  // The exponent becomes a float by way of the low bits of 2^52: AVX2 cannot convert 64-bit integers.
  V exponent = b_.CreateLShr(biased, Bits(Int64(), 52));
  V e = Sub(b_.CreateBitCast(b_.CreateOr(exponent, Bits(Int64(), 0x4330000000000000)), Double()),
            K(x, 4503599627370496.0 + 1023));
  V mantissa = b_.CreateAdd(b_.CreateAnd(biased, Bits(Int64(), 0x000fffffffffffff)), Bits(Int64(), kSqrtHalfBits));
  V m = b_.CreateBitCast(mantissa, Double());
  V s = Div(Sub(m, K(x, 1)), Add(m, K(x, 1)));
  V z = Mul(s, s);
  V p = Horner(z, {0.1682158011398828, 0.18123504024696321, 0.22223375705099038, 0.28571417077334538,
                   0.40000000052570711, 0.66666666666586638});
  V log_m = Fma(Mul(s, z), p, Add(s, s));
  V result = Fma(e, K(x, 0.693147180559945309), log_m);
  V infinity = llvm::ConstantFP::getInfinity(x->getType());
  V nan = llvm::ConstantFP::getNaN(x->getType());
  result = b_.CreateSelect(b_.CreateFCmpOLT(x, infinity), result, x);
  result = b_.CreateSelect(b_.CreateFCmpOLT(x, K(x, 0)), nan, result);
  return b_.CreateSelect(b_.CreateFCmpOEQ(x, K(x, 0)), b_.CreateFNeg(infinity), result);
}

// log(u) with u = 1 + x rounded, plus what the rounding lost.
llvm::Value* VectorMath::Log1pD(V x) {
  V u = Add(K(x, 1), x);
  V correction = Div(Sub(x, Sub(u, K(x, 1))), u);
  V regular = b_.CreateAnd(b_.CreateFCmpOGT(u, K(x, 0)),
                           b_.CreateFCmpOLT(u, llvm::ConstantFP::getInfinity(x->getType())));
  // With -0 where there is nothing to add, so that log1p(-0) stays -0: LogD(1) is +0.
  V result = Add(LogD(u), b_.CreateSelect(regular, correction, K(x, -0.0)));
  return b_.CreateSelect(b_.CreateFCmpOEQ(x, K(x, 0)), x, result);
}

llvm::Value* VectorMath::AtanD(V a, V b) {
  V num = Min(a, b), den = Max(a, b);
  V one = K(a, 1), zero = K(a, 0);
  V t = Div(num, den);
  // Both zero or both infinite: C wants 0 and 45 degrees.
  t = b_.CreateSelect(b_.CreateFCmpOEQ(den, zero), zero, t);
  t = b_.CreateSelect(b_.CreateFCmpOEQ(num, llvm::ConstantFP::getInfinity(a->getType())), one, t);
  V z = Mul(t, t);
  V p = Horner(z, {-0.00028548186635823924, 0.0022867280243605848, -0.0086022393518826457, 0.020548505846488117,
                   -0.035937491735729174, 0.050952444138093092, -0.06391484903178235, 0.076231762216411592,
                   -0.090789168377964358, 0.11109754675210742, -0.14285622905774506, 0.19999996879961812,
                   -0.333333332959589});
  V r = Fma(Mul(t, z), p, t);
  r = b_.CreateSelect(b_.CreateFCmpOGT(a, b), Sub(K(a, kPi / 2), r), r);
  return b_.CreateSelect(b_.CreateFCmpUNO(a, b), Add(a, b), r);
}

llvm::Value* VectorMath::Atan2(V y, V x) {
  V yd = Widen(y), xd = Widen(x);
  V r = AtanD(Abs(yd), Abs(xd));
  V negative = b_.CreateICmpSLT(b_.CreateBitCast(x, Int32()), Bits(Int32(), 0));  // -0 counts
  return Narrow(CopySign(b_.CreateSelect(negative, Sub(K(r, kPi), r), r), yd));
}

llvm::Value* VectorMath::AsinD(V x) {
  V a = Abs(x);
  V b = Sqrt(Mul(Sub(K(x, 1), a), Add(K(x, 1), a)));
  return CopySign(AtanD(a, b), x);
}

llvm::Value* VectorMath::AcosD(V x) {
  V a = Abs(x);
  V r = AtanD(Sqrt(Mul(Sub(K(x, 1), a), Add(K(x, 1), a))), a);
  return b_.CreateSelect(b_.CreateFCmpOLT(x, K(x, 0)), Sub(K(x, kPi), r), r);
}

llvm::Value* VectorMath::ReduceToQuarterTurn(V x, V* quadrant) {
  V wide = Widen(x);
  V t = Fma(wide, K(wide, 2 / kPi), K(wide, kRoundMagic));
  V n = Sub(t, K(wide, kRoundMagic));
  V r = Fma(n, K(wide, -1.5707963267948966), wide);
  r = Fma(n, K(wide, -6.123233995736766e-17), r);
  *quadrant = b_.CreateTrunc(b_.CreateBitCast(t, Int64()), Int32());
  return Clamp(Narrow(r), -0.7853983, 0.7853983);  // only arguments that are too large are outside
}

llvm::Value* VectorMath::SinCos(V x, int quarter_turns) {
  V quadrant;
  V r = ReduceToQuarterTurn(x, &quadrant);
  quadrant = b_.CreateAdd(quadrant, Bits(Int32(), static_cast<uint64_t>(quarter_turns)));
  V z = Mul(r, r);
  V sin = Fma(Mul(r, z), Horner(z, {-0.00019516976468882249, 0.0083321758369928785, -0.16666654908430098}), r);
  V cos = Horner(z, {2.4438088749523883e-05, -0.0013887364463321201, 0.041666646806653752, -0.5, 1});
  V odd = b_.CreateICmpNE(b_.CreateAnd(quadrant, Bits(Int32(), 1)), Bits(Int32(), 0));
  V value = b_.CreateBitCast(b_.CreateSelect(odd, cos, sin), Int32());
  V sign = b_.CreateShl(b_.CreateAnd(quadrant, Bits(Int32(), 2)), Bits(Int32(), 30));
  V result = b_.CreateBitCast(b_.CreateXor(value, sign), Float());
  // Reduction loses the sign of zero.
  return quarter_turns == 0 ? b_.CreateSelect(b_.CreateFCmpOEQ(x, K(x, 0)), x, result) : result;
}

llvm::Value* VectorMath::Tan(V x) {
  V quadrant;
  V r = ReduceToQuarterTurn(x, &quadrant);
  V z = Mul(r, r);
  V sin = Fma(Mul(r, z), Horner(z, {-0.00019516976468882249, 0.0083321758369928785, -0.16666654908430098}), r);
  V cos = Horner(z, {2.4438088749523883e-05, -0.0013887364463321201, 0.041666646806653752, -0.5, 1});
  V odd = b_.CreateICmpNE(b_.CreateAnd(quadrant, Bits(Int32(), 1)), Bits(Int32(), 0));
  V result = Div(b_.CreateSelect(odd, b_.CreateFNeg(cos), sin), b_.CreateSelect(odd, sin, cos));
  return b_.CreateSelect(b_.CreateFCmpOEQ(x, K(x, 0)), x, result);
}

llvm::Value* VectorMath::SinhD(V x) {
  V t = Expm1D(Abs(x));
  return CopySign(Mul(K(x, 0.5), Add(t, Div(t, Add(t, K(x, 1))))), x);
}

llvm::Value* VectorMath::CoshD(V x) {
  V e = ExpD(Abs(x));
  return Mul(K(x, 0.5), Add(e, Div(K(x, 1), e)));
}

llvm::Value* VectorMath::AsinhD(V x) {
  V a = Abs(x);
  V square = Mul(a, a);
  V root = Sqrt(Add(square, K(x, 1)));
  V fraction = Div(square, Add(root, K(x, 1)));
  V infinite = b_.CreateFCmpOEQ(a, llvm::ConstantFP::getInfinity(x->getType()));  // infinity / infinity above
  return CopySign(Log1pD(Add(a, b_.CreateSelect(infinite, K(x, 0), fraction))), x);
}

llvm::Value* VectorMath::AcoshD(V x) {
  // Below one there is no result; far below, rounding would make one up.
  V valid = b_.CreateFCmpOGE(x, K(x, 1));
  V t = b_.CreateSelect(valid, Sub(x, K(x, 1)), llvm::ConstantFP::getNaN(x->getType()));
  return Log1pD(Add(t, Sqrt(Mul(t, Add(t, K(x, 2))))));
}

llvm::Value* VectorMath::AtanhD(V x) {
  V a = Abs(x);
  V ratio = Div(Add(a, a), Sub(K(x, 1), a));
  return CopySign(Mul(K(x, 0.5), Log1pD(ratio)), x);
}

// t exp(-z^2 + P(t)) with t = 1 / (1 + z / 2) for z = |x|, the form of Numerical Recipes with more terms.
llvm::Value* VectorMath::ErfcD(V x) {
  V z = Min(K(x, 10.5), Abs(x));  // erfc(10.06) is below the smallest float32
  V t = Div(K(x, 1), Fma(z, K(x, 0.5), K(x, 1)));
  V p = Horner(t, {0.18334077587163986, -1.3546413900586187, 4.3342801922410272, -7.758157661265499,
                   8.3818773659410475, -5.6155067326795747, 2.5774767981821771, -1.0343810918255647,
                   0.12340136181563734, 0.04945328622806134, 0.378585903628128, 0.99977716913805292,
                   -1.2655059770605772});
  V tail = Mul(t, ExpD(Fma(b_.CreateFNeg(z), z, p)));
  return b_.CreateSelect(b_.CreateFCmpOLT(x, K(x, 0)), Sub(K(x, 2), tail), tail);
}

// x P(w), w = -log(1 - x^2); far out, x s R(1 / s) with s = sqrt(w).
llvm::Value* VectorMath::ErfInvD(V x, V one_minus_square) {
  V w = b_.CreateFNeg(LogD(one_minus_square));
  V s = Sqrt(w);
  V near = Horner(w, {1.8096379827800001e-11, 5.0913770698369375e-11, -1.6395962571101074e-08, 3.2260788374537089e-07,
                      -2.6267373303246689e-06, 6.3808685845356176e-06, 3.9216011815454226e-05, -0.0001203057932275624,
                      -0.0023397885957217287, 0.011550785432814214, 0.23201349523999226, 0.88622692875662268});
  V far = Horner(Div(K(x, 1), s), {-758.63799249904946, 1273.3489755501589, -825.2021216101856, 240.73236092239395,
                                   -12.35508009793327, -14.306686270890959, 6.1051693263023861,
                                   -1.4228324737700049, -0.01386227112055702, 0.9999543383051851});
  V p = b_.CreateSelect(b_.CreateFCmpOLT(w, K(x, 6.25)), near, Mul(s, far));
  return Mul(x, p);
}

llvm::Value* VectorMath::Pow(V x, V y) {
  V magnitude = Abs(x);
  V r = Narrow(ExpD(Mul(Widen(y), LogD(Widen(magnitude)))));

  auto trunc = [&](V v) { return b_.CreateUnaryIntrinsic(llvm::Intrinsic::trunc, v); };
  V zero = K(x, 0), one = K(x, 1);
  V infinity = llvm::ConstantFP::getInfinity(x->getType());
  V integer = b_.CreateFCmpOEQ(trunc(y), y);
  V half = Mul(y, K(y, 0.5));
  V odd = b_.CreateAnd(integer, b_.CreateFCmpUNE(trunc(half), half));
  // The sign of x, -0 included, survives odd powers.
  r = b_.CreateSelect(odd, CopySign(r, x), r);
  // Other than zero and infinity, negative numbers have integer powers only.
  V finite_negative = b_.CreateAnd(b_.CreateFCmpOLT(x, zero), b_.CreateFCmpOGT(x, b_.CreateFNeg(infinity)));
  r = b_.CreateSelect(b_.CreateAnd(finite_negative, b_.CreateNot(integer)), llvm::ConstantFP::getNaN(x->getType()), r);
  // x^0 and 1^y are 1 even for NaN, and (-1)^(+-infinity) is.
  V always_one = b_.CreateOr(b_.CreateFCmpOEQ(y, zero), b_.CreateFCmpOEQ(x, one));
  V unit = b_.CreateAnd(b_.CreateFCmpOEQ(magnitude, one), b_.CreateFCmpOEQ(Abs(y), infinity));
  return b_.CreateSelect(b_.CreateOr(always_one, unit), one, r);
}

// Exact. Each step takes 52 bits of the quotient: a < b 2^(52 (k + 1)) before it and a < b 2^(52 k) after it.
llvm::Value* VectorMath::Fmod(V x, V y) {
  V a = Abs(Widen(x)), b = Abs(Widen(y));
  for (double scale : {0x1p260, 0x1p208, 0x1p156, 0x1p104, 0x1p52, 1.0}) {
    V divisor = Mul(b, K(b, scale));
    V quotient = b_.CreateUnaryIntrinsic(llvm::Intrinsic::trunc, Div(a, divisor));
    a = Fma(b_.CreateFNeg(quotient), divisor, a);
    // The quotient may have been rounded up to an integer.
    a = b_.CreateSelect(b_.CreateFCmpOLT(a, K(a, 0)), Add(a, divisor), a);
  }
  V infinity = llvm::ConstantFP::getInfinity(x->getType());
  V untouched = b_.CreateAnd(b_.CreateFCmpOEQ(Abs(y), infinity), b_.CreateFCmpOLT(Abs(x), infinity));
  return b_.CreateSelect(untouched, x, CopySign(Narrow(a), x));
}

}  // namespace mgec::codegen
