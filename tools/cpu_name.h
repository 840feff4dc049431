// What this machine's CPU is called.
#ifndef MGEC_TOOLS_CPU_NAME_H_
#define MGEC_TOOLS_CPU_NAME_H_

#include <string>

namespace mgec {

// "AMD EPYC 7B13", as the system calls it; "unknown CPU" where it does not.
std::string CpuName();

// The same with the numbers that tell CPUs apart whose names are alike: "Intel(R) Xeon(R) Processor (family 6 model 207)".
std::string CpuModel();

}  // namespace mgec

#endif  // MGEC_TOOLS_CPU_NAME_H_
