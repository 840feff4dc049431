// Shared memory, and asynchronous copies to it: see emulator.h.
#ifndef MGEC_COMPILER_CODEGEN_CUDA_TESTING_EMULATOR_SHARED_H_
#define MGEC_COMPILER_CODEGEN_CUDA_TESTING_EMULATOR_SHARED_H_

#include <stdint.h>
#include <string.h>

#include "compiler/codegen/cuda/testing/emulator_threads.h"

namespace emulator {

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

// --- Matrices in shared memory, as ldmatrix of the PTX manual reads them: m8n8 of b16, x4. ---

// Tells each thread where the rows are that it gets a part of, in each matrix: row lane / 4 or, turned, two from 2 (lane % 4) on.
inline void ShareRows(Thread* warp, bool turned) {
  for (int lane = 0; lane < kWarp; ++lane) {
    for (int m = 0; m < 4; ++m) {
      const int first = 8 * m + (turned ? lane % 4 * 2 : lane / 4);
      warp[lane].rows[2 * m] = warp[first].value;
      warp[lane].rows[2 * m + 1] = warp[turned ? first + 1 : first].value;
    }
  }
}
inline int4 Four(int a, int b, int c, int d) { return {a, b, c, d}; }
inline float4 Four(float a, float b, float c, float d) { return {a, b, c, d}; }

// Says where this thread's row is, and returns where those are that it gets a part of.
inline const uint32_t* ExchangeRows(int row, int elements, int kind, int line) {
  if (row % elements != 0) Fail("%s: element %lld begins no 16 bytes", "load_matrices", row, 0);
  threads[thread_index.x].value = static_cast<uint32_t>(row);
  threads[thread_index.x].bits = kind;
  Yield(State::kExchange, line);
  return threads[thread_index.x].rows;
}

template <typename T, int kSize>
auto LoadMatrices(Shared<T, kSize>& from, int row, int line) {
  static_assert(sizeof(T) == 4, "words");
  const uint32_t* rows = ExchangeRows(row, 4, kMatrices, line);
  const int word = static_cast<int>(thread_index.x % 4);
  T v[4];
  for (int m = 0; m < 4; ++m) v[m] = from.Read(static_cast<int>(rows[2 * m]) + word);
  return Four(v[0], v[1], v[2], v[3]);
}

template <int kSize>
int4 LoadTurned(Shared<unsigned short, kSize>& from, int row, int line) {
  const uint32_t* rows = ExchangeRows(row, 8, kTurnedMatrices, line);
  const int number = static_cast<int>(thread_index.x % 32 / 4);
  int v[4];
  for (int m = 0; m < 4; ++m) {
    const unsigned low = from.Read(static_cast<int>(rows[2 * m]) + number), high = from.Read(static_cast<int>(rows[2 * m + 1]) + number);
    v[m] = static_cast<int>(low | high << 16);
  }
  return Four(v[0], v[1], v[2], v[3]);
}

template <int kBytes, typename T, int kSize>
void CopyAsync(Shared<T, kSize>& to, long long i, const void* from, bool inside) {
  static_assert((sizeof(T) == 4 || sizeof(T) == 2) && (kBytes == 4 || kBytes == 8 || kBytes == 16), "words");
  Thread& t = threads[thread_index.x];
  if (architecture < 80) return Fail("%s: there are none before sm_80", "asynchronous copies", 0, 0);
  if (i * static_cast<int>(sizeof(T)) % kBytes != 0 || (inside && reinterpret_cast<uintptr_t>(from) % kBytes != 0)) {
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

}  // namespace emulator

#endif  // MGEC_COMPILER_CODEGEN_CUDA_TESTING_EMULATOR_SHARED_H_
