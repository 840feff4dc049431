// Whether a kernel is well-formed. Code generators and the interpreter take only kernels that pass.
#ifndef MGEC_COMPILER_KERNEL_VERIFY_H_
#define MGEC_COMPILER_KERNEL_VERIFY_H_

#include "absl/status/status.h"
#include "compiler/kernel/stmt.h"

namespace mgec::kernel {

// Checks names, argument positions, the types of all expressions, that variables are defined before they are used and
// once only, that register numbers are constants in range and stack and shared buffers fit, that nothing of the
// definition level (kRead, kReduce) is left, and that all threads meet at barriers and exchanges within warps: those stand
// in no loop or branch that depends on the thread or on memory. Internal error that names the kernel and the statement: a kernel that fails was built
// wrongly by this compiler.
absl::Status Verify(const Kernel& k);

}  // namespace mgec::kernel

#endif  // MGEC_COMPILER_KERNEL_VERIFY_H_
