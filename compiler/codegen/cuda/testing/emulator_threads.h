// The threads of a block that waits for itself, as fibers, and what the threads of a warp do together: see emulator.h.
#ifndef MGEC_COMPILER_CODEGEN_CUDA_TESTING_EMULATOR_THREADS_H_
#define MGEC_COMPILER_CODEGEN_CUDA_TESTING_EMULATOR_THREADS_H_

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>

struct float4 {
  float x, y, z, w;
};
struct int4 {
  int x, y, z, w;
};
struct uint2 {
  unsigned x, y;
};
struct uint4 {
  unsigned x, y, z, w;
};

namespace emulator {

constexpr int kWarp = 32, kMaxThreads = 1024, kStack = 160 * 1024, kMaxCopies = 256;

struct Index {
  unsigned x;
};
enum class State { kRunning, kBarrier, kExchange, kDone };
// Bytes on their way from `from` (zeros if null) to elements of a Shared.
struct Copy {
  void (*land)(const Copy&);
  void* array;
  long long index;
  const void* from;
  int bytes, group;
};
struct Thread {
  ucontext_t context;
  State state;
  int line;         // of the barrier or exchange
  int bits;         // of the exchange; kInt8Product and the like, kMatrices
  uint32_t value;   // offered, then received
  uint32_t a[4], b[2], c[4];  // of a product of matrices: its part of both factors and of the sums
  uint32_t rows[8];           // of loading matrices: where the rows are that it gets a part of, one or two of each
  Copy copies[kMaxCopies];    // those under way, in order
  int num_copies, groups;     // groups that have been committed
};

static Index thread_index, block_index;
static int architecture = 80;  // that code asks for (ARCHITECTURE)
static Thread* threads;
static char* stacks;
static ucontext_t scheduler;
static unsigned epoch;     // rises with every barrier and block
static unsigned block_id;  // rises with every block
static char error[512];    // the first

inline void Fail(const char* format, const char* what, long long a, long long b) {
  if (error[0] == 0) {
    snprintf(error, sizeof(error), format, what, a, b);
    snprintf(error + strlen(error), sizeof(error) - strlen(error), " (block %u, thread %u)", block_index.x, thread_index.x);
  }
}

inline void Yield(State state, int line) {
  Thread& t = threads[thread_index.x];
  t.state = state;
  t.line = line;
  swapcontext(&t.context, &scheduler);
}

inline void Barrier(int line) { Yield(State::kBarrier, line); }

template <typename T>
T WarpXor(T v, int bits, int line) {
  static_assert(sizeof(T) == 4, "32 bits");
  Thread& t = threads[thread_index.x];
  memcpy(&t.value, &v, 4);
  t.bits = bits;
  Yield(State::kExchange, line);
  memcpy(&v, &threads[thread_index.x].value, 4);
  return v;
}

// --- Products of matrices, with the fragments of the PTX manual: m16n8k32 of s8, m16n8k16 of f16 and m16n8k8 of tf32. ---

constexpr int kInt8Product = 32, kHalfProduct = 33, kTf32Product = 34, kMatrices = 35, kTurnedMatrices = 36;

inline const char* NameOfExchange(int bits) {
  return bits >= kMatrices ? "load_matrices" : bits >= kInt8Product ? "mma" : "warp_xor";
}

inline int64_t Element(const uint32_t* words, int i, int8_t) {
  int8_t v;
  memcpy(&v, reinterpret_cast<const char*>(words) + i, 1);
  return v;
}
inline float Element(const uint32_t* words, int i, _Float16) {
  _Float16 v;
  memcpy(&v, reinterpret_cast<const char*>(words) + 2 * i, 2);
  return static_cast<float>(v);
}

// Of TF32 the hardware reads the upper 19 bits.
inline float Element(const uint32_t* words, int i, float) {
  const uint32_t bits = words[i] & 0xffffe000u;
  float v;
  memcpy(&v, &bits, 4);
  return v;
}

// In: elements of the factors. Sum: of the result, 32 bits.
template <typename In, typename Sum>
void MultiplyMatrices(Thread* warp) {
  constexpr int kPack = 4 / sizeof(In), kDepth = 8 * kPack;
  decltype(Element(nullptr, 0, In())) a[16][kDepth], b[kDepth][8];
  for (int lane = 0; lane < kWarp; ++lane) {
    const int group = lane / 4, thread = lane % 4;
    for (int i = 0; i < 4 * kPack; ++i) {
      const int row = i / kPack % 2 == 0 ? group : group + 8;
      a[row][thread * kPack + i % kPack + (i >= 2 * kPack ? kDepth / 2 : 0)] = Element(warp[lane].a, i, In());
    }
    for (int i = 0; i < 2 * kPack; ++i) {
      b[thread * kPack + i % kPack + (i >= kPack ? kDepth / 2 : 0)][group] = Element(warp[lane].b, i, In());
    }
  }
  for (int lane = 0; lane < kWarp; ++lane) {
    for (int i = 0; i < 4; ++i) {
      const int row = i < 2 ? lane / 4 : lane / 4 + 8, col = lane % 4 * 2 + i % 2;
      Sum sum;
      memcpy(&sum, &warp[lane].c[i], 4);
      for (int k = 0; k < kDepth; ++k) sum = static_cast<Sum>(sum + a[row][k] * b[k][col]);
      memcpy(&warp[lane].c[i], &sum, 4);
    }
  }
}

template <typename Four, typename Word, typename T>
Four Mma(int kind, int line, Word a0, Word a1, Word a2, Word a3, Word b0, Word b1, T c0, T c1, T c2, T c3) {
  const Word a[4] = {a0, a1, a2, a3}, b[2] = {b0, b1};
  const T c[4] = {c0, c1, c2, c3};
  Thread& t = threads[thread_index.x];
  memcpy(t.a, a, sizeof(a));
  memcpy(t.b, b, sizeof(b));
  memcpy(t.c, c, sizeof(c));
  t.bits = kind;
  Yield(State::kExchange, line);
  Four result;
  memcpy(&result, threads[thread_index.x].c, sizeof(result));
  return result;
}

}  // namespace emulator

#endif  // MGEC_COMPILER_CODEGEN_CUDA_TESTING_EMULATOR_THREADS_H_
