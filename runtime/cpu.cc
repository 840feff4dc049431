#include "runtime/cpu.h"

#include <cstdlib>

namespace mgec {
namespace {

// 0 for a name that is not known.
int Level(std::string_view target) {
  if (target == "x86-64") return 1;
  if (target == "x86-64-v3") return 3;
  if (target == "x86-64-v4") return 4;
  if (target == "x86-64-v4-vnni") return 5;
  return 0;
}

int CpuLevel() {
#if defined(__x86_64__)
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
#else
  return 0;
#endif
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
  switch (EnabledLevel()) {
    case 5:
      return "x86-64-v4-vnni";
    case 4:
      return "x86-64-v4";
    case 3:
      return "x86-64-v3";
    default:
      return "x86-64";
  }
}

}  // namespace mgec
