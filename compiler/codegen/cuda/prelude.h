// What printed kernels use besides C++.
#ifndef MGEC_COMPILER_CODEGEN_CUDA_PRELUDE_H_
#define MGEC_COMPILER_CODEGEN_CUDA_PRELUDE_H_

namespace mgec::codegen::cuda {

// Text for NVRTC that goes in front of Arithmetic() and printed kernels: what is CUDA's own. Needs no header.
const char* Prelude();
// Arithmetic that C++ has no operator for, with the interpreter's meaning; the same for NVRTC and the emulator.
const char* Arithmetic();

}  // namespace mgec::codegen::cuda

#endif  // MGEC_COMPILER_CODEGEN_CUDA_PRELUDE_H_
