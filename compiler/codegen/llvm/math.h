// Math functions on float32 scalars and vectors of any number of lanes, emitted as straight-line code: no calls, no
// branches, no tables that do not fit a register or two. The number of lanes does not change a bit of the results.
//
// The largest errors, in units in the last place of the result, against the exact value (math_test.cc samples all
// binades):
//
//   exp 1.1, log 1, sigmoid 7, tanh 5, erf 5 (at most 3e-7 off in absolute terms), rsqrt 2
//   expm1, log1p, asin, acos, atan, atan2, sinh, cosh, asinh, acosh, atanh, erfc, pow 1
//   sin, cos, erfinv, erfcinv 2, tan 3, fmod 0
//
// NaN, infinities, zeros (with their signs) and denormals give what C's functions give, with two exceptions: sigmoid
// gives 1.18e-38 below -87.33, where the exact result is a denormal; sin, cos and tan are accurate for |x| <= 2^30 and
// beyond that only stay within range.
//
// exp, sigmoid, tanh, erf, log and log1p compute in float32, because they decide the speed of whole networks. The others go
// through float64, where one short formula is accurate everywhere, at about half the speed.
#ifndef MGEC_COMPILER_CODEGEN_LLVM_MATH_H_
#define MGEC_COMPILER_CODEGEN_LLVM_MATH_H_

#include <initializer_list>

#include "compiler/kernel/expr.h"
#include "compiler/kernel/target.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/IR/IRBuilder.h"

namespace mgec::codegen {

class VectorMath {
 public:
  VectorMath(llvm::IRBuilder<>& b, int lanes, const kernel::Target& target)
      : b_(b), lanes_(lanes), has_avx2_(target.has_avx2), has_avx512_(target.has_avx512) {}

  // kSqrt .. kSigmoid of x.
  llvm::Value* Unary(kernel::Op op, llvm::Value* x);
  // kPow(x, y), kAtan2(y, x), kMod(x, y).
  llvm::Value* Binary(kernel::Op op, llvm::Value* x, llvm::Value* y);
  // a times the sigmoid of x, which costs no more than the sigmoid: at most 7 ulp off.
  llvm::Value* TimesSigmoid(llvm::Value* a, llvm::Value* x);
  // a / (1 + 2^z), which is less to do, and the silu of -z ln 2, that is -z ln 2 / (1 + 2^z): at most 10 ulp off, and 6 for z below
  // 0, where the power counts least. Beyond 125, where the factor is below 3e-38, it may be anything from 0 to 3e-38.
  llvm::Value* OverOnePlusExp2(llvm::Value* a, llvm::Value* z);
  llvm::Value* SiluExp2(llvm::Value* z);

 private:
  using V = llvm::Value*;

  // math.cc: float32 throughout
  V SplitExponent(V x, V* exponent);
  V LogOfSplit(V e, V f, V rest);
  V WithLogLimits(V x, V log);
  V Log(V x);
  V Log1p(V x);
  V Tanh(V x);
  V Erf(V x);

  // math_exp.cc
  V Exp(V x);
  V OnePlusExpOfMinus(V x);
  // (1 + 2^z) k. `z` is clamped except for AVX-512.
  V OnePlusExp2(V z, double k);
  // How many bits of an index PowerTable() takes: 0 where the machine permutes no registers, and there is no table.
  int PowerTableBits() const;
  // The bits of 2^(j / N), less slope times j, for the j in the low bits of each integer of `index`.
  V PowerTable(V index, uint32_t slope);
  // 2^(n / N) for N = 2^bits, where t = n / N + RoundMagic(bits).
  V PowerOfIndex(V t, int bits);
  // x 2^floor(power), denormals and infinity included. For AVX-512.
  V Scale(V x, V power);
  // For AVX-512: z down to a multiple of 2^-bits, as the low bits of an integer; and what that leaves.
  V FloorBits(V z, int bits);
  V FloorRest(V z, int bits);
  // What `part` makes of vectors of `width` lanes, for vectors of lanes_: the operands are cut and filled up as it takes.
  V InParts(llvm::ArrayRef<V> operands, int width, llvm::function_ref<V(llvm::ArrayRef<V>)> part);

  // math_double.cc: arguments and results that end in D are float64
  V ExpD(V x);
  V Expm1D(V x);
  V LogD(V x);
  V Log1pD(V x);
  V AtanD(V a, V b);  // the angle of (b, a) for a, b >= 0
  V SinCos(V x, int quarter_turns);
  V Tan(V x);
  V AsinD(V x);
  V AcosD(V x);
  V SinhD(V x);
  V CoshD(V x);
  V AsinhD(V x);
  V AcoshD(V x);
  V AtanhD(V x);
  V ErfcD(V x);
  V ErfInvD(V x, V one_minus_square);
  V Pow(V x, V y);
  V Atan2(V y, V x);
  V Fmod(V x, V y);
  V ReduceToQuarterTurn(V x, V* quadrant);
  // The rest of dividing the argument of exp by ln 2; *power is 2 to the quotient.
  V ReduceExpD(V x, V* power);

  // Arithmetic. Constants take the type of a value they meet.
  llvm::Type* Float() { return Vector(b_.getFloatTy()); }
  llvm::Type* Double() { return Vector(b_.getDoubleTy()); }
  llvm::Type* Int32() { return Vector(b_.getInt32Ty()); }
  llvm::Type* Int64() { return Vector(b_.getInt64Ty()); }
  llvm::Type* Vector(llvm::Type* element);
  V K(V like, double value);
  V Bits(llvm::Type* type, uint64_t value);
  V Add(V a, V b) { return b_.CreateFAdd(a, b); }
  V Sub(V a, V b) { return b_.CreateFSub(a, b); }
  V Mul(V a, V b) { return b_.CreateFMul(a, b); }
  V Div(V a, V b) { return b_.CreateFDiv(a, b); }
  V Fma(V a, V b, V c);
  V Abs(V a);
  V Sqrt(V a);
  V CopySign(V magnitude, V sign);
  // a < b ? a : b and a > b ? a : b, so that a NaN in b stays.
  V Min(V a, V b) { return b_.CreateSelect(b_.CreateFCmpOLT(a, b), a, b); }
  V Max(V a, V b) { return b_.CreateSelect(b_.CreateFCmpOGT(a, b), a, b); }
  V Clamp(V x, double low, double high) { return Min(K(x, high), Max(K(x, low), x)); }
  // Coefficients from the highest power down.
  V Horner(V x, std::initializer_list<double> coefficients);
  V Widen(V x) { return b_.CreateFPExt(x, Double()); }
  V Narrow(V x) { return b_.CreateFPTrunc(x, Float()); }

  llvm::IRBuilder<>& b_;
  int lanes_;
  bool has_avx2_, has_avx512_;
};

}  // namespace mgec::codegen

#endif  // MGEC_COMPILER_CODEGEN_LLVM_MATH_H_
