// What ptxas wrote into a cubin of what its kernels need of a GPU.
#ifndef MGEC_TOOLS_CUBIN_H_
#define MGEC_TOOLS_CUBIN_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mgec {

struct KernelResources {
  int registers = 0;     // of 32 bits, per thread
  int local_bytes = 0;   // per thread, in memory: arrays, and registers that were spilled
  int shared_bytes = 0;  // per block, of static shared memory
};

// By kernel. DataLoss for anything but a whole cubin.
absl::StatusOr<std::map<std::string, KernelResources>> ReadCubin(absl::string_view bytes);

}  // namespace mgec

#endif  // MGEC_TOOLS_CUBIN_H_
