#include "tools/bench/limits.h"

#include <immintrin.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>

namespace mgec::bench {
namespace {

using Clock = std::chrono::steady_clock;

// Twelve chains hide the latency of an FMA (4 cycles, two per cycle) with registers to spare. They are variables, not an
// array, so that the compiler keeps them in registers.
constexpr int kChains = 12;
constexpr int64_t kRounds = 1 << 20;

#define MGEC_EACH_CHAIN(F) F(0) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10) F(11)
#define MGEC_START_512(k) __m512i s##k = _mm512_set1_epi32(0x3f800000 + k);
#define MGEC_START_256(k) __m256i s##k = _mm256_set1_epi32(0x3f800000 + k);
#define MGEC_ADD_512(k) total = _mm512_xor_si512(total, s##k);
#define MGEC_ADD_256(k) total = _mm256_xor_si256(total, s##k);

// A function that runs kRounds of one step of each chain. The step: s##k, with operands a and b.
#define MGEC_CHAINS(NAME, TARGET, BITS, STEP)                                                          \
  __attribute__((target(TARGET))) void NAME() {                                                        \
    const __m##BITS##i a = _mm##BITS##_set1_epi32(0x3f7fbe77), b = _mm##BITS##_set1_epi32(0x3a83126f); \
    MGEC_EACH_CHAIN(MGEC_START_##BITS)                                                                 \
    for (int64_t i = 0; i < kRounds; ++i) {                                                            \
      MGEC_EACH_CHAIN(STEP)                                                                            \
    }                                                                                                  \
    __m##BITS##i total = a;                                                                            \
    MGEC_EACH_CHAIN(MGEC_ADD_##BITS)                                                                   \
    __asm__ volatile("" : : "v"(total), "v"(b));                                                       \
  }

// The operands are floats a little below 1, and 0.001, in all of these.
#define MGEC_FMA(k) __asm__ volatile("vfmadd213ps %2, %1, %0" : "+v"(s##k) : "v"(a), "v"(b));
#define MGEC_DOT(k) __asm__ volatile("vpdpbusd %2, %1, %0" : "+v"(s##k) : "v"(a), "v"(b));
#define MGEC_WIDENED(k)                                                                                 \
  {                                                                                                     \
    __typeof__(s##k) t;                                                                                 \
    __asm__ volatile("vpmaddwd %3, %2, %1; vpaddd %1, %0, %0" : "+v"(s##k), "=&v"(t) : "v"(a), "v"(b)); \
  }

MGEC_CHAINS(Fma512, "avx512f", 512, MGEC_FMA)
MGEC_CHAINS(Fma256, "avx2,fma", 256, MGEC_FMA)
MGEC_CHAINS(Widened512, "avx512f,avx512bw", 512, MGEC_WIDENED)
MGEC_CHAINS(Widened256, "avx2", 256, MGEC_WIDENED)
MGEC_CHAINS(Vnni512, "avx512f,avx512vnni", 512, MGEC_DOT)

// Multiply-adds per second, where each step of a chain does `per_step`.
double Rate(void (*chains)(), int per_step) {
  double best = 0;
  for (int repeat = 0; repeat < 10; ++repeat) {
    const Clock::time_point start = Clock::now();
    chains();
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    best = std::max(best, static_cast<double>(kRounds) * kChains * per_step / seconds);
  }
  return best;
}

__attribute__((target("avx2"))) void ReadAndWrite(const char* source, size_t read, char* target, size_t written) {
  __m256i sum = _mm256_setzero_si256();
  // The traffic alternates, as it does in a kernel.
  constexpr size_t kStep = 4096;
  for (size_t at = 0; at < std::max(read, written); at += kStep) {
    for (size_t i = at; i < std::min(at + kStep, read); i += 32) {
      sum = _mm256_xor_si256(sum, _mm256_load_si256(reinterpret_cast<const __m256i*>(source + i)));
    }
    for (size_t i = at; i < std::min(at + kStep, written); i += 32) {
      _mm256_store_si256(reinterpret_cast<__m256i*>(target + i), sum);
    }
  }
  __asm__ volatile("" : : "x"(sum) : "memory");
}

size_t RoundUp(size_t bytes) { return (bytes + 63) / 64 * 64; }

char* Allocate(size_t bytes) {
  char* memory = static_cast<char*>(std::aligned_alloc(64, std::max<size_t>(bytes, 64)));
  std::memset(memory, 1, std::max<size_t>(bytes, 64));
  return memory;
}

}  // namespace

double FusedMultiplyAddsPerSecond(int lanes) {
  if (lanes == 0) lanes = __builtin_cpu_supports("avx512f") != 0 ? 16 : 8;
  return Rate(lanes == 16 ? Fma512 : Fma256, lanes);
}

double IntegerMultiplyAddsPerSecond(IntegerProducts products) {
  switch (products) {
    case IntegerProducts::kWidened256: return Rate(Widened256, 16);
    case IntegerProducts::kWidened512: return Rate(Widened512, 32);
    case IntegerProducts::kVnni512: return Rate(Vnni512, 64);
  }
  return 0;
}

double BytesPerSecond(size_t bytes) {
  const size_t size = std::clamp<size_t>(bytes, size_t{64} << 10, size_t{256} << 20);
  MemoryPass pass(size / 2, size / 2);
  pass.Run();
  const size_t passes = std::max<size_t>(1, (size_t{4} << 20) / size);  // long enough for the clock
  double best = 1e30;
  for (int i = 0; i < 20; ++i) {
    const Clock::time_point start = Clock::now();
    for (size_t k = 0; k < passes; ++k) pass.Run();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return static_cast<double>(size * passes) / best;
}

MemoryPass::MemoryPass(size_t read, size_t written)
    : read_(RoundUp(read)), written_(RoundUp(written)), source_(Allocate(read_)), target_(Allocate(written_)) {}

MemoryPass::~MemoryPass() {
  std::free(source_);
  std::free(target_);
}

void MemoryPass::Run() { ReadAndWrite(source_, read_, target_, written_); }

}  // namespace mgec::bench
