// Math functions on float32 vectors, emitted as straight-line code: no calls, no branches, no tables in memory.
#ifndef MGEC_COMPILER_CODEGEN_LLVM_MATH_H_
#define MGEC_COMPILER_CODEGEN_LLVM_MATH_H_

#include "compiler/kernel/expr.h"
#include "llvm/IR/IRBuilder.h"

namespace mgec::codegen {

class VectorMath {
 public:
  VectorMath(llvm::IRBuilder<>& b, int lanes) : b_(b), lanes_(lanes) {}
  llvm::Value* Unary(kernel::Op op, llvm::Value* x);
  llvm::Value* Binary(kernel::Op op, llvm::Value* x, llvm::Value* y);

 private:
  llvm::IRBuilder<>& b_;
  int lanes_;
};

}  // namespace mgec::codegen

#endif  // MGEC_COMPILER_CODEGEN_LLVM_MATH_H_
