// What this machine can do at most, measured on the spot.
#ifndef MGEC_TOOLS_BENCH_LIMITS_H_
#define MGEC_TOOLS_BENCH_LIMITS_H_

#include <cstddef>

namespace mgec::bench {

// Float32 multiply-adds per second of one core, from independent chains of FMA instructions in registers of `lanes` floats:
// 16 (needs AVX-512), 8 (needs AVX2), or 0 for the widest that the CPU has.
double FusedMultiplyAddsPerSecond(int lanes = 0);

// The instructions that add up products of 8-bit integers.
enum class IntegerProducts {
  kWidened256,  // vpmaddwd and vpaddd on 16-bit operands, AVX2
  kWidened512,  // the same, AVX-512 BW
  kVnni512,     // vpdpbusd, AVX-512 VNNI
};

// Multiply-adds per second of one core, from independent chains of these instructions, which the CPU must have.
double IntegerMultiplyAddsPerSecond(IntegerProducts products);

// Bytes per second that one core reads and writes, half of each, in two buffers of `bytes` together (64 KiB to 256 MiB: more
// or less is taken for that).
double BytesPerSecond(size_t bytes);

// Reads `read` bytes and writes `written` bytes of memory of its own, each once and in order, as fast as one core can.
// The buffers stay the same from call to call.
class MemoryPass {
 public:
  MemoryPass(size_t read, size_t written);
  ~MemoryPass();
  MemoryPass(const MemoryPass&) = delete;
  MemoryPass& operator=(const MemoryPass&) = delete;
  void Run();

 private:
  size_t read_, written_;
  char* source_;
  char* target_;
};

}  // namespace mgec::bench

#endif  // MGEC_TOOLS_BENCH_LIMITS_H_
