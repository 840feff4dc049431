// What this machine's CPU can run.
#ifndef MGEC_RUNTIME_CPU_H_
#define MGEC_RUNTIME_CPU_H_

#include <string_view>

namespace mgec {

// Whether the CPU and the operating system can run code for `target`. On x86-64: "x86-64-v3" (AVX2, FMA, F16C, BMI1/2, LZCNT,
// MOVBE), "x86-64-v4" (all of v3 and AVX-512 F, BW, CD, DQ, VL) or "x86-64-v4-vnni" (and AVX-512 VNNI). On 64-bit Arm: "aarch64"
// (always) or "aarch64-dotprod". False for names that this runtime does not know, and for those of other architectures.
bool CpuSupports(std::string_view target);

// As CpuSupports(), and false also for a target above the one that the environment variable MGEC_TARGET names, if it is
// set. For tests and for comparing targets on one machine.
bool TargetEnabled(std::string_view target);

// The best of this architecture's targets that TargetEnabled() allows, "x86-64" where that is none of them; for error messages.
const char* BestTarget();

}  // namespace mgec

#endif  // MGEC_RUNTIME_CPU_H_
