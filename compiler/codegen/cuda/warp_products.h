// Products of matrices for GPUs that have no tensor cores for them.
#ifndef MGEC_COMPILER_CODEGEN_CUDA_WARP_PRODUCTS_H_
#define MGEC_COMPILER_CODEGEN_CUDA_WARP_PRODUCTS_H_

namespace mgec::codegen::cuda {

// The first architecture whose tensor cores multiply what kernels ask for (kMma), int8 and float16, and that loads matrices for them
// (kLoadMatrices).
inline constexpr int kTensorCores = 75;

// Source that goes between the prelude and kernels for older ones: the threads of a warp exchange what they have of the factors
// instead. Needs warp_from(value, lane), the value that another thread of the warp has.
const char* WarpProducts();
// That function.
const char* WarpFrom();

}  // namespace mgec::codegen::cuda

#endif  // MGEC_COMPILER_CODEGEN_CUDA_WARP_PRODUCTS_H_
