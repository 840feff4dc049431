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

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
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
  int bits;         // of the exchange; kInt8Product and the like
  uint32_t value;   // offered, then received
  uint32_t a[4], b[2], c[4];  // of a product of matrices: its part of both factors and of the sums
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

constexpr int kInt8Product = 32, kHalfProduct = 33, kTf32Product = 34;

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

// Shared memory that knows who touched each element since the last barrier.
template <typename T, int kSize>
class Shared {
 public:
  class Element {
   public:
    Element(Shared* a, long long i) : array_(a), i_(i) {}
    operator T() const { return array_->Read(i_); }
    void operator=(T v) const { array_->Write(i_, v); }

   private:
    Shared* array_;
    long long i_;
  };

  void Declare(const char* name) {
    if (block_ == block_id) return;
    block_ = block_id;
    name_ = name;
    memset(data_, 0xff, sizeof(data_));
    memset(coming_, 0, sizeof(coming_));
  }
  Element operator[](long long i) { return Element(this, i); }

  T Read(long long i) {
    if (!Inside(i)) return T();
    if (coming_[i]) Fail("%s[%lld]: read while it is being copied", name_, i, 0);
    const int me = static_cast<int>(thread_index.x);
    if (written_[i] == epoch && writer_[i] != me) Fail("%s[%lld]: read while thread %lld writes it", name_, i, writer_[i]);
    reader_[i] = read_[i] == epoch && reader_[i] != me ? kMany : me;
    read_[i] = epoch;
    return data_[i];
  }
  void Write(long long i, T v) {
    if (!Inside(i)) return;
    if (coming_[i]) Fail("%s[%lld]: written while it is being copied", name_, i, 0);
    const int me = static_cast<int>(thread_index.x);
    if (written_[i] == epoch && writer_[i] != me) Fail("%s[%lld]: written while thread %lld writes it", name_, i, writer_[i]);
    if (read_[i] == epoch && reader_[i] != me) Fail("%s[%lld]: written while thread %lld reads it", name_, i, reader_[i]);
    written_[i] = epoch;
    writer_[i] = me;
    data_[i] = v;
  }
  // The bytes of a copy may come from now on, and are there after Land.
  void Expect(long long i, int bytes) {
    for (const long long end = i + bytes / static_cast<int>(sizeof(T)); i < end; ++i) {
      Write(i, T());
      if (Inside(i)) coming_[i] = true;
    }
  }
  static void Land(const Copy& c) {
    Shared& s = *static_cast<Shared*>(c.array);
    const int count = c.bytes / static_cast<int>(sizeof(T));
    for (int i = 0; i < count; ++i) {
      T v = T();
      if (c.from != nullptr) memcpy(&v, static_cast<const char*>(c.from) + i * sizeof(T), sizeof(T));
      if (!s.Inside(c.index + i)) continue;
      s.coming_[c.index + i] = false;
      s.Write(c.index + i, v);
    }
  }

 private:
  static constexpr int kMany = -1;
  bool Inside(long long i) {
    if (i >= 0 && i < kSize) return true;
    Fail("%s[%lld] is outside its %lld elements", name_, i, kSize);
    return false;
  }

  T data_[kSize];
  bool coming_[kSize];
  unsigned written_[kSize], read_[kSize], block_;
  int writer_[kSize], reader_[kSize];
  const char* name_;
};

template <int kBytes, typename T, int kSize>
void CopyAsync(Shared<T, kSize>& to, long long i, const void* from, bool inside) {
  static_assert(sizeof(T) == 4 && (kBytes == 4 || kBytes == 8 || kBytes == 16), "words");
  Thread& t = threads[thread_index.x];
  if (architecture < 80) return Fail("%s: there are none before sm_80", "asynchronous copies", 0, 0);
  if (i * 4 % kBytes != 0 || (inside && reinterpret_cast<uintptr_t>(from) % kBytes != 0)) {
    return Fail("%s of %lld bytes at an address that is not aligned", "copy", kBytes, 0);
  }
  if (t.num_copies == kMaxCopies) return Fail("%s: more than %lld of a thread", "asynchronous copies", kMaxCopies, 0);
  to.Expect(i, kBytes);
  t.copies[t.num_copies++] = {&Shared<T, kSize>::Land, &to, i, inside ? from : nullptr, kBytes, t.groups};
}
inline void CommitCopies() { ++threads[thread_index.x].groups; }
inline void WaitCopies(int pending) {
  Thread& t = threads[thread_index.x];
  int landed = 0;
  while (landed < t.num_copies && t.copies[landed].group < t.groups - pending) {
    t.copies[landed].land(t.copies[landed]);
    ++landed;
  }
  t.num_copies -= landed;
  memmove(t.copies, t.copies + landed, static_cast<size_t>(t.num_copies) * sizeof(Copy));
}

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
  const char* what = "warp_xor";
  for (int t = first; t < first + count; ++t) {
    if (threads[t].state == State::kExchange && threads[t].bits >= kInt8Product) what = "mma";
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
#define DEVICE static inline
#define threadIdx emulator::thread_index
#define blockIdx emulator::block_index
#define __syncthreads() emulator::Barrier(__LINE__)
#define warp_xor(v, bits) emulator::WarpXor(v, bits, __LINE__)
#define mma_s8(...) emulator::Mma<int4, int>(emulator::kInt8Product, __LINE__, __VA_ARGS__)
#define mma_f16(...) emulator::Mma<float4, int>(emulator::kHalfProduct, __LINE__, __VA_ARGS__)
#define mma_tf32(...) emulator::Mma<float4, float>(emulator::kTf32Product, __LINE__, __VA_ARGS__)
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
DEVICE float4 load4(emulator::Shared<float, kSize>& p, long long i) {
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

// The entry of a kernel for run_emulated.cc.
#define EMULATED(kernel)                                                                                          \
  extern "C" int run_##kernel(void** arguments, unsigned grid, unsigned block, unsigned tasks, int order, int fibers, \
                              char* message) {                                                                    \
    return emulator::Launch(&kernel, arguments, grid, block, tasks, order, fibers, message);                      \
  }

#endif  // MGEC_COMPILER_CODEGEN_CUDA_TESTING_EMULATOR_H_
