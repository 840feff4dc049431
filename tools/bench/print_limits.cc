// Prints the machine's limits as JSON, for tools that are not written in C++.
#include <cstdio>

#include "nlohmann/json.hpp"
#include "tools/bench/limits.h"
#include "tools/cpu_name.h"

int main() {
  const nlohmann::ordered_json limits = {{"cpu", mgec::CpuName()},
                                         {"multiply_adds_per_second", mgec::bench::FusedMultiplyAddsPerSecond()}};
  std::printf("%s\n", limits.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace).c_str());
  return 0;
}
