#include "tools/bench/limits.h"

#include <immintrin.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace mgec::bench {
namespace {

using Clock = std::chrono::steady_clock;

// Twelve chains hide the latency of an FMA (4 cycles, two per cycle) with registers to spare. They are variables, not an
// array, so that the compiler keeps them in registers.
constexpr int kChains = 12;
constexpr int64_t kRounds = 1 << 20;

#define MGEC_EACH_CHAIN(F) F(0) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10) F(11)

__attribute__((target("avx512f"))) float Chains512() {
  const __m512 a = _mm512_set1_ps(0.999f), b = _mm512_set1_ps(0.001f);
#define MGEC_START(k) __m512 s##k = _mm512_set1_ps(1.0f + k);
#define MGEC_STEP(k) __asm__ volatile("vfmadd213ps %2, %1, %0" : "+v"(s##k) : "v"(a), "v"(b));
#define MGEC_ADD(k) total = _mm512_add_ps(total, s##k);
  MGEC_EACH_CHAIN(MGEC_START)
  for (int64_t i = 0; i < kRounds; ++i) {
    MGEC_EACH_CHAIN(MGEC_STEP)
  }
  __m512 total = _mm512_setzero_ps();
  MGEC_EACH_CHAIN(MGEC_ADD)
  return _mm512_cvtss_f32(total);
#undef MGEC_START
#undef MGEC_ADD
}

__attribute__((target("avx2,fma"))) float Chains256() {
  const __m256 a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(0.001f);
#define MGEC_START(k) __m256 s##k = _mm256_set1_ps(1.0f + k);
#define MGEC_ADD(k) total = _mm256_add_ps(total, s##k);
  MGEC_EACH_CHAIN(MGEC_START)
  for (int64_t i = 0; i < kRounds; ++i) {
    MGEC_EACH_CHAIN(MGEC_STEP)
  }
  __m256 total = _mm256_setzero_ps();
  MGEC_EACH_CHAIN(MGEC_ADD)
  return _mm256_cvtss_f32(total);
#undef MGEC_START
#undef MGEC_STEP
#undef MGEC_ADD
}

#undef MGEC_EACH_CHAIN

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

std::string CpuName() {
  std::ifstream info("/proc/cpuinfo");
  std::string line;
  while (std::getline(info, line)) {
    const size_t colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown CPU";
}

double FusedMultiplyAddsPerSecond() {
  const bool wide = __builtin_cpu_supports("avx512f") != 0;
  double best = 0;
  for (int repeat = 0; repeat < 10; ++repeat) {
    const Clock::time_point start = Clock::now();
    const float result = wide ? Chains512() : Chains256();
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    __asm__ volatile("" : : "x"(result));
    best = std::max(best, static_cast<double>(kRounds) * kChains * (wide ? 16 : 8) / seconds);
  }
  return best;
}

MemoryPass::MemoryPass(size_t read, size_t written)
    : read_(RoundUp(read)), written_(RoundUp(written)), source_(Allocate(read_)), target_(Allocate(written_)) {}

MemoryPass::~MemoryPass() {
  std::free(source_);
  std::free(target_);
}

void MemoryPass::Run() { ReadAndWrite(source_, read_, target_, written_); }

}  // namespace mgec::bench
