// CUDA's functions of floats that C does not have: see emulator.h.
#ifndef MGEC_COMPILER_CODEGEN_CUDA_TESTING_EMULATOR_MATH_H_
#define MGEC_COMPILER_CODEGEN_CUDA_TESTING_EMULATOR_MATH_H_

#include <math.h>
#include <stdint.h>
#include <string.h>

#define DEVICE static inline

DEVICE float bits_to_float(int v) {
  float f;
  memcpy(&f, &v, 4);
  return f;
}
DEVICE int float_to_bits(float v) {
  int i;
  memcpy(&i, &v, 4);
  return i;
}
// To 11 significant bits, half away from zero: cvt.rna.tf32.f32.
DEVICE float round_tf32(float v) {
  if (v != v) return bits_to_float(0x7fffffff);
  return bits_to_float(static_cast<int>((static_cast<uint32_t>(float_to_bits(v)) + 0x1000u) & 0xffffe000u));
}
DEVICE float half_to_float(unsigned short v) {
  _Float16 h;
  memcpy(&h, &v, 2);
  return static_cast<float>(h);
}
DEVICE unsigned short float_to_half(float v) {
  const _Float16 h = static_cast<_Float16>(v);
  unsigned short bits;
  memcpy(&bits, &h, 2);
  return bits;
}
// By Newton's method from an approximation: z with erfc(z) = c, for c in (0, 1].
DEVICE double emulated_erfcinv(double c) {
  const double t = sqrt(-2 * log(c / 2));
  double z = 0.70710678118654752 * (t - (2.30753 + t * 0.27061) / (1 + t * (0.99229 + t * 0.04481)));
  for (int i = 0; i < 4; ++i) {
    const double e = erfc(z) - c;
    z += e / (1.1283791670955126 * exp(-z * z) - z * e);
  }
  return z;
}
DEVICE float erfinvf(float v) {
  const double a = fabs(static_cast<double>(v));
  if (!(a <= 1)) return bits_to_float(0x7fc00000);
  if (a == 1) return v * bits_to_float(0x7f800000);
  if (a < 1e-4) return static_cast<float>(v * 0.88622692545275801 * (1 + 0.26179938779914944 * a * a));
  return static_cast<float>(copysign(emulated_erfcinv(1 - a), static_cast<double>(v)));
}
DEVICE float erfcinvf(float v) {
  if (!(v >= 0 && v <= 2)) return bits_to_float(0x7fc00000);
  if (v == 0) return bits_to_float(0x7f800000);
  if (v == 2) return -bits_to_float(0x7f800000);
  return static_cast<float>(v <= 1 ? emulated_erfcinv(v) : -emulated_erfcinv(2 - static_cast<double>(v)));
}

#endif  // MGEC_COMPILER_CODEGEN_CUDA_TESTING_EMULATOR_MATH_H_
