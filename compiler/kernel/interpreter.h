// Runs scheduled kernels without generating code: the oracle of all tests, and constant folding.
//
//   BufferView views[] = {{input.data(), input_bytes}, {output.data(), output_bytes}};
//   RETURN_IF_ERROR(Interpret(kernel, views, 0, kernel.tasks));
//
// Generated code gives the same bits, except for math functions, which the interpreter takes from the C library in
// float64 and rounds once.
#ifndef MGEC_COMPILER_KERNEL_INTERPRETER_H_
#define MGEC_COMPILER_KERNEL_INTERPRETER_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "compiler/kernel/stmt.h"

namespace mgec::kernel {

struct BufferView {
  void* data;  // aligned to the element size
  int64_t bytes;
};

// Runs tasks [task_begin, task_end). `arguments` has one view for each of the kernel's arguments. Kernels with threads are
// refused (Unimplemented): the emulator of codegen/cuda runs those.
//
// Every access is checked against the buffer's declared size and the bytes given. Errors, with the memory in an
// unspecified state: Internal for a malformed kernel (verify.h), OutOfRange naming kernel, buffer and index for an access
// out of bounds, InvalidArgument for a division by zero, wrong views or tasks. Registers and stack buffers start every
// task with arbitrary contents. Thread-safe.
absl::Status Interpret(const Kernel& k, absl::Span<const BufferView> arguments, int64_t task_begin, int64_t task_end);

}  // namespace mgec::kernel

#endif  // MGEC_COMPILER_KERNEL_INTERPRETER_H_
