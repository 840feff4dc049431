// exp and what is made of it, in float32.
//
// 2^(n / N) times exp(r) with |r| <= ln 2 / 2N. Where a permutation of a register looks up 2^(j / N), the polynomial for
// exp(r) is short: multipliers are what these functions wait for.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>

#include "compiler/codegen/llvm/math.h"
#include "llvm/IR/Intrinsics.h"
#include "llvm/IR/IntrinsicsX86.h"

namespace mgec::codegen {

namespace Intrinsic = llvm::Intrinsic;

namespace {

constexpr double kLog2E = 1.4426950408889634;
// ln 2 in two parts, for x - n ln 2 with fused multiply-adds.
constexpr double kLn2High = 0.693147182464599609375;
constexpr double kLn2Low = -1.904654299957767e-09;
constexpr uint32_t kOneBits = 0x3f800000;
constexpr double kSigmoidLimit = 87.33;  // beyond that, on the left, results would be denormal

// Added to a float32 of a far smaller magnitude, it rounds to a multiple of 2^-bits, which is then also an integer in the
// low bits.
double RoundMagic(int bits) { return std::ldexp(1.5, 23 - bits); }
constexpr uint32_t kRoundMagicBits = 0x4b400000;  // of RoundMagic(0)

}  // namespace

llvm::Value* VectorMath::InParts(llvm::ArrayRef<V> operands, int width, llvm::function_ref<V(llvm::ArrayRef<V>)> part) {
  if (lanes_ == width) return part(operands);
  const auto of_length = [&](V v, int first, int count, int length) {
    std::vector<int> order(static_cast<size_t>(length), llvm::PoisonMaskElem);
    std::iota(order.begin(), order.begin() + count, first);
    return b_.CreateShuffleVector(v, order);
  };
  V all = nullptr;
  for (int done = 0; done < lanes_; done += width) {
    const int count = std::min(width, lanes_ - done);
    std::vector<V> parts;
    for (V v : operands) {
      if (lanes_ == 1) {
        llvm::Type* type = llvm::FixedVectorType::get(v->getType(), static_cast<unsigned>(width));
        parts.push_back(b_.CreateInsertElement(llvm::PoisonValue::get(type), v, uint64_t{0}));
      } else {
        parts.push_back(of_length(v, done, count, width));
      }
    }
    V result = part(parts);
    if (lanes_ == 1) return b_.CreateExtractElement(result, uint64_t{0});
    result = of_length(result, 0, count, lanes_);
    if (all == nullptr) {
      all = result;
      continue;
    }
    std::vector<int> order(static_cast<size_t>(lanes_));
    std::iota(order.begin(), order.end(), 0);
    std::iota(order.begin() + done, order.begin() + done + count, lanes_);
    all = b_.CreateShuffleVector(all, result, order);
  }
  return all;
}

int VectorMath::PowerTableBits() const { return has_avx512_ ? 5 : has_avx2_ ? 3 : 0; }

llvm::Value* VectorMath::PowerTable(V index, uint32_t slope) {
  const int bits = PowerTableBits(), entries = 1 << bits;
  std::vector<llvm::Constant*> table;
  for (int j = 0; j < entries; ++j) {
    const auto power = static_cast<float>(std::exp2(static_cast<double>(j) / entries));
    uint32_t of_power;
    std::memcpy(&of_power, &power, sizeof(power));
    table.push_back(b_.getInt32(of_power - slope * static_cast<uint32_t>(j)));
  }
  const llvm::ArrayRef<llvm::Constant*> all(table);
  if (entries == 8) {
    return InParts(index, 8, [&](llvm::ArrayRef<V> part) {
      return b_.CreateIntrinsic(Intrinsic::x86_avx2_permd, {}, {llvm::ConstantVector::get(all), part[0]});
    });
  }
  llvm::Constant* low = llvm::ConstantVector::get(all.take_front(16));
  llvm::Constant* high = llvm::ConstantVector::get(all.drop_front(16));
  return InParts(index, 16, [&](llvm::ArrayRef<V> part) {
    return b_.CreateIntrinsic(Intrinsic::x86_avx512_vpermi2var_d_512, {}, {low, part[0], high});
  });
}

llvm::Value* VectorMath::Scale(V x, V power) {
  const int width = lanes_ > 8 ? 16 : lanes_ > 4 ? 8 : 4;
  const Intrinsic::ID id = width == 16  ? Intrinsic::x86_avx512_mask_scalef_ps_512
                           : width == 8 ? Intrinsic::x86_avx512_mask_scalef_ps_256
                                        : Intrinsic::x86_avx512_mask_scalef_ps_128;
  return InParts({x, power}, width, [&](llvm::ArrayRef<V> part) {
    std::vector<V> arguments = {part[0], part[1], llvm::Constant::getNullValue(part[0]->getType()),
                                llvm::Constant::getAllOnesValue(b_.getIntNTy(width == 16 ? 16 : 8))};
    if (width == 16) arguments.push_back(b_.getInt32(4));  // the current rounding mode
    return b_.CreateIntrinsic(id, {}, arguments);
  });
}

llvm::Value* VectorMath::Exp(V x) {
  x = Clamp(x, -104.5, 89.0);
  // What permutes two registers also scales by powers of two.
  const int bits = has_avx512_ ? PowerTableBits() : 0;
  const double magic = RoundMagic(bits);
  V t = Fma(x, K(x, kLog2E), K(x, magic));
  V n = Sub(t, K(x, magic));
  V r = Fma(n, K(x, -kLn2High), x);
  r = Fma(n, K(x, -kLn2Low), r);
  V integer = b_.CreateBitCast(t, Int32());
  if (bits > 0) {
    V q = Fma(Mul(r, r), Horner(r, {0.16666788856, 0.50000404882}), r);
    V power = b_.CreateBitCast(PowerTable(integer, 0), Float());
    return Scale(Fma(power, q, power), n);
  }
  V q = Horner(r, {0.001381459638218356, 0.0083687170908303705, 0.041668388092698516, 0.16666520629439388,
                   0.49999993447560159});
  V e = Add(Fma(Mul(r, r), q, r), K(x, 1));
  // 2^n is applied as two factors, because n reaches from -150 (the smallest denormal) to 128 (infinity).
  V exponent = b_.CreateSub(integer, Bits(Int32(), kRoundMagicBits));
  V half = b_.CreateAShr(exponent, Bits(Int32(), 1));
  for (V part : {half, b_.CreateSub(exponent, half)}) {
    V power = b_.CreateShl(b_.CreateAdd(part, Bits(Int32(), 127)), Bits(Int32(), 23));
    e = Mul(e, b_.CreateBitCast(power, Float()));
  }
  return e;
}

// exp is shorter here: clamped, 2^(n / N) is one factor, and the sum is fused with its product. The quotient times the part
// of ln 2 that one float32 lacks is below 3e-7 and left out.
llvm::Value* VectorMath::OnePlusExpOfMinus(V x) {
  V y = Clamp(x, -kSigmoidLimit, kSigmoidLimit);
  const int bits = PowerTableBits();
  const double magic = RoundMagic(bits);
  V t = Fma(y, K(x, -kLog2E), K(x, magic));
  V n = Sub(t, K(x, magic));
  V r = Fma(n, K(x, -kLn2High), b_.CreateFNeg(y));
  V e = bits == 5   ? Horner(r, {0.5, 1.0000146623, 1})
        : bits == 3 ? Horner(r, {0.16668622, 0.50006478, 1, 1})
                    : Horner(r, {0.00831252224641231, 0.04189015991576242, 0.16667114636675257, 0.49999231465836702, 1, 1});
  return Fma(e, PowerOfIndex(t, bits), K(x, 1));
}

// An integer n / N belongs into the exponent. The bits of the magic number itself are shifted out; what the fraction j / N
// adds beside its power is taken off by the table.
llvm::Value* VectorMath::PowerOfIndex(V t, int bits) {
  V integer = b_.CreateBitCast(t, Int32());
  const int shift = 23 - bits;
  V base = bits > 0 ? PowerTable(integer, uint32_t{1} << shift) : Bits(Int32(), kOneBits);
  V power = b_.CreateAdd(b_.CreateShl(integer, Bits(Int32(), static_cast<uint64_t>(shift))), base);
  return b_.CreateBitCast(power, Float());
}

llvm::Value* VectorMath::FloorBits(V z, int bits) {
  constexpr int kRoundDown = 1 | 8;  // and no exceptions
  return b_.CreateBitCast(InParts(z, 16, [&](llvm::ArrayRef<V> part) {
    return b_.CreateIntrinsic(Intrinsic::x86_avx512_add_ps_512, {}, {part[0], K(part[0], RoundMagic(bits)), b_.getInt32(kRoundDown)});
  }), Int32());
}

llvm::Value* VectorMath::FloorRest(V z, int bits) {
  return InParts(z, 16, [&](llvm::ArrayRef<V> part) {
    constexpr uint32_t kRoundDown = 1 | 8;
    V zero = llvm::Constant::getNullValue(part[0]->getType());
    V all = llvm::Constant::getAllOnesValue(b_.getInt16Ty());
    const auto which = static_cast<uint32_t>(bits) << 4 | kRoundDown;
    return b_.CreateIntrinsic(Intrinsic::x86_avx512_mask_reduce_ps_512, {}, {part[0], b_.getInt32(which), zero, all, b_.getInt32(4)});
  });
}

// As a power of 2, nothing is to be multiplied to split the exponent, and the polynomial has the factor.
llvm::Value* VectorMath::OnePlusExp2(V z, double k) {
  if (has_avx512_) {
    // The instructions that find the fraction (of infinities, 0) and scale take any number.
    constexpr int kBits = 4;  // of the table: one register
    std::vector<llvm::Constant*> table;
    for (int j = 0; j < 1 << kBits; ++j) table.push_back(llvm::ConstantFP::get(b_.getFloatTy(), std::exp2(std::ldexp(j, -kBits))));
    V e = Horner(FloorRest(z, kBits), {0.2454795838 * k, 0.6930241944 * k, 1.000000423 * k});
    V power = InParts(FloorBits(z, kBits), 16, [&](llvm::ArrayRef<V> part) {
      return b_.CreateIntrinsic(Intrinsic::x86_avx512_permvar_sf_512, {}, {llvm::ConstantVector::get(table), part[0]});
    });
    return Fma(e, Scale(power, z), K(z, k));
  }
  const int bits = PowerTableBits();
  const double magic = RoundMagic(bits);
  V t = Add(z, K(z, magic));
  V r = Sub(z, Sub(t, K(z, magic)));
  V e = bits == 3 ? Horner(r, {0.05549890046 * k, 0.2402640729 * k, 0.6931472085 * k, 0.9999999817 * k})
                  : Horner(r, {0.001327647198 * k, 0.009675541334 * k, 0.05550713274 * k, 0.2402211972 * k, 0.6931469671 * k,
                               1.000000072 * k});
  return Fma(e, PowerOfIndex(t, bits), K(z, k));
}

llvm::Value* VectorMath::OverOnePlusExp2(V a, V z) {
  return Div(a, OnePlusExp2(has_avx512_ ? z : Clamp(z, -126, 126), 1));
}

llvm::Value* VectorMath::SiluExp2(V z) {
  if (has_avx512_) return Div(z, OnePlusExp2(z, -kLog2E));
  // Where the denominator has its limit, so has the numerator: the quotient goes to zero.
  z = Min(K(z, 126), z);
  return Div(z, OnePlusExp2(Max(K(z, -126), z), -kLog2E));
}

llvm::Value* VectorMath::TimesSigmoid(V a, V x) {
  // The denominator has a limit. A numerator without one would leave it far behind.
  if (a == x) a = Max(K(x, -kSigmoidLimit), x);
  return Div(a, OnePlusExpOfMinus(x));
}

}  // namespace mgec::codegen
