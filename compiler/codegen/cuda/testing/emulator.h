// Lets printed kernels be compiled by g++ and run on the CPU: blocks one after the other, the threads of a block in turns.
// For tests only. Has the names of codegen/cuda/prelude.cc with the same meanings.
//
// Threads that wait for each other are fibers. What a GPU would not forgive is an error here: threads of a block that meet at
// different barriers or have left, threads of a warp that do not all exchange or multiply, accesses of two threads to one element of
// shared memory without a barrier between them where one of them writes, indices outside shared memory, vector accesses that
// are not aligned, use of what is still being copied. Asynchronous copies are as late as can be: what they bring is there when
// their thread has waited for them, not before. Shared memory holds NaNs at first.
#ifndef MGEC_COMPILER_CODEGEN_CUDA_TESTING_EMULATOR_H_
#define MGEC_COMPILER_CODEGEN_CUDA_TESTING_EMULATOR_H_

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "compiler/codegen/cuda/testing/emulator_math.h"
#include "compiler/codegen/cuda/testing/emulator_shared.h"
#include "compiler/codegen/cuda/testing/emulator_threads.h"

namespace emulator {

inline bool CheckAligned(const void* p, const char* what) {
  if (reinterpret_cast<uintptr_t>(p) % 16 == 0) return true;
  Fail("%s of four floats at an address that is not aligned", what, 0, 0);
  return false;
}

// --- Launches. ---

struct Call {
  virtual void Run() = 0;
};
static Call* call;

template <typename T>
T ArgumentOf(void* pointer, unsigned tasks) {
  if constexpr (sizeof(T) == sizeof(unsigned)) return tasks;
  else return static_cast<T>(pointer);
}

template <typename... A>
struct KernelCall : Call {
  void (*kernel)(A...);
  void** arguments;
  unsigned tasks;
  void Run() override {
    int i = 0;
    // Braces evaluate from left to right.
    struct Invoke {
      Invoke(void (*k)(A...), A... a) { k(a...); }
    } invoke{kernel, ArgumentOf<A>(arguments[i++], tasks)...};
    (void)invoke;
  }
};

inline void FiberMain() {
  call->Run();
  if (threads[thread_index.x].num_copies > 0) {
    Fail("%s: %lld are still under way at the end", "asynchronous copies", threads[thread_index.x].num_copies, 0);
  }
  threads[thread_index.x].state = State::kDone;
  setcontext(&scheduler);
}

// The k-th of `count` threads in one of several orders.
inline unsigned InOrder(unsigned k, unsigned count, int order) {
  if (order == 0) return k;
  if (order == 1) return count - 1 - k;
  unsigned step = count / 2 + 1;  // a number without common divisor makes a permutation
  auto gcd = [](unsigned a, unsigned b) {
    while (b != 0) {
      const unsigned r = a % b;
      a = b;
      b = r;
    }
    return a;
  };
  while (gcd(step, count) != 1) ++step;
  return static_cast<unsigned>(static_cast<unsigned long long>(k) * step % count);
}

inline void ResolveExchange(int first, int count) {
  int waiting = 0;
  for (int t = first; t < first + count; ++t) waiting += threads[t].state == State::kExchange ? 1 : 0;
  if (waiting == 0) return;
  thread_index.x = first;
  const char* what = nullptr;
  for (int t = first; t < first + count; ++t) {
    if (threads[t].state == State::kExchange) what = NameOfExchange(threads[t].bits);
  }
  if (waiting != kWarp) return Fail("%s: %lld of a warp's threads exchange, %lld do not", what, waiting, kWarp - waiting);
  uint32_t received[kWarp];
  for (int i = 0; i < kWarp; ++i) {
    if (threads[first + i].line != threads[first].line || threads[first + i].bits != threads[first].bits) {
      return Fail("%s: lines %lld and %lld meet", what, threads[first].line, threads[first + i].line);
    }
    received[i] = threads[first + (i ^ threads[first].bits) % kWarp].value;
  }
  if (threads[first].bits == kInt8Product) MultiplyMatrices<int8_t, int32_t>(threads + first);
  if (threads[first].bits == kHalfProduct) MultiplyMatrices<_Float16, float>(threads + first);
  if (threads[first].bits == kTf32Product) MultiplyMatrices<float, float>(threads + first);
  if (threads[first].bits >= kMatrices) ShareRows(threads + first, threads[first].bits == kTurnedMatrices);
  for (int i = 0; i < kWarp; ++i) {
    threads[first + i].value = received[i];
    threads[first + i].state = State::kRunning;
  }
}

// All threads of a block that may wait for each other.
inline void RunFibers(unsigned block, int order) {
  for (unsigned t = 0; t < block; ++t) {
    getcontext(&threads[t].context);
    threads[t].context.uc_stack.ss_sp = stacks + static_cast<size_t>(t) * kStack;
    threads[t].context.uc_stack.ss_size = kStack;
    threads[t].context.uc_link = nullptr;
    threads[t].state = State::kRunning;
    threads[t].num_copies = threads[t].groups = 0;
    makecontext(&threads[t].context, FiberMain, 0);
  }
  while (error[0] == 0) {
    for (unsigned k = 0; k < block; ++k) {
      const unsigned t = InOrder(k, block, order);
      if (threads[t].state != State::kRunning) continue;
      thread_index.x = t;
      swapcontext(&scheduler, &threads[t].context);
    }
    bool exchanged = false;
    unsigned barrier = 0, done = 0;
    for (unsigned t = 0; t < block; ++t) {
      exchanged = exchanged || threads[t].state == State::kExchange;
      barrier += threads[t].state == State::kBarrier ? 1 : 0;
      done += threads[t].state == State::kDone ? 1 : 0;
    }
    if (exchanged) {
      for (unsigned t = 0; t < block; t += kWarp) ResolveExchange(static_cast<int>(t), kWarp);
      continue;
    }
    if (done == block) return;
    if (barrier != block) return Fail("%s: %lld threads wait and %lld have left", "barrier", barrier, done);
    for (unsigned t = 1; t < block; ++t) {
      if (threads[t].line == threads[0].line) continue;
      return Fail("%s: threads wait at line %lld and at line %lld", "barrier", threads[0].line, threads[t].line);
    }
    for (unsigned t = 0; t < block; ++t) threads[t].state = State::kRunning;
    ++epoch;
  }
}

template <typename... A>
int Launch(void (*kernel)(A...), void** arguments, unsigned grid, unsigned block, unsigned tasks, int order, int fibers,
           char* message) {
  KernelCall<A...> kernel_call;
  kernel_call.kernel = kernel;
  kernel_call.arguments = arguments;
  kernel_call.tasks = tasks;
  call = &kernel_call;
  error[0] = 0;
  if (fibers && threads == nullptr) {
    threads = static_cast<Thread*>(calloc(kMaxThreads, sizeof(Thread)));
    stacks = static_cast<char*>(malloc(static_cast<size_t>(kMaxThreads) * kStack));
  }
  for (unsigned b = 0; b < grid && error[0] == 0; ++b) {
    block_index.x = InOrder(b, grid, order);
    ++block_id;
    ++epoch;
    if (fibers) {
      RunFibers(block, order);
      continue;
    }
    for (unsigned k = 0; k < block; ++k) {
      thread_index.x = InOrder(k, block, order);
      call->Run();
    }
  }
  strcpy(message, error);
  return error[0] != 0;
}

}  // namespace emulator

// What kernels use.
#define __global__
#define __launch_bounds__(...)
#define threadIdx emulator::thread_index
#define blockIdx emulator::block_index
#define __syncthreads() emulator::Barrier(__LINE__)
#define warp_xor(v, bits) emulator::WarpXor(v, bits, __LINE__)
#define mma_s8(...) emulator::Mma<int4, int>(emulator::kInt8Product, __LINE__, __VA_ARGS__)
#define mma_f16(...) emulator::Mma<float4, int>(emulator::kHalfProduct, __LINE__, __VA_ARGS__)
#define mma_tf32(...) emulator::Mma<float4, float>(emulator::kTf32Product, __LINE__, __VA_ARGS__)
#define load_matrices(p, i) emulator::LoadMatrices(p, i, __LINE__)
#define load_turned(p, i) emulator::LoadTurned(p, i, __LINE__)
#define ARCHITECTURE emulator::architecture
#define SHARED(type, name, size)                 \
  static emulator::Shared<type, size> name;      \
  name.Declare(#name)

template <int kBytes, typename T, int kSize>
DEVICE void copy_async(emulator::Shared<T, kSize>& to, long long i, const void* from, bool inside) {
  emulator::CopyAsync<kBytes>(to, i, from, inside);
}
DEVICE void commit_copies() { emulator::CommitCopies(); }
template <int kPending>
DEVICE void wait_copies() {
  emulator::WaitCopies(kPending);
}

template <typename T>
DEVICE float4 load4(const T* p, long long i) {
  if (!emulator::CheckAligned(p + i, "load")) return float4{0, 0, 0, 0};
  return float4{p[i], p[i + 1], p[i + 2], p[i + 3]};
}
template <int kSize>
DEVICE float4 load_shared4(emulator::Shared<float, kSize>& p, long long i) {
  if (i % 4 != 0) emulator::CheckAligned(reinterpret_cast<const void*>(4), "load");
  return float4{p.Read(i), p.Read(i + 1), p.Read(i + 2), p.Read(i + 3)};
}
template <typename T>
DEVICE void store4(T* p, long long i, float a, float b, float c, float d) {
  if (!emulator::CheckAligned(p + i, "store")) return;
  const float v[4] = {a, b, c, d};
  memcpy(p + i, v, sizeof(v));
}
template <typename T, int kSize>
DEVICE void store4(emulator::Shared<T, kSize>& p, long long i, T a, T b, T c, T d) {
  if (i % 4 != 0) emulator::CheckAligned(reinterpret_cast<const void*>(4), "store");
  p.Write(i, a);
  p.Write(i + 1, b);
  p.Write(i + 2, c);
  p.Write(i + 3, d);
}

namespace emulator {
template <typename T>
T LoadWords(const void* p) {
  T v = {};
  if (reinterpret_cast<uintptr_t>(p) % sizeof(T) == 0) memcpy(&v, p, sizeof(T));
  else Fail("%s of %lld bytes at an address that is not aligned", "load", sizeof(T), 0);
  return v;
}
template <typename T>
void StoreWords(void* p, T v) {
  if (reinterpret_cast<uintptr_t>(p) % sizeof(T) == 0) memcpy(p, &v, sizeof(T));
  else Fail("%s of %lld bytes at an address that is not aligned", "store", sizeof(T), 0);
}
}  // namespace emulator

DEVICE unsigned load_word(const void* p) { return emulator::LoadWords<unsigned>(p); }
DEVICE uint2 load_words2(const void* p) { return emulator::LoadWords<uint2>(p); }
DEVICE uint4 load_words4(const void* p) { return emulator::LoadWords<uint4>(p); }
DEVICE void store_words(void* p, unsigned a) { emulator::StoreWords(p, a); }
DEVICE void store_words(void* p, unsigned a, unsigned b) { emulator::StoreWords(p, uint2{a, b}); }
DEVICE void store_words(void* p, unsigned a, unsigned b, unsigned c, unsigned d) { emulator::StoreWords(p, uint4{a, b, c, d}); }

// The entry of a kernel for run_emulated.cc.
#define EMULATED(kernel)                                                                                          \
  extern "C" int run_##kernel(void** arguments, unsigned grid, unsigned block, unsigned tasks, int order, int fibers, \
                              char* message) {                                                                    \
    return emulator::Launch(&kernel, arguments, grid, block, tasks, order, fibers, message);                      \
  }

#endif  // MGEC_COMPILER_CODEGEN_CUDA_TESTING_EMULATOR_H_
