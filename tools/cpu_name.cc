#include "tools/cpu_name.h"

#include <fstream>

namespace mgec {
namespace {

// What the system says of the first CPU under this name; "" if nothing.
std::string CpuInfo(const std::string& name) {
  std::ifstream info("/proc/cpuinfo");
  std::string line;
  while (std::getline(info, line)) {
    const size_t colon = line.find(": ");
    if (colon == std::string::npos || line.rfind(name, 0) != 0) continue;
    if (line.find_first_not_of(" \t", name.size()) == colon) return line.substr(colon + 2);
  }
  return "";
}

}  // namespace

std::string CpuName() {
  const std::string name = CpuInfo("model name");
  return name.empty() ? "unknown CPU" : name;
}

std::string CpuModel() { return CpuName() + " (family " + CpuInfo("cpu family") + " model " + CpuInfo("model") + ")"; }

}  // namespace mgec
