// What this machine can do at most, measured on the spot.
#ifndef MGEC_TOOLS_BENCH_LIMITS_H_
#define MGEC_TOOLS_BENCH_LIMITS_H_

#include <cstddef>
#include <string>

namespace mgec::bench {

// "AMD EPYC 7B13", as the system calls it; "unknown CPU" where it does not.
std::string CpuName();

// Float32 multiply-adds per second of one core, from independent chains of FMA instructions in the widest registers.
double FusedMultiplyAddsPerSecond();

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
