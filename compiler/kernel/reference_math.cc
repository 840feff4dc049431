#include "compiler/kernel/reference_math.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace mgec::kernel {
namespace {

double Rsqrt(double x) { return 1 / std::sqrt(x); }
double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// The inverse of erfc for q <= 0.5, by Halley's method from the starting value of Numerical Recipes.
double ErfcInvTail(double q) {
  const double t = std::sqrt(-2 * std::log(q / 2));
  double z = -0.70711 * ((2.30753 + t * 0.27061) / (1 + t * (0.99229 + t * 0.04481)) - t);
  for (int i = 0; i < 4; ++i) {
    const double error = std::erfc(z) - q;
    z += error / (1.12837916709551257 * std::exp(-z * z) - z * error);
  }
  return z;
}

// The inverse of erf for |x| <= 0.5, by Newton's method.
double ErfInvCenter(double x) {
  double z = x * 0.88622692545275801;
  for (int i = 0; i < 6 && x != 0; ++i) z -= (std::erf(z) - x) / (1.12837916709551257 * std::exp(-z * z));
  return z;
}

double ErfcInv(double q) {
  if (std::isnan(q) || q < 0 || q > 2) return std::numeric_limits<double>::quiet_NaN();
  if (q == 0) return std::numeric_limits<double>::infinity();
  if (q == 2) return -std::numeric_limits<double>::infinity();
  if (q < 0.5) return ErfcInvTail(q);
  return q > 1.5 ? -ErfcInvTail(2 - q) : ErfInvCenter(1 - q);
}

double ErfInv(double x) {
  if (!(std::fabs(x) > 0.5)) return ErfInvCenter(x);
  return x > 0 ? ErfcInv(1 - x) : -ErfcInv(1 + x);
}

}  // namespace

double (*ReferenceUnary(Op op))(double) {
  switch (op) {
    case Op::kSqrt: return std::sqrt;
    case Op::kRsqrt: return Rsqrt;
    case Op::kExp: return std::exp;
    case Op::kExpm1: return std::expm1;
    case Op::kLog: return std::log;
    case Op::kLog1p: return std::log1p;
    case Op::kSin: return std::sin;
    case Op::kCos: return std::cos;
    case Op::kTan: return std::tan;
    case Op::kAsin: return std::asin;
    case Op::kAcos: return std::acos;
    case Op::kAtan: return std::atan;
    case Op::kSinh: return std::sinh;
    case Op::kCosh: return std::cosh;
    case Op::kTanh: return std::tanh;
    case Op::kAsinh: return std::asinh;
    case Op::kAcosh: return std::acosh;
    case Op::kAtanh: return std::atanh;
    case Op::kErf: return std::erf;
    case Op::kErfc: return std::erfc;
    case Op::kErfInv: return ErfInv;
    case Op::kErfcInv: return ErfcInv;
    case Op::kSigmoid: return Sigmoid;
    default: return nullptr;
  }
}

double (*ReferenceBinary(Op op))(double, double) {
  switch (op) {
    case Op::kPow: return std::pow;
    case Op::kAtan2: return std::atan2;
    default: return nullptr;
  }
}

float RoundTf32(float v) {
  if (!std::isfinite(v)) return v;
  // The number of units of the last place, halves of which are exact; what leaves the largest exponent is infinite.
  int exponent;
  std::frexp(v, &exponent);
  const int spacing = std::max(exponent - 11, -136);
  return static_cast<float>(std::ldexp(std::round(std::ldexp(double{v}, -spacing)), spacing));
}

float HalfToFloat(uint16_t bits) {
  const int exponent = (bits >> 10) & 31, mantissa = bits & 1023;
  float magnitude;
  if (exponent == 31) {
    magnitude = mantissa ? std::numeric_limits<float>::quiet_NaN() : std::numeric_limits<float>::infinity();
  } else if (exponent == 0) {
    magnitude = std::ldexp(static_cast<float>(mantissa), -24);
  } else {
    magnitude = std::ldexp(static_cast<float>(mantissa + 1024), exponent - 25);
  }
  return bits & 0x8000 ? -magnitude : magnitude;
}

uint16_t FloatToHalf(float v) {
  const uint16_t sign = std::signbit(v) ? 0x8000 : 0;
  if (std::isnan(v)) return sign | 0x7e00;
  const float a = std::fabs(v);
  if (a == 0) return sign;
  if (a >= 65520.0f) return sign | 0x7c00;  // halfway between the largest finite value and what would follow
  int exponent;
  std::frexp(a, &exponent);
  // The spacing of halves around a; that of denormals at least. nearbyint rounds to even.
  const int spacing = std::max(exponent - 11, -24);
  const auto units = static_cast<int>(std::nearbyint(std::ldexp(a, -spacing)));
  if (spacing == -24) return sign | static_cast<uint16_t>(units);  // 1024 units are the smallest normal value
  // Adding the mantissa with its leading bit carries into the exponent, also where rounding reached the next power.
  return sign | static_cast<uint16_t>(((spacing + 24) << 10) + units);
}

float BFloat16ToFloat(uint16_t bits) {
  const uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float v;
  std::memcpy(&v, &wide, sizeof(v));
  return v;
}

uint16_t FloatToBFloat16(float v) {
  uint32_t bits;
  std::memcpy(&bits, &v, sizeof(bits));
  if (std::isnan(v)) return static_cast<uint16_t>(bits >> 16) | 0x40;
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

}  // namespace mgec::kernel
