// Division by way of the machine's approximate reciprocals.
#include <numeric>
#include <vector>

#include "compiler/codegen/llvm/math.h"
#include "llvm/IR/Intrinsics.h"
#include "llvm/IR/IntrinsicsX86.h"

namespace mgec::codegen {

namespace Intrinsic = llvm::Intrinsic;

llvm::Value* VectorMath::ReciprocalEstimate(V x) {
  const auto* type = llvm::dyn_cast<llvm::FixedVectorType>(x->getType());
  const unsigned lanes = type ? type->getNumElements() : 1;
  if (!has_avx512_ || lanes < 4 || (lanes & (lanes - 1)) != 0) return nullptr;
  if (lanes > 16) {  // halves, until they fit a register
    std::vector<int> low(lanes / 2), high(lanes / 2), all(lanes);
    std::iota(low.begin(), low.end(), 0);
    std::iota(high.begin(), high.end(), static_cast<int>(lanes / 2));
    std::iota(all.begin(), all.end(), 0);
    V first = ReciprocalEstimate(b_.CreateShuffleVector(x, low));
    return b_.CreateShuffleVector(first, ReciprocalEstimate(b_.CreateShuffleVector(x, high)), all);
  }
  const Intrinsic::ID id = lanes == 16  ? Intrinsic::x86_avx512_rcp14_ps_512
                           : lanes == 8 ? Intrinsic::x86_avx512_rcp14_ps_256
                                        : Intrinsic::x86_avx512_rcp14_ps_128;
  // All lanes: the mask has 8 bits at least.
  return b_.CreateIntrinsic(id, {}, {x, llvm::Constant::getNullValue(x->getType()),
                                     llvm::Constant::getAllOnesValue(b_.getIntNTy(lanes == 16 ? 16 : 8))});
}

llvm::Value* VectorMath::Refined(V x, V estimate) {
  V error = Fma(b_.CreateFNeg(x), estimate, K(x, 1));
  return Fma(estimate, error, estimate);
}

llvm::Value* VectorMath::Reciprocal(V x) {
  V estimate = ReciprocalEstimate(x);
  return estimate == nullptr ? Div(K(x, 1), x) : Refined(x, estimate);
}

// The remainder, computed exactly, corrects the last place; it would turn -0 into 0.
llvm::Value* VectorMath::Quotient(V a, V b) {
  V estimate = ReciprocalEstimate(b);
  if (estimate == nullptr) return Div(a, b);
  V r = Refined(b, estimate);
  V q = Mul(a, r);
  V remainder = Fma(b_.CreateFNeg(q), b, a);
  return CopySign(Fma(remainder, r, q), q);
}

}  // namespace mgec::codegen
