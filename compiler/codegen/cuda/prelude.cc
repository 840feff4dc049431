#include "compiler/codegen/cuda/prelude.h"

namespace mgec::codegen::cuda {

// testing/emulator.h has the same names with the same meanings; a new one goes into both.
const char* Prelude() {
  return R"cuda(#define DEVICE static __device__ __forceinline__
// `size` elements that the threads of a block share.
#define SHARED(type, name, size) __shared__ __align__(16) type name[size]

// What code is being made for: 80 for sm_80.
#define ARCHITECTURE (__CUDA_ARCH__ / 10)

// Four neighbours at element i, a multiple of 4, in one access.
template <typename T> DEVICE float4 load4(const T* p, int i) { return *reinterpret_cast<const float4*>(p + i); }
template <typename T> DEVICE float4 load4(const T* p, long long i) { return *reinterpret_cast<const float4*>(p + i); }
// The same of shared memory, by an instruction that the compiler does not see into: it joins and splits those that it does, and not
// always in the same way, so that compiling again would give other code.
template <typename T> DEVICE float4 load_shared4(const T* p, int i) {
  float4 v;
  const unsigned place = static_cast<unsigned>(__cvta_generic_to_shared(p + i));
  asm volatile("ld.shared.v4.f32 {%0, %1, %2, %3}, [%4];" : "=f"(v.x), "=f"(v.y), "=f"(v.z), "=f"(v.w) : "r"(place));
  return v;
}
// Four matrices of a warp (kernel/expr.h, kLoadMatrices).
DEVICE int4 load_matrices(const int* p, int i) {
  int4 v;
  const unsigned place = static_cast<unsigned>(__cvta_generic_to_shared(p + i));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "r"(place));
  return v;
}
DEVICE float4 load_matrices(const float* p, int i) {
  const int4 v = load_matrices(reinterpret_cast<const int*>(p), i);
  return make_float4(__int_as_float(v.x), __int_as_float(v.y), __int_as_float(v.z), __int_as_float(v.w));
}
// The same turned, of float16.
DEVICE int4 load_turned(const unsigned short* p, int i) {
  int4 v;
  const unsigned place = static_cast<unsigned>(__cvta_generic_to_shared(p + i));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "r"(place));
  return v;
}
template <typename T> DEVICE void store4(T* p, long long i, float a, float b, float c, float d) {
  *reinterpret_cast<float4*>(p + i) = make_float4(a, b, c, d);
}
template <typename T> DEVICE void store4(T* p, long long i, int a, int b, int c, int d) {
  *reinterpret_cast<int4*>(p + i) = make_int4(a, b, c, d);
}

// 4, 8 or 16 bytes of memory, aligned to as many, in one access.
DEVICE unsigned load_word(const void* p) { return *reinterpret_cast<const unsigned*>(p); }
DEVICE uint2 load_words2(const void* p) { return *reinterpret_cast<const uint2*>(p); }
DEVICE uint4 load_words4(const void* p) { return *reinterpret_cast<const uint4*>(p); }
DEVICE void store_words(void* p, unsigned a) { *reinterpret_cast<unsigned*>(p) = a; }
DEVICE void store_words(void* p, unsigned a, unsigned b) { *reinterpret_cast<uint2*>(p) = make_uint2(a, b); }
DEVICE void store_words(void* p, unsigned a, unsigned b, unsigned c, unsigned d) {
  *reinterpret_cast<uint4*>(p) = make_uint4(a, b, c, d);
}

template <typename T> DEVICE T warp_xor(T v, int bits) { return __shfl_xor_sync(0xffffffffu, v, bits); }

// Copies to element i of shared memory that go on meanwhile, or zeros (kernel/stmt.h, kCopyAsync).
template <int bytes, typename T> DEVICE void copy_async(T* to, int i, const void* from, bool inside) {
#if __CUDA_ARCH__ >= 800
  const unsigned place = static_cast<unsigned>(__cvta_generic_to_shared(to + i));
  if (bytes == 16) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" : : "r"(place), "l"(from), "r"(inside ? 16 : 0) : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;"
                 : : "r"(place), "l"(from), "n"(bytes), "r"(inside ? bytes : 0) : "memory");
  }
#endif
}
DEVICE void commit_copies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" : : : "memory");
#endif
}
template <int pending> DEVICE void wait_copies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" : : "n"(pending) : "memory");
#endif
}

// c + A B of a warp's matrices (kernel/expr.h, kMma): sixteen rows of A, eight columns of B, words of four int8 or two float16.
DEVICE int4 mma_s8(int a0, int a1, int a2, int a3, int b0, int b1, int c0, int c1, int c2, int c3) {
#if __CUDA_ARCH__ >= 800
  asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+r"(c0), "+r"(c1), "+r"(c2), "+r"(c3) : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
#else  // eight rows and half of the words at a time
  asm volatile("mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 {%0,%1}, {%2}, {%3}, {%0,%1};" : "+r"(c0), "+r"(c1) : "r"(a0), "r"(b0));
  asm volatile("mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 {%0,%1}, {%2}, {%3}, {%0,%1};" : "+r"(c2), "+r"(c3) : "r"(a1), "r"(b0));
  asm volatile("mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 {%0,%1}, {%2}, {%3}, {%0,%1};" : "+r"(c0), "+r"(c1) : "r"(a2), "r"(b1));
  asm volatile("mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 {%0,%1}, {%2}, {%3}, {%0,%1};" : "+r"(c2), "+r"(c3) : "r"(a3), "r"(b1));
#endif
  return make_int4(c0, c1, c2, c3);
}
DEVICE float4 mma_f16(int a0, int a1, int a2, int a3, int b0, int b1, float c0, float c1, float c2, float c3) {
#if __CUDA_ARCH__ >= 800
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(c0), "+f"(c1), "+f"(c2), "+f"(c3) : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
#else  // half of the words at a time
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
               : "+f"(c0), "+f"(c1), "+f"(c2), "+f"(c3) : "r"(a0), "r"(a1), "r"(b0));
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
               : "+f"(c0), "+f"(c1), "+f"(c2), "+f"(c3) : "r"(a2), "r"(a3), "r"(b1));
#endif
  return make_float4(c0, c1, c2, c3);
}

// Of TF32 numbers, one in a word.
DEVICE float4 mma_tf32(float a0, float a1, float a2, float a3, float b0, float b1, float c0, float c1, float c2, float c3) {
#if __CUDA_ARCH__ >= 800
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(c0), "+f"(c1), "+f"(c2), "+f"(c3)
               : "r"(__float_as_int(a0)), "r"(__float_as_int(a1)), "r"(__float_as_int(a2)), "r"(__float_as_int(a3)),
                 "r"(__float_as_int(b0)), "r"(__float_as_int(b1)));
#endif
  return make_float4(c0, c1, c2, c3);
}
DEVICE float round_tf32(float v) {
#if __CUDA_ARCH__ >= 800
  int bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(v));
  return __int_as_float(bits);
#else
  return v;
#endif
}

DEVICE float bits_to_float(int v) { return __int_as_float(v); }
DEVICE int float_to_bits(float v) { return __float_as_int(v); }
DEVICE float half_to_float(unsigned short v) {
  float f;
  asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(v));
  return f;
}
DEVICE unsigned short float_to_half(float v) {
  unsigned short h;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(h) : "f"(v));
  return h;
}
)cuda";
}

const char* Arithmetic() {
  return R"cuda(DEVICE float bfloat16_to_float(unsigned short v) { return bits_to_float(static_cast<int>(static_cast<unsigned>(v) << 16)); }
DEVICE unsigned short float_to_bfloat16(float v) {  // to nearest even; NaN stays NaN
  const unsigned u = static_cast<unsigned>(float_to_bits(v));
  if (v != v) return static_cast<unsigned short>((u >> 16) | 0x40u);
  return static_cast<unsigned short>((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}

// Toward zero, saturating; NaN gives the lowest.
DEVICE signed char to_i8(float v) { return !(v > -128.0f) ? -128 : v >= 128.0f ? 127 : static_cast<signed char>(v); }
DEVICE unsigned char to_u8(float v) { return !(v > 0.0f) ? 0 : v >= 256.0f ? 255 : static_cast<unsigned char>(v); }
DEVICE short to_i16(float v) { return !(v > -32768.0f) ? -32768 : v >= 32768.0f ? 32767 : static_cast<short>(v); }
DEVICE unsigned short to_u16(float v) { return !(v > 0.0f) ? 0 : v >= 65536.0f ? 65535 : static_cast<unsigned short>(v); }
DEVICE int to_i32(float v) {
  return !(v > -2147483648.0f) ? (-2147483647 - 1) : v >= 2147483648.0f ? 2147483647 : static_cast<int>(v);
}
DEVICE long long to_i64(float v) {
  return !(v > -9223372036854775808.0f) ? (-9223372036854775807LL - 1)
         : v >= 9223372036854775808.0f  ? 9223372036854775807LL
                                        : static_cast<long long>(v);
}

// 32-bit arithmetic that wraps.
DEVICE int wrap_add(int a, int b) { return static_cast<int>(static_cast<unsigned>(a) + static_cast<unsigned>(b)); }
DEVICE int wrap_sub(int a, int b) { return static_cast<int>(static_cast<unsigned>(a) - static_cast<unsigned>(b)); }
DEVICE int wrap_mul(int a, int b) { return static_cast<int>(static_cast<unsigned>(a) * static_cast<unsigned>(b)); }
DEVICE int wrap_shl(int a, int b) { return static_cast<int>(static_cast<unsigned>(a) << (b & 31)); }

template <typename T> DEVICE T floor_mod(T a, T b) {
  const T rest = a % b;
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}
template <typename T> DEVICE T floor_div(T a, T b) {
  const T rest = a % b;
  return a / b - (rest != 0 && (rest < 0) != (b < 0) ? 1 : 0);
}
// The second operand where either is NaN.
template <typename T> DEVICE T min_of(T a, T b) { return a < b ? a : b; }
template <typename T> DEVICE T max_of(T a, T b) { return a > b ? a : b; }
template <typename T> DEVICE T abs_of(T a) { return a < 0 ? static_cast<T>(-a) : a; }
template <typename T> DEVICE T sign_of(T a) { return static_cast<T>((a > 0) - (a < 0)); }
DEVICE float sigmoid(float v) { return 1.0f / (1.0f + expf(-v)); }
DEVICE float reciprocal_sqrt(float v) { return 1.0f / sqrtf(v); }
)cuda";
}

}  // namespace mgec::codegen::cuda
