#include "runtime/cpu.h"

#include <cstdlib>
#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace mgec {
namespace {

// What an architecture's targets ask for, each of all before it.
struct Named {
  const char* name;
  int level;
};

#if defined(__aarch64__)

constexpr Named kTargets[] = {{"aarch64", 1}, {"aarch64-dotprod", 2}};

int CpuLevel() {
  constexpr unsigned long kDotProd = 1ul << 20;  // HWCAP_ASIMDDP
  return (getauxval(AT_HWCAP) & kDotProd) != 0 ? 2 : 1;
}

#elif defined(__x86_64__)

// No code is made for the first: it is what a CPU is called that can run none.
constexpr Named kTargets[] = {{"x86-64", 1}, {"x86-64-v3", 3}, {"x86-64-v4", 4}, {"x86-64-v4-vnni", 5}};

int CpuLevel() {
  // These also ask the operating system (XGETBV) whether it saves the wide registers.
  __builtin_cpu_init();
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c") &&
                  __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
                  __builtin_cpu_supports("lzcnt") && __builtin_cpu_supports("movbe");
  if (!v3) return 1;
  const bool v4 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
  if (!v4) return 3;
  return __builtin_cpu_supports("avx512vnni") ? 5 : 4;
}

#else
#error "no machine code is made for this architecture"
#endif

// 0 for a name that this architecture does not know.
int Level(std::string_view target) {
  for (const Named& t : kTargets) {
    if (target == t.name) return t.level;
  }
  return 0;
}

int EnabledLevel() {
  const int level = CpuLevel();
  const char* forced = std::getenv("MGEC_TARGET");
  if (forced == nullptr || *forced == '\0') return level;
  const int limit = Level(forced);
  return limit < level ? limit : level;
}

}  // namespace

bool CpuSupports(std::string_view target) {
  const int level = Level(target);
  return level != 0 && level <= CpuLevel();
}

bool TargetEnabled(std::string_view target) {
  const int level = Level(target);
  return level != 0 && level <= EnabledLevel();
}

const char* BestTarget() {
  const char* best = kTargets[0].name;
  for (const Named& t : kTargets) {
    if (t.level <= EnabledLevel()) best = t.name;
  }
  return best;
}

}  // namespace mgec
